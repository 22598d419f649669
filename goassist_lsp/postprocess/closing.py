"""Settles a candidate's brackets against the text around it. Last of the structural filters; also used by cut back."""

from __future__ import annotations

from dataclasses import replace

from goassist_index.scan import CLOSER_OF, Token, statement_ends, tokens
from goassist_lsp.types import Candidate, CursorContext


def balance_brackets(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Close what the candidate leaves open and what the place still owes; open what the text behind it closes."""
    text = settle(candidate.insert_text, context)
    return replace(candidate, insert_text=text) if text is not None else None


def settle(text: str, context: CursorContext) -> str | None:
    """`text` with its brackets balanced against the place, or None when no bracket at its end can do it."""
    opened, owed = _left_open(text, context)
    if opened is None:
        return None
    spare = list(context.spare_closers)
    if len(opened) < len(spare):
        missing = spare[: len(spare) - len(opened)]
        if missing != ["}"] or context.kind != "line":
            return None
        return text.rstrip() + " {"
    surplus = opened[: len(opened) - len(spare)] if spare else opened
    if spare and [CLOSER_OF[bracket.text] for bracket in reversed(opened[len(surplus) :])] != spare:
        return None
    if spare and surplus:
        return None
    text = text.rstrip() if surplus or owed else text
    for bracket in reversed(surplus):
        text = _close(text, bracket, context)
    return text + "".join(owed)


def _left_open(text: str, context: CursorContext) -> tuple[list[Token] | None, list[str]]:
    """Brackets that `text` opens and leaves open, and what is still owed to the place; None if it overcloses."""
    owed = list(context.closers)
    opened: list[Token] = []
    for token in tokens(text):
        if token.kind == "open":
            opened.append(token)
        elif token.kind == "close":
            if opened and CLOSER_OF[opened[-1].text] == token.text:
                opened.pop()
            elif not opened and owed and owed[0] == token.text:
                owed.pop(0)
            else:
                return None, owed
        elif token.kind in ("string", "comment") and not token.closed:
            return None, owed
    return opened, owed


def _close(text: str, bracket: Token, context: CursorContext) -> str:
    """Close one bracket: a brace on a line of its own behind whole statements, another where the text ends."""
    if bracket.text != "{":
        return text.rstrip().rstrip(",") + CLOSER_OF[bracket.text]
    before, inner = text[: bracket.end], text[bracket.end :]
    if "\n" not in inner:
        # `T{a, b` and `interface{` go on in their line; `if x {` wants a block.
        return text + "}" if inner.strip() else before + "\n" + _indent(before, context) + "}"
    ends = statement_ends(inner)
    kept = inner[: ends[-1]] if ends else ""
    return before + kept + "\n" + _indent(before, context) + "}"


def _indent(before: str, context: CursorContext) -> str:
    """Leading white space of the line in which the text before a brace ends."""
    line = before[before.rfind("\n") + 1 :] if "\n" in before else context.line_prefix + before
    return line[: len(line) - len(line.lstrip())]
