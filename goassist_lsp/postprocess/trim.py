"""Cuts a candidate where what was asked ends: models run on past the statement more often than anything else."""

from __future__ import annotations

from dataclasses import replace

from goassist_index.boundary import boundary
from goassist_lsp.types import Candidate, CursorContext


def cut_at_syntactic_end(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Keep the rest of the line, the expression, the block's statements: whichever the place asks for.

    A closing bracket that neither the candidate nor an open bracket before the cursor accounts for belongs to the
    text behind the cursor: the candidate ends in front of it. In a line or expression it ends at the first line
    end at which all brackets are settled, or where it says the rest of the line again.
    """
    text = candidate.insert_text
    kept = text[: syntactic_end(text, context)]
    return replace(candidate, insert_text=kept) if kept.strip() else None


def syntactic_end(text: str, context: CursorContext) -> int:
    """Offset in `text` at which what the place asks for ends (len(text) when it never does)."""
    end = boundary(text, context.hole)
    return len(text) if end is None else end
