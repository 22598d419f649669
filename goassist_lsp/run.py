"""What one request did on its way through the pipeline: timings by stage, rejected candidates, counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from goassist_lsp.generate.names import NameGuide
from goassist_lsp.types import Candidate, Completion, CursorContext, Rejected, StageTiming
from goassist_models.engine import CancelToken, Generation


class Run:
    """Filled by the pipeline while it works, and made into the `Completion` at its end."""

    def __init__(self, cancel: CancelToken) -> None:
        self.cancel = cancel
        self.repairs = 0
        self.repair_tokens = 0
        # Whether what was said last is a beginning, of which the rest is still being said.
        self.partial = False
        self.rejected: list[Rejected] = []
        self.degraded: tuple[str, ...] = ()
        self.seen: set[str] = set()
        # Holds decoding to names, if anything does; asked in the engine's thread while the pipeline waits for it.
        self.guide: NameGuide | None = None
        # One line for each thing that is put into the prompt beside the file's own text.
        self.prompt_notes: tuple[str, ...] = ()
        self._refused_tokens = 0
        self._ms: dict[str, float] = {}
        self._tokens = (0, 0, 0)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to the stage's."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._ms[stage] = self._ms.get(stage, 0.0) + (time.perf_counter() - begun) * 1e3

    def count(self, generations: tuple[Generation, ...]) -> None:
        """Add the tokens of one answer of the engine."""
        if generations:
            timings = generations[0].timings
            _, read, generated = self._tokens
            said = sum(generation.tokens for generation in generations)
            self._tokens = (timings.prompt_tokens, read + timings.read_tokens, generated + said)
            self._refused_tokens += sum(generation.refused for generation in generations)

    def degrade(self, stage: str) -> None:
        """Note that a stage failed and is done without."""
        if stage not in self.degraded:
            self.degraded = (*self.degraded, stage)

    def skipped(self, reason: str) -> Completion:
        """The completion of a request for which nothing was asked of the model."""
        return Completion(skip_reason=reason, timings=self._timings())

    def finished(self, candidates: tuple[Candidate, ...], context: CursorContext) -> Completion:
        """The completion that shows `candidates`; none of them if it was cancelled meanwhile."""
        prompt_tokens, read_tokens, generated_tokens = self._tokens
        return Completion(
            candidates=() if self.cancel.cancelled else candidates,
            rejected=tuple(self.rejected),
            timings=self._timings(),
            degraded=self.degraded,
            prompt_tokens=prompt_tokens,
            read_tokens=read_tokens,
            generated_tokens=generated_tokens,
            refused_tokens=self._refused_tokens,
            refused_names=tuple(self.guide.refused) if self.guide is not None else (),
            prompt_notes=self.prompt_notes,
            cancelled=self.cancel.cancelled,
            context=context,
        )

    def _timings(self) -> tuple[StageTiming, ...]:
        return tuple(StageTiming(stage, ms) for stage, ms in self._ms.items())
