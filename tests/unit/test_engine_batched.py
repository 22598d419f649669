"""The batched engine over tiny models: many at once say what each says alone, and share what they have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import ModelError
from goassist_models.engine import CancelToken, GenerateRequest, Generation, Resume
from goassist_models.engine.batched import BatchedEngine
from goassist_models.engine.context import Context, DecodeFailed
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import AS_GIVEN, FORMS, InfillPrompt, Segment
from support import tiny_gguf

SETTINGS = LlamaSettings(n_ctx=4096, sequences=4, chunk_tokens=16, threads=1, preflight=False)
PROMPTS = [f"fmt.Print{number}({'x' * (7 * number)}" for number in range(9)]


@pytest.fixture(scope="session")
def random_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_random_model(tmp_path_factory.mktemp("models") / "random.gguf", endless=True)


@pytest.fixture(scope="session")
def endless_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_bigram_model(tmp_path_factory.mktemp("models") / "endless.gguf", {"x": ["x"]})


@pytest.fixture
async def engine(random_path: Path) -> AsyncIterator[BatchedEngine]:
    loaded = await BatchedEngine.load(random_path, SETTINGS)
    yield loaded
    await loaded.close()


@pytest.fixture
async def endless(endless_path: Path) -> AsyncIterator[BatchedEngine]:
    loaded = await BatchedEngine.load(endless_path, SETTINGS)
    yield loaded
    await loaded.close()


def infill(prefix: str, **wanted: object) -> GenerateRequest:
    wanted.setdefault("max_tokens", 12)
    return GenerateRequest(InfillPrompt(FORMS["joined"], prefix, "\n}\n"), **wanted)  # type: ignore[arg-type]


def plain(text: str, **wanted: object) -> GenerateRequest:
    given = InfillPrompt(AS_GIVEN, "", "", given=(Segment(text, special=False),))
    return replace(infill("", **wanted), prompt=given)


async def ask(engine: LlamaEngine, request: GenerateRequest, cancel: CancelToken | None = None) -> Generation:
    (generation,) = await engine.generate(request, cancel or CancelToken())
    return generation


async def test_many_at_once_say_what_each_says_alone(engine: BatchedEngine, random_path: Path) -> None:
    together = await asyncio.gather(*(ask(engine, infill(prompt)) for prompt in PROMPTS))
    single = await LlamaEngine.load(random_path, SETTINGS)
    try:
        alone = [await ask(single, infill(prompt)) for prompt in PROMPTS]
    finally:
        await single.close()
    assert [generation.text for generation in together] == [generation.text for generation in alone]
    assert len({generation.text for generation in together}) > 1


async def test_choices_of_one_request_read_its_prompt_once(engine: BatchedEngine) -> None:
    request = plain("package main // " + "abcdefgh" * 20, n=4, temperature=0.8, max_tokens=8)
    generations = await engine.generate(request, CancelToken())
    assert len(generations) == 4
    first, *others = sorted(generation.timings.read_tokens for generation in generations)[::-1]
    assert first > 100
    assert others == [1, 1, 1]
    assert len({generation.text for generation in generations}) > 1


async def test_next_prompt_that_begins_alike_reads_only_the_rest(engine: BatchedEngine) -> None:
    await ask(engine, plain("y" * 200, max_tokens=1))
    again = await ask(engine, plain("y" * 200 + "zzz", max_tokens=1))
    assert (again.timings.prompt_tokens, again.timings.read_tokens) == (203, 3)


async def test_what_begins_alike_says_what_it_says_alone(engine: BatchedEngine, random_path: Path) -> None:
    # The second and the third are told what the first has read, and has gone on from.
    asked = [plain("z" * 120 + end, max_tokens=20) for end in ("", "abc", "fmt.Print")]
    first = await ask(engine, asked[0])
    others = await asyncio.gather(*(ask(engine, request) for request in asked[1:]))
    assert max(other.timings.read_tokens for other in others) < 20
    single = await LlamaEngine.load(random_path, SETTINGS)
    try:
        assert [(await ask(single, request)).text for request in asked] == [one.text for one in (first, *others)]
    finally:
        await single.close()


async def test_same_seed_says_the_same_whoever_is_there(engine: BatchedEngine) -> None:
    request = plain("abc", temperature=1.0, seed=7, max_tokens=10)
    alone = await ask(engine, request)
    crowd = await asyncio.gather(ask(engine, request), *(ask(engine, infill(prompt)) for prompt in PROMPTS))
    assert crowd[0].text == alone.text
    assert alone.text


def cancels_after(tokens: int, cancel: CancelToken) -> Callable[[str], bool]:
    def until(text: str) -> bool:
        if len(text) >= tokens:
            cancel.cancel()
        return False

    return until


async def test_cancel_ends_one_within_a_token_and_leaves_the_others(endless: BatchedEngine) -> None:
    cancel = CancelToken()
    request = plain("x", max_tokens=400, until=cancels_after(5, cancel))
    ended, other = await asyncio.gather(ask(endless, request, cancel), ask(endless, plain("x", max_tokens=60)))
    assert (ended.finish_reason, ended.text) == ("cancelled", "x" * 5)
    assert (other.finish_reason, other.text) == ("length", "x" * 60)


async def test_caller_that_goes_away_ends_all_its_choices(endless: BatchedEngine) -> None:
    cancel, begun = CancelToken(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def until(text: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return False

    task = asyncio.create_task(endless.generate(plain("x", n=2, max_tokens=900, until=until), cancel))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancel.cancelled
    assert (await ask(endless, plain("x", max_tokens=3))).text == "xxx"


async def test_each_has_its_part_of_the_context_whatever_the_others_hold(endless: BatchedEngine) -> None:
    answers = await asyncio.gather(*(ask(endless, plain("x" * 900, max_tokens=900)) for _ in range(4)))
    assert [(len(answer.text), answer.finish_reason) for answer in answers] == [(124, "length")] * 4


async def test_error_of_one_callers_question_is_that_callers(endless: BatchedEngine) -> None:
    def until(text: str) -> bool:
        raise ZeroDivisionError("mine")

    results = await asyncio.gather(
        ask(endless, plain("x", until=until)), ask(endless, plain("x", max_tokens=9)), return_exceptions=True
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert isinstance(results[1], Generation)
    assert results[1].text == "x" * 9


async def test_failed_decode_is_tried_again_from_the_beginning(
    endless: BatchedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = Context.mixed, iter([False, False, True])

    def mixed(self: Context, *arguments: object) -> object:
        if next(failures, False):
            raise DecodeFailed("by a test")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Context, "mixed", mixed)
    assert (await ask(endless, plain("x", max_tokens=20))).text == "x" * 20


async def test_decode_that_fails_twice_is_told(endless: BatchedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed(self: Context, *arguments: object) -> object:
        raise DecodeFailed("by a test")

    monkeypatch.setattr(Context, "mixed", mixed)
    with pytest.raises(ModelError, match="by a test"):
        await ask(endless, plain("x"))


@pytest.mark.parametrize("text", ["", "x" * 2000])
async def test_prompt_that_cannot_be_read_is_refused_at_once(endless: BatchedEngine, text: str) -> None:
    with pytest.raises(ModelError, match=r"empty|the context holds"):
        await ask(endless, plain(text))
    assert (await ask(endless, plain("x", max_tokens=2))).text == "xx"


async def test_generation_is_resumed_behind_its_first_tokens(engine: BatchedEngine) -> None:
    request = infill("fmt.")
    whole = await ask(engine, request)
    other = await ask(engine, replace(request, resume=Resume(whole, 3, frozenset({whole.steps[3].token}))))
    assert other.steps[:3] == whole.steps[:3]
    assert other.steps[3].token != whole.steps[3].token


async def test_scoring_waits_for_its_turn(engine: BatchedEngine, random_path: Path) -> None:
    prompt = InfillPrompt(FORMS["joined"], "fmt.", "\n}\n")
    scored, *_ = await asyncio.gather(engine.score(prompt, "Println()"), *(ask(engine, infill(p)) for p in PROMPTS))
    single = await LlamaEngine.load(random_path, SETTINGS)
    try:
        alone = await single.score(prompt, "Println()")
        assert (alone.tokens, alone.bytes) == (scored.tokens, scored.bytes)
        assert alone.nats == pytest.approx(scored.nats, rel=1e-5)  # sums of floats, in parts of other sizes
    finally:
        await single.close()


async def test_close_ends_what_is_under_way(endless_path: Path) -> None:
    loaded = await BatchedEngine.load(endless_path, SETTINGS)
    tasks = [asyncio.create_task(ask(loaded, plain("x", max_tokens=1000))) for _ in range(6)]
    await asyncio.sleep(0)
    await loaded.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results if isinstance(result, ModelError)] == ["the engine is closed."] * 6
    with pytest.raises(ModelError, match="closed"):
        await ask(loaded, plain("x"))
