"""Claims about goassist_lsp.generate.names: which tokens are refused, by what the types allow."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from goassist_index.verdict import LegalNames
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate.names import NameGuide
from goassist_lsp.types import RefusedName
from support.places import CURSOR, snapshot

MEMBER = LegalNames("member", frozenset({"Close", "Path", "Paths"}))
SCOPE = LegalNames("name", frozenset({"err", "conn", "nil", "string"}), frozenset({"strings"}))
KEY = LegalNames("key", frozenset({"Name", "Size"}))
CASE = LegalNames("case", frozenset({"Shape", "error", "nil"}), frozenset({"strings"}))


def guide(line: str, answers: Mapping[str, LegalNames | None]) -> tuple[NameGuide, list[str]]:
    before, after = f"package p\n\nfunc f() {{\n{line}\n}}\n".split(CURSOR)
    asked: list[str] = []

    def ask(said: str) -> LegalNames | None:
        asked.append(said)
        return answers.get(said)

    return NameGuide(context_at(snapshot(before + after), len(before)), ask), asked


@pytest.mark.parametrize(
    ("said", "piece", "refused"),
    [
        ("conn.", "Pa", False),
        ("conn.", "Pat", False),
        ("conn.", "Path", False),
        ("conn.", "Paths()", False),
        ("conn.", "Pathos", True),
        ("conn.", "path", True),
        ("conn.Pa", "th", False),
        ("conn.Pa", "rent", True),
        ("conn.Pa", "()", True),
        ("conn.Path", ".x", False),
        ("conn.", "(string)", True),
        ("conn.", "\n\tClose", False),
        ("// conn.", "anything", False),
        ('"conn.', "anything", False),
        ("1.", "e5", False),
    ],
)
def test_members_behind_a_dot(said: str, piece: str, refused: bool) -> None:
    made, _ = guide("\t<CURSOR>", {"conn.": MEMBER})
    assert made.refuses(said, piece) is refused


def test_an_interface_may_be_asserted() -> None:
    made, _ = guide("\t<CURSOR>", {"x.": LegalNames("member", frozenset({"Error"}), asserts=True)})
    assert not made.refuses("x.", "(*")
    assert made.refuses("x.", "Foo")


def test_a_member_that_the_user_began_is_asked_about_at_the_cursor() -> None:
    made, asked = guide("\tconn.Pa<CURSOR>", {"": MEMBER})
    assert made.refuses("", "rent")
    assert not made.refuses("", "ths.")
    assert asked == [""]


def test_each_dot_is_asked_about_once() -> None:
    made, asked = guide("\t<CURSOR>", {"conn.": MEMBER})
    for said, piece in (("conn.", "P"), ("conn.P", "a"), ("conn.Pa", "th"), ("conn.Path", "()")):
        assert not made.refuses(said, piece)
    assert asked == ["conn."]


@pytest.mark.parametrize(
    ("said", "piece", "refused"),
    [
        ("x := ", "er", False),
        ("x := ", "err", False),
        ("x := ", "error(", True),
        ("x := ", "oth", True),
        ("return ", "conn", False),
        ("return ", "con\n", True),
        ("return ", "func", False),
        ("call(err, ", "x)", True),
        ("call(err, ", "conn)", False),
        ("if err == ", "Err", True),
        ("x := str", "ings.", False),
        ("x := ", "strings.", False),
        ("x := ", "strings)", True),
        ("x := ", '"word', False),
        ("x := ", "12a", False),
        # What may be new is not refused.
        ("", "fresh", False),
        ("fresh", " := 1", False),
        ("a, ", "b := 1, 2", False),
        ("for i", ", v := range", False),
        ("go func(", "a, b int)", False),
        ("var ", "fresh int", False),
        ("loop", ":\n", False),
        # What was said before may have been declared by that.
        ("fresh := 1\n\ty := ", "fresh", False),
        ("fresh := 1\n\ty := ", "freshly", True),
        # Members are no names.
        ("conn.fresh()\n\ty := ", "fresh", True),
    ],
)
def test_names_where_one_is_used(said: str, piece: str, refused: bool) -> None:
    made, _ = guide("\t<CURSOR>", dict.fromkeys(("x := ", "return ", "call(err, ", "if err == "), SCOPE))
    made.refuses("x := ", "err")  # what is in scope is learnt once
    assert made.refuses(said, piece) is refused


def test_what_is_in_scope_is_asked_once_and_given_up_where_it_cannot_be_said() -> None:
    made, asked = guide("\t<CURSOR>", {"x := ": SCOPE})
    for said in ("x := ", "x := err\n\ty := ", "x := err\n\tz := "):
        made.refuses(said, "err")
    assert asked == ["x := "]
    made, asked = guide("\t<CURSOR>", {})
    for number in range(9):
        assert not made.refuses(f"{'a' * number} := ", "nowhere")
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("said", "piece", "refused"),
    [
        ("x := T{", "Name:", False),
        ("x := T{", "Nam:", True),
        ("x := T{Na", "me: 1", False),
        ("x := T{", "err", False),
        ("x := T{", "nowhere}", False),
        ("x := T{Name: ", "nowhere", True),
        ("if x == y {", "label:", False),
        # On lines of their own, and behind a key, elements have keys.
        ("x := T{\n\t\t", "Na", False),
        ("x := T{\n\t\t", "err", True),
        ("x := T{Name: err, ", "Si", False),
        ("x := T{Name: err, ", "err", True),
        ("x := []T{\n\t\t{", "Nam:", True),
        ("x := []T{\n\t\t{\n\t\t\t", "Nam", False),
        ("x := []T{\n\t\t{\n\t\t\t", "err", True),
    ],
)
def test_keys_of_a_literal(said: str, piece: str, refused: bool) -> None:
    keyed = ("x := T{", "x := T{\n\t\t", "x := T{Name: err, ", "x := []T{\n\t\t{", "x := []T{\n\t\t{\n\t\t\t")
    made, _ = guide("\t<CURSOR>", {**dict.fromkeys(keyed, KEY), "x := T{Name: ": SCOPE})
    assert made.refuses(said, piece) is refused


@pytest.mark.parametrize(
    ("before", "answer", "piece", "refused"),
    [
        ("\tx := T{\n\t\tName: err,\n\t\t<CURSOR>\n\t}", KEY, "Size", False),
        ("\tx := T{\n\t\tName: err,\n\t\t<CURSOR>\n\t}", KEY, "other", True),
        ("\tx := T{\n\t\tName: err,\n\t\tS<CURSOR>\n\t}", KEY, "ize", False),
        ("\tx := T{\n\t\tName: err,\n\t\tS<CURSOR>\n\t}", KEY, "ome", True),
        ("\tcall(\n\t\terr,\n\t\t<CURSOR>,\n\t)", SCOPE, "conn", False),
        ("\tcall(\n\t\terr,\n\t\t<CURSOR>,\n\t)", SCOPE, "nowhere)", True),
        ("\tcall(func() {\n\t\t<CURSOR>\n\t})", SCOPE, "fresh", False),
        ("\tswitch err {\n\tcase nil:\n\t\t<CURSOR>\n\t}", SCOPE, "fresh", False),
        ("\tx := []int{" + "1, " * 900 + "\n\t\t<CURSOR>}", SCOPE, "nowhere", False),
    ],
)
def test_the_brackets_around_the_cursor_are_heeded(before: str, answer: LegalNames, piece: str, refused: bool) -> None:
    made, _ = guide(before, {"": answer})
    assert made.refuses("", piece) is refused


def test_refused_words_are_remembered_with_what_stands_before_them_once_each_and_five_at_most() -> None:
    made, _ = guide("\tconn.Pa<CURSOR>", {"": MEMBER, "th + conn.": MEMBER})
    assert made.refuses("", "rent")
    assert made.refuses("", "rent")
    assert made.refuses("th + conn.", "Foo")
    assert not made.refuses("", "th")
    assert made.refused == [RefusedName("Parent", "conn."), RefusedName("Foo", "conn.Path + conn.")]
    for letter in "abcdefgh":
        assert made.refuses("", letter)
    assert [name.word for name in made.refused] == ["Parent", "Foo", "Paa", "Pab", "Pac"]


def test_what_is_remembered_of_a_refused_word_is_bounded_and_of_its_line_alone() -> None:
    said = 'f("' + "long" * 50 + '")\n\tx := '
    made, _ = guide("\t<CURSOR>", {said: SCOPE, said + '"' + "y" * 99 + '" + ': SCOPE})
    assert made.refuses(said, "w" * 300)
    assert made.refuses(said + '"' + "y" * 99 + '" + ', "oth")
    assert made.refused == [RefusedName("w" * 40, "x :="), RefusedName("oth", "y" * 37 + '" +')]


def test_a_word_that_the_user_wrote_is_not_refused() -> None:
    made, asked = guide("\tx := nowhere<CURSOR>", {"": SCOPE})
    assert not made.refuses("", "(")
    assert asked == []


def test_where_a_type_is_wanted_decoding_is_held_to_what_fits() -> None:
    made, asked = guide("\t<CURSOR>", {"return conn.": MEMBER})
    made.hold_to("return conn.", frozenset({"Path"}))
    assert made.refuses("return conn.", "Close")
    assert not made.refuses("return conn.", "Pa")
    assert not made.refuses("return conn.Pa", "th\n")
    assert asked == []


@pytest.mark.parametrize(
    ("line", "piece", "refused"),
    [
        ("\tcase <CURSOR>", "Sha", False),
        ("\tcase <CURSOR>", "Shape:", False),
        ("\tcase <CURSOR>", "conn", True),
        ("\tcase <CURSOR>", "map[string]", False),
        ("\tcase <CURSOR>", "strings.Bu", False),
        ("\tcase <CURSOR>", "strings:", True),
        ("\tcase <CURSOR>", "*conn", False),
        ("\tcase Sh<CURSOR>", "ip", True),
    ],
)
def test_a_case_of_a_type_switch_names_types(line: str, piece: str, refused: bool) -> None:
    made, _ = guide(line, {"": CASE})
    assert made.refuses("", piece) is refused


def test_a_case_of_another_switch_names_what_is_in_scope() -> None:
    made, _ = guide("\tcase <CURSOR>", {"": SCOPE})
    assert not made.refuses("", "err:")
    assert made.refuses("", "Shape:")


def test_a_case_of_which_nothing_is_known_may_declare() -> None:
    made, _ = guide("\tcase <CURSOR>", {})
    assert not made.refuses("", "fresh")


def test_what_a_case_named_is_not_all_that_is_in_scope_behind_it() -> None:
    made, _ = guide("\t<CURSOR>", {"case ": CASE, "case Shape:\n\t\treturn ": SCOPE})
    assert made.refuses("case ", "conn")
    assert not made.refuses("case Shape:\n\t\treturn ", "conn")
