"""Claims about goassist_lsp.postprocess.repeats: nothing is said that stands there already."""

import pytest

from goassist_lsp.postprocess import Filter, repeats
from goassist_models.engine import FinishReason
from support.places import candidate, in_function


def filtered(step: Filter, body: str, text: str, finish: FinishReason = "eos") -> str | None:
    context = in_function(body)
    result = step(candidate(text, context, finish), context)
    return None if result is None else result.insert_text


@pytest.mark.parametrize(
    ("body", "text", "finish", "kept"),
    [
        ("\tx := a <CURSOR> + b", "* 2 + b", "eos", "* 2 "),
        ("\tx := f(<CURSOR>, n)", "a, n", "eos", "a, n"),
        ("\tx := f(<CURSOR>, nil)", "a, ni", "length", "a, ni"),
        ("\tx := f(<CURSOR>, n, m)", "a, n", "length", "a"),
        ("\tg := func() T { return T<CURSOR> }", "{}", "eos", "{}"),
        ("\tx := f(<CURSOR>)", "g()", "eos", "g()"),
        ("\tif <CURSOR> {", "n > 0 {", "eos", "n > 0 "),
        ("\tx := f(<CURSOR>r)", "err", "eos", "err"),
        ("\tx := <CURSOR>", "a", "eos", "a"),
        ('\tx := "<CURSOR> b"', "a b", "eos", "a b"),
    ],
)
def test_cuts_an_end_that_the_rest_of_the_line_says(body: str, text: str, finish: FinishReason, kept: str) -> None:
    assert filtered(repeats.cut_overlap_with_line_suffix, body, text, finish) == kept


def test_drops_candidate_saying_only_the_rest_of_the_line() -> None:
    assert filtered(repeats.cut_overlap_with_line_suffix, "\tx := a <CURSOR>+ b", "+ b") is None


def test_drops_candidate_repeating_the_next_line() -> None:
    assert filtered(repeats.cut_lines_of_suffix, "\tn++\n\t<CURSOR>\n\treturn n", "return n") is None


def test_cuts_in_front_of_the_next_line() -> None:
    assert filtered(repeats.cut_lines_of_suffix, "\t<CURSOR>\n\treturn n", "n++\n\treturn n") == "n++\n"


def test_keeps_an_inner_line_that_is_the_next_line_too() -> None:
    text = "if n > 0 {\n\t\treturn n\n\t}"
    assert filtered(repeats.cut_lines_of_suffix, "\t<CURSOR>\n\treturn n", text) == text


def test_keeps_a_loop_with_the_header_of_the_next_one() -> None:
    text = "for _, x := range xs {\n\t\tcheck(x)\n\t}"
    body = "\t<CURSOR>\n\tfor _, x := range xs {\n\t\tuse(x)\n\t}"
    assert filtered(repeats.cut_lines_of_suffix, body, text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("add(one)\nadd(one)\nadd(one)\nadd(one)", "add(one)"),
        ("first()\nadd(one)\nadd(two)\nadd(one)\nadd(two)\nadd(one)\nadd(two)", "first()\nadd(one)\nadd(two)"),
        ("add(one)\nadd(one)", "add(one)\nadd(one)"),
        ("}\n}\n}\n}", "}\n}\n}\n}"),
        ("break\ncase 1:\nbreak\ncase 2:\nbreak\ncase 3:", "break\ncase 1:\nbreak\ncase 2:\nbreak\ncase 3:"),
    ],
)
def test_keeps_one_round_of_lines_that_come_three_times_running(text: str, kept: str) -> None:
    assert filtered(repeats.cut_loops, "\t<CURSOR>", text) == kept


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("\tadd(one)\n\t<CURSOR>", "add(one)"),
        ("\tadd(one)\n\tadd(<CURSOR>", "one)"),
        ("\ta()\n\tb()\n\t<CURSOR>", "a()\n\tb()\n\tc()"),
    ],
)
def test_drops_candidate_repeating_the_lines_above(body: str, text: str) -> None:
    assert filtered(repeats.drop_repeat_of_lines_above, body, text) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("\tadd(one)\n\t<CURSOR>", "add(two)"),
        ("\tif n {\n\t}\n\t<CURSOR>", "}"),
        ("\ta()\n\tb()\n\t<CURSOR>", "a()\n\tc()"),
    ],
)
def test_keeps_candidate_that_goes_on_from_the_lines_above(body: str, text: str) -> None:
    assert filtered(repeats.drop_repeat_of_lines_above, body, text) == text
