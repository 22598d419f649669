"""Claims about goassist_models.engine.pace: fewer threads under load where that helps, all of them when it is over."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_models.engine.pace import IN_A_ROW, MOST_RETRY_S, RETRY_DECODES, ThreadPace

Cost = Callable[[int], float]


class Machine:
    """A clock that decodes move, and what they cost by threads."""

    def __init__(self, start: int, cost: Cost) -> None:
        self.pace = ThreadPace(start)
        self.cost = cost
        self.now_s = 100.0
        self.used: list[int] = []

    def decode(self, count: int) -> list[int]:
        """The threads that `count` decodes ran on."""
        for _ in range(count):
            threads = self.pace.threads
            ms = self.cost(threads)
            self.now_s += ms / 1000
            self.used.append(threads)
            self.pace.decoded(ms, threads, self.now_s)
        return self.used[-count:]


def idle(threads: int) -> float:
    return 20 + 60 / threads


def loaded(cores: int, factor: float = 10.0) -> Cost:
    """Only `cores` are free: more threads than that wait for each other."""
    return lambda threads: idle(threads) * (factor if threads > cores else 1.0)


def test_nothing_changes_while_the_cores_are_free() -> None:
    assert set(Machine(4, idle).decode(500)) == {4}


def test_a_moment_of_slowness_changes_nothing() -> None:
    machine = Machine(4, idle)
    machine.decode(20)
    machine.cost = lambda threads: 1000.0
    machine.decode(IN_A_ROW - 1)
    machine.cost = idle
    assert set(machine.decode(50)) == {4}


@pytest.mark.parametrize(("start", "free"), [(2, 1), (4, 3), (8, 5), (8, 1)])
def test_it_goes_down_to_the_cores_that_are_free_and_stays(start: int, free: int) -> None:
    machine = Machine(start, idle)
    machine.decode(20)
    machine.cost = loaded(free)
    machine.decode(start * IN_A_ROW)
    later = machine.decode(1000)
    assert later.count(free) > 0.9 * len(later)
    assert max(later) == free + 1  # now and then it looks whether one more would do


def test_it_looks_less_and_less_often_while_the_load_lasts() -> None:
    machine = Machine(2, idle)
    machine.decode(20)
    machine.cost = loaded(1)
    machine.decode(4000)
    looks = [number for number, threads in enumerate(machine.used) if threads == 2 and number > 40]
    gaps = [after - before for before, after in itertools.pairwise(looks)]
    assert gaps and min(gaps) >= RETRY_DECODES
    assert gaps[0] < gaps[1] < gaps[2]
    assert max(gaps) * idle(1) / 1000 < 1.1 * MOST_RETRY_S


def test_fewer_threads_are_not_kept_where_they_are_no_quicker() -> None:
    machine = Machine(4, idle)
    machine.decode(20)
    machine.cost = lambda threads: 5 * idle(threads)  # a throttled processor, or a context ten times as long
    machine.decode(4 * IN_A_ROW)
    assert set(machine.decode(200)) == {4}
    assert machine.pace.usual_ms == pytest.approx(5 * idle(4))
    machine.cost = idle
    assert set(machine.decode(20)) == {4}
    assert machine.pace.usual_ms == pytest.approx(idle(4))


def test_differences_that_nobody_feels_are_none() -> None:
    random = Random(1)
    assert set(Machine(4, lambda threads: random.uniform(0.2, 3.0)).decode(300)) == {4}


def test_a_load_from_the_first_token_on_ends_with_all_threads() -> None:
    machine = Machine(2, loaded(1))
    machine.decode(100)
    machine.cost = idle
    assert machine.decode(100)[-50:] == [2] * 50
    machine.cost = loaded(1)
    machine.decode(50)
    assert machine.decode(100).count(1) > 90


def test_it_is_held_to_what_is_allowed_and_learns_anew() -> None:
    machine = Machine(4, idle)
    machine.decode(20)
    for wanted, got in [(3, 3), (0, 1), (9, 4), (-5, 1), (2, 2)]:
        machine.pace.allow(wanted)
        assert machine.pace.threads == got
        assert machine.pace.usual_ms is None
        assert set(machine.decode(30)) == {got}


def test_a_decode_with_other_threads_than_it_said_is_passed_over() -> None:
    machine = Machine(2, idle)
    machine.decode(20)
    for _ in range(50):
        assert machine.pace.decoded(5000.0, 1, machine.now_s) == 2


@pytest.mark.parametrize("start", [-3, 0, 1])
def test_there_is_always_one(start: int) -> None:
    machine = Machine(start, idle)
    machine.decode(20)
    machine.cost = loaded(0)
    assert set(machine.decode(100)) == {1}


@given(
    st.integers(1, 16),
    st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e3, 1e3), st.integers(-2, 20)), max_size=200),
)
def test_it_never_leaves_its_bounds(start: int, told: list[tuple[float, float, int]]) -> None:
    """Whatever the decodes take, whatever the clock does, whatever is allowed."""
    pace, most, now_s = ThreadPace(start), start, 0.0
    for ms, step_s, allowed in told:
        now_s += step_s
        if allowed % 7 == 0:
            pace.allow(allowed)
            most = max(1, min(start, allowed))
        assert 1 <= pace.decoded(ms, pace.threads, now_s) <= most


@given(st.integers(1, 16), st.lists(st.sampled_from([1.0, 30.0, 70.0, 2000.0]), max_size=300))
def test_a_clock_that_stands_still_harms_nothing(start: int, told: list[float]) -> None:
    pace = ThreadPace(start)
    assert all(1 <= pace.decoded(ms, pace.threads, 7.0) <= start for ms in told)


@given(
    start=st.integers(1, 12),
    loads=st.lists(st.tuples(st.integers(0, 12), st.floats(1.5, 40.0), st.integers(1, 300)), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    gain=st.floats(0.0, 1.0),
)
def test_all_threads_are_back_when_the_load_has_ended(
    start: int, loads: list[tuple[int, float, int]], seed: int, gain: float
) -> None:
    """`gain`: how much threads help when nobody else wants the cores, from not at all to in full."""
    random = Random(seed)

    def free(threads: int) -> float:
        return 200 / threads**gain * random.uniform(1.0, 1.04)

    machine = Machine(start, free)
    machine.decode(20)
    for cores, factor, decodes in loads:
        machine.cost = lambda threads, cores=cores, factor=factor: (  # type: ignore[misc]
            free(threads) * (factor if threads > cores else random.uniform(1, 1.5))
        )
        machine.decode(decodes)
    machine.cost = free
    machine.decode(40)
    machine.now_s += MOST_RETRY_S
    machine.decode(start * IN_A_ROW + 20)
    assert set(machine.decode(100)) == {start}
