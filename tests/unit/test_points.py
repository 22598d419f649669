"""Claims about goassist_lsp.postprocess.points: where a partial acceptance might end, before anything is checked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.postprocess.points import MAX_PROPOSALS, proposals
from support.places import in_function, place

BLOCK = "\tn++\n\t<CURSOR>\n\treturn n"
LINE = "\tx := <CURSOR>"


def pieces(body: str, text: str) -> str:
    """`text` with a mark at each proposal."""
    ends = [0, *proposals(text, in_function(body)), len(text)]
    return "│".join(text[start:end] for start, end in pairwise(ends))


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a", "a"),
        ("a + b", "a│ + b"),
        ("a.b.c", "a│.b│.c"),
        ("f(a, b)", "f│(a, b)"),
        ("f(a) + g(b)", "f│(a)│ + g│(b)"),
        ('"say " + name', '"say "│ + name'),
        ("3.14 * r", "3.14│ * r"),
        ("[]T{a, b}", "[]│T{a, b}"),
        ("a  ", "a  "),
        ("a // why", "a│ // why"),
        ("héé + wörld", "héé│ + wörld"),
        ('"👋" + a', '"👋"│ + a'),
        ("a +\n\t\tb", "a│ +\n\t\tb"),
    ],
)
def test_operands_of_a_line(text: str, marked: str) -> None:
    assert pieces(LINE, text) == marked


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("f()\n\tg()", "f│()│\n\tg│()"),
        ("if a == 1 {\n\t\tf()\n\t}\n\tg()", "if a == 1 {\n\t\tf()\n\t}│\n\tg│()"),
        ("n++ // one\n\treturn n", "n│++│ // one│\n\treturn│ n"),
        ("a = 1; b = 2", "a│ = 1│; b│ = 2"),
        ("s := `a\n\tb`\n\tf()", "s│ := `a\n\tb`│\n\tf│()"),
        ("// why\n\tf()", "// why│\n\tf│()"),
        ("for i := range n {\n\t\tf(i)\n\t}", "for i := range n {\n\t\tf(i)\n\t}"),
    ],
)
def test_statements_of_a_block(text: str, marked: str) -> None:
    assert pieces(BLOCK, text) == marked


def test_brackets_that_stood_open_before_must_be_closed_as_the_whole_text_does() -> None:
    assert pieces("\tx := f(<CURSOR>", "a, b) + c") == "a, b)│ + c"
    assert pieces("\tx := f(<CURSOR>)", "a, b") == "a│, b"


def test_a_brace_that_text_behind_closes_must_have_been_opened() -> None:
    assert pieces("\tfor <CURSOR>\n\t\tn++\n\t}", "i := 0; i < n; i++ {") == "i := 0; i < n; i++ {"
    assert pieces("\tfor <CURSOR> {\n\t\tn++\n\t}", "i := 0; i < n; i++") == "i│ := 0│; i│ < n│; i│++"


def test_a_block_closed_and_opened_again_leaves_what_stood_open() -> None:
    assert pieces("\tif n > 0 {\n\t\t<CURSOR>\n\t}", "f()\n\t} else {\n\t\tg()") == "f│()│\n\t} else {│\n\t\tg│()"


def test_elements_end_lines_behind_their_commas() -> None:
    marked = pieces("\tx := T{\n\t\t<CURSOR>\n\t}", "A: 1,\n\t\tB: 2,")
    assert marked == "A│: 1│,│\n\t\tB│: 2│,"


def test_a_string_that_text_behind_closes_may_be_left_behind_any_word() -> None:
    assert pieces('\tx := "<CURSOR>"', "it's 2 words\\n") == "it│'s│ 2│ words│\\n"


def test_a_string_that_the_candidate_closes_is_not_left_before_that() -> None:
    assert pieces('\tx := "<CURSOR>', 'two words" + a') == 'two words"│ + a'


def test_lines_go_before_statements_and_those_before_operands() -> None:
    lines = "\n\t".join(f"f{number}()" for number in range(12))
    ends = proposals(lines, in_function(BLOCK))
    assert [lines[:end].count("\n") for end in ends] == list(range(MAX_PROPOSALS))
    mixed = "a = b + c\n\tf()\n\tg(); h()"
    assert pieces(BLOCK, mixed) == "a│ = b│ + c│\n\tf│()│\n\tg│()│; h│()"


def test_declarations_outside_of_functions_have_points_too() -> None:
    text = "red\n\tgreen"
    assert proposals(text, place("package p\n\nconst (\n\t<CURSOR>\n)\n")) == (3,)


@given(st.text(st.sampled_from('ab(){}[]\n\t"é👋.,+`/ ;:'), max_size=40))
def test_proposals_rise_inside_the_text_and_are_few(text: str) -> None:
    for body in (BLOCK, LINE, '\tx := "<CURSOR>"', "\tx := f(<CURSOR>"):
        ends = proposals(text, in_function(body))
        assert list(ends) == sorted(set(ends))
        assert len(ends) <= MAX_PROPOSALS
        assert all(0 < end < len(text) for end in ends)
