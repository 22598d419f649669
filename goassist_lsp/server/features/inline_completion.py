"""`textDocument/inlineCompletion`: ghost text, the first and last hop of a keystroke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from goassist_lsp.server.convert import to_inline_items
from goassist_lsp.server.selection import Selection

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer


def register(server: GoassistServer) -> None:
    """Join `textDocument/inlineCompletion`."""

    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
    async def inline_completion(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        session = server.session
        document = session.documents.get(params.text_document.uri)
        if document is None:
            session.skip_reason = "the document is not open"
            return lsp.InlineCompletionList([])
        offset = document.lines.offset_at(params.position)
        requested = params.context.trigger_kind == lsp.InlineCompletionTriggerKind.Invoked
        info = params.context.selected_completion_info
        selection = Selection.of(document, info) if info is not None else None
        answer = await session.complete(document, offset, selection=selection, requested=requested)
        if answer is None:
            return lsp.InlineCompletionList([])
        completion_id, completion = answer
        session.remember(completion_id, document, completion, imports_pending=True)
        return lsp.InlineCompletionList(to_inline_items(document, completion.candidates, completion_id))
