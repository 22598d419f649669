"""Checked answers while they are being said: whole lines are sent as soon as they type-check, and are stood by.

What has been sent cannot be taken back, so the answer has to begin with it. Where what the pipeline comes to in the end
does not (a line after it could not be mended without it), the rest is asked for anew behind what was sent; where there
is none that passes, the answer ends there, and the report says what the function still lacks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from goassist_index.errors import CheckerUnavailable
from goassist_lsp import postprocess
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate.stopping import whole_lines
from goassist_lsp.http.checked import Place, checker_for, pipeline_for, told
from goassist_lsp.http.pieces import Piece, certain
from goassist_lsp.http.schema import GoParameters
from goassist_lsp.postprocess.imports import with_import_edits
from goassist_lsp.settings import Settings
from goassist_lsp.types import Candidate, Checker, Completion, CursorContext, Rejected
from goassist_models.engine import CancelToken, Engine, EngineOver, GenerateRequest, Generation

log = logging.getLogger(__name__)


class Overheard(EngineOver):
    """Lets the first answer of the engine below be heard while it grows. Implements the Engine protocol over another.

    Only the first: others are drawn when that one cannot be used as it is.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.text = ""
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._asked = False

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """What the engine below says."""
        if self._asked or request.n != 1:
            return await self._engine.generate(request, cancel)
        self._asked = True
        ends = request.until

        def until(text: str) -> bool:
            self.text = text
            self._loop.call_soon_threadsafe(self.changed.set)
            return ends is not None and ends(text)

        return await self._engine.generate(replace(request, until=until), cancel)

    async def close(self) -> None:
        """Leave the engine to its owner."""


@dataclass(frozen=True, slots=True)
class Releasing:
    """Streams one checked answer, with what all requests share and one request's own parameters."""

    engine: Engine
    checker: Checker
    settings: Settings
    asked: GoParameters

    async def answer(self, place: Place, index: int, cancel: CancelToken) -> AsyncGenerator[Piece]:
        """The answer at `place`, piece by piece; the last one has the report. Raises ModelError."""
        overheard, context = Overheard(self.engine), context_at(place.snapshot, place.offset)
        pipeline = pipeline_for(self.asked, overheard, self.checker, self.settings)
        complete = pipeline.complete(place.snapshot, place.offset, cancel, n=1, requested=True)
        task = asyncio.create_task(complete)
        task.add_done_callback(lambda _: overheard.changed.set())
        sent = ""
        try:
            async with aclosing(self._standing(task, overheard, context)) as texts:
                async for text in texts:
                    yield Piece(index, _as_in(place, text[len(sent) :]))
                    sent = text
            completion = await task
        finally:
            if not task.done():
                cancel.cancel()
                await asyncio.gather(task, return_exceptions=True)
        before = _as_in(place, sent)
        begins_so = any(candidate.insert_text.startswith(before) for candidate in completion.candidates)
        if sent and not begins_so and not cancel.cancelled:
            completion = await self._gone_on(place, context, sent, completion, cancel)
        for piece in told(completion, place, index, len(before)):
            yield piece

    async def _standing(
        self, task: asyncio.Task[Completion], overheard: Overheard, context: CursorContext
    ) -> AsyncGenerator[str]:
        """Ever longer beginnings of what is being said that type-check by themselves, until `task` is done."""
        if not context.multiline or context.closers or context.spare_closers or context.hole.literal:
            return  # its brackets are right at its end only
        looked_at, sent = 0, ""
        while not task.done():
            await overheard.changed.wait()
            overheard.changed.clear()
            text = overheard.text
            end = whole_lines(text[: certain(text, self.asked.stops)])
            if end <= looked_at or task.done():
                continue
            looked_at = end
            said = Candidate(text[:end], context.offset, context.offset, Generation(text[:end], "partial"))
            processed = postprocess.apply(said, context)
            if isinstance(processed, Rejected):
                continue
            standing = await self._stands(processed, context)
            if standing is not None and standing.insert_text.startswith(sent) and standing.insert_text != sent:
                sent = standing.insert_text
                yield sent

    async def _stands(self, said: Candidate, context: CursorContext, *, complete: bool = False) -> Candidate | None:
        """The candidate with its verdict and imports; None where it does not type-check in its place, or nobody knows.

        `complete`: nothing will be written behind it.
        """
        try:
            (verdict,) = await checker_for(self.asked, self.checker).check(
                context.snapshot,
                context.offset,
                context.offset,
                (said.insert_text,),
                complete=complete and context.kind == "body",
                resolve_imports=True,
            )
        except CheckerUnavailable as error:
            log.info("nothing is sent before its end: %s", error)
            return None
        stands = verdict.status == "ok" if complete else verdict.showable
        placed = with_import_edits(replace(said, verdict=verdict), context) if stands else None
        return placed if isinstance(placed, Candidate) else None

    async def _gone_on(
        self, place: Place, context: CursorContext, sent: str, first: Completion, cancel: CancelToken
    ) -> Completion:
        """What the answer comes to that begins with what was `sent`, where the `first` completion does not."""
        completion = first
        line = context.line_prefix
        lead = "\n" + line[: len(line) - len(line.lstrip())]
        left = self.settings.max_tokens_block - self.engine.count_tokens(sent)
        wholes: list[Candidate] = []
        if left > 0:
            text = context.prefix + _as_in(place, sent + lead) + context.suffix
            there = replace(place.snapshot, text=text)
            offset = len(text) - len(context.suffix)
            settings = replace(self.settings, max_tokens_line=left, max_tokens_block=left)
            pipeline = pipeline_for(self.asked, self.engine, self.checker, settings)
            more = await pipeline.complete(there, offset, cancel, n=1, requested=True)
            completion = replace(
                first,
                rejected=first.rejected + more.rejected,
                degraded=tuple(dict.fromkeys(first.degraded + more.degraded)),
                generated_tokens=first.generated_tokens + more.generated_tokens,
            )
            wholes = [
                replace(one, insert_text=sent + lead + one.insert_text.replace("\r\n", "\n")) for one in more.candidates
            ]
        wholes.append(Candidate(sent, context.offset, context.offset, Generation(sent, "stop")))
        # Looked at from where the answer begins: imports that what was sent needs are told with the whole.
        for whole in wholes:
            own = replace(whole, start=context.offset, end=context.offset, accept_points=(), import_edits=())
            standing = await self._stands(own, context, complete=True)
            if standing is not None and (standing.passes or whole is wholes[-1]):
                text = _as_in(place, standing.insert_text)
                return replace(completion, candidates=(replace(standing, insert_text=text),))
        # It did type-check when it was sent; now nobody answers. Said as it is, without a verdict.
        return replace(completion, candidates=(replace(wholes[-1], insert_text=_as_in(place, sent)),))


def _as_in(place: Place, text: str) -> str:
    """A text with the line ends that its file has."""
    return text.replace("\n", "\r\n") if "\r\n" in place.snapshot.text else text
