"""Claims about goassist_lsp.fitness: a model that is too slow here is named once, with a smaller one."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_lsp.app import Assistant
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.fitness import ANSWERS, Fitness
from goassist_lsp.settings import Settings
from goassist_models import registry
from goassist_models.engine import CancelToken, EngineSpeed
from goassist_models.engine.fake import FakeEngine
from support.places import snapshot

LARGE = "qwen2.5-coder-1.5b"


def said(rates: list[float], setting: str = LARGE) -> list[str]:
    fitness = Fitness()
    told = [fitness.answered("m", EngineSpeed(generate_tokens_per_s=rate), setting) for rate in rates]
    return [str(error) for error in told if error is not None]


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.ENVIRONMENT_NAME, raising=False)


def test_it_is_said_once_with_the_next_smaller_model() -> None:
    assert said([3.0] * 20) == [
        "the model m is slow on this machine: a line of 12 tokens takes 4 seconds. Fetch a smaller one with "
        "`goassist-lsp model pull qwen2.5-coder-0.5b` and set `goassist.model` to qwen2.5-coder-0.5b."
    ]


@pytest.mark.parametrize("rates", [[4.0] * 20, [30.0] * 20, [0.0] * 20, [3.0] * (ANSWERS - 1), [3.0, 3.0, 9.0] * 9])
def test_a_quick_model_an_unknown_speed_and_a_short_while_are_not_named(rates: list[float]) -> None:
    assert said(rates) == []


@pytest.mark.parametrize("setting", ["", "no/such/file.gguf", "no such model"])
def test_where_nothing_smaller_is_known_the_way_out_is_another(setting: str) -> None:
    (message,) = said([0.5] * 9, setting)
    assert "24 seconds. Close other programs, or set `goassist.model`" in message


def test_a_file_of_the_users_own_is_compared_by_its_size(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    with own.open("wb") as file:
        file.truncate(1 << 30)
    (message,) = said([1.0] * 9, str(own))
    assert "qwen2.5-coder-0.5b" in message


def test_the_next_smaller_is_the_largest_of_those() -> None:
    sizes = sorted(entry.size_bytes for entry in registry.entries())
    for before, size in zip([None, *sizes], sizes, strict=False):
        smaller = registry.next_smaller(size)
        assert (smaller.size_bytes if smaller else None) == before


async def test_the_assistant_gives_it_as_advice_and_answers_on() -> None:
    engine = FakeEngine(["f(1)"], model_name="big")
    engine.speed.generated(1000.0)
    assistant = Assistant(Settings(model=LARGE), engine=engine, checker=FakeChecker())
    for number in range(ANSWERS + 2):
        text = f"package p\n\nfunc f(n int) int {{\n\tx{number} := \n\treturn n\n}}\n"
        found = await assistant.complete(snapshot(text), text.index(":= ") + 3, CancelToken())
        assert found.candidates
    (advice,) = assistant.advice
    assert "big is slow" in str(advice)
    assert assistant.problems == []
    assert str(advice) in (await assistant.status())["problems"]  # type: ignore[operator]


def test_a_decode_that_the_clock_did_not_see_says_nothing_of_speed() -> None:
    speed = EngineSpeed()
    speed.generated(0.0)
    speed.read(100, 0.0)
    assert (speed.generate_tokens_per_s, speed.read_tokens_per_s) == (0.0, 0.0)
    speed.generated(50.0)
    speed.read(100, 500.0)
    assert (speed.generate_tokens_per_s, speed.read_tokens_per_s) == (20.0, 200.0)
    speed.generated(25.0)
    assert speed.generate_tokens_per_s == pytest.approx(22.0)
