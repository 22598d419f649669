"""From generations to what may be shown: post-processing, the check, and what mends a candidate that fails it.

The second half of the pipeline, which owns it and decides what is asked of the model.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from goassist_index.errors import CheckerUnavailable
from goassist_index.verdict import Verdict
from goassist_lsp import postprocess, rank
from goassist_lsp.generate.repair import blamed_step, mistyped_word, step_at
from goassist_lsp.postprocess import points
from goassist_lsp.postprocess.cutback import shorter_versions
from goassist_lsp.postprocess.fixes import fixed_versions
from goassist_lsp.postprocess.imports import with_import_edits
from goassist_lsp.run import Run
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import Candidate, Checker, CursorContext, Rejected
from goassist_models.engine import Engine, GenerateRequest, Generation, Resume

log = logging.getLogger(__name__)

# Repairs of what fails the check, before it is cut back: a few tokens each, from cells that are there.
MOST_REPAIRS = 3
# Counted in tokens, not in time: what is shown must not depend on what else the machine does.
REPAIR_BUDGET_TOKENS = 16
# A question about names stands in the way of the next token; who cannot answer in this time is not asked again.
NAMES_LIMIT_S = 0.2
# Accept points are no reason to let a user wait: what is not checked by then is shown without.
POINTS_LIMIT_S = 0.05


class Verification:
    """Verifies candidates for one engine and one checker; holds no state."""

    def __init__(self, engine: Engine, checker: Checker | None, settings: Settings, stages: Stages) -> None:
        self._engine = engine
        self._checker = checker
        self._settings = settings
        self._stages = stages

    async def verified(
        self,
        generations: tuple[Generation, ...],
        context: CursorContext,
        run: Run,
        request: GenerateRequest | None = None,
    ) -> tuple[Candidate, ...]:
        """Candidates of these generations that may be shown, after post-processing, check and what mends them.

        Without the `request` that they answer they are what is left of something shown before, which may be more
        than this place would ask for.
        """
        candidates = self._processed(generations, context, run, reused=request is None)
        if not candidates or not self._settings.check_types:
            return candidates
        unsure = tuple(c for c in candidates if c.generation.finish_reason == "unlikely")
        candidates = tuple(c for c in candidates if c not in unsure)
        run.partial = any(generation.finish_reason == "partial" for generation in generations)
        shown: list[Candidate] = []
        failed: list[Candidate] = []
        for candidate in unsure:
            run.rejected.append(_not_worth(candidate.insert_text))
            shown.extend(await self._cut_back(candidate, context, run, only_said=True))
        for candidate in await self._checked(candidates, context, run) if candidates else ():
            (shown if candidate.passes else failed).append(candidate)
        for candidate in failed:
            number = len(run.rejected)
            run.rejected.append(_failure(candidate, "check"))
            if candidate.verdict is None or candidate.verdict.status == "unknown":
                continue
            mended = await self._fixed(candidate, context, run) if self._stages.fixes else ()
            tries = [candidate]
            if not mended and not shown and self._stages.repair and request is not None and not run.partial:
                mended = await self._repaired(tries, request, context, run)
            source = tries[-1]
            # What a repair has said right goes further than what it was to mend.
            for failure in sorted(tries, key=lambda c: -(c.fails_at or 0)):
                if not mended and self._stages.cut_back:
                    mended, source = await self._cut_back(failure, context, run), failure
            if mended:
                # The tries were rejected in their order, one behind the other.
                number += tries.index(source)
                run.rejected[number] = replace(run.rejected[number], mended=mended[0].trail[-1])
            shown.extend(mended)
        return tuple(placed for passing in shown for placed in _placed(passing, context, run))

    def _order(self, *, reused: bool) -> tuple[postprocess.Filter, ...]:
        if not self._stages.filters:
            return postprocess.ONLY_WHAT_CAN_BE_SHOWN
        if reused:
            return postprocess.ORDER_FOR_REUSED
        return postprocess.ORDER if self._stages.trim else postprocess.ORDER_WITHOUT_TRIMMING

    def _processed(
        self, generations: tuple[Generation, ...], context: CursorContext, run: Run, *, reused: bool = False
    ) -> tuple[Candidate, ...]:
        candidates: list[Candidate] = []
        with run.timed("postprocess"):
            for generation in generations:
                order = self._order(reused=reused or generation.continued)
                raw = Candidate(generation.text, context.offset, context.offset, generation)
                processed = postprocess.apply(raw, context, order)
                if isinstance(processed, Rejected):
                    unlikely = generation.finish_reason == "unlikely"
                    run.rejected.append(_not_worth(generation.text) if unlikely else processed)
                elif processed.insert_text not in run.seen:
                    run.seen.add(processed.insert_text)
                    candidates.append(processed)
        return tuple(candidates)

    async def _fixed(self, candidate: Candidate, context: CursorContext, run: Run) -> tuple[Candidate, ...]:
        """The failed candidate with its first complaint seen to as a programmer would at once, if that passes."""
        assert candidate.verdict is not None
        with run.timed("fixes"):
            versions = fixed_versions(candidate.insert_text, candidate.verdict, context.prefix)
        return await self._first_passing(candidate, versions, rank.FIXED, context, run)

    async def _repaired(
        self, tries: list[Candidate], request: GenerateRequest, context: CursorContext, run: Run
    ) -> tuple[Candidate, ...]:
        """The failed candidate said otherwise from where it failed on: what stands before is kept, nothing read anew.

        Where it fails again, again; MOST_REPAIRS times a request, and none is begun when REPAIR_BUDGET_TOKENS have been
        said by others. `tries` begins with the candidate; what fails again is added to it.
        """
        (candidate,) = tries
        barred: dict[tuple[int, ...], frozenset[int]] = {}
        while run.repairs < MOST_REPAIRS and run.repair_tokens < REPAIR_BUDGET_TOKENS:
            generation, keep = candidate.generation, blamed_step(candidate)
            if keep is None:
                break
            word = mistyped_word(candidate)
            if word is not None and await self._held_to_type(generation.text[:word], context, run):
                keep = step_at(generation, word)
            run.repairs += 1
            # What may not come next is so behind just these tokens.
            kept = tuple(step.token for step in generation.steps[:keep])
            barred[kept] = barred.get(kept, frozenset()) | {generation.steps[keep].token}
            again = replace(request, n=1, temperature=0.0, resume=Resume(generation, keep, barred[kept]))
            with run.timed("repair"):
                generations = await self._engine.generate(again, run.cancel)
            run.count(generations)
            run.repair_tokens += sum(max(0, said.tokens - keep) for said in generations)
            processed = () if run.cancel.cancelled else self._processed(generations, context, run)
            if not processed:
                break
            (candidate,) = await self._checked(processed, context, run)
            if candidate.passes:
                return (replace(candidate, trail=(*candidate.trail, rank.REPAIRED)),)
            run.rejected.append(_failure(candidate, "repair"))
            tries.append(candidate)
        return ()

    async def _held_to_type(self, said: str, context: CursorContext, run: Run) -> bool:
        """Whether names that fit behind `said` are known: from now on no other may stand there."""
        if self._checker is None or run.guide is None:
            return False
        with run.timed("repair"):
            try:
                asked = self._checker.legal(context.snapshot, context.offset, said)
                legal = await asyncio.wait_for(asyncio.shield(asked), NAMES_LIMIT_S)
            except (TimeoutError, CheckerUnavailable) as error:
                log.info("a repair goes on without the names that fit: %r", error)
                return False
        if legal is None or not legal.fits:
            return False
        run.guide.hold_to(said, legal.fits)
        return True

    async def _cut_back(
        self, candidate: Candidate, context: CursorContext, run: Run, *, only_said: bool = False
    ) -> tuple[Candidate, ...]:
        """The longest shorter version of a failed candidate that passes, if any.

        `only_said`: without brackets that the model did not close there itself.
        """
        with run.timed("cutback"):
            versions = shorter_versions(candidate.insert_text, context, candidate.fails_at)
            if only_said:
                versions = tuple(version for version in versions if candidate.generation.text.startswith(version))
        return await self._first_passing(candidate, versions, rank.CUT_BACK, context, run)

    async def _first_passing(
        self, candidate: Candidate, versions: tuple[str, ...], how: str, context: CursorContext, run: Run
    ) -> tuple[Candidate, ...]:
        others = tuple(replace(candidate, insert_text=text, trail=(*candidate.trail, how)) for text in versions)
        checked = await self._checked(others, context, run) if others else ()
        return next(((other,) for other in checked if other.passes), ())

    async def pointed(
        self, candidates: tuple[Candidate, ...], context: CursorContext, run: Run
    ) -> tuple[Candidate, ...]:
        """The candidates with their accept points; without any where those cannot be checked, or not in time."""
        if self._checker is None or not candidates or not self._settings.check_types or run.cancel.cancelled:
            return candidates
        with run.timed("points"):
            proposed = [points.proposals(candidate.insert_text, context) for candidate in candidates]
            parts = [{at: c.insert_text[:at] for at in some} for c, some in zip(candidates, proposed, strict=True)]
            texts = tuple(dict.fromkeys(text for some in parts for text in some.values()))
            verdicts: tuple[Verdict, ...] = ()
            if texts:
                asked = self._checker.check(context.snapshot, context.offset, context.offset, texts)
                try:
                    # Shielded: a service that is just being started again for this must not be torn apart.
                    verdicts = await asyncio.wait_for(asyncio.shield(asked), POINTS_LIMIT_S)
                except (TimeoutError, CheckerUnavailable) as error:
                    log.info("no accept points: %r", error)
                    run.degrade("points")
                    return candidates
            stand = {text for text, verdict in zip(texts, verdicts, strict=True) if verdict.showable}
            return tuple(
                replace(c, accept_points=(*(at for at, text in some.items() if text in stand), len(c.insert_text)))
                for c, some in zip(candidates, parts, strict=True)
            )

    async def _checked(
        self, candidates: tuple[Candidate, ...], context: CursorContext, run: Run
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


def _placed(candidate: Candidate, context: CursorContext, run: Run) -> tuple[Candidate, ...]:
    """The candidate with the edits that add its imports, or none where they have no place."""
    placed = with_import_edits(candidate, context)
    if isinstance(placed, Rejected):
        run.rejected.append(placed)
        return ()
    return (placed,)


def _not_worth(text: str) -> Rejected:
    return Rejected(text, "worth", "the model is not sure of what follows")


def _failure(candidate: Candidate, stage: str) -> Rejected:
    assert candidate.verdict is not None
    return Rejected(candidate.insert_text, stage, rank.why_not(candidate.verdict), candidate.fails_at)
