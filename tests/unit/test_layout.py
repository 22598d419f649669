"""Claims about goassist_lsp.postprocess.layout: white space and emptiness."""

import pytest

from goassist_lsp.postprocess import Filter, layout
from support.places import candidate, in_function

BLOCK, LINE, EXPRESSION = "\t<CURSOR>", "\tx := <CURSOR>", "\tx := f(<CURSOR>)"


def filtered(step: Filter, body: str, text: str) -> str | None:
    context = in_function(body)
    result = step(candidate(text, context), context)
    return None if result is None else result.insert_text


def test_line_ends_become_newlines() -> None:
    assert filtered(layout.normalise_line_ends, BLOCK, "a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize("text", ["", " ", "\n\t\n"])
def test_blank_text_is_dropped(text: str) -> None:
    assert filtered(layout.drop_blank, BLOCK, text) is None


@pytest.mark.parametrize("text", ["// a", "/* a */", "// a\n\t// b\n"])
def test_comments_alone_are_dropped(text: str) -> None:
    assert filtered(layout.drop_comment_only, BLOCK, text) is None


def test_code_with_a_comment_is_kept() -> None:
    assert filtered(layout.drop_comment_only, BLOCK, "// a\n\tb()") == "// a\n\tb()"


@pytest.mark.parametrize(
    ("body", "text", "indented"),
    [
        (BLOCK, "if a {\n        b()\n    }", "if a {\n\t\tb()\n\t}"),
        (BLOCK, "    a()", "\ta()"),
        (LINE, "    a", "    a"),
        (BLOCK, "a()\n\t  b()", "a()\n\t  b()"),
        (BLOCK, "x := `\n        raw`", "x := `\n        raw`"),
    ],
)
def test_four_spaces_become_a_tab_outside_raw_strings(body: str, text: str, indented: str) -> None:
    assert filtered(layout.indent_with_tabs, body, text) == indented


@pytest.mark.parametrize(
    ("body", "text", "stripped"),
    [
        (LINE, "a \n", "a"),
        (EXPRESSION, "a ", "a"),
        ("\tx := <CURSOR>+ b", "a \n", "a "),
        ("\tx := <CURSOR> + b", "a ", "a"),
        ("\tif <CURSOR>{", "a ", "a "),
        ('\tx := "<CURSOR>"', "a ", "a "),
    ],
)
def test_no_space_is_left_at_the_end_unless_something_follows_it(body: str, text: str, stripped: str) -> None:
    assert filtered(layout.strip_trailing_space, body, text) == stripped


@pytest.mark.parametrize(
    ("body", "text", "joined"),
    [
        (LINE, " a", "a"),
        (BLOCK, "\ta()\n\tb()", "a()\n\tb()"),
        ("\tx :=<CURSOR>", " a", " a"),
        ('\tx := "a <CURSOR>"', " b", " b"),
    ],
)
def test_space_before_the_cursor_is_not_said_again(body: str, text: str, joined: str) -> None:
    assert filtered(layout.drop_doubled_space, body, text) == joined


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("next() // the next one", "next()"),
        ("next() // the next one\n", "next()"),
        ("a() // why\n\tb() /* here */", "a() // why\n\tb()"),
        ('"// no comment"', '"// no comment"'),
        ("a()\n\t// more to come\n", "a()"),
        ("// only this", "// only this"),
        ("a() ", "a() "),
    ],
)
def test_a_comment_behind_the_last_code_is_left_to_its_author(said: str, left: str) -> None:
    at = in_function("\tx := <CURSOR>")
    shown = layout.drop_last_comment(candidate(said, at), at)
    assert shown.insert_text.rstrip() == left.rstrip()
