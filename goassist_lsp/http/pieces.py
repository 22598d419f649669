"""What answers are made of, on their way from an engine or the pipeline to a response or a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from goassist_models.engine import FinishReason, Generation, GenerationTimings


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint: of the compiler, by line and byte column (1-based) in the file with the answer in place."""

    line: int
    col: int
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit beside the answer, for its imports: bytes `start` to `end` of the file before it become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that was not answered with, and why: which stage dropped it, in its words."""

    text: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class TestRun:
    """What the tests said of the answer: "passed", "failed", "none" (no test has such a name) or "not run", and why.

    `ran` are the names of the tests that ran at the top level, `attempts` how many candidates were tried.
    """

    __test__ = False  # no test class, whatever its name looks like

    status: str
    ran: list[str] = field(default_factory=list)
    attempts: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about an answer: the `goassist` object.

    `verdict`: "ok" (it type-checks in its place), "unfinished" (it does, but what stands there now needs more lines to
    compile: `diagnostics` say which), "error" (nothing that was generated does, so there is no text) or "unknown" (it
    could not be checked, for `reason`; so there is no text either).
    """

    verdict: str
    reason: str = ""
    diagnostics: list[Finding] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    tests: TestRun | None = None
    rejected: list[Refused] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer: its text, its natural log-probability, and where in the answer it begins."""

    text: str
    logprob: float
    start: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the answer at `index`. The last one has a finish reason, and all that is known at the end only."""

    index: int
    text: str
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    report: Report | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    timings: GenerationTimings = field(default_factory=GenerationTimings)


_FINISH: dict[FinishReason, str] = {"length": "length"}


def finish_reason(generation: Generation) -> str:
    """OpenAI's word for how a generation ended."""
    return _FINISH.get(generation.finish_reason, "stop")


def logprobs(generation: Generation, length: int) -> tuple[TokenLogprob, ...]:
    """The tokens of a generation's first `length` characters; none where the engine does not know them.

    Those that add no text, such as the first bytes of a character, are counted to the next one that does.
    """
    found: list[TokenLogprob] = []
    start, carried = 0, 0.0
    for step in generation.steps:
        carried += step.logprob
        if step.end > start and start < length:
            found.append(TokenLogprob(generation.text[start : min(step.end, length)], carried, start))
            start, carried = step.end, 0.0
    return tuple(found)


def stop_at(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of the stop texts begins; None without any."""
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    return min(found, default=None)


def certain(text: str, stops: Sequence[str]) -> int:
    """How much of a text that still grows surely belongs to the answer: no stop text begins in it."""
    end = stop_at(text, stops)
    if end is not None:
        return end
    longest = max(map(len, stops), default=1) - 1
    for at in range(max(0, len(text) - longest), len(text)):
        if any(stop.startswith(text[at:]) for stop in stops):
            return at
    return len(text)
