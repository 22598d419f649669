"""Functions that wait to be written are not shown to the model, and nothing else is kept from it."""

from __future__ import annotations

import pytest

from goassist_lsp.http.unwritten import without_unwritten
from goassist_models.infill import AS_GIVEN, FORMS, InfillPrompt, Segment

BEFORE = """package a

// Half is not written yet.
// It will be.
func Half(a int) int {
	// TODO(goassist): TestHalf
	panic("not written yet")
}

// Written is.
func Written() { panic("always") }

func (t *T) Todo() {
	// later
}

func Asked() int {
	"""
AFTER = """
}

func Last() {
	panic("no")
}
"""


def test_what_is_not_written_is_left_out_on_both_sides() -> None:
    prompt = without_unwritten(InfillPrompt(FORMS["joined"], BEFORE, AFTER))
    assert prompt.prefix == 'package a\n\n// Written is.\nfunc Written() { panic("always") }\n\nfunc Asked() int {\n\t'
    assert prompt.suffix == "\n}\n\n"


@pytest.mark.parametrize(
    "function",
    [
        "func f() {\n\t// why\n\treturn\n}\n",
        "func f() {\n\tif x {\n\t\tpanic(1)\n\t}\n}\n",
        'func f() {\n\tpanic("a")\n\tg()\n}\n',
        "func f() {}\n",
        "type T struct {\n\t// a\n}\n",
    ],
)
def test_what_is_written_stays(function: str) -> None:
    assert without_unwritten(InfillPrompt(FORMS["joined"], function, function)).prefix == function


def test_text_as_it_was_given_stays() -> None:
    given = InfillPrompt(AS_GIVEN, "", "", given=(Segment(BEFORE, special=False),))
    assert without_unwritten(given) == given
