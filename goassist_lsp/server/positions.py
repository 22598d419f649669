"""Positions of LSP against code points: a line index that is exact for UTF-8, UTF-16 and UTF-32 columns.

Used by snapshot.py to apply edits and by convert.py for answers. pygls's own documents split lines at form feeds
and at U+2028 as well, which LSP does not, so they are not used.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Literal

import numpy as np
import numpy.typing as npt
from lsprotocol.types import Position, Range

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(r"\r\n|\n|\r")


def units(text: str, encoding: Encoding) -> int:
    """Length of `text` in the encoding's code units: bytes, UTF-16 units or code points."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        # What cannot be encoded, a surrogate that stands alone, counts as the three bytes it would take.
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(char > "\uffff" for char in text)


def _line_ends(text: str) -> list[int]:
    """Where each line feed of `text` ends. Made anew at each key, of files of ten thousand lines too."""
    found: npt.NDArray[np.uint8] | npt.NDArray[np.uint32]
    if text.isascii():
        found = np.frombuffer(text.encode("ascii"), np.uint8)
    else:
        found = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    ends: list[int] = (np.flatnonzero(found == ord("\n")) + 1).tolist()
    return ends


class LineIndex:
    """Where the lines of one text begin. Lines end at LF, CRLF or CR, as LSP has it."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        self._text = text
        self._encoding = encoding
        if text.count("\r") == text.count("\r\n"):
            self._starts = [0, *_line_ends(text)]
        else:
            self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    @property
    def line_count(self) -> int:
        """Number of lines; a text that ends in a line end has an empty last one."""
        return len(self._starts)

    def offset_at(self, position: Position) -> int:
        """The code point at a position, from 0 to len(text).

        A column past the line's end means that end and a line past the last means the text's end, as the
        specification asks; a column inside a character means the character's start.
        """
        if position.line >= len(self._starts):
            return len(self._text)
        start, end = self._line_span(position.line)
        line = self._text[start:end]
        if self._encoding == "utf-32" or line.isascii():
            return start + min(position.character, len(line))
        passed = 0
        for count, char in enumerate(line):
            passed += units(char, self._encoding)
            if passed > position.character:
                return start + count
        return end

    def position_at(self, offset: int) -> Position:
        """The position of a code point; an offset inside a CRLF pair or past the end gives the place before it."""
        line = bisect_right(self._starts, min(offset, len(self._text))) - 1
        start, end = self._line_span(line)
        return Position(line, units(self._text[start : min(offset, end)], self._encoding))

    def range_at(self, start: int, end: int) -> Range:
        """The range of code points from `start` up to `end`."""
        return Range(self.position_at(start), self.position_at(end))

    def _line_span(self, line: int) -> tuple[int, int]:
        """First and last code point of a line, its line end left out."""
        start = self._starts[line]
        if line + 1 == len(self._starts):
            return start, len(self._text)
        end = self._starts[line + 1] - 1
        if self._text[end] == "\n" and end > start and self._text[end - 1] == "\r":
            end -= 1
        return start, end
