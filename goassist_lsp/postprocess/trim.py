"""Cuts a candidate where what was asked ends: models run on past the statement more often than anything else."""

from __future__ import annotations

from dataclasses import replace

from goassist_index.scan import CLOSER_OF, tokens
from goassist_lsp.types import Candidate, CursorContext


def cut_at_syntactic_end(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Keep the rest of the line, the expression, the block's statements: whichever the place asks for.

    A closing bracket that neither the candidate nor an open bracket before the cursor accounts for belongs to the
    text behind the cursor: the candidate ends in front of it. In a line or expression it ends at the first line
    end at which all brackets are settled.
    """
    text = candidate.insert_text
    end = syntactic_end(text, context)
    kept = text[:end]
    return replace(candidate, insert_text=kept) if kept.strip() else None


def syntactic_end(text: str, context: CursorContext) -> int:
    """Offset in `text` at which what the place asks for ends (len(text) when it never does)."""
    owed = list(context.closers)
    opened: list[str] = []
    spare = len(context.spare_closers)
    last_ends = False
    for token in tokens(text):
        if token.kind == "open":
            opened.append(token.text)
        elif token.kind == "close":
            if opened:
                if CLOSER_OF[opened[-1]] != token.text:
                    return token.start
                opened.pop()
            elif owed and owed[0] == token.text:
                owed.pop(0)
            else:
                return token.start
        if token.kind == "newline" and not context.multiline:
            settled = len(opened) <= spare and not owed
            if settled and (last_ends or (spare and len(opened) == spare)):
                return token.start
        elif token.kind not in ("comment", "newline"):
            last_ends = token.ends_statement
    return len(text)
