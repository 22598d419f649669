"""The completion pipeline: one visible function that calls the stages in order.

Editor, command line and evaluation all call it, so that a score measures what a user sees.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import replace

from goassist_index.beside import ImportsBeside
from goassist_index.errors import CheckerUnavailable, IndexUnavailable
from goassist_index.typefacts import Wanted
from goassist_index.verdict import LegalNames
from goassist_lsp import rank
from goassist_lsp.context.cursor import context_at
from goassist_lsp.context.trigger import skip_reason
from goassist_lsp.generate import prompt, repository, stopping, worth
from goassist_lsp.generate.ahead import place_after
from goassist_lsp.generate.names import NameGuide
from goassist_lsp.generate.reuse import CompletionCache
from goassist_lsp.run import Run
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import (
    Candidate,
    Checker,
    Completion,
    CursorContext,
    DocumentSnapshot,
    Pace,
    Retriever,
)
from goassist_lsp.verification import NAMES_LIMIT_S, Verification
from goassist_models.engine import CancelToken, Engine, GenerateRequest
from goassist_models.infill import InfillPrompt

log = logging.getLogger(__name__)

# When the greedy answer fails the check, others are drawn from the same prompt before silence is kept.
SECOND_DRAW = 3
SECOND_DRAW_TEMPERATURE = 0.7
# What the place asks for helps the model, but not as much as an early answer.
FACTS_LIMIT_S = 0.05
# Of a text that is less likely than this to be what the author writes, nobody asks what would follow it.
WORTH_GOING_ON = 0.5
# What is read for somebody who has been asking while the model was loaded: reading all that helps takes seconds. It is
# read when they have seen a suggestion and rest, or when so little has shown nothing a few times.
HURRIED_TOKENS = 160
_HURRIED_TRIES = 3
# What is said ahead is for somebody who takes what is shown and types on.
AHEAD = Pace(typing=True, patience_s=0.1)


class CompletionPipeline:
    """Answers "what comes here" for one engine, checker and retriever. Holds no document state but its cache."""

    def __init__(
        self,
        engine: Engine,
        checker: Checker | None,
        settings: Settings,
        stages: Stages | None = None,
        retriever: Retriever | None = None,
        *,
        hurried: bool = False,
    ) -> None:
        """`hurried`: somebody types and has been asking in vain. Until they rest, the nearest text alone is read."""
        self._engine = engine
        self._checker = checker
        self._retriever = retriever
        self._settings = settings
        self._stages = stages or Stages()
        self._verification = Verification(engine, checker, settings, self._stages)
        self._cache = CompletionCache()
        self._beside = ImportsBeside()
        # How often so little may show nothing before all is read; None once it has shown something.
        self._hurried: int | None = _HURRIED_TRIES if hurried else 0

    async def complete(
        self,
        snapshot: DocumentSnapshot,
        offset: int,
        cancel: CancelToken,
        *,
        n: int | None = None,
        requested: bool = False,
        pace: Pace | None = None,
    ) -> Completion:
        """What to show at `offset` (code points). A cancelled request comes back early, with `cancelled` set.

        At the user's `pace` the first lines of a block do, while the rest is still being said for the next request, and
        while they type only what is likely is shown. Without one all is waited for.

        Raises ModelError when the engine cannot answer; failures of the check only degrade.
        """
        run = Run(cancel)
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
            if requested and len(reused) < limit:
                reused = ()  # who asks by hand has seen that one, and wants the others as well
            if not requested and not reused and self._cache.used_up(context):
                return run.skipped("what was suggested here has been written, and was whole")
        shown = await self._verification.verified(reused, context, run) if reused else ()
        if not shown and not cancel.cancelled:
            request = await self._request(context, run, n=limit, pace=pace)
            shown = await self._generated(request, context, run)
            in_time = pace is None or not (pace.typing or run.partial)
            again = self._stages.second_draw and in_time and "check" not in run.degraded
            if not shown and again and not cancel.cancelled:
                shown = await self._generated(await self._second_draw(request, context, run), context, run)
        if self._hurried and not cancel.cancelled:
            self._hurried = None if shown else self._hurried - 1
        with run.timed("rank"):
            ranked = rank.order(shown, limit)
        if ranked:
            self._cache.put(context, ranked)
        pointed = await self._verification.pointed(ranked, context, run)
        line_ends = "\r\n" if "\r\n" in snapshot.text else "\n"
        return run.finished(tuple(_with_line_ends(candidate, line_ends) for candidate in pointed), context)

    async def ahead(self, completion: Completion) -> bool:
        """Have said what would follow if the first candidate were taken; it is kept by the engine, and shown to nobody.

        Only behind what is likely to be taken, and in idle time: any request that it does not answer ends it. Returns
        whether anything was asked. Raises as `complete` does.
        """
        context = completion.context
        if context is None or not completion.candidates:
            return False
        first = completion.candidates[0].generation
        if first.mean_logprob * first.tokens < math.log(WORTH_GOING_ON):
            return False
        snapshot, offset = place_after(context.snapshot, completion.candidates[0])
        if skip_reason(snapshot, offset, requested=False) is not None:
            return False
        run, there = Run(CancelToken()), context_at(snapshot, offset)
        request = await self._request(there, run, n=1, pace=AHEAD)
        await self._engine.generate(replace(request, idle=True, patience=None), run.cancel)
        return True

    async def _request(self, context: CursorContext, run: Run, *, n: int, pace: Pace | None = None) -> GenerateRequest:
        return GenerateRequest(
            prompt=await self._prompt(context, run, at_once=self._at_once(pace)),
            max_tokens=self._settings.max_tokens_block if context.multiline else self._settings.max_tokens_line,
            n=n,
            until=stopping.until(context) if self._stages.trim else None,
            refuses=self._guide(context, run),
            least_logprob=worth.least_logprob(self._settings.eagerness, pace),
            patience=stopping.patience(context, pace) if pace is not None else None,
            typing_on=pace is not None and pace.typing,
        )

    def _at_once(self, pace: Pace | None) -> bool:
        """Whether this request's prompt is to be short."""
        if self._hurried is None and (pace is None or not pace.typing):
            self._hurried = 0
        return self._hurried != 0 and pace is not None

    async def _prompt(self, context: CursorContext, run: Run, *, at_once: bool = False) -> InfillPrompt:
        """The text around the cursor, behind what the workspace has for this place, all within one budget.

        What has to be read `at_once` is the nearest text alone.
        """
        form, budget = self._settings.infill_form, self._settings.context_tokens
        if at_once:
            budget = min(budget, HURRIED_TOKENS)
        # Without the check nothing is imported: the model is not to use what would be missing.
        widened = self._stages.beside and self._stages.imports and self._settings.check_types and not at_once
        with run.timed("prompt"):
            beside = self._beside.of(context.snapshot.path) if widened and self._checker is not None else ()
            alone = prompt.build(context, form=form, budget_tokens=budget, beside=beside)
        if at_once or self._retriever is None or not (self._stages.retrieve or self._stages.at_hand):
            return alone
        with run.timed("retrieve"):
            try:
                found = await self._retriever.retrieve(context, alone.prefix + alone.suffix)
            except IndexUnavailable as error:
                log.info("the prompt goes without snippets: %s", error)
                run.degrade("retrieve")
                return alone
        repo = repository.shown(found, int(budget * prompt.CHARS_A_TOKEN * repository.SHARE))
        names = found.names if found is not None else ()
        if repo is None and not names:
            return alone
        run.prompt_notes += (*(repository.notes(repo) if repo is not None else ()), *names)
        return prompt.build(context, form=form, budget_tokens=budget, beside=beside, repo=repo, names=names)

    async def _second_draw(self, request: GenerateRequest, context: CursorContext, run: Run) -> GenerateRequest:
        """Others from the same prompt; where the place asks for something the model is told that, and says it anew."""
        note = prompt.note_of(await self._wanted(context, run))
        others = replace(request, n=SECOND_DRAW, temperature=SECOND_DRAW_TEMPERATURE, seed=1)
        if not note:
            return others
        run.prompt_notes += (note,)
        return replace(others, prompt=replace(request.prompt, note=note), temperature=0.0)

    async def _wanted(self, context: CursorContext, run: Run) -> Wanted:
        """What the place asks for, where that is something: nothing does at a statement's beginning."""
        asks = context.line_prefix.strip() or context.hole.in_list
        if not (self._stages.facts and self._settings.check_types and context.in_function and asks):
            return Wanted()
        if self._checker is None or context.hole.literal:
            return Wanted()
        with run.timed("facts"):
            try:
                asked = self._checker.wanted(context.snapshot, context.offset)
                return await asyncio.wait_for(asyncio.shield(asked), FACTS_LIMIT_S)
            except (TimeoutError, CheckerUnavailable) as error:
                log.info("the prompt goes without types: %r", error)
                run.degrade("facts")
                return Wanted()

    def _guide(self, context: CursorContext, run: Run) -> Callable[[str, str], bool] | None:
        """What the engine's token loop asks about each token; None where nothing can be said of names."""
        checker, loop = self._checker, asyncio.get_running_loop()
        if checker is None or not (self._stages.names and self._settings.check_types and context.in_function):
            return None

        def ask(said: str) -> LegalNames | None:
            # Called from the engine's own thread, while this loop waits for the engine.
            if "names" in run.degraded:
                return None
            with run.timed("names"):
                asked = asyncio.run_coroutine_threadsafe(checker.legal(context.snapshot, context.offset, said), loop)
                try:
                    return asked.result(NAMES_LIMIT_S)
                except (TimeoutError, CheckerUnavailable) as error:
                    asked.cancel()
                    log.info("decoding goes on without names: %r", error)
                    run.degrade("names")
                    return None

        run.guide = NameGuide(context, ask)
        return run.guide.refuses

    async def _generated(self, request: GenerateRequest, context: CursorContext, run: Run) -> tuple[Candidate, ...]:
        with run.timed("generate"):
            generations = await self._engine.generate(request, run.cancel)
        run.count(generations)
        if run.cancel.cancelled:
            return ()
        return await self._verification.verified(generations, context, run, request)


def _with_line_ends(candidate: Candidate, line_ends: str) -> Candidate:
    """A candidate whose lines end in LF, with `line_ends` in place of those."""
    parts = (candidate.insert_text[:at] for at in candidate.accept_points)
    return replace(
        candidate,
        insert_text=candidate.insert_text.replace("\n", line_ends),
        accept_points=tuple(len(part.replace("\n", line_ends)) for part in parts),
    )
