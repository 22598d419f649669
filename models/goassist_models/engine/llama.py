"""The in-process engine: one GGUF model and its key-value cache behind a worker thread and a queue.

Implements the Engine protocol over llama-cpp-python's low-level API. A request's way: generate() queues a
job, the worker renders and reads the prompt (context.py), lets n sequences grow in one batch (sequence.py),
and hands the result back to the caller's event loop.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self, TypeVar

from goassist_index.errors import GoassistError, ModelError, PromptTooLong
from goassist_models import gguf_header, native
from goassist_models.engine.base import CancelToken, EngineSpeed, GenerateRequest, Generation, GenerationTimings
from goassist_models.engine.context import Context, DecodeFailed
from goassist_models.engine.growth import DIVERSE_TEMPERATURE, extend
from goassist_models.engine.jobs import Job, settle
from goassist_models.engine.library import load_library, load_model, use_adapter
from goassist_models.engine.memory import give_back, let_go_of_pages
from goassist_models.engine.pace import ThreadPace
from goassist_models.engine.power import Power
from goassist_models.engine.sampling import Logits
from goassist_models.engine.sequence import GrowingSequence, ScoredText, token_logprob
from goassist_models.engine.threads import build_key, choice_key, start_threads, usable_cores
from goassist_models.engine.vocabulary import Vocabulary
from goassist_models.infill import InfillPrompt, tokens_of

_log = logging.getLogger(__name__)
_CLOSE_TIMEOUT_S = 10.0
_MOST_ROWS_HELD = 128  # of embeddings, with what comes into memory beside each
TELLING_TOKENS = 32  # fewer say little of how fast a prompt is read
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LlamaSettings:
    """How to run a model. `threads` None: as many as are quickest here, fewer while other programs want the cores.

    `sequences`: the most that are generated at once; `places`: how many other prompts are kept read besides.
    `chunk_tokens`: how many prompt tokens are read in one decode; a cancel ends it in its middle, and it is done again.
    `heal_words`: in healed forms take back the whole word before the cursor, else its last token alone.
    `preflight`: evaluate a few tokens in a child process first, so that a crash there is an error here.
    `adapter`: a LoRA adapter for the model, as GGUF.
    `apart`: sequences share no cells; each holds an equal part of `n_ctx`.
    `gpu_layers`: how many go to a graphics processor where the native library was built for one; None: all.
    """

    n_ctx: int = 2048
    sequences: int = 4
    places: int = 3
    apart: bool = False
    threads: int | None = None
    chunk_tokens: int = 256
    heal_words: bool = True
    preflight: bool = True
    gpu_layers: int | None = None
    adapter: Path | None = None


class LlamaEngine:
    """A model in this process. Make it with `await LlamaEngine.load(path)`; `close()` it when done."""

    def __init__(self, path: Path, settings: LlamaSettings) -> None:
        self.path = path
        self.settings = settings
        self.speed = EngineSpeed()
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="goassist-engine", daemon=True)
        self._started: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._power = Power()
        self._pace: ThreadPace | None = None  # none where the settings say how many threads
        self._library: Any = None
        self._model: Any = None
        # Where the file has rows of embeddings, and how many had been read when they were let go of.
        self._embeddings: tuple[int, int] | None = None
        self._rows_let_go = 0
        self.vocabulary: Vocabulary
        self._context: Context

    @classmethod
    async def load(cls, path: Path | str, settings: LlamaSettings | None = None) -> Self:
        """Check and load the GGUF model at `path` in a worker thread of its own; returns when it can answer.

        Raises ModelError, naming the file and the cure, for a file or native library that cannot be used.
        """
        engine = cls(Path(path), settings or LlamaSettings())
        engine._loop = asyncio.get_running_loop()
        engine._started = engine._loop.create_future()
        engine._thread.start()
        try:
            await engine._started
        except asyncio.CancelledError:
            engine._stopping.set()
            engine._jobs.put(None)
            raise
        # The interpreter must not tear down the library while the worker is inside it.
        atexit.register(_stop_at_exit, weakref.ref(engine))
        return engine

    @property
    def model_name(self) -> str:
        """The model file's name without its extension, and its adapter's."""
        adapter = self.settings.adapter
        return self.path.stem if adapter is None else f"{self.path.stem}+{adapter.stem}"

    @property
    def cells_held(self) -> int:
        """Tokens in the cache's kept sequence. May be read from any thread."""
        return len(self._context.cells)

    @property
    def threads(self) -> int:
        """Threads that single tokens are decoded with now. May be read from any thread."""
        return self._context.threads

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens. May be called from any thread."""
        return len(self.vocabulary.tokenize(text))

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer `request` when its turn comes; see Engine.generate. `n` is held to the settings' sequences.

        `max_tokens` 0 only reads the prompt into the cache, for a request that is likely to come.
        `request.until` runs in the worker thread. Raises ModelError when the prompt does not fit the context,
        the native library fails twice, or the engine is closed.
        """
        return await self._queued(lambda: self._generate(request, cancel), cancel)

    async def score(self, prompt: InfillPrompt, text: str, *, moved: bool = False) -> ScoredText:
        """How probable `text` is as what follows the prompt's last byte, under the rules that decoding has.

        Of all ways to spell `text` only the tokenizer's own counts, as in every perplexity: the sum is a lower bound.
        Where the prompt's window has `moved`, what is left of it is not read again (see GenerateRequest.typing_on).
        Raises ModelError when prompt and text do not fit the context, `text` cannot be spelled, or the engine closes.
        """
        cancel = CancelToken()
        return await self._queued(lambda: self._score(prompt, text, moved, cancel), cancel)

    async def _queued(self, work: Callable[[], _T], cancel: CancelToken) -> _T:
        """Have the worker thread do `work` when its turn comes; `cancel` hears when nobody waits any more."""
        if self._stopping.is_set():
            raise ModelError("the engine is closed")
        loop = asyncio.get_running_loop()
        job: Job[_T] = Job(work, loop, loop.create_future())
        self._put(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            cancel.cancel()
            raise

    def _put(self, job: Job[Any]) -> None:
        self._jobs.put(job)

    async def close(self) -> None:
        """Stop what runs, free the model and end the thread. May be called twice."""
        await asyncio.to_thread(self._stop_and_join)

    def _stop_and_join(self) -> None:
        self._stopping.set()
        if hasattr(self, "_context"):
            self._context.give_up()
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_TIMEOUT_S)

    # What follows runs in the worker thread.

    def _work(self) -> None:
        assert self._loop is not None and self._started is not None
        try:
            self._open()
        except Exception as error:
            if not isinstance(error, GoassistError):
                error = ModelError(f"loading failed ({error!r})", path=str(self.path), cure="Report this")
            settle(self._loop, self._started, error=error)
            return
        settle(self._loop, self._started, result=None)
        try:
            self._serve()
        finally:
            self._stopping.set()
            self._context.close()
            self._library.llama_model_free(self._model)
            while not self._jobs.empty():
                if (left := self._jobs.get()) is not None:
                    settle(left.loop, left.future, error=ModelError("the engine is closed"))

    def _open(self) -> None:
        header = gguf_header.read_header(self.path)
        infill = tokens_of(header)
        if self.settings.preflight:
            native.preflight(self.path)
        self._library = load_library()
        self._model = load_model(self._library, self.path, self.settings.gpu_layers)
        self.vocabulary = Vocabulary(self._library, self._model, header, infill, build_key(self.path))
        cores = usable_cores()
        self._context = Context(
            self._library,
            self._model,
            n_ctx=self.settings.n_ctx,
            sequences=self.settings.sequences,
            threads=self.settings.threads or cores,
            chunk_tokens=self.settings.chunk_tokens,
            places=self.settings.places,
            apart=self.settings.apart,
        )
        if self.settings.adapter is not None:
            use_adapter(self._library, self._model, self._context.native, self.settings.adapter)
        let_go_of_pages(self.path)
        self._embeddings = header.embeddings
        del header
        give_back()
        # The first evaluation faults the weights in and allocates: better now than in the first answer.
        token = self.vocabulary.special(infill.prefix)
        self._context.read_prompt([token], self._stopping.is_set)
        if not self.settings.threads:
            key = partial(choice_key, self.path, cores)
            self._threads = start_threads(cores, key, partial(self._context.time_decode, token))
            self._context.clear()
            self._context.use_threads(self._threads)
            self._pace = ThreadPace(self._threads)

    def _serve(self) -> None:
        """Do one job after the other until there is no more to come."""
        while (job := self._jobs.get()) is not None:
            if self._stopping.is_set():
                settle(job.loop, job.future, error=ModelError("the engine is closed"))
                break
            self._answer(job)
            self._let_go()

    def _let_go(self) -> None:
        """Let go of the embeddings when many rows of them were read: each brings 64 KiB of what lies around it."""
        if self._embeddings is not None and self._context.rows_read - self._rows_let_go > _MOST_ROWS_HELD:
            self._rows_let_go = self._context.rows_read
            let_go_of_pages(self.path, *self._embeddings)

    def _answer(self, job: Job[Any]) -> None:
        """Run one job and hand its result, or its error, to its loop."""
        try:
            try:
                result = job.work()
            except DecodeFailed as error:
                _log.warning("decode failed, trying once more with an empty cache: %s", error)
                self._context.clear()
                result = job.work()
        except Exception as error:  # `until` is the caller's: whatever it raises goes back to the caller
            self._context.join(self.settings.sequences)
            settle(job.loop, job.future, error=error)
        else:
            settle(job.loop, job.future, result=result)

    def _generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        def stopped() -> bool:
            return cancel.cancelled or self._stopping.is_set()

        count = max(1, min(request.n, self.settings.sequences))
        if stopped():
            return (Generation("", "cancelled"),) * count
        tokens, tie = self.vocabulary.prompt_tokens(request.prompt, heal_words=self.settings.heal_words)
        kept = request.resume.generation.steps[: request.resume.keep] if request.resume is not None else ()
        tokens += [step.token for step in kept]
        room = self._context.n_ctx - len(tokens)
        if room < min(count, request.max_tokens):
            raise self._too_long(tokens)
        cancel.heard_by(self._context.give_up)
        try:
            read = self._context.read_prompt(tokens, stopped, moved=request.typing_on)
        finally:
            cancel.heard_by(None)
        if read.read_tokens >= TELLING_TOKENS:
            self.speed.read(read.read_tokens, read.read_ms)
        sequences = [
            GrowingSequence(
                index,
                tie,
                request.temperature if index == 0 or request.temperature > 0 else DIVERSE_TEMPERATURE,
                request.seed + index,
            )
            for index in range(count)
        ]
        for sequence in sequences:
            for step in kept:
                sequence.accept(step.token, self.vocabulary.pieces[step.token], step.logprob)
        start_s = time.perf_counter()
        if read.logits is not None:
            limit = min(request.max_tokens, room // count)
            self._grow(sequences, read.logits, len(tokens) - len(kept), limit, request, stopped)
        generate_ms = (time.perf_counter() - start_s) * 1000
        prompt_tokens = len(tokens) + bool(tie)
        timings = GenerationTimings(prompt_tokens, read.read_tokens, read.read_ms, generate_ms, read.decodes)
        return tuple(sequence.generation(timings) for sequence in sequences)

    def _score(self, prompt: InfillPrompt, text: str, moved: bool, cancel: CancelToken) -> ScoredText:
        def stopped() -> bool:
            return cancel.cancelled or self._stopping.is_set()

        tokens, tie = self.vocabulary.prompt_tokens(prompt, heal_words=self.settings.heal_words)
        target = self.vocabulary.spell(tie, text)
        if self._context.n_ctx - len(tokens) < len(target):
            raise self._too_long([*tokens, *target])
        row = self._context.read_prompt(tokens, stopped, moved=moved).logits
        rows: Iterator[Logits] = iter(()) if row is None else chain((row,), self._context.follow(target[:-1], stopped))
        nats, count = 0.0, 0
        for token, logits in zip(target, rows, strict=False):
            nats -= token_logprob(logits, token, self.vocabulary.healing.allowed(tie) if tie else None)
            tie = tie[len(self.vocabulary.pieces[token]) :]
            count += 1
        if count < len(target):
            raise ModelError("the scoring was given up before its end")
        return ScoredText(nats, count, len(text.encode()))

    def _too_long(self, tokens: Sequence[int]) -> PromptTooLong:
        return PromptTooLong(
            f"the prompt has {len(tokens)} tokens and the context holds {self._context.n_ctx}",
            cure="Shorten the prompt or load the model with a larger context",
        )

    def _grow(
        self,
        sequences: list[GrowingSequence],
        logits: Logits,
        prompt_tokens: int,
        limit: int,
        request: GenerateRequest,
        stopped: Callable[[], bool],
    ) -> None:
        """Let all sequences grow, a token each in a batch, until each has ended or the request is given up."""
        if limit <= 0:
            for sequence in sequences:
                sequence.finish_reason = "length"
            return
        self._context.fork(len(sequences))
        live, rows = sequences, [logits] * len(sequences)
        barred = request.resume.barred if request.resume is not None else frozenset()
        while True:
            for sequence, row in zip(live, rows, strict=True):
                extend(sequence, row, limit, request, self.vocabulary, barred)
            barred = frozenset()
            live = [sequence for sequence in live if sequence.finish_reason is None]
            if not live or stopped():
                break
            start_s, decodes = time.perf_counter(), self._context.decodes
            rows = self._context.step(
                [
                    (sequence.sequence_id, sequence.tokens[-1], prompt_tokens + len(sequence.tokens) - 1)
                    for sequence in live
                ]
            )
            if len(live) == 1 and self._context.decodes > decodes:
                self._decoded((time.perf_counter() - start_s) * 1000)
        self._context.join(len(sequences))

    def _decoded(self, ms: float) -> None:
        """Take in what the decode of one token took: it says how fast we are, and whether others want the cores."""
        self.speed.generated(ms)
        if self._pace is not None:
            self._pace.allow(self._threads - self._power.on_battery)
            self._context.use_threads(self._pace.decoded(ms, self._context.threads, time.monotonic()))


def _stop_at_exit(reference: weakref.ref[LlamaEngine]) -> None:
    engine = reference()
    if engine is not None:
        engine._stop_and_join()
