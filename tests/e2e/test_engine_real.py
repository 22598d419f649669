"""The llama engine with the default model: what tiny models cannot show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_models import registry
from goassist_models.engine import CancelToken, GenerateRequest, Generation
from goassist_models.engine.llama import LlamaEngine
from goassist_models.infill import FORMS, InfillPrompt

PREFIX = """package lines

import (
\t"fmt"
\t"os"
\t"strings"
)

// Read returns the lines of the file at path.
func Read(path string) ([]string, error) {
\tdata, err := os.ReadFile(path)
\tif err != nil {
\t\treturn nil, fmt.Err"""
SUFFIX = """
\t}
\treturn strings.Split(string(data), "\\n"), nil
}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaEngine]:
    loaded = asyncio.run(LlamaEngine.load(registry.resolve().path))
    yield loaded
    asyncio.run(loaded.close())


def one_line(text: str) -> bool:
    return "\n" in text


def alike(one: Generation, other: Generation) -> bool:
    """The same tokens as likely, up to where two are so near to one another that rounding decides.

    How many tokens a decode has, and how many threads, changes the order of sums, and so a score by some hundredths.
    """
    for step, beside in zip(one.steps, other.steps, strict=False):
        if abs(step.logprob - beside.logprob) > 0.1:
            return False
        if step.token != beside.token:
            return True
    return one.text == other.text


async def ask(engine: LlamaEngine, prefix: str, form: str = "joined", **wanted: object) -> Generation:
    prompt = InfillPrompt(FORMS[form], prefix, SUFFIX)
    request = GenerateRequest(prompt, **{"max_tokens": 24, "until": one_line} | wanted)  # type: ignore[arg-type]
    return (await engine.generate(request, CancelToken()))[0]


@pytest.mark.parametrize("form", [name for name, row in FORMS.items() if row.healed])
async def test_half_typed_call_is_finished(engine: LlamaEngine, form: str) -> None:
    assert (await ask(engine, PREFIX, form)).text.startswith("orf(")


async def test_word_cut_in_two_is_continued_as_one_token(engine: LlamaEngine) -> None:
    for cut in ("fmt.E", "fmt.Er", "fmt.Erro", "fmt.Error"):
        prefix = PREFIX.removesuffix("fmt.Err") + cut
        assert cut + (await ask(engine, prefix)).text.split("(")[0] == "fmt.Errorf"


@pytest.mark.parametrize("form", ["joined", "anchored"])
async def test_five_more_characters_read_few_tokens(engine: LlamaEngine, form: str) -> None:
    """Typing appends to the cache, in the anchored form as long as it is given as typed since the anchor."""
    last_line = PREFIX.rindex("\n") + 1
    before, start = PREFIX[:last_line], PREFIX[last_line:]
    read = []
    for typed in ("orf(", 'orf("rea', 'orf("reading'):
        prompt = InfillPrompt(FORMS[form], before, SUFFIX, typed=start + typed)
        (answer,) = await engine.generate(GenerateRequest(prompt, 4), CancelToken())
        read.append(answer.timings.read_tokens)
    assert all(count <= 4 for count in read[1:])


async def test_reused_cells_give_the_text_of_a_fresh_read(engine: LlamaEngine) -> None:
    await ask(engine, PREFIX)
    reused = await ask(engine, PREFIX + "orf(")
    other = await LlamaEngine.load(engine.path, engine.settings)
    fresh = await ask(other, PREFIX + "orf(")
    await other.close()
    assert reused.timings.read_tokens < fresh.timings.read_tokens
    assert alike(reused, fresh)


async def test_request_given_up_in_a_long_read_is_continued(engine: LlamaEngine) -> None:
    await ask(engine, "x", "psm")
    cancel = CancelToken()
    prefix = PREFIX * 4
    prompt = InfillPrompt(FORMS["joined"], prefix, SUFFIX)
    task = asyncio.create_task(engine.generate(GenerateRequest(prompt, 8), cancel))
    while not engine.cells_held > 100:
        await asyncio.sleep(0.01)
    cancel.cancel()
    (given_up,) = await task
    whole = await ask(engine, prefix)
    assert given_up.finish_reason == "cancelled"
    assert given_up.timings.read_tokens > 50
    assert whole.timings.read_tokens < whole.timings.prompt_tokens - 50


@pytest.mark.parametrize("after_s", [0.03, 0.3, 0.9])
async def test_a_cancel_in_mid_prompt_leaves_what_a_fresh_engine_has(engine: LlamaEngine, after_s: float) -> None:
    """Whenever it comes: in which operation of the read, and of which part of the prompt, is the machine's choice."""
    await ask(engine, "x", "psm")
    cancel = CancelToken()
    prompt = InfillPrompt(FORMS["joined"], PREFIX * 4, SUFFIX)
    task = asyncio.create_task(engine.generate(GenerateRequest(prompt, 24), cancel))
    await asyncio.sleep(after_s)
    cancel.cancel()
    await task
    other = await LlamaEngine.load(engine.path, engine.settings)
    fresh = await ask(other, PREFIX * 4)
    await other.close()
    resumed = await ask(engine, PREFIX * 4)
    assert resumed.text == fresh.text
    assert [step.token for step in resumed.steps] == [step.token for step in fresh.steps]
    assert resumed.mean_logprob == pytest.approx(fresh.mean_logprob, abs=0.02)


async def test_four_candidates_share_one_read(engine: LlamaEngine) -> None:
    await ask(engine, "x", "psm")
    request = GenerateRequest(InfillPrompt(FORMS["joined"], PREFIX, SUFFIX), 16, n=4, until=one_line)
    answers = await engine.generate(request, CancelToken())
    assert len(answers) == 4
    assert answers[0].timings.read_tokens < answers[0].timings.prompt_tokens
    assert all(answer.mean_logprob < 0 for answer in answers)
    assert alike(answers[0], await ask(engine, PREFIX, max_tokens=16))


@settings(max_examples=150)
@given(st.text() | st.text(alphabet='\t\n abé😀<|>fim_preixduls{}()"\r'))
def test_tokens_spell_the_text_byte_for_byte(engine: LlamaEngine, text: str) -> None:
    vocabulary = engine.vocabulary
    tokens = vocabulary.tokenize(text + "<|fim_middle|>" + text)
    spelt = b"".join(vocabulary.pieces[token] for token in tokens)
    assert spelt == (text + "<|fim_middle|>" + text).encode("utf-8", "replace")
    assert not vocabulary.ends.intersection(tokens)


@settings(max_examples=150)
@given(st.integers(0, len(PREFIX)))
def test_prompt_and_tie_together_are_what_was_typed(engine: LlamaEngine, length: int) -> None:
    prefix = PREFIX[:length]
    tokens, tie = engine.vocabulary.prompt_tokens(InfillPrompt(FORMS["joined"], prefix, ""))
    assert b"".join(engine.vocabulary.pieces[token] for token in tokens[3:]) + tie == prefix.encode()
    assert bool(tie) == bool(prefix)
