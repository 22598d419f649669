"""Positions: what the client means, whatever it counts in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position

from goassist_lsp.server.positions import Encoding, LineIndex

UNIT_BYTES: dict[Encoding, tuple[str, int]] = {
    "utf-8": ("utf-8", 1),
    "utf-16": ("utf-16-le", 2),
    "utf-32": ("utf-32-le", 4),
}
encodings = st.sampled_from(list(UNIT_BYTES))
# Line ends of LSP, and what only Python takes for line ends; tabs; one to four bytes a character.
pieces = st.sampled_from(["\n", "\r\n", "\r", "\f", "\u2028", "\x85", "\t", "a", "é", "世", "😀", "e\u0301", " ", "}"])
texts = st.lists(pieces, max_size=40).map("".join)


def lines_of(text: str) -> list[str]:
    """LSP's lines without their ends, found the slow way."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def inside_crlf(text: str, offset: int) -> bool:
    return text[offset - 1 : offset + 1] == "\r\n"


@given(texts, encodings, st.data())
def test_an_offset_survives_the_way_to_a_position_and_back(text: str, encoding: Encoding, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)).filter(lambda place: not inside_crlf(text, place)))
    index = LineIndex(text, encoding)
    assert index.offset_at(index.position_at(offset)) == offset


@given(texts, encodings, st.data())
def test_a_position_counts_lines_and_code_units_before_it(text: str, encoding: Encoding, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)).filter(lambda place: not inside_crlf(text, place)))
    before = lines_of(text[:offset])
    codec, size = UNIT_BYTES[encoding]
    expected = Position(len(before) - 1, len(before[-1].encode(codec)) // size)
    assert LineIndex(text, encoding).position_at(offset) == expected


@given(texts, encodings, st.integers(0, 50), st.integers(0, 200))
def test_any_position_at_all_lands_in_its_line_or_at_the_end(
    text: str, encoding: Encoding, line: int, character: int
) -> None:
    index, lines = LineIndex(text, encoding), lines_of(text)
    assert index.line_count == len(lines)
    offset = index.offset_at(Position(line, character))
    if line >= len(lines):
        assert offset == len(text)
        return
    landed = index.position_at(offset)
    assert landed.line == line
    assert landed.character <= character


@given(texts, encodings)
def test_a_column_past_the_line_means_the_lines_end_before_its_line_end(text: str, encoding: Encoding) -> None:
    index = LineIndex(text, encoding)
    for line, content in enumerate(lines_of(text)):
        start = index.offset_at(Position(line, 0))
        assert text[start : index.offset_at(Position(line, 10_000))] == content


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_a_column_inside_a_character_means_its_start(encoding: Encoding, width: int) -> None:
    index = LineIndex("x😀y", encoding)
    offsets = [index.offset_at(Position(0, 1 + units)) for units in range(width + 1)]
    assert offsets == [1] * width + [2]


def test_a_form_feed_ends_no_line() -> None:
    assert LineIndex("a\fb\u2028c\n", "utf-16").position_at(4) == Position(0, 4)


def test_an_offset_inside_a_crlf_is_the_lines_end() -> None:
    assert LineIndex("ab\r\ncd", "utf-8").position_at(3) == Position(0, 2)
