"""Claims about goassist_index.cutpoints: where an inserted text may be cut."""

from hypothesis import given
from hypothesis import strategies as st

from goassist_index.cutpoints import operand_cuts, statement_cuts

BEFORE, AFTER = "func f() {\n\t", "\n}"


def cuts(ends: tuple[int, ...], text: str) -> list[str]:
    return [text[:end] for end in ends]


def test_statements_end_behind_themselves_and_inner_ones_too() -> None:
    text = "a()\n\tif b {\n\t\tc()\n\t}"
    assert cuts(statement_cuts(BEFORE, text, AFTER), text) == ["a()", "a()\n\tif b {\n\t\tc()", text]


def test_operands_calls_and_selectors_end_behind_themselves() -> None:
    text = "x.y(1) + z"
    assert cuts(operand_cuts("func f() {\n\tv := ", text, AFTER), text) == ["x", "x.y", "x.y(1", "x.y(1)", text]


def test_text_in_broken_code_can_still_be_cut() -> None:
    text = "a()\n\tb("
    assert "a()" in cuts(statement_cuts(BEFORE, text, "\n\tif {\n}"), text)


def test_offsets_count_code_points() -> None:
    text = 'a("👋é")\n\tb()'
    assert cuts(statement_cuts(BEFORE, text, AFTER), text)[0] == 'a("👋é")'


@given(st.text(st.sampled_from('ab(){}\n\t"é👋.,+'), max_size=30))
def test_cuts_rise_and_lie_inside_the_text(text: str) -> None:
    for ends in (statement_cuts(BEFORE, text, AFTER), operand_cuts(BEFORE, text, AFTER)):
        assert list(ends) == sorted(set(ends))
        assert all(0 < end <= len(text) for end in ends)
