"""Claims about goassist_lsp.server.rhythm: who types is answered between two keys, who rests can wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.server.rhythm import AT_REST_S, Rhythm
from goassist_lsp.types import Pace


def test_the_first_request_and_one_after_a_rest_can_wait() -> None:
    rhythm = Rhythm()
    assert rhythm.pace(100.0) == Pace(False, AT_REST_S)
    assert rhythm.pace(100.2).patience_s < 0.2
    assert rhythm.pace(105.0) == Pace(False, AT_REST_S)


@pytest.mark.parametrize("interval_s", [0.12, 0.18, 0.54])
def test_who_types_is_answered_before_the_next_key(interval_s: float) -> None:
    rhythm = Rhythm()
    found = [rhythm.pace(number * interval_s) for number in range(20)]
    assert all(pace.typing and 0.05 <= pace.patience_s < 0.7 * interval_s for pace in found[1:])


def test_one_slow_key_does_not_make_a_slow_typist() -> None:
    rhythm = Rhythm()
    for number in range(10):
        rhythm.pace(number * 0.2)
    assert rhythm.pace(9 * 0.2 + 0.9).patience_s < 0.3


def test_who_has_a_question_asked_again_rests_and_is_no_other_typist_for_it() -> None:
    rhythm = Rhythm()
    for number in range(10):
        rhythm.pace(number * 0.2)
    assert rhythm.pace(1.9, again=True) == Pace(False, AT_REST_S)
    assert rhythm.pace(2.0) == Pace(True, pytest.approx(0.12))


def test_on_a_clock_that_stands_still_who_asks_again_types_and_gets_the_shortest_patience() -> None:
    rhythm = Rhythm()
    assert rhythm.pace(7.0) == Pace(False, AT_REST_S)
    assert [rhythm.pace(7.0) for _ in range(50)] == [Pace(True, 0.05)] * 50
    assert rhythm.pace(7.3).typing


@given(st.lists(st.floats(-1e6, 1e6)))
def test_whatever_the_clock_does_patience_is_between_its_bounds(moments_s: list[float]) -> None:
    rhythm = Rhythm()
    for now_s in moments_s:
        assert 0.05 <= rhythm.pace(now_s).patience_s <= AT_REST_S


def test_a_clock_that_jumps_back_is_a_rest() -> None:
    rhythm = Rhythm()
    rhythm.pace(100.0)
    assert rhythm.pace(50.0) == Pace(False, AT_REST_S)


def test_who_has_just_asked_is_typing_and_who_has_not_for_a_while_is_not() -> None:
    rhythm = Rhythm()
    assert not rhythm.typing(5.0)
    rhythm.pace(5.0)
    assert rhythm.typing(5.5)
    assert not rhythm.typing(6.5)
