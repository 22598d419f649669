"""Claims about goassist_lsp.cli.lspclient: positions and edits as an editor counts them."""

from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.cli.lspclient import offset_at, position_at

TEXT = st.text(alphabet=st.sampled_from(["a", "\t", "\n", "é", "\U0001f600", "}"]), max_size=40)


@given(text=TEXT, data=st.data())
def test_a_position_leads_back_to_its_offset(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert offset_at(text, position_at(text, offset)) == offset


def test_characters_are_counted_in_utf_16_units() -> None:
    assert position_at("x\n\U0001f600b", 3) == {"line": 1, "character": 2}


def test_a_character_past_the_line_is_its_end() -> None:
    assert offset_at("ab\ncd", {"line": 0, "character": 99}) == 2
    assert offset_at("ab\ncd", {"line": 9, "character": 0}) == 5
