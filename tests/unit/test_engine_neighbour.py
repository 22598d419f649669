"""Claims about the llama engine beside other programs: threads that give way, short memory, no work while idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from goassist_index.cachedir import ENVIRONMENT_NAME
from goassist_index.errors import ModelError
from goassist_models.engine import CancelToken, GenerateRequest, llama
from goassist_models.engine.context import LEAST_TOKENS, Context
from goassist_models.engine.library import load_library, load_model
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.engine.pace import ThreadPace
from goassist_models.engine.power import Power
from goassist_models.infill import FORMS, InfillPrompt
from support import tiny_gguf

SETTINGS = LlamaSettings(n_ctx=512, chunk_tokens=16, preflight=False)
IDLE_S = 0.5
MOST_CPU_S = 0.02


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_NAME, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_random_model(tmp_path_factory.mktemp("models") / "random.gguf")


class Told(ThreadPace):
    """Wants what a test says; keeps what it was told."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.told: list[int] = []
        self.wants: Iterator[int] = iter(())
        self.allowed: list[int] = []

    def allow(self, most: int) -> None:
        self.allowed.append(most)

    def decoded(self, ms: float, threads: int, now_s: float) -> int:
        assert ms > 0
        self.told.append(threads)
        return next(self.wants, threads)


@pytest.fixture
async def engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LlamaEngine]:
    monkeypatch.setattr(llama, "usable_cores", lambda: 2)
    monkeypatch.setattr(llama, "start_threads", lambda cores, key, decode_ms: cores)
    monkeypatch.setattr(llama, "ThreadPace", Told)
    loaded = await LlamaEngine.load(path, SETTINGS)
    yield loaded
    await loaded.close()


async def ask(engine: LlamaEngine, max_tokens: int = 8) -> str:
    engine._context.clear()  # what was said before would come without a decode
    prompt = InfillPrompt(FORMS["joined"], "func a() {\n\treturn err", "\n}\n")
    (said,) = await engine.generate(GenerateRequest(prompt, max_tokens), CancelToken())
    return said.text


async def test_the_next_token_runs_on_the_threads_that_the_pace_wants(engine: LlamaEngine) -> None:
    pace = engine._pace
    assert isinstance(pace, Told)
    before = await ask(engine)
    pace.told.clear()
    pace.wants = iter([1, 2, 1])
    assert await ask(engine) == before
    assert pace.told[:3] == [2, 1, 2]
    library = load_library()
    assert library.llama_n_threads(engine._context._context) == 1
    assert library.llama_n_threads_batch(engine._context._context) == 2  # a prompt is read with all of them


async def test_on_battery_a_thread_less_is_allowed(engine: LlamaEngine) -> None:
    pace = engine._pace
    assert isinstance(pace, Told)
    engine._power = Power(lambda: True)
    await ask(engine)
    engine._power = Power(lambda: False)
    await ask(engine)
    assert (pace.allowed[0], pace.allowed[-1]) == (1, 2)


async def test_threads_that_the_settings_name_are_kept_to(path: Path) -> None:
    engine = await LlamaEngine.load(path, LlamaSettings(n_ctx=512, chunk_tokens=16, threads=2, preflight=False))
    await ask(engine)
    assert (engine._pace, engine._context.threads) == (None, 2)
    await engine.close()


async def test_of_three_cores_it_is_measured_and_the_answer_is_the_same(
    path: Path, engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "usable_cores", lambda: 3)
    monkeypatch.setattr(Context, "time_decode", _quicker_with_more(Context.time_decode))
    other = await LlamaEngine.load(path, SETTINGS)
    assert other._context.threads == 3
    assert other.cells_held == 0
    assert await ask(other) == await ask(engine)
    await other.close()


def _quicker_with_more(real: Any) -> Any:
    def timed(context: Context, token: int, threads: int) -> float:
        assert real(context, token, threads) > 0
        return 60 / threads

    return timed


class Scarce:
    """The native library on a machine where a context of more than `most` tokens cannot be had."""

    def __init__(self, most: int) -> None:
        self._library = load_library()
        self._most = most
        self.tried: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def llama_init_from_model(self, model: Any, parameters: Any) -> Any:
        self.tried.append(parameters.n_ctx)
        return self._library.llama_init_from_model(model, parameters) if parameters.n_ctx <= self._most else None


@pytest.mark.parametrize(
    ("wanted", "most", "tried"),
    [(4096, 9999, [4096]), (4096, 2048, [4096, 2048]), (5000, 1100, [5000, 2500, 1250, 1024]), (512, 512, [512])],
)
def test_where_memory_is_short_half_the_context_is_tried(
    path: Path, wanted: int, most: int, tried: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    library = Scarce(most)
    model = load_model(library, path)
    context = Context(library, model, n_ctx=wanted, sequences=2, threads=1, chunk_tokens=16)
    assert library.tried == tried
    assert context.n_ctx == -(-tried[-1] // 256) * 256  # the library rounds up
    said = [
        record.getMessage() for record in caplog.records if record.name.startswith("goassist_models.engine.context")
    ]
    assert said == ([f"memory is short: the model's context holds {tried[-1]} tokens, not {wanted}"] * (len(tried) > 1))
    context.close()
    library.llama_model_free(model)


@pytest.mark.parametrize(("wanted", "last"), [(4096, LEAST_TOKENS), (512, 512)])
def test_where_there_is_no_memory_at_all_it_is_an_error(path: Path, wanted: int, last: int) -> None:
    library = Scarce(0)
    model = load_model(library, path)
    with pytest.raises(ModelError, match=f"a context of {last:,} tokens"):
        Context(library, model, n_ctx=wanted, sequences=2, threads=1, chunk_tokens=16)
    assert library.tried[-1] == last
    library.llama_model_free(model)


async def test_an_engine_that_nobody_asks_does_nothing(engine: LlamaEngine) -> None:
    """No thread of it, nor of the native library, spins or polls: counted in processor time, not in speed."""
    await ask(engine)
    process, spent_s = psutil.Process(), 1.0
    for _ in range(3):
        before = process.cpu_times()
        await asyncio.to_thread(time.sleep, IDLE_S)
        after = process.cpu_times()
        spent_s = min(spent_s, after.user + after.system - before.user - before.system)
    assert spent_s <= MOST_CPU_S
