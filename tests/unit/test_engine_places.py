"""Claims about the prompts that the llama engine keeps for places one goes back to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from goassist_models.engine import CancelToken, GenerateRequest, Generation
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt

PLACES_SETTINGS = LlamaSettings(n_ctx=1024, sequences=2, places=2, threads=1, chunk_tokens=16, preflight=False)


async def ask(engine: LlamaEngine, prefix: str) -> Generation:
    request = GenerateRequest(InfillPrompt(FORMS["joined"], prefix, "\n}\n"), max_tokens=12)
    (generation,) = await engine.generate(request, CancelToken())
    return generation


def place_text(number: int) -> str:
    return f"func f{number}() {{\n" + f"\tfmt.Println({number}, err)\n" * 12 + "\treturn err"


async def test_who_goes_back_to_a_place_finds_it_read_and_gets_the_same_text(random_path: Path) -> None:
    engine = await LlamaEngine.load(random_path, PLACES_SETTINGS)
    first = [await ask(engine, place_text(number)) for number in (1, 2, 3)]
    again = [await ask(engine, place_text(number)) for number in (1, 2, 3, 3, 2, 1)]
    await engine.close()
    assert all(answer.timings.read_tokens > 64 for answer in first)
    assert all(answer.timings.read_tokens <= 1 for answer in again)
    assert all(answer.text for answer in first)
    assert [answer.text for answer in again] == [first[number].text for number in (0, 1, 2, 2, 1, 0)]


async def test_the_place_that_was_left_longest_ago_makes_room(random_path: Path) -> None:
    engine = await LlamaEngine.load(random_path, PLACES_SETTINGS)
    for number in (1, 2, 3, 4):
        await ask(engine, place_text(number))
    assert (await ask(engine, place_text(3))).timings.read_tokens <= 1
    assert (await ask(engine, place_text(1))).timings.read_tokens > 64
    await engine.close()


async def test_kept_places_never_take_the_room_that_a_prompt_needs(random_path: Path) -> None:
    engine = await LlamaEngine.load(random_path, replace(PLACES_SETTINGS, places=9))
    fresh = await LlamaEngine.load(random_path, replace(PLACES_SETTINGS, places=0))
    for number in range(12):
        prefix = place_text(number) * (1 + number % 4)
        assert (await ask(engine, prefix)).text == (await ask(fresh, prefix)).text
    await engine.close()
    await fresh.close()
