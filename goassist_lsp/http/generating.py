"""Plain generation: several answers at once, each told as it grows, ended by stop texts. No compiler is asked here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from goassist_lsp.http.pieces import Piece, certain, finish_reason, logprobs, stop_at
from goassist_lsp.http.schema import Sampling
from goassist_models.engine import CancelToken, Engine, GenerateRequest, Generation
from goassist_models.engine.growth import DIVERSE_TEMPERATURE
from goassist_models.infill import InfillPrompt

_SEEDS = 2**63


async def said(
    engine: Engine, prompts: Sequence[InfillPrompt], asked: Sampling, max_tokens: int, cancel: CancelToken
) -> AsyncGenerator[Piece]:
    """`asked.n` answers to each of the prompts, piece by piece; the last piece of each has its finish reason.

    What may turn out to be the beginning of a stop text is held back. Who leaves early ends all of it within a token.
    Raises ModelError when the engine cannot answer.
    """
    growing = _Growing(asked.stops)
    requests = [
        request(prompt, asked, number, max_tokens=max_tokens) for prompt in prompts for number in range(asked.n)
    ]
    tasks = [asyncio.create_task(growing.grow(engine, each, index, cancel)) for index, each in enumerate(requests)]
    sent = [0] * len(tasks)
    try:
        left = set(range(len(tasks)))
        while left:
            await growing.changed.wait()
            growing.changed.clear()
            for index in sorted(left):
                if tasks[index].done():
                    left.remove(index)
                    yield _last(index, tasks[index].result(), asked.stops, sent[index])
                    continue
                text = growing.texts.get(index, "")
                whole = certain(text, asked.stops)
                if whole > sent[index]:
                    yield Piece(index, text[sent[index] : whole])
                    sent[index] = whole
    finally:
        cancel.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def request(prompt: InfillPrompt, asked: Sampling, number: int, *, max_tokens: int) -> GenerateRequest:
    """What the engine is asked for the answer of that number: at temperature 0 the first is greedy, others are not."""
    return GenerateRequest(
        prompt=prompt,
        max_tokens=max_tokens,
        temperature=DIVERSE_TEMPERATURE if number and asked.temperature == 0 else asked.temperature,
        top_p=asked.top_p,
        seed=((asked.seed or 0) + number) % _SEEDS,
    )


class _Growing:
    """The texts so far. They are told by the engine's thread, and read in the event loop."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.texts: dict[int, str] = {}
        self.changed = asyncio.Event()
        self._stops = stops
        self._loop = asyncio.get_running_loop()

    async def grow(self, engine: Engine, wanted: GenerateRequest, index: int, cancel: CancelToken) -> Generation:
        def until(text: str) -> bool:
            self.texts[index] = text
            self._loop.call_soon_threadsafe(self.changed.set)
            return stop_at(text, self._stops) is not None

        try:
            generations = await engine.generate(replace(wanted, until=until), cancel)
        finally:
            self.changed.set()
        return generations[0] if generations else Generation("", "stop")


def _last(index: int, generation: Generation, stops: Sequence[str], sent: int) -> Piece:
    """What is left to say of a generation that has ended."""
    end = stop_at(generation.text, stops)
    length = len(generation.text) if end is None else end
    return Piece(
        index,
        generation.text[sent:length],
        finish_reason(generation) if end is None else "stop",
        logprobs(generation, length),
        prompt_tokens=generation.timings.prompt_tokens,
        completion_tokens=generation.tokens,
        timings=generation.timings,
    )
