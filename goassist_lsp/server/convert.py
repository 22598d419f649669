"""From candidates to LSP items: ranges and accept points in the client's units, the document's line ends, imports.

The last hop of a keystroke; knows no session and awaits nothing.
"""

from __future__ import annotations

from lsprotocol import types as lsp

from goassist_lsp.server.positions import units
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
            command = accept_command(completion_id, index, document.uri, to_accept_points(document, candidate))
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
        word = document.text[start : candidate.start]
        text = word + with_line_ends_of(document, candidate.insert_text)
        points = to_accept_points(document, candidate, word)
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
                command=accept_command(completion_id, index, document.uri, points),
            )
        )
    return items


def to_text_edits(document: Document, edits: tuple[ImportEdit, ...]) -> list[lsp.TextEdit]:
    """Import edits in the client's units."""
    return [
        lsp.TextEdit(document.lines.range_at(edit.start, edit.end), with_line_ends_of(document, edit.text))
        for edit in edits
    ]


def to_accept_points(document: Document, candidate: Candidate, before: str = "") -> list[int]:
    """Accept points as lengths of what may be taken of an item's text, in the client's units.

    The item's text is `before` and then the candidate's, lines ended as in the document.
    """
    parts = (candidate.insert_text[:point] for point in candidate.accept_points)
    return [units(before + with_line_ends_of(document, part), document.encoding) for part in parts]


def accept_command(completion_id: int, index: int, uri: str, accept_points: list[int]) -> lsp.Command:
    """What the client runs once the user has taken a candidate; a client may take it in parts, see the last argument.

    That one is no part of the protocol, which has no place for more: `goassist.accept` does without.
    """
    arguments = [completion_id, index, uri, accept_points]
    return lsp.Command(title="goassist: accepted", command=ACCEPT, arguments=arguments)


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
