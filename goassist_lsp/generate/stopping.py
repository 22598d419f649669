"""When a generation has said what was asked: the predicate tested after each token. Used by the pipeline."""

from __future__ import annotations

from collections.abc import Callable

from goassist_index.scan import tokens
from goassist_lsp.types import CursorContext

MAX_LINES = {"expression": 8, "line": 12, "block": 10, "body": 24}


def until(context: CursorContext) -> Callable[[str], bool]:
    """The predicate for this place: True once `text` holds the end of what was asked (or has run past it)."""
    next_line = next((line.strip() for line in context.suffix.splitlines() if line.strip()), "")
    limit = MAX_LINES[context.kind]

    def said_enough(text: str) -> bool:
        if text.count("\n") > limit:
            return True
        state = _debts(text, context)
        if state.over:
            return True
        if context.multiline:
            return _repeats(text, next_line) or ("\n\n" in text.lstrip("\n") and text.endswith("\n") and state.even)
        return state.ended_line

    return said_enough


class _State:
    __slots__ = ("ended_line", "even", "over")

    def __init__(self, *, over: bool, even: bool, ended_line: bool) -> None:
        self.over = over
        self.even = even
        self.ended_line = ended_line


def _debts(text: str, context: CursorContext) -> _State:
    """Whether `text` closes more than it may (`over`), is balanced (`even`), has ended a line while even."""
    owed = list(context.closers)
    opened: list[str] = []
    spare = len(context.spare_closers)
    ended_line = False
    last_ends = False
    for token in tokens(text):
        if token.kind == "open":
            opened.append(token.text)
        elif token.kind == "close":
            if opened:
                opened.pop()
            elif owed and owed[0] == token.text:
                owed.pop(0)
            else:
                return _State(over=True, even=False, ended_line=ended_line)
        if token.kind == "newline":
            if len(opened) == spare and not owed and (last_ends or spare):
                ended_line = True
                break
        elif token.kind != "comment":
            last_ends = token.ends_statement
    return _State(over=False, even=len(opened) == spare and not owed, ended_line=ended_line)


def _repeats(text: str, next_line: str) -> bool:
    """Whether the last whole line of `text` is the first line behind the cursor (short ones like `}` do not count)."""
    if len(next_line) < 4 or not text.endswith("\n"):
        return False
    lines = text.rstrip("\n").splitlines()
    return bool(lines) and lines[-1].strip() == next_line
