"""Claims about goassist_lsp.postprocess.cutback: shorter versions of a failed candidate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.postprocess.closing import settle
from goassist_lsp.postprocess.cutback import MAX_VERSIONS, shorter_versions, worth_showing
from support.places import in_function

BLOCK = "\tn++\n\t<CURSOR>\n\treturn n"
LINE = "\tx := <CURSOR>"
PIECES = st.lists(
    st.sampled_from(
        ["alpha", "f(", ")", "{", "}", ", ", " + ", ".b", "\n\t", '"s"', "if x {\n", "return n", "T{", " := "]
    ),
    min_size=1,
    max_size=14,
).map("".join)


def test_a_block_is_cut_at_whole_statements_before_the_failure() -> None:
    text = "alpha()\n\tbeta()\n\tgamma()"
    versions = shorter_versions(text, in_function(BLOCK), text.index("gamma"))
    assert versions == ("alpha()\n\tbeta()", "alpha()")


def test_a_line_is_cut_at_operands_and_calls() -> None:
    text = "alpha.beta(n) + gamma"
    assert shorter_versions(text, in_function(LINE), text.index("gamma")) == (
        "alpha.beta(n)",
        "alpha.beta",
        "alpha",
    )


def test_a_block_cut_inside_is_closed_again() -> None:
    text = "if n > 0 {\n\t\talpha()\n\t\tbeta(\n\t}"
    assert shorter_versions(text, in_function(BLOCK), text.index("beta"))[0] == "if n > 0 {\n\t\talpha()\n\t}"


def test_nothing_shorter_than_a_word_is_offered() -> None:
    assert shorter_versions("a + b", in_function(LINE), None) == ()


@pytest.mark.parametrize(
    ("text", "worth"), [("abc", True), ("a.b", False), ('"ab"', True), ("(((", False), ("n++", False)]
)
def test_worth_showing_wants_three_characters_of_words(text: str, worth: bool) -> None:
    assert worth_showing(text) is worth


@given(st.sampled_from([BLOCK, LINE, "\tx := f(<CURSOR>", "\tif <CURSOR>\n\t\tn++\n\t}"]), PIECES, st.integers(0, 60))
def test_versions_are_settled_different_and_fewer_than_the_limit(body: str, text: str, fail_offset: int) -> None:
    context = in_function(body)
    versions = shorter_versions(text, context, fail_offset)
    assert len(versions) == len(set(versions)) <= MAX_VERSIONS
    assert text not in versions
    assert all(settle(version, context) == version for version in versions)


@given(st.sampled_from([BLOCK, LINE]), PIECES, st.integers(0, 60))
def test_versions_say_a_beginning_of_the_text_in_falling_length(body: str, text: str, fail_offset: int) -> None:
    words = [said(version, text) for version in shorter_versions(text, in_function(body), fail_offset)]
    assert words == sorted(words, reverse=True)


def said(version: str, text: str) -> int:
    """Length of the common beginning of both."""
    return next(
        (i for i, (a, b) in enumerate(zip(version, text, strict=False)) if a != b), min(len(version), len(text))
    )
