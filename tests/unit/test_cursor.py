"""Claims about goassist_lsp.context.cursor: line, hole kind and bracket debts of a place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.context.cursor import context_at
from support.places import in_function, place, snapshot

LINES = st.lists(
    st.sampled_from(
        [
            "package p",
            "func f() {",
            "}",
            "\tif x {",
            "\t}",
            "\tcase 1:",
            "",
            '\ts := "a',
            "\t`b",
            "\tx(a,",
            "\t)",
            "// é👋",
            "type T struct {",
        ]
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("\tx := f(<CURSOR>)", "expression"),
        ("\tx := <CURSOR>", "line"),
        ("\tfo<CURSOR>", "line"),
        ("\tn++\n\t<CURSOR>\n\treturn n", "block"),
        ("\tn++\n\t<CURSOR>", "block"),
        ("\t<CURSOR>", "body"),
        ("\tif n > 0 {\n\t\t<CURSOR>\n\t}", "body"),
        ("\tswitch n {\n\tcase 1:\n\t\t<CURSOR>\n\t}", "body"),
        ("\tswitch n {\n\tcase 1:\n\t\t<CURSOR>\n\tcase 2:\n\t}", "body"),
        ("\tswitch n {\n\tcase 1:\n\t\t<CURSOR>\n\t\tn++\n\t}", "block"),
        ("\tswitch n {\n\tdefault:\n\t\t<CURSOR>\n\t}", "body"),
        ("outer:\n\t<CURSOR>", "block"),
    ],
)
def test_the_kind_says_what_is_asked(body: str, kind: str) -> None:
    assert in_function(body).kind == kind


@pytest.mark.parametrize(
    ("body", "closers", "spare", "due"),
    [
        ("\tx := f(<CURSOR>)", "", "", 0),
        ("\tx := f(<CURSOR>", ")", "", 1),
        ("\tx := f(T{<CURSOR>", "})", "", 2),
        ("\tx := f(\n\t\ta,\n\t\t<CURSOR>", ")", "", 0),
        ("\tx := T{\n\t\ta<CURSOR>)", "}", ")", 1),
        ("\tif n {\n\t\t<CURSOR>\n\tn++", "}", "", 0),
        ("\tif <CURSOR>\n\t\tn++\n\t}", "", "}", 0),
        ("\tg(func() <CURSOR>\n\t\tn++\n\t})", "", "}", 0),
        ('\tx := f(")<CURSOR>")', "", "", 0),
        ('\tx := f(")<CURSOR>', ")", "", 1),
        ("\tn++\n\t<CURSOR>", "", "", 0),
    ],
)
def test_bracket_debts_are_what_the_text_behind_does_not_settle(body: str, closers: str, spare: str, due: int) -> None:
    context = in_function(body)
    assert (context.closers, context.spare_closers, context.hole.due) == (closers, spare, due)


@pytest.mark.parametrize(
    ("body", "literal", "closed"),
    [
        ('\tx := "a<CURSOR>"', '"', True),
        ('\tx := f("a<CURSOR>", 1)', '"', True),
        ('\tx := f("a<CURSOR>, "b")', '"', False),
        ('\tx := "a<CURSOR>', '"', False),
        ('\tx := "a\\<CURSOR>n"', '\\"', True),
        ('\tx := "a<CURSOR>\\"b"', '"', True),
        ("\tx := `a\n<CURSOR>\nb`", "`", True),
        ("\tx := `a<CURSOR>", "`", False),
        ("\tx := 'a<CURSOR>'", "'", True),
        ("\tx := <CURSOR>", "", False),
    ],
)
def test_a_string_is_closed_where_an_odd_quote_stands_behind_the_cursor(body: str, literal: str, closed: bool) -> None:
    hole = in_function(body).hole
    assert (hole.literal, hole.literal_closed) == (literal, closed)


def test_the_lines_behind_are_the_next_two_that_are_not_blank() -> None:
    assert in_function("\tn++\n\t<CURSOR>\n\n\treturn n").hole.following == ("return n", "}")


def test_a_line_in_a_block_is_not_in_a_list_but_one_in_a_literal_is() -> None:
    assert not in_function("\tx := <CURSOR>").hole.in_list
    assert in_function("\tx := T{\n\t\ta: <CURSOR>\n\t}").hole.in_list
    assert in_function("\tx(\n\t\ta<CURSOR>\n\t)").hole.in_list


@pytest.mark.parametrize(
    ("marked", "inside"),
    [
        ("package p\n\nfunc f() {\n\t<CURSOR>\n}\n", True),
        ("package p\n\nfunc f(<CURSOR>) {\n}\n", False),
        ("package p\n\nfunc f() {\n}\n\n<CURSOR>\n", False),
        ("package p\n\ntype t struct {\n\t<CURSOR>\n}\n", False),
    ],
)
def test_in_function_means_in_its_body(marked: str, inside: bool) -> None:
    assert place(marked).in_function is inside


def test_line_parts_are_without_carriage_returns() -> None:
    context = place("package p\r\n\r\nvar x = <CURSOR>1\r\n")
    assert (context.line_prefix, context.line_suffix) == ("var x = ", "1")


@given(LINES, st.integers(0, 200), st.sampled_from(["\n", "\r\n"]))
def test_prefix_and_suffix_make_up_the_text_at_every_offset(lines: list[str], at: int, line_end: str) -> None:
    text = line_end.join(lines)
    offset = min(at, len(text))
    context = context_at(snapshot(text), offset)
    assert context.prefix + context.suffix == text
    assert context.prefix.endswith(context.function_prefix)
    assert context.suffix.startswith(context.function_suffix)
    assert 0 <= context.hole.due <= len(context.closers)
    assert not (context.closers and context.spare_closers and context.closers[-1] == context.spare_closers[-1])
