"""Accept points: where a candidate that is taken word by word or line by line may be left. Runs after rank.

Proposed here from the text alone; the pipeline keeps those up to which the text type-checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from goassist_index.scan import CLOSER_OF, KEYWORDS, Token, literal_end, tokens
from goassist_lsp.types import CursorContext

MAX_PROPOSALS = 8

_WORD = re.compile(r"\w+")
# What stands between one of these and the block's brace is no statement yet.
_HEADERS = frozenset({"for", "if", "select", "switch"})
# What a line may end in beside the ends of statements: an element, a case's header, a block that text behind closes.
_LINE_ENDS = frozenset({",", ":", "(", "[", "{"})


@dataclass(frozen=True, slots=True)
class _End:
    """A token's end: its rank (0 ends a line, 1 a statement, 2 an operand) and the brackets open behind it."""

    offset: int
    rank: int
    open: tuple[str, str]


def proposals(text: str, context: CursorContext) -> tuple[int, ...]:
    """Offsets in `text` (code points, rising, its own end left out) where a partial acceptance might end.

    At most MAX_PROPOSALS: ends of lines, then of statements, then of words and operands, of each those nearest to
    the beginning. Left out is what cannot parse: a place inside of a token, or with other brackets open than behind
    the whole text.
    """
    hole = context.hole
    if hole.literal and hole.literal_closed:
        # All of it stands inside of a string or comment, which text behind the cursor ends.
        inside = [word.end() for word in _WORD.finditer(text)]
        return tuple(end for end in inside if end < len(text))[:MAX_PROPOSALS]
    ends, left_open = _ends(text, literal_end(text, hole.literal) if hole.literal else 0)
    fitting = [end for end in ends if end.open == left_open and end.offset < len(text.rstrip())]
    fitting.sort(key=lambda end: (end.rank, end.offset))
    return tuple(sorted(end.offset for end in fitting[:MAX_PROPOSALS]))


def _ends(text: str, start: int) -> tuple[list[_End], tuple[str, str]]:
    """Ends of tokens from `start` on, and the brackets that the whole text leaves open.

    `start` is the end of a literal that the text begins inside of, else 0.
    """
    # A literal that the text closes is an operand.
    found = [_End(start, 2, ("", ""))] if start else []
    closed, opened, in_header = "", "", False
    for token, following in _pairs(text, start):
        in_header = token.text in _HEADERS or (in_header and token.text != "{" and token.kind != "newline")
        if token.kind == "open":
            opened += token.text
        elif token.kind == "close" and opened:
            opened = opened[:-1]
        elif token.kind == "close":
            closed += token.text
        if closed and opened and CLOSER_OF[opened[0]] == closed[-1]:
            # `} else {`: what was closed is open again.
            closed, opened = closed[:-1], opened[1:]
        rank = None if in_header else _rank(token, following)
        if rank is not None:
            found.append(_End(token.end, rank, (closed, opened)))
    return found, (closed, opened)


def _pairs(text: str, start: int) -> Iterator[tuple[Token, Token | None]]:
    """Each token with the one behind it."""
    last: Token | None = None
    for token in tokens(text, start):
        if last is not None:
            yield last, token
        last = token
    if last is not None:
        yield last, None


def _rank(token: Token, following: Token | None) -> int | None:
    """What ends with a token, see _End; None where no unit can end."""
    if token.kind == "newline" or not token.closed:
        return None
    if following is not None and following.kind == "newline":
        return 0 if token.kind == "comment" or token.ends_statement or token.text in _LINE_ENDS else None
    if token.kind == "comment" or not token.ends_statement or token.text == ";":
        return None
    if following is not None and (following.text == ";" or following.kind == "comment"):
        return 1
    if following is not None and following.text == "{":
        return None  # a type, or the end of a header that began before the text
    if following is not None and token.text[0].isdigit() and following.text == "." and following.start == token.end:
        return None  # a number's fraction follows
    return 2 if token.text not in KEYWORDS or token.text == "return" else None
