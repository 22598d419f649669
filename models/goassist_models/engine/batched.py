"""The in-process engine for many at once: each request has a sequence of its own, and all grow in one batch.

What `goassist-lsp serve` answers with. Requests join and leave between two decodes (continuous batching: Yu et al.,
Orca, OSDI 2022): each decode takes the next token of every sequence that grows and a part of the prompts that are still
being read. A prompt begins with the cells of whichever sequence shares most of it, or with copies of them. Implements
the Engine protocol over the parts that llama.py has; who may come in first is decided above, here it is first come,
first served.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from goassist_index.errors import ModelError
from goassist_models.engine.alike import common_length
from goassist_models.engine.base import CancelToken, GenerateRequest, Generation, GenerationTimings, Step
from goassist_models.engine.context import DecodeFailed
from goassist_models.engine.growth import DIVERSE_TEMPERATURE, extend
from goassist_models.engine.jobs import Job, settle
from goassist_models.engine.llama import TELLING_TOKENS, LlamaEngine, LlamaSettings
from goassist_models.engine.sampling import Logits
from goassist_models.engine.sequence import GrowingSequence

_log = logging.getLogger(__name__)

# Fewer tokens than this are read again as soon as they are shared.
_WORTH_SHARING = 64
# For so many tokens of a prompt that somebody else is reading it is quicker to wait than to read them too.
_WORTH_WAITING = 4


@dataclass(slots=True)
class _Asked:
    """One sequence that somebody wants: the `index`th of a request."""

    request: GenerateRequest
    cancel: CancelToken
    index: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Generation]
    # The prompt with the tokens of a generation that is resumed; filled in the worker thread.
    tokens: list[int] = field(default_factory=list)
    tie: bytes = b""


@dataclass(slots=True)
class _Work:
    """What a sequence is doing. `prompt` are the tokens before its own; `limit` the most that it may say."""

    asked: _Asked
    sequence: GrowingSequence
    prompt: list[int]
    limit: int
    read_tokens: int
    read_at_s: float = 0.0
    failed: bool = False

    @property
    def length(self) -> int:
        """How many tokens there are now, its own with those of the prompt."""
        return len(self.prompt) + len(self.sequence.tokens)

    def due(self, start: int, most: int) -> list[int]:
        """At most `most` of its tokens from position `start` on."""
        own = max(0, start - len(self.prompt))
        return (self.prompt[start : start + most] + self.sequence.tokens[own : own + most])[:most]


@dataclass(slots=True, eq=False)
class _Slot:
    """One of the context's sequences, the tokens of its cells, and what it works for since when, or is idle since."""

    number: int
    cells: list[int] = field(default_factory=list)
    work: _Work | None = None
    since_s: float = 0.0


class BatchedEngine(LlamaEngine):
    """A model in this process for up to `settings.sequences` generations at once. Made and closed as LlamaEngine.

    Each has an equal part of the `settings.n_ctx` tokens: that many fit, prompt and answer together.
    """

    def __init__(self, path: Path, settings: LlamaSettings) -> None:
        # Who is at work elsewhere is one of the sequences here: there are no kept places beside those. One stream of
        # cells for all would have each token look at those of the others: prompts were a fourth slower (models/LOG.md).
        super().__init__(path, replace(settings, places=0, apart=True))
        self._slots = [_Slot(number) for number in range(settings.sequences)]
        self._waiting: deque[_Asked] = deque()
        self._alone: deque[Job[Any]] = deque()

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer `request`, each of its `n` generations when a sequence is free; see Engine.generate."""
        if self._stopping.is_set():
            raise ModelError("the engine is closed")
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(max(1, request.n))]
        for index, future in enumerate(futures):
            asked = _Asked(request, cancel, index, loop, future)
            self._jobs.put(Job(partial(self._waiting.append, asked), loop, future))
        try:
            return tuple(await asyncio.gather(*futures))
        except BaseException:
            cancel.cancel()  # the others of the request too
            raise

    def _put(self, job: Job[Any]) -> None:
        # What is no generation has the context for itself.
        self._jobs.put(Job(partial(self._alone.append, job), job.loop, job.future))

    # What follows runs in the worker thread.

    def _serve(self) -> None:
        self._forget()
        try:
            while self._take_jobs():
                self._admit()
                self._step()
        finally:
            for asked in (*self._waiting, *(slot.work.asked for slot in self._busy if slot.work is not None)):
                settle(asked.loop, asked.future, error=ModelError("the engine is closed"))

    @property
    def _busy(self) -> list[_Slot]:
        """Slots at work, who came first at the beginning."""
        return sorted((slot for slot in self._slots if slot.work is not None), key=lambda slot: slot.since_s)

    def _take_jobs(self) -> bool:
        """Take in what has come, and wait for it where there is nothing else to do; False at the end."""
        while True:
            idle = not self._waiting and not self._busy
            if idle and self._alone:
                self._answer(self._alone.popleft())
                self._forget()
                continue
            try:
                job = self._jobs.get(block=idle)
            except queue.Empty:
                return not self._stopping.is_set()
            if job is None or self._stopping.is_set():
                if job is not None:
                    settle(job.loop, job.future, error=ModelError("the engine is closed"))
                return False
            job.work()

    def _forget(self) -> None:
        self._context.clear()
        for slot in self._slots:
            slot.cells.clear()

    def _admit(self) -> None:
        """Give sequences to those who wait, in their order: nobody is overtaken but who waits for a shared prompt."""
        for asked in tuple(self._waiting):
            if asked.cancel.cancelled:
                self._waiting.remove(asked)
                settle(asked.loop, asked.future, result=Generation("", "cancelled"))
                continue
            free = [slot for slot in self._slots if slot.work is None]
            if not free:
                return
            try:
                if not asked.tokens:
                    asked.tokens, asked.tie = self._spelled(asked)
                if self._is_being_read(asked.tokens):
                    continue
                self._begin(asked, free)
            except ModelError as error:
                settle(asked.loop, asked.future, error=error)
            self._waiting.remove(asked)

    def _spelled(self, asked: _Asked) -> tuple[list[int], bytes]:
        """The tokens to read for a request, and the healed bytes that its text must begin with."""
        tokens, tie = self.vocabulary.prompt_tokens(asked.request.prompt, heal_words=self.settings.heal_words)
        tokens += [step.token for step in _resumed(asked.request)]
        if not tokens:
            raise ModelError("the prompt is empty", cure="Give the model something to go on from")
        if len(tokens) >= self._context.n_ctx:
            raise self._too_long(tokens)
        return tokens, tie

    def _is_being_read(self, tokens: Sequence[int]) -> bool:
        """Whether somebody is about to have read more of this prompt than anybody has now."""
        there = max(common_length(slot.cells, tokens) for slot in self._slots)
        coming = (common_length(slot.work.prompt, tokens) for slot in self._slots if slot.work is not None)
        return max(coming, default=0) >= max(_WORTH_SHARING, there + _WORTH_WAITING)

    def _begin(self, asked: _Asked, free: Sequence[_Slot]) -> None:
        """Start a request in a free slot, with what cells there are."""
        tokens, kept = asked.tokens, _resumed(asked.request)
        limit = min(asked.request.max_tokens, self._context.n_ctx - len(tokens))
        best = max(self._slots, key=lambda slot: common_length(slot.cells, tokens))
        shared = common_length(best.cells, tokens)
        # Cells that nobody works with are taken over as they are, all others are copied; little of either is worth it.
        taken = best if best in free and shared >= _WORTH_SHARING else min(free, key=lambda slot: slot.since_s)
        if taken is not best:
            self._clear(taken)
            if shared >= _WORTH_SHARING and best.cells:
                self._context.share(best.number, taken.number, shared)
                taken.cells = best.cells[:shared]
        # The last token is read again: nobody has kept the logits behind it.
        self._trim(taken, min(common_length(taken.cells, tokens), len(tokens) - 1))
        greedy_only = asked.index == 0 or asked.request.temperature > 0
        temperature = asked.request.temperature if greedy_only else DIVERSE_TEMPERATURE
        sequence = GrowingSequence(taken.number, asked.tie, temperature, asked.request.seed + asked.index)
        for step in kept:
            sequence.accept(step.token, self.vocabulary.pieces[step.token], step.logprob)
        taken.since_s = time.perf_counter()
        prompt = tokens[: len(tokens) - len(kept)]
        taken.work = _Work(asked, sequence, prompt, limit, len(tokens) - len(taken.cells))

    def _clear(self, slot: _Slot) -> None:
        self._context.cut(slot.number, 0)
        slot.cells = []

    def _trim(self, slot: _Slot, length: int) -> None:
        if length == len(slot.cells):
            return
        if length and self._context.cut(slot.number, length):
            del slot.cells[length:]
        else:  # a model whose memory cannot be cut back (recurrent ones) reads all anew
            self._clear(slot)

    def _step(self) -> None:
        """One decode for all that are at work, and what comes of it."""
        for slot in self._busy:
            assert slot.work is not None
            if slot.work.asked.cancel.cancelled:
                self._finish(slot)
        plan = self._plan()
        if not plan:
            return
        rows: list[tuple[int, int, int]] = []
        telling: list[tuple[_Slot, int]] = []
        for slot, part in plan:
            assert slot.work is not None
            at = len(slot.cells)
            rows += [(slot.number, token, at + i) for i, token in enumerate(part)]
            if at + len(part) == slot.work.length:
                telling.append((slot, len(rows) - 1))
        start_s = time.perf_counter()
        try:
            logits = self._context.mixed(rows, [row for _, row in telling])
        except DecodeFailed as error:
            self._failed(error)
            return
        if len(rows) == 1:
            self._decoded((time.perf_counter() - start_s) * 1000)
        for slot, part in plan:
            slot.cells += part
        for (slot, _), row in zip(telling, logits, strict=True):
            self._say(slot, row)

    def _plan(self) -> list[tuple[_Slot, list[int]]]:
        """Whose tokens the next decode takes, by the slots' numbers: one of each that grows, and parts of prompts.

        Smaller parts of prompts would let those who grow wait less, and cost all of them more.
        """
        busy = [(slot, slot.work) for slot in self._busy if slot.work is not None]
        growing = [(slot, work.due(len(slot.cells), 1)) for slot, work in busy if work.length - len(slot.cells) == 1]
        room = self.settings.chunk_tokens - len(growing)
        plan = growing
        for slot, work in busy:
            if room > 0 and work.length - len(slot.cells) > 1:
                part = work.due(len(slot.cells), room)
                room -= len(part)
                plan.append((slot, part))
        return sorted(plan, key=lambda entry: entry[0].number)

    def _say(self, slot: _Slot, row: Logits) -> None:
        work = slot.work
        assert work is not None
        request, resume = work.asked.request, work.asked.request.resume
        if not work.read_at_s:
            work.read_at_s = time.perf_counter()
            if work.read_tokens >= TELLING_TOKENS:
                self.speed.read(work.read_tokens, (work.read_at_s - slot.since_s) * 1000)
        first = len(work.sequence.tokens) == len(_resumed(request))
        barred = resume.barred if resume is not None and first else frozenset[int]()
        try:
            if work.limit <= 0:
                work.sequence.finish_reason = "length"
            else:
                extend(work.sequence, row, work.limit, request, self.vocabulary, barred)
        except Exception as error:  # `until` is the caller's: whatever it raises goes back to the caller
            self._finish(slot, error)
            return
        if work.sequence.finish_reason is not None:
            self._finish(slot)

    def _finish(self, slot: _Slot, error: Exception | None = None) -> None:
        """Hand a slot's result, or its error, to who asked. Its cells stay for the next prompt that begins so."""
        work = slot.work
        assert work is not None
        now_s = time.perf_counter()
        read_at_s = work.read_at_s or now_s
        timings = GenerationTimings(
            prompt_tokens=len(work.asked.tokens) + bool(work.asked.tie),
            read_tokens=work.read_tokens,
            read_ms=(read_at_s - slot.since_s) * 1000,
            generate_ms=(now_s - read_at_s) * 1000,
        )
        slot.work, slot.since_s = None, now_s
        if error is not None:
            settle(work.asked.loop, work.asked.future, error=error)
        else:
            settle(work.asked.loop, work.asked.future, result=work.sequence.generation(timings))

    def _failed(self, error: DecodeFailed) -> None:
        """Read everything anew once; who was there at two failures is told."""
        _log.warning("decode failed, trying once more with an empty cache: %s", error)
        self._forget()
        for slot in self._busy:
            assert slot.work is not None
            if slot.work.failed:
                self._finish(slot, error)
            else:
                slot.work.failed = True


def _resumed(request: GenerateRequest) -> tuple[Step, ...]:
    """The tokens that a request goes on behind."""
    return request.resume.generation.steps[: request.resume.keep] if request.resume is not None else ()
