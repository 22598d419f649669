"""Answers that are held to tests: candidates are tried in their place until one passes, or there have been enough."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from goassist_lsp.http.checked import WITHHELD, Place, pipeline_for, placed, report, without_text
from goassist_lsp.http.pieces import Piece, Refused, TestRun
from goassist_lsp.http.schema import CompletionRequest
from goassist_lsp.http.service import Service
from goassist_lsp.settings import Settings
from goassist_lsp.types import Candidate, Completion, Retriever
from goassist_models.engine import CancelToken

# After the likeliest answer others are drawn, so many at a time.
_DRAWN = 3
_TEMPERATURE = 0.8
_SEEDS_APART = 1000


async def tested(
    service: Service,
    asked: CompletionRequest,
    place: Place,
    settings: Settings,
    retriever: Retriever | None,
    cancel: CancelToken,
) -> AsyncGenerator[Piece]:
    """The first candidate that type-checks and with which the tests pass, or an answer without text that says why.

    Raises ModelError, ApiError for a workspace that cannot be tried, GoassistError when the sandbox fails.
    """
    assert service.trials is not None and service.checker is not None and asked.test_pattern is not None
    root = service.workspaces.root(asked.workspace)
    seen: set[str] = set()
    refused: list[Refused] = []
    last = TestRun("not run", detail="no candidate type-checks")
    completion = Completion()
    prompt_tokens = generated_tokens = 0
    for draw in range(1 + asked.attempts):
        drawn = _draw(asked, draw)
        pipeline = pipeline_for(drawn, service.engine, service.checker, settings, retriever)
        completion = await pipeline.complete(place.snapshot, place.offset, cancel, n=drawn.n, requested=True)
        prompt_tokens = completion.prompt_tokens
        generated_tokens += completion.generated_tokens
        for candidate in completion.candidates:
            if candidate.insert_text in seen or len(seen) == asked.attempts:
                continue
            seen.add(candidate.insert_text)
            text = placed(candidate, place)
            run = await service.trials.run(root, place.snapshot.path, text, asked.test_pattern)
            last = replace(run, attempts=len(seen))
            if run.status == "passed":
                yield _passed(candidate, completion, place, last, (prompt_tokens, generated_tokens))
                return
            if run.status == "none":
                break
            refused.append(Refused(candidate.insert_text, "tests", run.detail))
        if cancel.cancelled or completion.skip_reason or last.status == "none" or len(seen) == asked.attempts:
            break
    why = "no candidate passes the tests" if seen else without_text(completion).reason
    told = replace(without_text(completion), tests=replace(last, attempts=len(seen)))
    if seen:
        told = replace(told, verdict="error", reason=why, rejected=[*refused, *told.rejected])
    yield Piece(0, "", WITHHELD, report=told, prompt_tokens=prompt_tokens, completion_tokens=generated_tokens)


def _draw(asked: CompletionRequest, draw: int) -> CompletionRequest:
    """The likeliest first; then others, hotter and by other seeds."""
    if draw == 0:
        return asked
    return replace(
        asked,
        n=_DRAWN,
        temperature=max(asked.temperature, _TEMPERATURE),
        seed=(asked.seed or 0) + draw * _SEEDS_APART,
    )


def _passed(candidate: Candidate, completion: Completion, place: Place, run: TestRun, tokens: tuple[int, int]) -> Piece:
    told = replace(report(candidate, completion, place), tests=run)
    prompt_tokens, generated_tokens = tokens
    return Piece(
        0, candidate.insert_text, "stop", report=told, prompt_tokens=prompt_tokens, completion_tokens=generated_tokens
    )
