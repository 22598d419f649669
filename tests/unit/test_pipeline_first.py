"""What is read for the first suggestion: somebody has been waiting since the editor was opened."""

from __future__ import annotations

import pytest

from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.generate import prompt
from goassist_lsp.pipeline import FIRST_TOKENS, CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.types import Completion, Pace
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from support.places import snapshot

LINES = "".join(f"\tv{i} := compute(alpha, {i})\n" for i in range(200))
BEFORE, AFTER = f"package p\n\nfunc f(n int) int {{\n{LINES}\tx := ", f"\n{LINES}\treturn n\n}}\n"
TYPING, RESTING = Pace(typing=True, patience_s=0.1), Pace(typing=False, patience_s=1.5)


def made(said: list[str]) -> tuple[CompletionPipeline, FakeEngine]:
    engine = FakeEngine(said)
    return CompletionPipeline(engine, FakeChecker(bad="broken"), Settings()), engine


async def ask(
    pipeline: CompletionPipeline, typed: str = "", pace: Pace | None = RESTING, cancel: CancelToken | None = None
) -> Completion:
    before = BEFORE + typed
    return await pipeline.complete(snapshot(before + AFTER), len(before), cancel or CancelToken(), pace=pace)


def read_chars(engine: FakeEngine) -> list[int]:
    return [len(request.prompt.prefix) + len(request.prompt.suffix) for request in engine.requests]


SHORT = FIRST_TOKENS * prompt.CHARS_A_TOKEN
WHOLE = Settings().context_tokens * prompt.CHARS_A_TOKEN / 2


@pytest.mark.parametrize("pace", [TYPING, RESTING])
async def test_the_first_suggestion_reads_the_nearest_text_and_the_next_one_all_that_helps(pace: Pace) -> None:
    pipeline, engine = made(["n + 1"])
    assert (await ask(pipeline, pace=pace)).candidates
    await ask(pipeline, "(", pace)
    first, second = read_chars(engine)
    assert first <= SHORT
    assert second > WHOLE
    assert engine.requests[0].prompt.prefix.endswith("\tx := ")
    assert engine.requests[0].prompt.suffix.startswith("\n\tv0")


async def test_who_waits_for_all_of_the_answer_gets_all_of_the_prompt() -> None:
    pipeline, engine = made(["n + 1"])
    await ask(pipeline, pace=None)
    assert read_chars(engine)[0] > WHOLE


async def test_a_cancelled_question_is_not_the_first_suggestion() -> None:
    pipeline, engine = made(["n + 1"])
    gone = CancelToken()
    gone.cancel()
    assert (await ask(pipeline, cancel=gone)).cancelled
    assert (await ask(pipeline, "(")).candidates
    assert all(chars <= SHORT for chars in read_chars(engine))


async def test_where_so_little_shows_nothing_a_few_times_all_is_read() -> None:
    pipeline, engine = made(["broken"])
    for typed in ("", "(", "((", "((("):
        assert not (await ask(pipeline, typed, TYPING)).candidates
    assert [chars <= SHORT for chars in read_chars(engine)] == [True, True, True, False]
