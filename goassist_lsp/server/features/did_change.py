"""`textDocument/didChange`: incremental edits in the client's units; a running request is of no use any more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

_log = logging.getLogger(__name__)


def register(server: GoassistServer) -> None:
    """Join `textDocument/didChange`."""

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: lsp.DidChangeTextDocumentParams) -> None:
        session, target = server.session, params.text_document
        document = session.documents.change(target.uri, target.version, params.content_changes)
        if document is None:
            _log.warning("the client changed %s without having opened it", target.uri)
            return
        session.cancel_requests(document.uri)
        session.tell("changed", document)
