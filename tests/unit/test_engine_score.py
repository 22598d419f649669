"""Scoring a given text with the llama engine: the same probabilities as in decoding, over tiny models."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import ModelError
from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt
from support import tiny_gguf

SETTINGS = LlamaSettings(n_ctx=512, chunk_tokens=16, threads=1, preflight=False)
# After ")" comes the end: what a model says is then as long as what the tokenizer makes of it.
FOLLOWS = {
    "fmt": ["."],
    ".": ["Close", "Println"],
    "Close": ["("],
    "Println": ["("],
    "(": ["err", ")"],
    "err": [")"],
    "<|fim_middle|>": ["return"],
    "return": [" "],
    " ": ["nil"],
}
# What the tokenizer's own spelling of the rest of "Println" may begin with, when "Pr" is already there.
STEMS = ("", "i", "in", "int", "intl", "intln", "intf")


@pytest.fixture(scope="module")
def bigram_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_bigram_model(tmp_path_factory.mktemp("models") / "bigram.gguf", FOLLOWS)


@pytest.fixture
async def engine(bigram_path: Path) -> AsyncIterator[LlamaEngine]:
    loaded = await LlamaEngine.load(bigram_path, SETTINGS)
    yield loaded
    await loaded.close()


@pytest.fixture
async def deep(tmp_path: Path) -> AsyncIterator[LlamaEngine]:
    loaded = await LlamaEngine.load(tiny_gguf.write_random_model(tmp_path / "random.gguf"), SETTINGS)
    yield loaded
    await loaded.close()


def prompt(prefix: str, form: str = "joined", *, healed: bool = True, suffix: str = "\n}\n") -> InfillPrompt:
    row = FORMS[form]
    return InfillPrompt(row if healed else replace(row, healed=False), prefix, suffix)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (prompt("x", "psm"), "return nil"),
        (prompt("x", "spm"), "return nil"),
        (prompt("fmt."), "Close(err)"),
        (prompt("fmt.Pri"), "ntln(err)"),
        (prompt("fmt.Pr"), "intln(err)"),
        (prompt("fmt.", healed=False), "Close(err)"),
    ],
)
async def test_greedy_text_scores_what_generating_it_reported(
    engine: LlamaEngine, asked: InfillPrompt, text: str
) -> None:
    (said,) = await engine.generate(GenerateRequest(asked, max_tokens=20), CancelToken())
    scored = await engine.score(asked, text)
    assert said.text == text
    assert (scored.tokens, scored.bytes) == (said.tokens, len(text))
    assert scored.nats == pytest.approx(-said.mean_logprob * said.tokens, abs=1e-3)


async def test_text_longer_than_a_chunk_scores_the_sum_of_what_each_token_costs_by_itself(deep: LlamaEngine) -> None:
    text = "fmt.Println(err, nil)\nreturn nil, err // so it ends"
    pieces = [deep.vocabulary.pieces[token].decode() for token in deep.vocabulary.tokenize(text)]
    assert len(pieces) > SETTINGS.chunk_tokens
    # In the unhealed joined form what was spelled so far may as well stand in the prompt.
    single = [
        (await deep.score(prompt("x=" + "".join(pieces[:at]), healed=False), piece)).nats
        for at, piece in enumerate(pieces)
    ]
    whole = await deep.score(prompt("x=", healed=False), text)
    assert whole.tokens == len(pieces)
    assert whole.nats == pytest.approx(sum(single), abs=0.02)


async def test_every_single_token_together_has_probability_one(engine: LlamaEngine) -> None:
    # Held to "Pr", decoding chooses among the tokens that begin with it, and "P": as likely here as the shortest.
    asked = prompt("fmt.Pr")
    shares = [math.exp(-(await engine.score(asked, stem)).nats) for stem in STEMS]
    assert shares[STEMS.index("intln")] == max(shares)
    assert sum(shares) + shares[0] == pytest.approx(1.0, abs=1e-4)


async def test_healing_finds_the_half_typed_word_likelier_than_no_healing(engine: LlamaEngine) -> None:
    healed = await engine.score(prompt("fmt.Prin"), "tln(err)")
    unhealed = await engine.score(prompt("fmt.Prin", healed=False), "tln(err)")
    assert healed.nats < unhealed.nats
    assert healed.bytes == unhealed.bytes == len("tln(err)")


async def test_character_that_tokens_cut_is_scored_as_it_is_decoded(deep: LlamaEngine) -> None:
    asked = prompt('x = "…')
    _, tie = deep.vocabulary.prompt_tokens(asked)
    assert tie == "…".encode()[-1:]
    scored = await deep.score(asked, "é!")
    assert (scored.bytes, scored.tokens) == (3, 4)
    assert 0 < scored.nats < math.inf


async def test_scoring_leaves_the_engine_answering_as_before(deep: LlamaEngine) -> None:
    asked = GenerateRequest(prompt("fmt.Println(err)"), max_tokens=12)
    (before,) = await deep.generate(asked, CancelToken())
    await deep.score(prompt("fmt.Println(nil)"), "return err" * 5)
    (after,) = await deep.generate(asked, CancelToken())
    assert after.text == before.text


async def test_other_forms_of_the_same_prompt_are_read_from_the_cache(engine: LlamaEngine) -> None:
    await engine.score(prompt("return err\n" * 12 + "fmt.Pr"), "intln(err)")
    (read,) = await engine.generate(
        GenerateRequest(prompt("return err\n" * 12 + "fmt.Pr", healed=False), max_tokens=0), CancelToken()
    )
    assert read.timings.read_tokens < 8 < read.timings.prompt_tokens


async def test_text_that_does_not_fit_the_context_is_an_error_and_the_engine_lives(engine: LlamaEngine) -> None:
    with pytest.raises(ModelError, match="context holds 512"):
        await engine.score(prompt("x" * 300), "y" * 300)
    assert (await engine.score(prompt("fmt."), "Close(err)")).tokens == 5


async def test_text_that_is_no_text_is_refused(engine: LlamaEngine) -> None:
    with pytest.raises(ModelError, match="cannot spell"):
        await engine.score(prompt("fmt."), "\udcff")


async def test_task_that_is_given_up_stops_its_scoring(engine: LlamaEngine) -> None:
    task = asyncio.create_task(engine.score(prompt("x" * 400), "y" * 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await engine.score(prompt("fmt."), "Close(err)")).tokens == 5


async def test_closed_engine_refuses_to_score(bigram_path: Path) -> None:
    engine = await LlamaEngine.load(bigram_path, SETTINGS)
    await engine.close()
    with pytest.raises(ModelError, match="closed"):
        await engine.score(prompt("fmt."), "Close")


async def test_closing_ends_what_still_waits(bigram_path: Path) -> None:
    engine = await LlamaEngine.load(bigram_path, SETTINGS)
    waiting = [asyncio.create_task(engine.score(prompt("x" * 400), "y" * 60)) for _ in range(3)]
    await asyncio.sleep(0)
    await engine.close()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
    assert [type(outcome) for outcome in outcomes] == [ModelError] * 3
