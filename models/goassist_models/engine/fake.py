"""An engine that says what it is told to: for tests of everything above the Engine protocol.

Stands where llama.py or openai.py stands in production, and keeps the same promises about stops and cancels.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from goassist_index.errors import ModelError
from goassist_models.engine.base import (
    CancelToken,
    EngineSpeed,
    FinishReason,
    GenerateRequest,
    Generation,
    GenerationTimings,
    Step,
)
from goassist_models.infill import InfillPrompt

# A token of the fake: a run of word characters, a run of blanks, or any other single character.
_TOKEN = re.compile(r"\w+|[^\S\n]+|\W", re.UNICODE)
_POLL_S = 0.005


class FakeEngine:
    """Answers each request with the first `n` of `generations`, or of what `generations(prompt)` returns.

    Texts end as a real engine's would: at `max_tokens` ("length"; a token is a word, a run of blanks or
    another character), where `until` says so ("stop"), else "eos". `delay_s` is the time an answer takes, and
    is cut short by a cancel. `requests` keeps what was asked, in order. An exception in place of the texts is
    raised. `again` are whole texts for requests that resume a generation, one each; without any it is an engine that
    does not tell its tokens.
    """

    def __init__(
        self,
        generations: Sequence[str] | Callable[[InfillPrompt], Sequence[str]] | Exception = (),
        delay_s: float = 0.0,
        *,
        again: Sequence[str] = (),
        model_name: str = "fake",
    ) -> None:
        self._generations = generations
        self._delay_s = delay_s
        self._again = list(again)
        self._tells = bool(again)
        self._model_name = model_name
        self._ids: dict[str, int] = {}
        self._turn = asyncio.Lock()
        self._closed = False
        self.requests: list[GenerateRequest] = []
        self.speed = EngineSpeed()

    @property
    def model_name(self) -> str:
        """The name given at construction."""
        return self._model_name

    def count_tokens(self, text: str) -> int:
        """Length of `text` in the fake's tokens."""
        return len(_TOKEN.findall(text))

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Return the texts, trimmed as the class says; empty texts with "cancelled" when given up."""
        if self._closed:
            raise ModelError("the engine is closed")
        async with self._turn:
            self.requests.append(request)
            waited_s = 0.0
            while waited_s < self._delay_s and not cancel.cancelled:
                await asyncio.sleep(min(_POLL_S, self._delay_s - waited_s))
                waited_s += _POLL_S
            if cancel.cancelled:
                return (Generation("", "cancelled"),) * request.n
            if isinstance(self._generations, Exception):
                raise self._generations
            if request.resume is not None:
                return tuple(self._trimmed(self._again.pop(0), request) for _ in self._again[:1])
            texts = self._generations(request.prompt) if callable(self._generations) else self._generations
            return tuple(self._trimmed(text, request) for text in texts[: request.n])

    def _trimmed(self, full: str, request: GenerateRequest) -> Generation:
        text, count = "", 0
        steps: list[Step] = []
        reason: FinishReason = "eos"
        for token in _TOKEN.findall(full):
            if count == request.max_tokens:
                reason = "length"
                break
            text, count = text + token, count + 1
            if self._tells:
                steps.append(Step(self._ids.setdefault(token, len(self._ids)), -0.1, len(text)))
            if request.until is not None and request.until(text):
                reason = "stop"
                break
        prompt_tokens = self.count_tokens(request.prompt.prefix + request.prompt.suffix + request.prompt.typed)
        timings = GenerationTimings(prompt_tokens=prompt_tokens, read_tokens=prompt_tokens)
        return Generation(text, reason, count, mean_logprob=-0.1, timings=timings, steps=tuple(steps))

    async def close(self) -> None:
        """Refuse further requests."""
        self._closed = True
