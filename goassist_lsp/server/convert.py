"""From candidates to LSP items: ranges in the client's units, line ends as the document's, edits for imports.

The last hop of a keystroke; knows no session and awaits nothing.
"""

from __future__ import annotations

from lsprotocol import types as lsp

from goassist_lsp.server.snapshot import Document
from goassist_lsp.types import Candidate, ImportEdit

ACCEPT = "goassist.accept"

_LABEL_CHARS = 60


def to_inline_items(
    document: Document, candidates: tuple[Candidate, ...], completion_id: int
) -> list[lsp.InlineCompletionItem]:
    """Ghost text: each with a range (Neovim throws without one) and the command that reports acceptance.

    Candidates that replace more than a part of one line are left out: the specification does not allow them.
    """
    items = []
    for index, candidate in enumerate(candidates):
        span = document.lines.range_at(candidate.start, candidate.end)
        if span.start.line == span.end.line:
            text = with_line_ends_of(document, candidate.insert_text)
            command = accept_command(completion_id, index, document.uri)
            items.append(lsp.InlineCompletionItem(insert_text=text, range=span, command=command))
    return items


def to_completion_items(
    document: Document, offset: int, candidates: tuple[Candidate, ...], completion_id: int
) -> list[lsp.CompletionItem]:
    """Items for clients without inline completion, sorted behind those of other servers.

    Clients filter by the word before the cursor, so that word is made part of the edit and of the label.
    """
    items = []
    for index, candidate in enumerate(candidates):
        start = min(candidate.start, word_start(document.text, offset))
        span = document.lines.range_at(start, candidate.end)
        if span.start.line != span.end.line:
            continue
        text = document.text[start : candidate.start] + with_line_ends_of(document, candidate.insert_text)
        label = text.strip().partition("\n")[0].rstrip()
        items.append(
            lsp.CompletionItem(
                label=label if len(label) <= _LABEL_CHARS else label[: _LABEL_CHARS - 1] + "…",
                kind=lsp.CompletionItemKind.Snippet,
                detail="goassist",
                documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, f"```go\n{text.strip()}\n```"),
                filter_text=text,
                # gopls numbers its items 00000, 00001, …: these stand behind them.
                sort_text=f"zzzzz{index}",
                insert_text_format=lsp.InsertTextFormat.PlainText,
                insert_text_mode=lsp.InsertTextMode.AsIs,
                text_edit=lsp.TextEdit(span, text),
                additional_text_edits=to_text_edits(document, candidate.import_edits) or None,
                command=accept_command(completion_id, index, document.uri),
            )
        )
    return items


def to_text_edits(document: Document, edits: tuple[ImportEdit, ...]) -> list[lsp.TextEdit]:
    """Import edits in the client's units."""
    return [
        lsp.TextEdit(document.lines.range_at(edit.start, edit.end), with_line_ends_of(document, edit.text))
        for edit in edits
    ]


def accept_command(completion_id: int, index: int, uri: str) -> lsp.Command:
    """What the client runs once the user has taken a candidate."""
    return lsp.Command(title="goassist: accepted", command=ACCEPT, arguments=[completion_id, index, uri])


def word_start(text: str, offset: int) -> int:
    """Where the identifier that ends at `offset` begins; `offset` itself when there is none."""
    start = offset
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return start


def with_line_ends_of(document: Document, text: str) -> str:
    """`text` with CRLF where the document's own lines end in it."""
    text = text.replace("\r\n", "\n")
    first_end = document.text.find("\n")
    return text.replace("\n", "\r\n") if first_end > 0 and document.text[first_end - 1] == "\r" else text
