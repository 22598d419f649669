"""`textDocument/didClose`: the file on disk counts again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer


def register(server: GoassistServer) -> None:
    """Join `textDocument/didClose`."""

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: lsp.DidCloseTextDocumentParams) -> None:
        document = server.session.documents.close(params.text_document.uri)
        if document is not None:
            server.session.cancel_requests(document.uri)
            server.session.tell("closed", document)
