"""From a snapshot and an offset to a CursorContext: line, hole kind and what the brackets ask for. Second stage."""

from __future__ import annotations

import re

from goassist_index.boundary import Hole
from goassist_index.scan import (
    Token,
    brackets,
    declaration_span,
    holds_elements,
    literal_end,
    open_brackets,
    open_literal,
    tokens,
)
from goassist_lsp.types import CursorContext, DocumentSnapshot, HoleKind

# The end of a case clause's header; a label's colon stands behind one word alone.
_CLAUSE = re.compile(r"(?:^[ \t]*default|^(?![ \t]*\w+:\Z).*):\Z", re.MULTILINE)
_NEXT_CLAUSE = re.compile(r"\}|case\b|default\s*:")


def context_at(snapshot: DocumentSnapshot, offset: int) -> CursorContext:
    """Context of the cursor at `offset`, in code points (0 <= offset <= len(text))."""
    text = snapshot.text
    prefix, suffix = text[:offset], text[offset:]
    line_prefix = prefix[prefix.rfind("\n") + 1 :]
    line_end = suffix.find("\n")
    line_suffix = (suffix if line_end < 0 else suffix[:line_end]).rstrip("\r")
    start, end = declaration_span(text, offset)
    function_prefix, function_suffix = text[start:offset], text[offset : max(end, offset)]
    literal = open_literal(function_prefix) or ""
    closed = bool(literal) and _closes_literal(literal, line_suffix, function_suffix)
    closers, spare = _bracket_debts(function_prefix, function_suffix, literal if closed else "")
    kind = _hole_kind(prefix, suffix, line_prefix, line_suffix)
    opened = open_brackets(function_prefix)
    in_function = function_prefix.startswith("func") and any(token.text == "{" for token in opened)
    hole = Hole(
        multiline=kind in ("block", "body"),
        literal=literal,
        literal_closed=closed,
        closers=closers,
        due=_due(closers, opened, len(function_prefix) - len(line_prefix), line_suffix if not literal else ""),
        spare=spare,
        ended=_may_end(line_prefix),
        in_list=bool(opened) and holds_elements(function_prefix, opened[-1].start),
        in_function=in_function,
        rest=line_suffix.strip(),
        following=_lines_behind(suffix),
    )
    return CursorContext(
        snapshot=snapshot,
        offset=offset,
        prefix=prefix,
        suffix=suffix,
        line_prefix=line_prefix,
        line_suffix=line_suffix,
        kind=kind,
        function_prefix=function_prefix,
        function_suffix=function_suffix,
        closers=closers,
        spare_closers=spare,
        in_function=in_function,
        hole=hole,
    )


def _hole_kind(prefix: str, suffix: str, line_prefix: str, line_suffix: str) -> HoleKind:
    if line_suffix.strip():
        return "expression"
    if line_prefix.strip():
        return "line"
    before, after = prefix.rstrip(), suffix.lstrip()
    if before.endswith("{") and (after.startswith("}") or not after):
        return "body"
    if _CLAUSE.search(before) and (_NEXT_CLAUSE.match(after) or not after):
        return "body"
    return "block"


def _closes_literal(quote: str, line_suffix: str, function_suffix: str) -> bool:
    """Whether the text behind the cursor closes the string it stands in: an odd quote is left over there.

    Editors set the closing quote as soon as the opening one is typed; where none did, quotes come in pairs.
    """
    quote = quote[-1]  # without the backslash that says that the prefix ends in one
    if quote == "`":
        return function_suffix.count(quote) % 2 == 1
    unescaped = line_suffix.replace("\\\\", "").replace("\\" + quote, "")
    return unescaped.count(quote) % 2 == 1


def _due(closers: str, opened: tuple[Token, ...], line_start: int, line_suffix: str) -> int:
    """How many of `closers` a candidate has to say: those of the cursor's line, all if that line closes outer ones.

    A block further up may stay open: nobody writes a function's last brace before its last statement.
    """
    if brackets(line_suffix).closers:
        return len(closers)
    return min(len(closers), sum(token.start >= line_start for token in opened))


def _may_end(line_prefix: str) -> bool:
    last = [token for token in tokens(line_prefix) if token.kind != "comment"][-1:]
    return bool(last) and last[0].ends_statement


def _lines_behind(suffix: str) -> tuple[str, ...]:
    """The first two lines below the cursor's that are not blank, stripped."""
    found: list[str] = []
    at = suffix.find("\n")
    while at >= 0 and len(found) < 2:
        end = suffix.find("\n", at + 1)
        line = suffix[at + 1 : end if end >= 0 else len(suffix)].strip()
        if line:
            found.append(line)
        at = end
    return tuple(found)


def _bracket_debts(before: str, after: str, literal: str) -> tuple[str, str]:
    """What a candidate between `before` and `after` has to close, and what closers after it nothing opens yet.

    `literal`: quote of a string that `after` begins inside of ("" for none).
    """
    if literal:
        after = after[literal_end(after, literal) :]
    needed = brackets(before).needed
    given = brackets(after).closers
    common = 0
    while common < min(len(needed), len(given)) and needed[-1 - common] == given[-1 - common]:
        common += 1
    return needed[: len(needed) - common], given[: len(given) - common]
