"""Reasons to stay silent before anything is computed. First stage of the pipeline."""

from __future__ import annotations

import re

from goassist_index.scan import declaration_span, open_literal
from goassist_lsp.types import DocumentSnapshot

MAX_FILE_CHARS = 2_000_000
# https://go.dev/s/generatedcode
_GENERATED = re.compile(r"^// Code generated .* DO NOT EDIT\.$", re.MULTILINE)
_STATEMENT_IS_OVER = re.compile(r"(?:\}|;|\)\s*\{\}|\b(?:return|break|continue)\s*;?)\s*$")


def skip_reason(snapshot: DocumentSnapshot, offset: int, *, requested: bool) -> str | None:
    """Why nothing should be suggested at `offset` (code points), or None.

    `requested`: the user asked for it by a key, so reasons of taste do not count.
    """
    text = snapshot.text
    if snapshot.path.suffix != ".go":
        return "not a Go file"
    if len(text) > MAX_FILE_CHARS:
        return f"file is larger than {MAX_FILE_CHARS // 1_000_000} MB"
    if offset < len(text) and (text[offset].isalnum() or text[offset] == "_"):
        return "cursor stands inside or before a word"
    start, _ = declaration_span(text, offset)
    before = text[start:offset]
    literal = open_literal(before)
    if literal in ("//", "/*"):
        return "cursor stands in a comment"
    if requested:
        return None
    if _GENERATED.search(text[:2_000]):
        return "generated file"
    line = before[before.rfind("\n") + 1 :]
    if line.strip() and literal is None and _STATEMENT_IS_OVER.search(line) and not line.rstrip().endswith("return"):
        return "the statement before the cursor is complete"
    return None
