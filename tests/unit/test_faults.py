"""Claims about goassist_models.evaluate.faults: each maker names the places that break code in its way."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.syntax import parse
from goassist_models.evaluate.faults import FAULTS, Edit, edits, misspelt

HEAD = b"package a\n\nfunc f() (int, error) {\n\t"
TAIL = b"\n}\n"


def broken(kind: str, statement: bytes) -> set[str]:
    source = HEAD + statement + TAIL
    start, end = len(HEAD), len(HEAD) + len(statement)
    found = edits(kind, parse(source).root_node, source, start, end, random.Random(7))
    return {edit.apply(source, start, end).decode() for edit in found}


def test_an_argument_is_dropped_or_doubled() -> None:
    assert broken("argument_count", b"g(a, b)") == {"g(a)", "g(a, b, b)"}


def test_a_call_without_arguments_gets_one() -> None:
    (text,) = broken("argument_count", b"g()")
    assert text in {"g(0)", "g(nil)", 'g("")'}


def test_spread_arguments_and_types_keep_their_count() -> None:
    assert broken("argument_count", b"x = append(x, y...)") == set()
    assert broken("argument_count", b"m = make(map[string]int, 3)") == set()


def test_a_string_argument_becomes_something_else() -> None:
    (text,) = broken("argument_type", b'g("a")')
    assert text in {"g(12345)", "g(struct{}{})"}


def test_a_return_loses_one_or_all_of_its_values() -> None:
    assert broken("missing_return", b"return 1, nil") == {"return", "return 1", "return nil"}


def test_a_bare_return_has_no_value_to_lose() -> None:
    assert broken("missing_return", b"return") == set()


def test_a_bracket_is_dropped_or_doubled_but_not_inside_strings_and_comments() -> None:
    assert broken("bracket", b'g("(") // )') == {
        'g"(") // )',
        'g(("(") // )',
        'g("(" // )',
        'g("(")) // )',
    }


def test_an_assignment_gains_or_loses_a_side() -> None:
    assert broken("assignment", b"a, b := g(), h()") == {
        "a, b, _ := g(), h()",
        "a := g(), h()",
        "a, b := g(), h(), h()",
        "a, b := g()",
    }


def test_an_operator_assignment_is_left_alone() -> None:
    assert broken("assignment", b"a += 1") == set()


def test_names_that_are_declared_are_not_misspelt_where_they_are_declared() -> None:
    texts = broken("unknown_name", b"count := source")
    assert texts and all(text.startswith("count := ") for text in texts)


def test_the_blank_name_is_never_misspelt() -> None:
    assert broken("unknown_name", b"_ = 1") == set()


def test_members_literal_keys_and_types_of_packages_are_wrong_members() -> None:
    assert len(broken("wrong_member", b"x.Field = pkg.T{Key: 1}")) == 3


def test_edits_stay_inside_the_piece() -> None:
    source = HEAD + b"g(a)\n\th(b)" + TAIL
    start, end = source.index(b"h("), source.index(b"h(") + 4
    for kind in FAULTS:
        for edit in edits(kind, parse(source).root_node, source, start, end, random.Random(1)):
            assert start <= edit.start <= edit.end <= end


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        edits("nonsense", parse(HEAD + TAIL).root_node, HEAD + TAIL, 0, 1, random.Random(1))


def test_applying_an_edit_changes_nothing_else() -> None:
    assert Edit(3, 4, b"XY").apply(b"abcdef", 1, 5) == b"bcXYe"


@given(name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True), seed=st.integers())
def test_a_misspelt_name_is_another_valid_name(name: str, seed: int) -> None:
    slip = misspelt(name, random.Random(seed))
    assert slip != name and slip.isidentifier()
