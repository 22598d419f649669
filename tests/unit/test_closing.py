"""Claims about goassist_lsp.postprocess.closing: brackets balance with the place, or the candidate is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.scan import Brackets, brackets, open_literal
from goassist_lsp.postprocess.closing import settle
from support.places import in_function

BODIES = [
    "\tx := <CURSOR>",
    "\tx := f(<CURSOR>)",
    "\tx := f(<CURSOR>",
    "\tx := f(T{<CURSOR>",
    "\tif <CURSOR>\n\t\tn++\n\t}",
    "\tg(func() <CURSOR>\n\t\tn++\n\t})",
    "\tn++\n\t<CURSOR>\n\treturn n",
    "\t<CURSOR>",
    '\tx := "<CURSOR>"',
    '\tx := f("<CURSOR>',
    "\tx := T{\n\t\ta: <CURSOR>\n\t}",
]
PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            "f(",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "\n",
            "\n\t",
            '"',
            "`",
            "'",
            "if x {\n",
            "T{",
            "// c",
            "return",
            "1",
        ]
    ),
    max_size=14,
).map("".join)


@given(st.sampled_from(BODIES), PIECES)
def test_a_settled_text_is_balanced_in_its_declaration(body: str, text: str) -> None:
    context = in_function(body)
    settled = settle(text, context)
    if settled is not None:
        whole = context.function_prefix + settled + context.function_suffix
        assert brackets(whole) == Brackets("", "")
        assert open_literal(whole) in (None, "//")


@given(st.sampled_from(BODIES), PIECES)
def test_settling_a_settled_text_changes_nothing(body: str, text: str) -> None:
    context = in_function(body)
    settled = settle(text, context)
    if settled is not None:
        assert settle(settled, context) == settled


@pytest.mark.parametrize(
    ("body", "text", "settled"),
    [
        ("\t\tif n == 1 {<CURSOR>\n\t\tn++", "\n\t\t\tn--", "\n\t\t\tn--\n\t\t}"),
        ("\tx := T{<CURSOR>\n\tn++", "\n\t\ta: 1", "\n\t\ta: 1,\n\t}"),
        ("\tx := T{<CURSOR>\n\tn++", "\n\t\ta: 1,", "\n\t\ta: 1,\n\t}"),
        ("\tx := T{<CURSOR>\n\tn++", "a: 1", "a: 1}"),
        ("\tg(func() {<CURSOR>\n\tn++", "\n\t\tn--", "\n\t\tn--\n\t})"),
    ],
)
def test_a_brace_that_is_owed_behind_lines_closes_on_one_of_its_own(body: str, text: str, settled: str) -> None:
    assert settle(text, in_function(body)) == settled


@pytest.mark.parametrize(
    ("body", "text", "settled"),
    [
        ("\tx := <CURSOR>", "f(a, g(b", "f(a, g(b))"),
        ("\tx := <CURSOR>", "f(a, ", "f(a)"),
        ("\tx := <CURSOR>", "T{a: 1", "T{a: 1}"),
        ("\tx := <CURSOR>", "T{\n\t\ta: 1,\n\t\tb", "T{\n\t\ta: 1,\n\t}"),
        ("\tx := <CURSOR>", "[]int{", "[]int{}"),
        ("\tx := <CURSOR>", "func() {", "func() {\n\t}"),
        ("\tx := <CURSOR>", "func() int { return 1", "func() int { return 1 }"),
        ("\tx := <CURSOR>", "f(a // why", "f(a)"),
        ("\tx := f(<CURSOR>", "a", "a)"),
        ("\tx := f(<CURSOR>", "a // why", "a)"),
        ("\tx := f(<CURSOR>)", "a", "a"),
        ("\t<CURSOR>", "if n {\n\t\ta()\n\t\tb.", "if n {\n\t\ta()\n\t}"),
        ("\t<CURSOR>", "if n {", "if n {\n\t}"),
        ("\tif n {\n\t\t<CURSOR>\n\tn++", "a()", "a()"),
        ("\tfor <CURSOR>\n\t\tn++\n\t}", "range n", "range n {"),
        ("\tfor <CURSOR>\n\t\tn++\n\t}", "range f(n", "range f(n) {"),
        ("\tfor <CURSOR>\n\t\tn++\n\t}", "range n {", "range n {"),
        ('\tx := "<CURSOR>"', "hello (", "hello ("),
        ('\tx := f("<CURSOR>', 'hello"', 'hello")'),
    ],
)
def test_closes_what_is_open_and_opens_what_the_text_behind_closes(body: str, text: str, settled: str) -> None:
    assert settle(text, in_function(body)) == settled


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("\tx := <CURSOR>", "a)"),
        ("\tx := <CURSOR>", "f(a]"),
        ("\tx := <CURSOR>", 'f("a'),
        ("\tx := <CURSOR>", "f(`a"),
        ("\tx := <CURSOR>", "a /* b"),
        ('\tx := "<CURSOR>"', 'a" + "b'),
        ('\tx := f("<CURSOR>', "hello"),
        ("\tx := <CURSOR>)", "a"),
    ],
)
def test_drops_what_no_bracket_at_the_end_can_mend(body: str, text: str) -> None:
    assert settle(text, in_function(body)) is None
