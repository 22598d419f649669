"""`textDocument/completion`: the same answers as list items, for clients that know no inline completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from goassist_lsp.server.convert import to_completion_items

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

_TRIGGERS = [".", "(", "{", " ", "\n"]


def register(server: GoassistServer) -> None:
    """Join `textDocument/completion`."""

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=_TRIGGERS))
    async def completion(params: lsp.CompletionParams) -> lsp.CompletionList:
        session = server.session
        document = session.documents.get(params.text_document.uri)
        if document is None:
            session.skip_reason = "the document is not open"
            return lsp.CompletionList(is_incomplete=True, items=[])
        offset = document.lines.offset_at(params.position)
        answer = await session.complete(document, offset)
        if answer is None:
            return lsp.CompletionList(is_incomplete=True, items=[])
        completion_id, found = answer
        # The items carry their import edits themselves.
        session.remember(completion_id, document, found, imports_pending=False)
        items = to_completion_items(document, offset, found.candidates, completion_id)
        return lsp.CompletionList(is_incomplete=True, items=items)
