"""Claims about goassist_lsp.postprocess.trim: a candidate ends where what was asked ends."""

import pytest

from goassist_lsp.postprocess.trim import cut_at_syntactic_end
from support.places import candidate, in_function


def trimmed(body: str, text: str) -> str | None:
    context = in_function(body)
    result = cut_at_syntactic_end(candidate(text, context), context)
    return None if result is None else result.insert_text


@pytest.mark.parametrize(
    ("body", "text", "kept"),
    [
        ("\tx := <CURSOR>", "a\n\tb()", "a"),
        ("\tx := <CURSOR>", "f(func() {\n\t\ta()\n\t})\n\tb()", "f(func() {\n\t\ta()\n\t})"),
        ("\tx := <CURSOR>", "T{\n\t\ta: 1,\n\t}\n\tb()", "T{\n\t\ta: 1,\n\t}"),
        ("\tx := <CURSOR>", "a.\n\t\tb().\n\t\tc()\n\td()", "a.\n\t\tb().\n\t\tc()"),
        ("\tx := f(<CURSOR>)", "a)\n\tb()", "a"),
        ("\tx := f(<CURSOR>", "a)\n\tb()", "a)"),
        ("\tx := f(<CURSOR>, b)", "a, b)\n\tc()", "a"),
        ("\tif <CURSOR>\n\t\tn++\n\t}", "n > 0 {\n\t\tn++\n\t}", "n > 0 {"),
        ("\tif <CURSOR> {\n\t\tn++\n\t}", "n > 0 {\n\t\tn++\n\t}", "n > 0 "),
        ("\tswitch n {\n\tcase <CURSOR>\n\t}", "1:\n\t\treturn 2", "1:"),
        (
            "\tn++\n\t<CURSOR>\n\treturn n",
            "n--\n\tif n {\n\t\treturn n\n\t}\n\treturn n",
            "n--\n\tif n {\n\t\treturn n\n\t}\n\treturn n",
        ),
        ("\t<CURSOR>", "return n\n}\n\nfunc h() {", "return n\n"),
        ('\tx := "<CURSOR>"', 'hello"\n\ty()', "hello"),
        ("\tg(func() {\n\t\t<CURSOR>\n\t})", "a()\n\t})\n\tb()", "a()\n\t"),
    ],
)
def test_keeps_what_the_place_asks_for(body: str, text: str, kept: str) -> None:
    assert trimmed(body, text) == kept


@pytest.mark.parametrize(
    ("body", "text"),
    [("\tx := f(<CURSOR>)", ")\n"), ("\tx := f(n)<CURSOR>", "\n\ty()"), ("\t<CURSOR>", "}\n\nfunc h() {}")],
)
def test_drops_what_begins_with_its_end(body: str, text: str) -> None:
    assert trimmed(body, text) is None
