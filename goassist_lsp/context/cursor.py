"""From a snapshot and an offset to a CursorContext: line, hole kind and what the brackets ask for. Second stage."""

from __future__ import annotations

from goassist_index.scan import brackets, declaration_span, literal_end, open_literal
from goassist_lsp.types import CursorContext, DocumentSnapshot, HoleKind


def context_at(snapshot: DocumentSnapshot, offset: int) -> CursorContext:
    """Context of the cursor at `offset`, in code points (0 <= offset <= len(text))."""
    text = snapshot.text
    prefix, suffix = text[:offset], text[offset:]
    line_prefix = prefix[prefix.rfind("\n") + 1 :]
    line_end = suffix.find("\n")
    line_suffix = (suffix if line_end < 0 else suffix[:line_end]).rstrip("\r")
    start, end = declaration_span(text, offset)
    function_prefix, function_suffix = text[start:offset], text[offset : max(end, offset)]
    closers, spare = _bracket_debts(function_prefix, function_suffix)
    return CursorContext(
        snapshot=snapshot,
        offset=offset,
        prefix=prefix,
        suffix=suffix,
        line_prefix=line_prefix,
        line_suffix=line_suffix,
        kind=_hole_kind(prefix, suffix, line_prefix, line_suffix),
        function_prefix=function_prefix,
        function_suffix=function_suffix,
        closers=closers,
        spare_closers=spare,
        in_function=function_prefix.startswith("func") and "{" in brackets(function_prefix).openers,
    )


def _hole_kind(prefix: str, suffix: str, line_prefix: str, line_suffix: str) -> HoleKind:
    if line_suffix.strip():
        return "expression"
    if line_prefix.strip():
        return "line"
    before, after = prefix.rstrip(), suffix.lstrip()
    if before.endswith(("{", ":")) and (after.startswith("}") or not after):
        return "body"
    return "block"


def _bracket_debts(before: str, after: str) -> tuple[str, str]:
    """What a candidate between `before` and `after` has to close, and what closers after it nothing opens yet."""
    literal = open_literal(before)
    if literal is not None:
        after = after[literal_end(after, literal) :]
    needed = brackets(before).needed
    given = brackets(after).closers
    common = 0
    while common < min(len(needed), len(given)) and needed[-1 - common] == given[-1 - common]:
        common += 1
    return needed[: len(needed) - common], given[: len(given) - common]
