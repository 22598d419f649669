"""From candidates to LSP items."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lsprotocol.types import Position, Range, TextEdit

from goassist_lsp.server.convert import to_completion_items, to_inline_items, word_start
from goassist_lsp.server.positions import Encoding
from goassist_lsp.server.snapshot import Document
from goassist_lsp.types import Candidate, ImportEdit
from goassist_models.engine import Generation


def document(text: str, encoding: Encoding = "utf-16") -> Document:
    return Document("file:///m/a.go", 3, text, encoding)


def candidate(text: str, start: int, end: int | None = None, *imports: ImportEdit) -> Candidate:
    return Candidate(text, start, start if end is None else end, Generation(text, "eos"), import_edits=imports)


def test_an_inline_item_has_a_range_in_the_clients_units_and_a_command() -> None:
    where = document('package a\n\nvar x = "😀" + \n')
    offset = where.text.rindex("\n")
    (item,) = to_inline_items(where, (candidate("y", offset),), completion_id=7)
    assert item.range == Range(Position(2, 15), Position(2, 15))
    assert item.command is not None
    assert (item.command.command, item.command.arguments) == ("goassist.accept", [7, 0, "file:///m/a.go", []])


def test_a_candidate_that_replaces_several_lines_is_not_offered_inline() -> None:
    where = document("a\nb\n")
    items = to_inline_items(where, (candidate("x", 0, 3), candidate("y", 0, 1)), completion_id=1)
    assert [(item.insert_text, item.command and item.command.arguments) for item in items] == [
        ("y", [1, 1, "file:///m/a.go", []])
    ]


def test_inserted_lines_end_as_the_documents_lines_do() -> None:
    assert to_inline_items(document("a\r\n"), (candidate("x\ny\r\nz", 1),), 1)[0].insert_text == "x\r\ny\r\nz"
    assert to_inline_items(document("a\n"), (candidate("x\ny", 1),), 1)[0].insert_text == "x\ny"


@pytest.mark.parametrize(
    ("encoding", "points"), [("utf-8", [6, 9, 14]), ("utf-16", [4, 6, 11]), ("utf-32", [3, 5, 10])]
)
def test_accept_points_are_lengths_in_the_clients_units(encoding: Encoding, points: list[int]) -> None:
    offered = replace(candidate('"😀"+é+beta', 0), accept_points=(3, 5, 10))
    (item,) = to_inline_items(document("x\n", encoding), (offered,), 1)
    assert item.command is not None and item.command.arguments is not None
    assert item.command.arguments[3] == points


def test_accept_points_count_crlf_where_the_documents_lines_end_so() -> None:
    for said in ("a()\n\tb()", "a()\r\n\tb()"):
        offered = replace(candidate(said, 1), accept_points=(3, len(said)))
        for text, points in (("x\r\n", [3, 9]), ("x\n", [3, 8])):
            (item,) = to_inline_items(document(text), (offered,), 1)
            assert item.command is not None and item.command.arguments is not None
            assert item.command.arguments[3] == points
            assert points[-1] == len(str(item.insert_text))


def test_accept_points_of_a_list_item_count_the_word_that_it_takes_in() -> None:
    where = document("\tfmt.Prì()\n")
    (item,) = to_completion_items(
        where, 8, (replace(candidate("ntln(a) + b", 8), accept_points=(7, 11)),), completion_id=2
    )
    assert item.command is not None and item.command.arguments is not None
    assert [item.label[:point] for point in item.command.arguments[3]] == ["Prìntln(a)", "Prìntln(a) + b"]


def test_a_list_item_takes_in_the_word_that_clients_filter_by() -> None:
    where = document("\tfmt.Pri()\n")
    (item,) = to_completion_items(where, 8, (candidate('ntln("a")', 8),), completion_id=2)
    assert item.label == item.filter_text == 'Println("a")'
    assert item.text_edit == TextEdit(Range(Position(0, 5), Position(0, 8)), 'Println("a")')


def test_list_items_sort_behind_those_of_gopls_in_the_order_of_rank() -> None:
    items = to_completion_items(document("x"), 1, (candidate("a", 1), candidate("b", 1)), completion_id=1)
    keys = [item.sort_text or "" for item in items]
    assert keys == sorted(keys) and keys[0] > "99999"


def test_a_list_item_carries_its_imports_itself() -> None:
    where = document("package a\r\n\r\nfunc f() { }\r\n")
    place = where.text.index("\r\n") + 2
    (item,) = to_completion_items(
        where, 24, (candidate("x", 24, None, ImportEdit(place, place, '\nimport "fmt"\n')),), completion_id=1
    )
    assert item.additional_text_edits == [TextEdit(Range(Position(1, 0), Position(1, 0)), '\r\nimport "fmt"\r\n')]


def test_a_long_label_is_cut_and_shows_only_the_first_line() -> None:
    (item,) = to_completion_items(document(""), 0, (candidate("x" * 80 + "\n}", 0),), completion_id=1)
    assert item.label == "x" * 59 + "…"


def test_a_word_reaches_back_over_letters_digits_and_underscores_of_any_script() -> None:
    assert word_start("a.größe_2", 9) == 2
    assert word_start("a. ", 3) == 3
