"""Places in Go text for tests of the pure stages: text with <CURSOR> in, contexts and candidates out."""

from __future__ import annotations

from pathlib import Path

from goassist_lsp.context.cursor import context_at
from goassist_lsp.types import Candidate, CursorContext, DocumentSnapshot
from goassist_models.engine import FinishReason, Generation

CURSOR = "<CURSOR>"
FILE = Path("/module/main.go")


def snapshot(text: str, path: Path = FILE) -> DocumentSnapshot:
    return DocumentSnapshot(path.as_uri(), path, 1, text)


def place(marked: str) -> CursorContext:
    """Context of <CURSOR> in `marked`."""
    before, after = marked.split(CURSOR)
    return context_at(snapshot(before + after), len(before))


def in_function(body: str) -> CursorContext:
    """Context of <CURSOR> in the body of a function; `body` is indented by its own tabs."""
    return place(f"package p\n\nfunc f(n int) int {{\n{body}\n}}\n\nfunc g() {{}}\n")


def candidate(text: str, context: CursorContext, finish: FinishReason = "eos") -> Candidate:
    return Candidate(text, context.offset, context.offset, Generation(text, finish))
