"""Claims about engine.threads and engine.power: measured once a model and machine, asked once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from goassist_index.cachedir import ENVIRONMENT_NAME, cache_dir
from goassist_models.engine import power
from goassist_models.engine.library import waiting
from goassist_models.engine.power import ASK_EVERY_S, Power
from goassist_models.engine.threads import choice_key, start_threads, usable_cores


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT_NAME, str(tmp_path / "cache"))
    return cache_dir()


class Stopwatch:
    """Decodes that take what is written here; keeps the threads they ran on."""

    def __init__(self, took_ms: dict[int, float], first_ms: float = 500.0) -> None:
        self.took_ms = took_ms
        self.first_ms = first_ms
        self.ran: list[int] = []

    def decode_ms(self, threads: int) -> float:
        self.ran.append(threads)
        return self.first_ms if self.ran.count(threads) == 1 else self.took_ms.get(threads, 500.0)


def key(name: str = "m") -> Callable[[], str]:
    return lambda: name


def test_of_one_core_nothing_is_measured(cache: Path) -> None:
    def unasked() -> str:
        raise AssertionError

    assert start_threads(1, unasked, lambda threads: 1 / 0) == 1
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("took_ms", "chosen"),
    [
        ({7: 20.0, 8: 15.0}, 8),
        ({7: 20.0, 8: 19.0}, 7),
        ({7: 20.0, 8: 300.0}, 7),
        ({1: 18.0, 4: 30.0, 7: 40.0, 8: 50.0}, 1),
        ({1: 60.0, 4: 21.0, 7: 20.0, 8: 20.0}, 4),
    ],
)
def test_of_the_numbers_that_are_quick_the_least_is_taken(took_ms: dict[int, float], chosen: int) -> None:
    watch = Stopwatch(took_ms)
    assert start_threads(8, key(), watch.decode_ms) == chosen
    assert watch.ran == [1] * 6 + [4] * 6 + [7] * 6 + [8] * 6


def test_the_quickest_of_each_counts() -> None:
    times = {
        1: iter([99.0] * 6),
        2: iter([99.0] * 6),
        3: iter([90.0, 30.0, 900.0, 40.0, 30.0, 99.0]),
        4: iter([10.0, 31.0, 28.0, 400.0, 35.0, 28.0]),
    }
    assert start_threads(4, key(), lambda threads: next(times[threads])) == 3


def test_it_is_measured_once_for_a_key_and_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = Stopwatch({3: 40.0, 4: 25.04})
    assert [start_threads(4, key("a"), watch.decode_ms) for _ in range(3)] == [4, 4, 4]
    assert len(watch.ran) == 24
    assert caplog.messages == [
        "4 threads of 4 cores: a token takes 500.0 ms with 1, 500.0 ms with 2, 40.0 ms with 3, 25.0 ms with 4"
    ]
    assert start_threads(4, key("b"), Stopwatch({3: 25.0, 4: 25.0}).decode_ms) == 3
    assert start_threads(4, key("a"), lambda threads: 1 / 0) == 4


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"m": "4"}', '{"m": 5}', '{"m": 0}', '{"m": true}', '{"m": -1}'])
def test_what_was_kept_and_makes_no_sense_is_measured_again(kept: str, cache: Path) -> None:
    (cache / "threads.json").write_text(kept)
    watch = Stopwatch({3: 25.0, 4: 25.0})
    assert start_threads(4, key(), watch.decode_ms) == 3
    assert watch.ran
    assert start_threads(4, key(), lambda threads: 1 / 0) == 3


def test_a_cache_that_cannot_be_written_costs_only_the_next_start(cache: Path) -> None:
    (cache / "threads.json").mkdir()
    for _ in range(2):
        assert start_threads(4, key(), Stopwatch({3: 25.0, 4: 25.0}).decode_ms) == 3
    assert [path.name for path in cache.iterdir()] == ["threads.json"]


def test_the_oldest_choices_are_let_go(cache: Path) -> None:
    for number in range(40):
        start_threads(4, key(f"m{number}"), Stopwatch({3: 25.0, 4: 25.0}).decode_ms)
    kept = (cache / "threads.json").read_text()
    assert '"m39"' in kept and '"m8"' in kept and '"m7"' not in kept


def test_another_file_or_number_of_cores_is_another_key(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"1")
    one = choice_key(model, 4)
    assert choice_key(model, 4) == one
    assert choice_key(model, 5) != one
    model.write_bytes(b"22")
    assert choice_key(model, 4) != one


def test_there_is_at_least_one_core() -> None:
    assert usable_cores() >= 1


def test_the_battery_is_asked_once_a_minute() -> None:
    now_s, answers, asked = [100.0], [True, False], []

    def ask() -> bool:
        asked.append(now_s[0])
        return answers[len(asked) - 1]

    state = Power(ask, lambda: now_s[0])
    assert [state.on_battery, state.on_battery] == [True, True]
    now_s[0] += ASK_EVERY_S - 1
    assert state.on_battery
    now_s[0] += 1
    assert not state.on_battery
    assert asked == [100.0, 160.0]


def test_a_clock_that_stands_still_or_jumps_back_does_not_stop_the_answers() -> None:
    now_s, asked = [100.0], []
    state = Power(lambda: bool(asked.append(1)) or True, lambda: now_s[0])
    assert all(state.on_battery for _ in range(50))
    assert len(asked) == 1
    now_s[0] = 5.0
    assert state.on_battery
    assert len(asked) == 2


class Battery:
    def __init__(self, power_plugged: bool | None) -> None:
        self.power_plugged = power_plugged


@pytest.mark.parametrize(
    ("battery", "expected"), [(None, False), (Battery(True), False), (Battery(None), False), (Battery(False), True)]
)
def test_only_a_battery_without_other_power_counts(
    battery: Battery | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert power.unplugged() is expected


def test_a_system_that_tells_nothing_of_batteries_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("firmware")

    monkeypatch.setattr(psutil, "sensors_battery", broken, raising=False)
    assert power.unplugged() is False
    monkeypatch.delattr(psutil, "sensors_battery")
    assert power.unplugged() is False


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {}),
    ],
)
def test_threads_spin_for_a_moment_unless_the_user_has_said_how_they_wait(
    given: dict[str, str], added: dict[str, str]
) -> None:
    assert waiting(given) == added


def test_a_measured_choice_holds_for_the_way_that_threads_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.setenv("GOMP_SPINCOUNT", "3000")
    spinning = choice_key(model, 2)
    monkeypatch.delenv("GOMP_SPINCOUNT")
    assert choice_key(model, 2) != spinning
    monkeypatch.delenv("OMP_WAIT_POLICY")  # as before the library is loaded, which sets both
    assert choice_key(model, 2) == spinning
