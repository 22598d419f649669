"""Settles a candidate's brackets against the text around it. Last of the structural filters; also used by cut back."""

from __future__ import annotations

from dataclasses import replace

from goassist_index.boundary import steps
from goassist_index.scan import CLOSER_OF, Token, holds_elements, literal_end, open_brackets, tokens
from goassist_lsp.types import Candidate, CursorContext

_OPENER_OF = {closer: opener for opener, closer in CLOSER_OF.items()}


def balance_brackets(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Close what the candidate leaves open and what the place still owes; open what the text behind it closes."""
    text = settle(candidate.insert_text, context)
    return replace(candidate, insert_text=text) if text is not None else None


def settle(text: str, context: CursorContext) -> str | None:
    """`text` with its brackets balanced against the place, or None when no bracket at its end can do it."""
    if context.hole.literal and context.hole.literal_closed:
        return text if _stays_in_literal(text, context.hole.literal) else None
    state = _left_open(text, context)
    if state is None:
        return None
    opened, due = state
    wanted = [_OPENER_OF[closer] for closer in reversed(context.spare_closers)]
    if due and wanted:
        return None
    depth = len(wanted)
    if [token.text for token in opened[:depth]] != wanted:
        return _with_block_opened(text, opened, wanted, context)
    for bracket in reversed(opened[depth:]):
        text = _close(text, bracket, context)
    return _with_due(text, due, context) if due else text


def _with_due(text: str, due: str, context: CursorContext) -> str:
    """`text` and the closers that it owes; behind lines of its own a brace closes on a line of its own."""
    text = _without_comment(text)
    if due[0] == "}" and "\n" in text:
        before = context.function_prefix
        opener = open_brackets(before)[-1]
        text += "," if holds_elements(before, opener.start) and not text.endswith(",") else ""
        text += "\n" + _indent(before[: opener.end], context)
    return text + due


def _stays_in_literal(text: str, quote: str) -> bool:
    return not literal_end(text, quote) and ("\n" not in text or quote == "`")


def _with_block_opened(text: str, opened: list[Token], wanted: list[str], context: CursorContext) -> str | None:
    """A header cut short gets the brace of the block behind it: `for i := range x` becomes `for i := range x {`."""
    if wanted != ["{"] or context.kind != "line" or any(token.text == "{" for token in opened):
        return None
    for bracket in reversed(opened):
        text = _close(text, bracket, context)
    return _without_comment(text) + " {"


def _left_open(text: str, context: CursorContext) -> tuple[list[Token], str] | None:
    """Brackets that `text` leaves open and closers that it still has to say; None if it overcloses or breaks off."""
    hole = context.hole
    if hole.literal and not literal_end(text, hole.literal):
        return None
    opened: list[Token] = []
    owed, due = hole.closers, hole.due
    for step in steps(text, hole):
        token = step.token
        if step.foreign or (token.kind in ("string", "comment") and not token.closed):
            return None
        if token.kind == "open":
            opened.append(token)
        elif token.kind == "close":
            if opened:
                opened.pop()
            else:
                owed, due = owed[1:], max(0, due - 1)
    return opened, owed[:due]


def _close(text: str, bracket: Token, context: CursorContext) -> str:
    """Close one bracket: a block's brace on a line of its own behind whole statements, another where the text ends."""
    closer = CLOSER_OF[bracket.text]
    before, inner = text[: bracket.end], text[bracket.end :]
    elements = holds_elements(context.function_prefix + before, len(context.function_prefix) + bracket.start)
    if bracket.text == "{" and ("\n" in inner.rstrip() or (not inner.strip() and not elements)):
        kept = _whole_lines(inner, elements)
        return before + ("" if elements and not kept else kept + "\n" + _indent(before, context)) + closer
    return _without_comment(text).rstrip(",") + ("" if elements or not inner.strip() else " ") + closer


def _whole_lines(inner: str, elements: bool) -> str:
    """The lines of a bracket's content up to the last at which a statement, or an element and its comma, ends."""
    end, depth = 0, 0
    last: Token | None = None
    for token in tokens(inner + "\n"):
        if token.kind == "newline":
            if last is not None and depth == 0 and (last.text == "," if elements else last.ends_statement):
                end = last.end
        elif token.kind != "comment":
            depth += {"open": 1, "close": -1}.get(token.kind, 0)
            last = token
    return inner[:end]


def _without_comment(text: str) -> str:
    """`text` without white space and comments at its end, in which a bracket would be lost."""
    code = [token for token in tokens(text) if token.kind not in ("comment", "newline")]
    return text[: code[-1].end] if code else ""


def _indent(before: str, context: CursorContext) -> str:
    """Leading white space of the line in which the text before a brace ends."""
    line = before[before.rfind("\n") + 1 :] if "\n" in before else context.line_prefix + before
    return line[: len(line) - len(line.lstrip())]
