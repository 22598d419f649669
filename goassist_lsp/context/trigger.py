"""Reasons to stay silent before anything is computed. First stage of the pipeline."""

from __future__ import annotations

import re

from goassist_index.scan import brackets, declaration_span, open_literal
from goassist_lsp.types import DocumentSnapshot

MAX_FILE_CHARS = 2_000_000
# https://go.dev/s/generatedcode
_GENERATED = re.compile(r"^// Code generated .* DO NOT EDIT\.$", re.MULTILINE)
_ONLY_CLOSERS = re.compile(r"[ \t]*\}[)\]},; \t]*")
_OVER = re.compile(r"(?:\}|;|\b(?:break|continue|fallthrough))[ \t]*\Z")
# Lines that go on behind a brace or semicolon: `return T{}, nil`, `for i := 0; i < n`, `case interface{}:`.
_GOES_ON = re.compile(r"[ \t]*(?:\}[ \t]*else\b|(?:return|for|if|switch|case|func|type|var)\b)")


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
    if _names_packages(before):
        return "cursor stands in the package clause or an import"
    if requested:
        return None
    if _GENERATED.search(text[:2_000]):
        return "generated file"
    if literal is None and _statement_is_over(before[before.rfind("\n") + 1 :]):
        return "the statement before the cursor is complete"
    return None


def _names_packages(before: str) -> bool:
    """Whether the declaration text before the cursor is an import or package clause that has not ended yet.

    Which packages a file imports follows from the code below: no model knows it yet.
    """
    if not before.startswith(("import", "package")):
        return False
    return "\n" not in before or (before.startswith("import") and "(" in brackets(before).openers)


def _statement_is_over(line: str) -> bool:
    if _ONLY_CLOSERS.fullmatch(line):
        return True
    return bool(_OVER.search(line)) and not _GOES_ON.match(line) and not brackets(line).openers
