"""Claims about goassist_lsp.generate.stopping: generation ends as soon as trimming knows the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.generate import stopping
from goassist_lsp.generate.stopping import MAX_LINES, until
from goassist_lsp.postprocess.trim import syntactic_end
from goassist_lsp.types import Pace
from support.places import in_function, place

PLACES = [
    "\tx := <CURSOR>",
    "\tx := f(<CURSOR>)",
    "\tif <CURSOR>\n\t\tn++\n\t}",
    "\tn++\n\t<CURSOR>\n\treturn n",
    "\t<CURSOR>",
    '\tx := "<CURSOR>"',
]
PIECES = st.lists(
    st.sampled_from(["a", "f(", ")", "{", "}", ", ", " + ", "\n", '"', "return n", "if x {\n", "`"]), max_size=16
)


def said_until(body: str, text: str) -> str:
    """What is generated of `text`, a character a token."""
    enough = until(in_function(body))
    for size in range(1, len(text) + 1):
        if enough(text[:size]):
            return text[:size]
    return text


@pytest.mark.parametrize(
    ("body", "text", "said"),
    [
        ("\tx := <CURSOR>", "a + b\nc()", "a + b\n"),
        ("\tx := f(<CURSOR>)", "a, b)\nc()", "a, b)"),
        ("\tx := <CURSOR>", "T{\n\t\ta: 1,\n\t}\nb", "T{\n\t\ta: 1,\n\t}\n"),
        ("\tif <CURSOR>\n\t\tn++\n\t}", "n > 0 {\n\t\tn++", "n > 0 {\n"),
        ("\tn++\n\t<CURSOR>\n\treturn n", "n--\n\treturn n\n}", "n--\n\treturn n\n"),
        ("\tn++\n\t<CURSOR>\n\treturn n", "a()\n\n\tb()", "a()\n\n"),
        ("\t<CURSOR>", "a()\n\n\tb()\n}\n\nfunc", "a()\n\n\tb()\n}"),
        ('\tx := "<CURSOR>"', 'hello"\n', 'hello"'),
        ("\tx := <CURSOR>", "`a\nb`\nc", "`a\nb`\n"),
    ],
)
def test_generation_stops_where_what_was_asked_has_been_said(body: str, text: str, said: str) -> None:
    assert said_until(body, text) == said


@pytest.mark.parametrize("body", PLACES)
def test_no_place_gets_more_lines_than_its_kind_allows(body: str) -> None:
    text = "f(\n" + "a,\n" * 100
    assert said_until(body, text).count("\n") <= MAX_LINES[in_function(body).kind] + 1


@given(st.sampled_from(PLACES), PIECES, PIECES)
def test_text_said_after_the_stop_would_have_been_trimmed_away(body: str, said: list[str], more: list[str]) -> None:
    context = in_function(body)
    text = "".join(said)
    tasteful = text.count("\n") > MAX_LINES[context.kind] or (context.kind == "block" and text.endswith("\n\n"))
    if until(context)(text) and not tasteful:
        assert syntactic_end(text + "".join(more), context) == syntactic_end(text, context)


@pytest.mark.parametrize(
    ("place_at", "said", "whole"),
    [
        ("func f() {\n\tx := <CURSOR>\n}\n", "alpha", 0),
        ("func f() {\n\tx := <CURSOR>\n}\n", "alpha()\n\treturn x\n", len("alpha()")),
        ("func f() {\n\tx := <CURSOR>\n}\n", "alpha(\n\t\t1,", 0),
        ("func f() {\n\t<CURSOR>\n}\n", "alpha()\n\tbeta(", len("alpha()")),
    ],
)
def test_what_will_do_of_a_text_that_is_still_being_said(place_at: str, said: str, whole: int) -> None:
    patience = stopping.patience(place(place_at), Pace(typing=True, patience_s=0.1))
    assert patience.whole(said) == whole
    assert patience.seconds == (0.1 if place(place_at).multiline else 0.0)
