"""The fake engine keeps the promises that the real ones make."""

from __future__ import annotations

import asyncio

import pytest

from goassist_index.errors import ModelError
from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.fake import FakeEngine
from goassist_models.infill import FORMS, InfillPrompt

PROMPT = InfillPrompt(FORMS["joined"], "fmt.", "\n")


async def test_says_what_it_was_told_up_to_n() -> None:
    answers = await FakeEngine(["one", "two", "three"]).generate(GenerateRequest(PROMPT, 9, n=2), CancelToken())
    assert [(answer.text, answer.finish_reason) for answer in answers] == [("one", "eos"), ("two", "eos")]


async def test_texts_may_depend_on_the_prompt() -> None:
    engine = FakeEngine(lambda prompt: [prompt.prefix + "Println"])
    (answer,) = await engine.generate(GenerateRequest(PROMPT, 9), CancelToken())
    assert answer.text == "fmt.Println"
    assert engine.requests[0].prompt == PROMPT


@pytest.mark.parametrize(("max_tokens", "text", "reason"), [(3, "fmt.Println", "length"), (99, "fmt.Println()", "eos")])
async def test_max_tokens_counts_words_and_signs(max_tokens: int, text: str, reason: str) -> None:
    (answer,) = await FakeEngine(["fmt.Println()"]).generate(GenerateRequest(PROMPT, max_tokens), CancelToken())
    assert (answer.text, answer.finish_reason) == (text, reason)


async def test_until_ends_the_text_where_it_first_holds() -> None:
    request = GenerateRequest(PROMPT, 99, until=lambda text: "\n" in text)
    (answer,) = await FakeEngine(["a := 1\nb := 2\n"]).generate(request, CancelToken())
    assert (answer.text, answer.finish_reason) == ("a := 1\n", "stop")


async def test_cancel_cuts_the_delay_short() -> None:
    cancel = CancelToken()
    task = asyncio.create_task(FakeEngine(["x"], delay_s=3600).generate(GenerateRequest(PROMPT, 9), cancel))
    await asyncio.sleep(0)
    cancel.cancel()
    (answer,) = await task
    assert (answer.text, answer.finish_reason) == ("", "cancelled")


async def test_failure_is_raised_and_closed_engine_refuses() -> None:
    engine = FakeEngine(ModelError("no cells"))
    with pytest.raises(ModelError, match="no cells"):
        await engine.generate(GenerateRequest(PROMPT, 9), CancelToken())
    await engine.close()
    with pytest.raises(ModelError, match="closed"):
        await engine.generate(GenerateRequest(PROMPT, 9), CancelToken())
