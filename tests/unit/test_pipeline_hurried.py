"""What is read for somebody who has been asking while the model was loaded: the nearest text alone, until they rest."""

from __future__ import annotations

import asyncio

import pytest

from goassist_lsp import app
from goassist_lsp.app import Assistant
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.generate import prompt
from goassist_lsp.pipeline import HURRIED_TOKENS, CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.types import Completion, Pace
from goassist_models.engine import CancelToken, Engine
from goassist_models.engine.fake import FakeEngine
from support.places import snapshot

LINES = "".join(f"\tv{i} := compute(alpha, {i})\n" for i in range(200))
BEFORE, AFTER = f"package p\n\nfunc f(n int) int {{\n{LINES}\tx := ", f"\n{LINES}\treturn n\n}}\n"
TYPING, RESTING = Pace(typing=True, patience_s=0.1), Pace(typing=False, patience_s=1.5)


def made(said: list[str], *, hurried: bool = True) -> tuple[CompletionPipeline, FakeEngine]:
    engine = FakeEngine(said)
    return CompletionPipeline(engine, FakeChecker(bad="broken"), Settings(), hurried=hurried), engine


async def ask(
    asked: CompletionPipeline | Assistant,
    typed: str = "",
    pace: Pace | None = RESTING,
    cancel: CancelToken | None = None,
) -> Completion:
    before = BEFORE + typed
    return await asked.complete(snapshot(before + AFTER), len(before), cancel or CancelToken(), pace=pace)


def short(engine: FakeEngine) -> list[bool]:
    """Of each prompt whether it is short; all others are as long as the settings allow."""
    sizes = [len(request.prompt.prefix) + len(request.prompt.suffix) for request in engine.requests]
    assert all(size <= HURRIED_TOKENS * prompt.CHARS_A_TOKEN or size > 1000 for size in sizes)
    return [size <= 1000 for size in sizes]


@pytest.mark.parametrize("pace", [TYPING, RESTING])
async def test_who_has_waited_is_answered_from_the_nearest_text_as_long_as_they_type(pace: Pace) -> None:
    pipeline, engine = made(["n + 1"])
    assert (await ask(pipeline, pace=pace)).candidates
    for typed in ("(", "(("):
        await ask(pipeline, typed, TYPING)
    await ask(pipeline, "(((", RESTING)
    await ask(pipeline, "((((", TYPING)
    assert short(engine) == [True, True, True, False, False]
    assert engine.requests[0].prompt.prefix.endswith("\tx := ")
    assert engine.requests[0].prompt.suffix.startswith("\n\tv0")


async def test_who_has_not_waited_is_answered_from_all_that_helps() -> None:
    pipeline, engine = made(["n + 1"], hurried=False)
    await ask(pipeline, pace=TYPING)
    await ask(pipeline, "(", RESTING)
    assert short(engine) == [False, False]


async def test_who_waits_for_all_of_the_answer_gets_all_of_the_prompt() -> None:
    pipeline, engine = made(["n + 1"])
    await ask(pipeline, pace=None)
    assert short(engine) == [False]


async def test_a_cancelled_question_is_not_the_first_suggestion() -> None:
    pipeline, engine = made(["n + 1"])
    gone = CancelToken()
    gone.cancel()
    assert (await ask(pipeline, cancel=gone)).cancelled
    assert (await ask(pipeline, "(", RESTING)).candidates
    assert all(short(engine))


async def test_where_so_little_shows_nothing_a_few_times_all_is_read() -> None:
    pipeline, engine = made(["broken"])
    for typed in ("", "(", "((", "((("):
        assert not (await ask(pipeline, typed, TYPING)).candidates
    assert short(engine) == [True, True, True, False]


@pytest.mark.parametrize(("waits_s", "hurried"), [(60.0, True), (0.0, False)])
async def test_who_asks_while_the_model_is_loaded_has_waited(
    monkeypatch: pytest.MonkeyPatch, waits_s: float, hurried: bool
) -> None:
    engine, loaded = FakeEngine(["n + 1"]), asyncio.Event()

    async def load(settings: Settings, report: app.Progress) -> Engine:
        await loaded.wait()
        return engine

    monkeypatch.setattr(app, "load_engine", load)
    monkeypatch.setattr(app, "_WAITS_S", waits_s)
    assistant = Assistant(Settings(index=False), checker=FakeChecker())
    starting = asyncio.create_task(assistant.start(()))
    try:
        assert (await ask(assistant, pace=TYPING)).skip_reason == "the model is not loaded"
        loaded.set()
        await starting
        assert (await ask(assistant, pace=TYPING)).candidates
    finally:
        await assistant.close()
    assert short(engine) == [hurried]
