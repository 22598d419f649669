"""Answers that are held to the compiler: the pipeline that editors have, asked with a request's own parameters."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from goassist_index.verdict import Diagnostic, Verdict
from goassist_lsp.http.pieces import Edit, Finding, Piece, Refused, Report, stop_at
from goassist_lsp.http.schema import GoParameters
from goassist_lsp.http.unwritten import without_unwritten
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.types import Candidate, Checker, Completion, DocumentSnapshot
from goassist_models.engine import CancelToken, Engine, EngineOver, GenerateRequest, Generation

# What a client that only knows OpenAI's words sees where there is no text because none may be shown.
WITHHELD = "content_filter"
_MOST_REJECTED = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer goes: a file with a hole at `offset` (code points), before which `added` was put.

    `added` is what makes a text a file; edits are told without it.
    """

    snapshot: DocumentSnapshot
    offset: int
    added: str = ""

    @classmethod
    def of(cls, path: Path, text: str, offset: int, added: str = "") -> Place:
        """A place in a file that may differ from the one on disk."""
        return cls(DocumentSnapshot(path.as_uri(), path, None, added + text), len(added) + offset, added)


class SampledEngine(EngineOver):
    """Has the pipeline's requests sampled as the client says. Implements the Engine protocol over another.

    The model is not shown functions that are not written yet.
    """

    def __init__(self, engine: Engine, asked: GoParameters) -> None:
        super().__init__(engine)
        self._asked = asked

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """What the engine below says, up to the client's stop texts."""
        stops, until = self._asked.stops, request.until

        def ends(text: str) -> bool:
            return stop_at(text, stops) is not None or (until is not None and until(text))

        asked = replace(
            request,
            prompt=without_unwritten(request.prompt),
            temperature=max(request.temperature, self._asked.temperature),
            top_p=self._asked.top_p,
            seed=(request.seed + (self._asked.seed or 0)) % 2**63,
            until=ends if stops else until,
        )
        return tuple(_stopped(generation, stops) for generation in await self._engine.generate(asked, cancel))

    async def close(self) -> None:
        """Leave the engine to its owner."""


def _stopped(generation: Generation, stops: tuple[str, ...]) -> Generation:
    end = stop_at(generation.text, stops)
    if end is None:
        return generation
    steps = tuple(step for step in generation.steps if step.end <= end)
    return replace(generation, text=generation.text[:end], finish_reason="stop", steps=steps)


class AllowedImports:
    """Refuses texts whose missing imports are none of those allowed. Implements the Checker protocol over another."""

    def __init__(self, checker: Checker, allowed: frozenset[str]) -> None:
        self._checker = checker
        self._allowed = allowed
        self.legal = checker.legal
        self.wanted = checker.wanted

    async def check(
        self,
        snapshot: DocumentSnapshot,
        start: int,
        end: int,
        inserts: tuple[str, ...],
        *,
        complete: bool = False,
        resolve_imports: bool = False,
    ) -> tuple[Verdict, ...]:
        """The verdicts of the checker below; an import that is not allowed is an error in the text's first line."""
        verdicts = await self._checker.check(
            snapshot, start, end, inserts, complete=complete, resolve_imports=resolve_imports
        )
        line = snapshot.text.count("\n", 0, start) + 1
        return tuple(self._held(verdict, line) for verdict in verdicts)

    def _held(self, verdict: Verdict, line: int) -> Verdict:
        barred = [spec.path for spec in verdict.imports if spec.path not in self._allowed]
        if not barred:
            return verdict
        errors = tuple(Diagnostic(line, 1, f'import of "{path}" is not allowed', 0) for path in barred)
        return replace(verdict, status="error", errors=errors, imports=())


def pipeline_for(asked: GoParameters, engine: Engine, checker: Checker, settings: Settings) -> CompletionPipeline:
    """The pipeline with a request's parameters."""
    return CompletionPipeline(SampledEngine(engine, asked), checker_for(asked, checker), settings)


def checker_for(asked: GoParameters, checker: Checker) -> Checker:
    """The checker with a request's parameters."""
    return checker if asked.import_paths is None else AllowedImports(checker, frozenset(asked.import_paths))


async def checked(
    pipeline: CompletionPipeline, place: Place, asked: GoParameters, first: int, cancel: CancelToken
) -> AsyncGenerator[Piece]:
    """Up to `asked.n` different answers, from index `first` on, each released up to an accept point at a time.

    Where nothing passes there is one answer without text, whose report says why. Raises ModelError.
    """
    completion = await pipeline.complete(place.snapshot, place.offset, cancel, n=asked.n, requested=True)
    for piece in told(completion, place, first):
        yield piece


def told(completion: Completion, place: Place, first: int, sent: int = 0) -> Iterator[Piece]:
    """A completion as pieces, of whose first candidate so many code points have been `sent` already."""
    if not completion.candidates:
        yield Piece(
            first,
            "",
            WITHHELD,
            report=without_text(completion),
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.generated_tokens,
        )
    for number, candidate in enumerate(completion.candidates):
        begun = 0 if number else sent
        for point in candidate.accept_points[:-1]:
            if point > begun:
                yield Piece(first + number, candidate.insert_text[begun:point])
                begun = point
        yield Piece(
            first + number,
            candidate.insert_text[begun:],
            "length" if candidate.generation.finish_reason == "length" and not candidate.trail else "stop",
            report=report(candidate, completion, place),
            prompt_tokens=completion.prompt_tokens,
            # Of all that was said for the request, rejected texts too: told once.
            completion_tokens=0 if number else completion.generated_tokens,
        )


def report(candidate: Candidate, completion: Completion, place: Place) -> Report:
    """What was found out about a candidate that may be shown."""
    verdict = candidate.verdict
    if verdict is None:
        return Report("unknown", reason="it was not checked", degraded=list(completion.degraded))
    lines = place.added.count("\n")
    return Report(
        "unfinished" if verdict.unfinished else "ok",
        diagnostics=[Finding(item.line - lines, item.col, item.message) for item in verdict.unfinished],
        imports=[f"{spec.name} {spec.path}".lstrip() for spec in verdict.imports],
        edits=[_edit(edit.start, edit.end, edit.text, place) for edit in candidate.import_edits],
        rejected=_rejected(completion),
        degraded=list(completion.degraded),
    )


def without_text(completion: Completion) -> Report:
    """Why there is no answer: what was rejected, or why nothing was asked or could be checked."""
    reason = completion.skip_reason or ""
    unknown = completion.skip_reason is not None or "check" in completion.degraded
    if not reason and completion.rejected:
        reason = completion.rejected[0].reason
    if not reason:
        reason = "the model says nothing here"
    return Report(
        "unknown" if unknown else "error", reason, rejected=_rejected(completion), degraded=list(completion.degraded)
    )


def _rejected(completion: Completion) -> list[Refused]:
    return [Refused(one.text, one.stage, one.reason) for one in completion.rejected[:_MOST_REJECTED]]


def _edit(start: int, end: int, text: str, place: Place) -> Edit:
    """In bytes, and in the text as the client knows it."""
    before = place.snapshot.text
    added = len(place.added.encode())
    return Edit(max(0, len(before[:start].encode()) - added), max(0, len(before[:end].encode()) - added), text)


def placed(candidate: Candidate, place: Place) -> str:
    """The file with the candidate and its imports in it."""
    text = place.snapshot.text
    changes = [(candidate.start, candidate.end, candidate.insert_text)]
    changes += [(edit.start, edit.end, edit.text) for edit in candidate.import_edits]
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
