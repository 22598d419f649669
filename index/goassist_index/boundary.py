"""Where the text said into a hole of Go code ends: at a line's end, a foreign bracket, or what stands behind anyway.

One answer for two stages: generation stops as soon as there is an end, post-processing cuts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from goassist_index.scan import CLOSER_OF, Token, brackets, literal_end, tokens

# Lines such as "}" or "})" recur by nature and prove nothing.
MIN_TELLING_CHARS = 4
_FENCE = re.compile(r"^```", re.MULTILINE)
_TOP_LEVEL_LINE = re.compile(r"\n(?:func|type|var|const|package|import)\b")


@dataclass(frozen=True, slots=True)
class Hole:
    """What a place asks for, as far as its end is concerned.

    `literal`: quote of a string that the text before breaks off in ("" for none); `literal_closed`: the text behind
    closes it. `closers`: brackets that the text may close; the first `due` of them it has to. `spare`: closing
    brackets behind that it has to open. `ended`: the statement before the cursor may end where it stands.
    `in_list`: the innermost open bracket holds elements, so that a comma ends a line. `rest`: rest of the cursor's
    line, stripped. `following`: the next two lines that are not blank, stripped.
    """

    multiline: bool
    literal: str = ""
    literal_closed: bool = False
    closers: str = ""
    due: int = 0
    spare: str = ""
    ended: bool = False
    in_list: bool = False
    in_function: bool = True
    rest: str = ""
    following: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One token of a text in its hole, with the state before it.

    `opened`: brackets that the text has open; `owed`: closers it may still close; `due`: how many of them it has to.
    `foreign`: the token closes a bracket that is neither open in the text nor owed.
    """

    token: Token
    opened: tuple[str, ...]
    owed: str
    due: int
    foreign: bool

    def settled(self, hole: Hole) -> bool:
        """Whether the text up to here has exactly the brackets that its place wants."""
        return len(self.opened) == len(hole.spare) and not self.due


def steps(text: str, hole: Hole) -> Iterator[Step]:
    """The tokens of `text` behind the literal that it may begin in, each with the brackets' state before it."""
    opened: tuple[str, ...] = ()
    owed, due = hole.closers, hole.due
    for token in tokens(text, literal_end(text, hole.literal) if hole.literal else 0):
        foreign = False
        before = (opened, owed, due)
        if token.kind == "open":
            opened = (*opened, token.text)
        elif token.kind == "close":
            if opened and CLOSER_OF[opened[-1]] == token.text:
                opened = opened[:-1]
            elif not opened and owed.startswith(token.text):
                owed, due = owed[1:], max(0, due - 1)
            else:
                foreign = True
        yield Step(token, *before, foreign)


def boundary(text: str, hole: Hole) -> int | None:
    """Offset at which what was asked ends in `text`, or None while it may go on.

    An end that was found stays the end however the text goes on.
    """
    fence = _FENCE.search(text) if hole.literal != "`" else None
    ends = [fence.start()] if fence else []
    if hole.literal:
        in_literal = _end_of_literal(text, hole)
        if in_literal is not None or hole.literal_closed or not literal_end(text, hole.literal):
            return min([*ends, in_literal], default=None) if in_literal is not None else min(ends, default=None)
    last_ends = bool(hole.literal) or hole.ended
    last = ""
    for step in steps(text, hole):
        token = step.token
        if step.foreign or (step.settled(hole) and _says_rest(text, token.start, hole.rest)):
            ends.append(token.start)
            break
        if token.kind == "newline":
            listed = last == "," and hole.in_list and not step.opened
            if _line_ends_it(text, step, hole, last_ends or listed or (last == ":" and not step.opened)):
                ends.append(token.start)
                break
        elif token.kind != "comment":
            last, last_ends = token.text, token.ends_statement
    repeated = repeat_of_following(text, hole)
    if repeated is not None:
        ends.append(repeated)
    return min(ends, default=None)


def _end_of_literal(text: str, hole: Hole) -> int | None:
    """The end, if it lies in the literal that the text begins in: its quote stands behind already, or it breaks off."""
    end = literal_end(text, hole.literal)
    if end:
        return end - 1 if hole.literal_closed else None
    line_end = text.find("\n")
    return line_end if line_end >= 0 and hole.literal != "`" else None


def _says_rest(text: str, start: int, rest: str) -> bool:
    """Whether the text says the rest of the cursor's line again from `start`: to a line's end, or a foreign bracket."""
    if not rest or not text.startswith(rest, start):
        return False
    return bool(brackets(rest).closers) or text.startswith("\n", start + len(rest))


def _line_ends_it(text: str, step: Step, hole: Hole, last_ends: bool) -> bool:
    if hole.multiline:
        # Everything that was owed has been closed, the function with it; or a new declaration begins.
        if hole.closers and not step.owed and not step.opened:
            return True
        return hole.in_function and not step.opened and bool(_TOP_LEVEL_LINE.match(text, step.token.start))
    if len(step.opened) > len(hole.spare) or step.due:
        return False
    return last_ends or bool(hole.spare and step.settled(hole))


def repeat_of_following(text: str, hole: Hole, *, whole: bool = False) -> int | None:
    """Offset of the line of `text` from which it says again what follows in the file, or None.

    A line that opens a block counts only together with the one below it: loops often have the same header.
    `whole`: nothing more will be said, so the text's last line is complete.
    """
    following = hole.following
    if not following or len(following[0]) < MIN_TELLING_CHARS:
        return None
    lines = text.split("\n")
    complete = len(lines) if whole else len(lines) - 1
    depths = _depths(text, hole)
    start = 0
    for index, line in enumerate(lines[:complete]):
        if (index > 0 or hole.multiline) and depths.get(start, 1) == 0 and line.strip() == following[0]:
            after = [later.strip() for later in lines[index + 1 : complete] if later.strip()]
            if not brackets(line).openers or len(following) < 2:
                return start
            if after[:1] == [following[1]] or (whole and not after):
                return start
        start += len(line) + 1
    return None


def _depths(text: str, hole: Hole) -> dict[int, int]:
    """Number of brackets that the text has open at each of its line starts, beyond those its place wants open."""
    depths = {0: 0}
    for step in steps(text, hole):
        if step.token.kind == "newline":
            depths[step.token.end] = max(0, len(step.opened) - len(hole.spare))
    return depths
