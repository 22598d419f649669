"""An OpenAI-compatible completions server as a system that evaluation can ask: prompt and suffix, nothing else.

What comes back is taken as it is, up to the model's stop tokens: what a model alone is worth, wherever it runs.
"""

from __future__ import annotations

import asyncio
import time

from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.openai import OpenAIEngine
from goassist_models.evaluate.example import Answer, Edit, Question, System
from goassist_models.infill import FORMS, InfillPrompt

LINE_TOKENS, MORE_TOKENS = 64, 160
# About 1,500 and 500 tokens of Go: what small models read well, cut at line ends.
PREFIX_CHARS, SUFFIX_CHARS = 4800, 1600


async def endpoint_system(url: str, name: str, *, model: str = "") -> System:
    """Return the server at `url` (with or without `/v1`) as a peer; `model` "" is the first one that it names.

    A cursor with text before it on its line gets 64 tokens, another 160; nothing is cut. How many tokens a prompt
    had, what the server used and what it keeps from earlier prompts is not known (`forget` does nothing). `ask`
    raises ModelError when the server does not answer as it should.
    """
    engine = OpenAIEngine(url, model=model, style="suffix")
    about = {"server": engine.url, "model": model or "the first one named", "form": "prompt and suffix"}

    async def ask(question: Question) -> Answer:
        prefix, suffix = window(question.text, question.offset)
        in_line = bool(prefix.rpartition("\n")[2].strip())
        request = GenerateRequest(
            InfillPrompt(FORMS["psm"], prefix, suffix),
            max_tokens=LINE_TOKENS if in_line else MORE_TOKENS,
        )
        cancel, begun_s = CancelToken(), time.perf_counter()
        try:
            found = await engine.generate(request, cancel)
        except asyncio.CancelledError:
            cancel.cancel()
            raise
        ms = (time.perf_counter() - begun_s) * 1e3
        answer = found[0] if found else None
        if answer is None or not answer.text:
            return Answer(ms=ms, silent_because="the model ends at once")
        return Answer(
            edits=(Edit(question.offset, question.offset, answer.text),),
            ms=ms,
            generated_tokens=answer.tokens,
            mean_logprob=answer.mean_logprob,
            details={"model": engine.model_name, "finish_reason": answer.finish_reason},
        )

    return System(name, ask, close=engine.close, about=about)


def window(text: str, offset: int) -> tuple[str, str]:
    """Text before and after code point `offset`, whole lines as far as they fit."""
    prefix, suffix = text[:offset], text[offset:]
    if len(prefix) > PREFIX_CHARS:
        prefix = prefix[-PREFIX_CHARS:]
        prefix = prefix[prefix.find("\n") + 1 :]
    if len(suffix) > SUFFIX_CHARS:
        suffix = suffix[:SUFFIX_CHARS]
        suffix = suffix[: suffix.rfind("\n") + 1]
    return prefix, suffix
