"""An engine over another that keeps a generation running while its text comes true.

Who types on what is being said asks again at each key; beginning anew would throw away what was said so far. So one
generation at a time is kept: a later request for the same place, some text further, joins it, or is answered from it
when it has ended. One that disagrees ends it within a token and begins anew. Implements the Engine protocol.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from goassist_models.engine.base import (
    CancelToken,
    Engine,
    EngineOver,
    FinishReason,
    GenerateRequest,
    Generation,
    Step,
)

# How long a generation goes on that nobody waits for. Any request that it does not answer ends it at once; who is
# answered by what was shown before does not ask, and will when that is used up.
GRACE_S = 3.0
# Somebody who wants a likelier text than this much may have one that is said for somebody who wanted less: the pace of
# typing, which says how likely, is never quite the same.
_NEAR_ENOUGH = math.log(2)


@dataclass(slots=True)
class _Waiter:
    typed: str
    cancel: CancelToken


@dataclass(slots=True)
class _Flight:
    """One generation under way, or ended. `text` is what it has said so far; `waiters` who has asked for it."""

    request: GenerateRequest
    loop: asyncio.AbstractEventLoop
    token: CancelToken = field(default_factory=CancelToken)
    text: str = ""
    finish_reason: FinishReason = "cancelled"
    waiters: list[_Waiter] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[tuple[Generation, ...]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _left_at_s: float | None = None

    @property
    def ended(self) -> bool:
        return self.task is not None and self.task.done()

    def typed_since(self, request: GenerateRequest) -> str | None:
        """What was typed between the two requests; None where the later one is for another place or text."""
        if _rules(self.request) != _rules(request):
            return None
        old, new = self.request.prompt, request.prompt
        before, now = old.prefix + old.typed, new.prefix + new.typed
        if not now.startswith(before) or self.token.cancelled:
            return None
        typed = now[len(before) :]
        if not typed and old.note != new.note:
            return None
        if self.finish_reason == "unlikely" and (typed or request.least_logprob < self.request.least_logprob):
            return None  # more may be likely behind what has been typed, which is certain now, or enough now
        if self.ended:
            return typed if self.text.startswith(typed) and self.text[len(typed) :].strip() else None
        near_enough = request.least_logprob <= self.request.least_logprob + _NEAR_ENOUGH
        return typed if near_enough and _agree(self.text, typed) else None

    def says(self, text: str) -> bool:
        """Take in what has been said, in the engine's thread; True when it should end there."""
        with self._lock:
            self.text = text
            waiting = [waiter for waiter in self.waiters if not waiter.cancel.cancelled]
        if waiting and not any(_agree(text, waiter.typed) for waiter in waiting):
            self.token.cancel()
        now_s = time.monotonic()
        if waiting:
            self._left_at_s = None
            self.loop.call_soon_threadsafe(self.grown.set)
        elif self._left_at_s is None:
            self._left_at_s = now_s
        elif now_s - self._left_at_s > GRACE_S:
            self.token.cancel()
        return self.token.cancelled

    def leave(self) -> None:
        """End it, unless somebody still waits for it."""
        with self._lock:
            if all(waiter.cancel.cancelled for waiter in self.waiters):
                self.token.cancel()

    def join(self, typed: str, cancel: CancelToken) -> None:
        with self._lock:
            self.waiters = [waiter for waiter in self.waiters if not waiter.cancel.cancelled]
            self.waiters.append(_Waiter(typed, cancel))


class KeptEngine(EngineOver):
    """Keeps one greedy generation of `engine` running from request to request."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._flight: _Flight | None = None

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer `request`, where it can be from the generation that is kept; see Engine.generate.

        Where the request's patience ends first, with what stands then, while the rest is still being said.
        """
        if request.max_tokens <= 0 and self._flight is not None:
            self._flight.leave()  # another prompt is read in its place
            self._flight = None
        if request.n != 1 or request.temperature > 0 or request.resume is not None or request.max_tokens <= 0:
            return await self._engine.generate(request, cancel)
        flight = self._flight
        typed = flight.typed_since(request) if flight is not None else None
        if flight is not None and typed is not None:
            generation = likely_part(
                await self._landed(flight, typed, cancel, request), len(typed), request.least_logprob
            )
            said_on = generation.text.startswith(typed) and (not typed or generation.text[len(typed) :].strip())
            if said_on and generation.finish_reason != "cancelled" and not cancel.cancelled:
                return (_rest(generation, typed),)
            # What was typed meanwhile is not what was said, or it was ended for another place.
        if cancel.cancelled:
            return (Generation("", "cancelled"),)
        if request.idle and self._flight is not None and not self._flight.ended:
            return (Generation("", "cancelled"),)  # somebody has use for what is being said
        # What was begun for this place ends where it is asked to: a part that would do at once is the whole, a moment
        # later, and comes with its tokens then.
        patient = request.patience is not None and request.patience.seconds <= 0
        asked = replace(request, patience=None) if patient else request
        generation = await self._landed(self._begin(request), "", cancel, asked)
        return (Generation("", "cancelled") if cancel.cancelled else generation,)

    def _begin(self, request: GenerateRequest) -> _Flight:
        if self._flight is not None:
            self._flight.leave()
        flight = _Flight(request, asyncio.get_running_loop())
        until: Callable[[str], bool] | None = request.until

        def heard(text: str) -> bool:
            return flight.says(text) or (until is not None and until(text))

        flight.task = asyncio.create_task(self._engine.generate(replace(request, until=heard), flight.token))
        flight.task.add_done_callback(lambda task: flight.grown.set())
        self._flight = flight
        return flight

    async def _landed(self, flight: _Flight, typed: str, cancel: CancelToken, request: GenerateRequest) -> Generation:
        """What the flight has said at its end, or the part of it that does when patience ends."""
        assert flight.task is not None
        patience = request.patience
        if not request.idle:
            flight.join(typed, cancel)
        if patience is not None:
            await asyncio.wait([flight.task], timeout=patience.seconds)
            while not flight.ended:
                text = flight.text
                whole = patience.whole(text[len(typed) :]) if text.startswith(typed) else 0
                if text[len(typed) : len(typed) + whole].strip():
                    return Generation(text[: len(typed) + whole], "partial")
                flight.grown.clear()
                await flight.grown.wait()
        (generation,) = await asyncio.shield(flight.task)
        flight.text, flight.finish_reason = generation.text, generation.finish_reason
        return generation

    async def close(self) -> None:
        """Close the engine below."""
        if self._flight is not None:
            self._flight.token.cancel()
        await self._engine.close()


def _rules(request: GenerateRequest) -> tuple[object, ...]:
    """What two requests must have in common, beside the beginning of their prompts, to be answered by one text."""
    prompt = request.prompt
    return prompt.form, prompt.suffix, prompt.repo, request.until is None, request.refuses is None


def _agree(said: str, typed: str) -> bool:
    return said.startswith(typed) or typed.startswith(said)


def likely_part(generation: Generation, start: int, least_logprob: float) -> Generation:
    """The generation ended where its engine would have ended it for `least_logprob` (natural log).

    Counted from `start` on: all before that has been typed.
    """
    logprob, end = 0.0, 0
    for number, step in enumerate(generation.steps):
        logprob += step.logprob if step.end > start else 0.0
        if logprob < least_logprob:
            text, steps = generation.text[: max(end, start)], generation.steps[:number]
            return replace(generation, text=text, steps=steps, finish_reason="unlikely")
        end = step.end
    return generation


def _rest(generation: Generation, typed: str) -> Generation:
    if not typed:
        return generation
    # Its tokens begin at the earlier place: nothing can be resumed from here.
    steps: tuple[Step, ...] = ()
    return replace(generation, text=generation.text[len(typed) :], steps=steps, continued=True)
