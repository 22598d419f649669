"""Claims about tokens that are said again: what the model was asked once behind a text, it is not asked again."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_models.engine import CancelToken, GenerateRequest, Generation
from goassist_models.engine.alike import moved_from
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt

SETTINGS = LlamaSettings(n_ctx=512, sequences=3, places=2, threads=1, chunk_tokens=16, preflight=False)
BEFORE = "func f() error {\n\tfmt.Println(err)\n\treturn e"


@pytest.fixture
async def engine(random_path: Path) -> AsyncIterator[LlamaEngine]:
    engine = await LlamaEngine.load(random_path, SETTINGS)
    yield engine
    await engine.close()


async def ask(engine: LlamaEngine, prefix: str, **how: object) -> Generation:
    request = GenerateRequest(InfillPrompt(FORMS["joined"], prefix, "\n}\n"), max_tokens=10)
    return (await engine.generate(replace(request, **how), CancelToken()))[0]  # type: ignore[arg-type]


def counted(engine: LlamaEngine) -> list[int]:
    """The number of rows of each decode from now on."""
    context, decodes = engine._context, list[int]()
    decode = context._decode

    def counting(rows, wanted):  # type: ignore[no-untyped-def]
        decodes.append(len(rows))
        decode(rows, wanted)

    context._decode = counting  # type: ignore[method-assign]
    return decodes


async def test_the_same_question_costs_no_decode_and_has_the_same_answer(engine: LlamaEngine) -> None:
    first = await ask(engine, BEFORE)
    decodes = counted(engine)
    again = await ask(engine, BEFORE)
    assert decodes == []
    assert (again.text, again.steps) == (first.text, first.steps)
    assert first.text


async def test_more_is_said_from_where_the_last_answer_ended(engine: LlamaEngine) -> None:
    short = await ask(engine, BEFORE, max_tokens=4)
    decodes = counted(engine)
    long = await ask(engine, BEFORE, max_tokens=10)
    assert long.text.startswith(short.text)
    # The last token of the first answer was chosen, and never shown to the model.
    assert decodes == [1] * (long.tokens - short.tokens)


async def test_who_typed_a_part_of_what_was_said_has_the_rest_without_a_decode(engine: LlamaEngine) -> None:
    first = await ask(engine, BEFORE)
    ends = [step.end for step in first.steps[:-1] if step.end]
    decodes = counted(engine)
    for end in ends[:3]:
        again = await ask(engine, BEFORE + first.text[:end], max_tokens=1)
        assert first.text[end:].startswith(again.text)
    assert len(decodes) <= len(ends[:3])


async def test_another_text_is_never_taken_for_the_one_before(engine: LlamaEngine, random_path: Path) -> None:
    fresh = await LlamaEngine.load(random_path, replace(SETTINGS, places=0))
    first = await ask(engine, BEFORE)
    for prefix in (BEFORE + "rr", BEFORE + first.text[:2] + "x", BEFORE[:-1], BEFORE, BEFORE + first.text):
        fresh._context.clear()
        expected = await ask(fresh, prefix)
        got = await ask(engine, prefix)
        assert got.text == expected.text
    await fresh.close()


async def test_several_sequences_at_once_do_not_see_what_was_said_before(
    engine: LlamaEngine, random_path: Path
) -> None:
    fresh = await LlamaEngine.load(random_path, SETTINGS)
    request = GenerateRequest(
        InfillPrompt(FORMS["joined"], BEFORE, "\n}\n"), max_tokens=10, n=3, temperature=0.8, seed=3
    )
    expected = await fresh.generate(request, CancelToken())
    await ask(engine, BEFORE)
    got = await engine.generate(request, CancelToken())
    await fresh.close()
    assert [answer.text for answer in got] == [answer.text for answer in expected]


async def test_a_text_is_scored_alike_behind_what_was_said(engine: LlamaEngine) -> None:
    prompt = InfillPrompt(FORMS["joined"], BEFORE, "\n}\n")
    before = await engine.score(prompt, "rr\n")
    await ask(engine, BEFORE)
    after = await engine.score(prompt, "rr\n")
    assert math.isclose(before.nats, after.nats, rel_tol=1e-4)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(("", "e", "er", "\n", "x(")), st.integers(1, 9)), max_size=8)
)
@settings(max_examples=40)
async def test_whatever_is_asked_in_between_the_answers_are_those_of_an_engine_that_forgets(
    engine: LlamaEngine, random_path: Path, asked: list[tuple[int, str, int]]
) -> None:
    said = (await ask(engine, BEFORE)).text
    for taken, typed, most in asked:
        prefix = BEFORE + said[:taken] + typed
        got = await ask(engine, prefix, max_tokens=most)
        engine._context.clear()
        expected = await ask(engine, prefix, max_tokens=most)
        assert got.text == expected.text


def tokens(said: Generation) -> list[int]:
    return [step.token for step in said.steps]


def lines(first: int, last: int) -> str:
    return "".join(f"\tfmt.Println({number}, err)\n" for number in range(first, last))


async def test_where_the_window_has_moved_what_is_left_of_it_is_not_read_again(
    engine: LlamaEngine, random_path: Path
) -> None:
    head = "package p\n\n"
    fresh = await LlamaEngine.load(random_path, SETTINGS)
    await ask(engine, head + lines(1, 14) + "\treturn e")
    moved = await ask(engine, head + lines(6, 14) + "\treturn er", typing_on=True)
    # One layer knows nothing of other tokens: only the positions could be wrong.
    expected = await ask(fresh, head + lines(6, 14) + "\treturn er")
    again = await ask(engine, head + lines(6, 14) + "\treturn er")
    await fresh.close()
    assert expected.timings.read_tokens > 60
    assert moved.timings.read_tokens <= 2
    assert tokens(moved) == tokens(expected) == tokens(again) != []
    assert math.isclose(moved.mean_logprob, expected.mean_logprob, abs_tol=1e-4)


async def test_who_does_not_type_has_a_changed_text_read_again(engine: LlamaEngine) -> None:
    head = "package p\n\n"
    await ask(engine, head + lines(1, 14) + "\treturn e")
    assert (await ask(engine, head + lines(6, 14) + "\treturn er")).timings.read_tokens > 60


@pytest.mark.parametrize(
    ("cells", "shared", "tokens", "least", "at"),
    [
        ([0, *range(100, 200)], 1, [0, *range(150, 200), 7], 20, 51),  # a beginning cut out
        ([0, *range(100, 200)], 1, [0, *range(150, 160), 7], 20, 0),  # too little is left
        ([0, *range(100, 200)], 1, [0, *range(300, 400)], 20, 0),  # another text
        ([0, *[1, 2] * 10, *range(100, 120), *[1, 2] * 10, *range(100, 150)], 1, [0, *range(100, 150)], 20, 61),
        ([], 0, [1, 2, 3], 1, 0),
        ([1, 2, 3], 3, [1, 2, 3], 1, 0),
    ],
)
def test_the_same_text_is_found_further_up(
    cells: list[int], shared: int, tokens: list[int], least: int, at: int
) -> None:
    assert moved_from(cells, shared, tokens, least) == at
