"""The completion pipeline: one visible function that calls the stages in order.

Editor, command line and evaluation all call it, so that a score measures what a user sees.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from goassist_index.errors import CheckerUnavailable
from goassist_index.verdict import Verdict
from goassist_lsp import postprocess, rank
from goassist_lsp.context.cursor import context_at
from goassist_lsp.context.trigger import skip_reason
from goassist_lsp.generate import prompt, stopping
from goassist_lsp.generate.reuse import CompletionCache
from goassist_lsp.postprocess.cutback import shorter_versions
from goassist_lsp.postprocess.imports import with_import_edits
from goassist_lsp.settings import Settings
from goassist_lsp.types import (
    Candidate,
    Checker,
    Completion,
    CursorContext,
    DocumentSnapshot,
    Rejected,
    StageTiming,
)
from goassist_models.engine import CancelToken, Engine, GenerateRequest, Generation

log = logging.getLogger(__name__)

# When the greedy answer fails the check, others are drawn from the same prompt before silence is kept.
SECOND_DRAW = 3
SECOND_DRAW_TEMPERATURE = 0.7


@dataclass(frozen=True, slots=True)
class Stages:
    """Which stages run; users have all of them, evaluation switches them off in turn to see what they are worth.

    `trim`: a generation ends, and is cut, where the hole ends. `filters`: all other post-processing too. `imports`:
    what a candidate does not find imported is added with it.
    The check is a setting, form and healing are the prompt's.
    """

    trim: bool = True
    filters: bool = True
    cut_back: bool = True
    second_draw: bool = True
    imports: bool = True


class CompletionPipeline:
    """Answers "what comes here" for one engine and one checker. Holds no document state but its cache."""

    def __init__(
        self, engine: Engine, checker: Checker | None, settings: Settings, stages: Stages | None = None
    ) -> None:
        self._engine = engine
        self._checker = checker
        self._settings = settings
        self._stages = stages or Stages()
        self._cache = CompletionCache()

    async def complete(
        self,
        snapshot: DocumentSnapshot,
        offset: int,
        cancel: CancelToken,
        *,
        n: int | None = None,
        requested: bool = False,
    ) -> Completion:
        """What to show at `offset` (code points). A cancelled request comes back early, with `cancelled` set.

        Raises ModelError when the engine cannot answer; failures of the check only degrade.
        """
        run = _Run()
        limit = n or self._settings.candidates
        with run.timed("trigger"):
            reason = skip_reason(snapshot, offset, requested=requested)
        if reason is not None:
            return run.skipped(reason)
        with run.timed("context"):
            context = context_at(snapshot, offset)
        if context.multiline and not (self._settings.multiline or requested):
            return run.skipped("suggestions of several lines are switched off")
        with run.timed("reuse"):
            reused = self._cache.get(context)
        shown = await self._verified(reused, context, run, reused=True) if reused else ()
        if not shown and not cancel.cancelled:
            with run.timed("prompt"):
                request = GenerateRequest(
                    prompt=prompt.build(
                        context, form=self._settings.infill_form, budget_tokens=self._settings.context_tokens
                    ),
                    max_tokens=self._max_tokens(context),
                    n=limit,
                    until=stopping.until(context) if self._stages.trim else None,
                )
            shown = await self._generated(request, context, cancel, run)
            again = self._stages.second_draw and "check" not in run.degraded
            if not shown and again and not cancel.cancelled:
                others = replace(request, n=SECOND_DRAW, temperature=SECOND_DRAW_TEMPERATURE, seed=1)
                shown = await self._generated(others, context, cancel, run)
        with run.timed("rank"):
            ranked = rank.order(shown, limit)
        if ranked:
            self._cache.put(context, tuple(replace(c.generation, text=c.insert_text) for c in ranked))
        line_ends = "\r\n" if "\r\n" in snapshot.text else "\n"
        return run.finished(
            tuple(replace(c, insert_text=c.insert_text.replace("\n", line_ends)) for c in ranked), context, cancel
        )

    def _order(self, *, reused: bool) -> tuple[postprocess.Filter, ...]:
        if not self._stages.filters:
            return postprocess.ONLY_WHAT_CAN_BE_SHOWN
        if reused:
            return postprocess.ORDER_FOR_REUSED
        return postprocess.ORDER if self._stages.trim else postprocess.ORDER_WITHOUT_TRIMMING

    def _max_tokens(self, context: CursorContext) -> int:
        return self._settings.max_tokens_block if context.multiline else self._settings.max_tokens_line

    async def _generated(
        self, request: GenerateRequest, context: CursorContext, cancel: CancelToken, run: _Run
    ) -> tuple[Candidate, ...]:
        with run.timed("generate"):
            generations = await self._engine.generate(request, cancel)
        run.count(generations)
        return () if cancel.cancelled else await self._verified(generations, context, run)

    async def _verified(
        self, generations: tuple[Generation, ...], context: CursorContext, run: _Run, *, reused: bool = False
    ) -> tuple[Candidate, ...]:
        """Candidates of these generations that may be shown, after post-processing, check and cut back.

        `reused`: they are what is left of something shown before, which may be more than this place would ask for.
        """
        candidates: dict[str, Candidate] = {}
        order = self._order(reused=reused)
        with run.timed("postprocess"):
            for generation in generations:
                raw = Candidate(generation.text, context.offset, context.offset, generation)
                processed = postprocess.apply(raw, context, order)
                if isinstance(processed, Rejected):
                    run.rejected.append(processed)
                elif processed.insert_text not in run.seen:
                    run.seen.add(processed.insert_text)
                    candidates[processed.insert_text] = processed
        if not candidates or not self._settings.check_types:
            return tuple(candidates.values())
        checked = await self._checked(tuple(candidates.values()), context, run)
        shown: list[Candidate] = []
        for candidate in checked:
            assert candidate.verdict is not None
            if rank.showable(candidate.verdict):
                shown.extend(_placed(candidate, context, run))
                continue
            run.rejected.append(Rejected(candidate.insert_text, "check", rank.why_not(candidate.verdict)))
            if self._stages.cut_back and candidate.verdict.status != "unknown":
                shown.extend(await self._cut_back(candidate, candidate.verdict, context, run))
        return tuple(shown)

    async def _cut_back(
        self, candidate: Candidate, verdict: Verdict, context: CursorContext, run: _Run
    ) -> tuple[Candidate, ...]:
        """The longest shorter version of a failed candidate that passes, if any."""
        with run.timed("cutback"):
            versions = shorter_versions(candidate.insert_text, context, _fail_offset(candidate, verdict))
        shorter = tuple(
            replace(candidate, insert_text=text, trail=(*candidate.trail, rank.CUT_BACK)) for text in versions
        )
        checked = await self._checked(shorter, context, run) if shorter else ()
        passed = next((c for c in checked if c.verdict is not None and rank.showable(c.verdict)), None)
        return _placed(passed, context, run) if passed is not None else ()

    async def _checked(
        self, candidates: tuple[Candidate, ...], context: CursorContext, run: _Run
    ) -> tuple[Candidate, ...]:
        """The candidates with their verdicts; where no checker can be had, "unknown" and a degradation."""
        texts = tuple(candidate.insert_text for candidate in candidates)
        with run.timed("check"):
            try:
                if self._checker is None:
                    raise CheckerUnavailable("there is no type checker")
                verdicts = await self._checker.check(
                    context.snapshot,
                    context.offset,
                    context.offset,
                    texts,
                    complete=context.kind == "body",
                    resolve_imports=self._stages.imports,
                )
            except CheckerUnavailable as error:
                log.warning("type check unavailable: %s", error)
                run.degrade("check")
                verdicts = tuple(Verdict("unknown", reason=str(error)) for _ in texts)
        return tuple(
            replace(candidate, verdict=verdict) for candidate, verdict in zip(candidates, verdicts, strict=True)
        )


def _placed(candidate: Candidate, context: CursorContext, run: _Run) -> tuple[Candidate, ...]:
    """The candidate with the edits that add its imports, or none where they have no place."""
    placed = with_import_edits(candidate, context)
    if isinstance(placed, Rejected):
        run.rejected.append(placed)
        return ()
    return (placed,)


def _fail_offset(candidate: Candidate, verdict: Verdict) -> int | None:
    """Code-point offset in the candidate of its first error; None when no error lies inside of it."""
    offsets = [error.insert_offset for error in verdict.errors if error.insert_offset is not None]
    if not offsets:
        return None
    return len(candidate.insert_text.encode()[: min(offsets)].decode(errors="ignore"))


class _Run:
    """What one request did: timings by stage, rejected candidates, counts."""

    def __init__(self) -> None:
        self.rejected: list[Rejected] = []
        self.degraded: tuple[str, ...] = ()
        self.seen: set[str] = set()
        self._ms: dict[str, float] = {}
        self._tokens = (0, 0, 0)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._ms[stage] = self._ms.get(stage, 0.0) + (time.perf_counter() - begun) * 1e3

    def count(self, generations: tuple[Generation, ...]) -> None:
        if generations:
            timings = generations[0].timings
            _, read, generated = self._tokens
            said = sum(generation.tokens for generation in generations)
            self._tokens = (timings.prompt_tokens, read + timings.read_tokens, generated + said)

    def degrade(self, stage: str) -> None:
        if stage not in self.degraded:
            self.degraded = (*self.degraded, stage)

    def skipped(self, reason: str) -> Completion:
        return Completion(skip_reason=reason, timings=self._timings())

    def finished(self, candidates: tuple[Candidate, ...], context: CursorContext, cancel: CancelToken) -> Completion:
        prompt_tokens, read_tokens, generated_tokens = self._tokens
        return Completion(
            candidates=() if cancel.cancelled else candidates,
            rejected=tuple(self.rejected),
            timings=self._timings(),
            degraded=self.degraded,
            prompt_tokens=prompt_tokens,
            read_tokens=read_tokens,
            generated_tokens=generated_tokens,
            cancelled=cancel.cancelled,
            context=context,
        )

    def _timings(self) -> tuple[StageTiming, ...]:
        return tuple(StageTiming(stage, ms) for stage, ms in self._ms.items())
