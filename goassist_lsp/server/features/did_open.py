"""`textDocument/didOpen`: the client's text counts from here on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer


def register(server: GoassistServer) -> None:
    """Join `textDocument/didOpen`."""

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: lsp.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        document = server.session.documents.open(item.uri, item.version, item.text)
        server.session.tell("opened", document)
