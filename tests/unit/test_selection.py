"""Ghost text that goes on from the selected item of an open list."""

from __future__ import annotations

from dataclasses import replace

from lsprotocol.types import Position, Range, SelectedCompletionInfo

from goassist_lsp.server.selection import Selection
from goassist_lsp.server.snapshot import Document, take
from goassist_lsp.types import Candidate
from goassist_models.engine import Generation

DOCUMENT = Document("file:///a.go", 1, "\tfmt.Pri)\n", "utf-16")
SELECTION = Selection.of(DOCUMENT, SelectedCompletionInfo(Range(Position(0, 5), Position(0, 8)), "Println"))


def candidate(text: str, start: int, end: int) -> Candidate:
    return Candidate(text, start, end, Generation(text, "eos"))


def test_the_pipeline_sees_the_item_as_taken() -> None:
    assert SELECTION.taken(take(DOCUMENT)).text == "\tfmt.Println)\n"
    assert SELECTION.cursor == len("\tfmt.Println")


def test_a_candidate_begins_with_the_item_and_has_its_range() -> None:
    extended = SELECTION.extended(candidate("(1", SELECTION.cursor, SELECTION.cursor))
    assert (extended.insert_text, extended.start, extended.end) == ("Println(1", 5, 8)


def test_accept_points_move_by_the_items_text() -> None:
    extended = SELECTION.extended(
        replace(candidate("(a) + b", SELECTION.cursor, SELECTION.cursor), accept_points=(3, 7))
    )
    parts = [extended.insert_text[:point] for point in extended.accept_points]
    assert parts == ["Println(a)", "Println(a) + b"]


def test_what_the_candidate_replaces_behind_the_cursor_is_replaced() -> None:
    extended = SELECTION.extended(candidate("(1)", SELECTION.cursor, SELECTION.cursor + 1))
    assert (extended.insert_text, extended.start, extended.end) == ("Println(1)", 5, 9)
