"""Last stage: which verified candidates to show, best first."""

from __future__ import annotations

from goassist_index.verdict import Verdict
from goassist_lsp.types import Candidate

# What a candidate's trail says was done to it after it had failed the check.
FIXED = "fixed"
REPAIRED = "repaired"
CUT_BACK = "cut back"


def order(candidates: tuple[Candidate, ...], limit: int) -> tuple[Candidate, ...]:
    """At most `limit` candidates of different text.

    Finished ones come before those that lean on later lines, whole ones before those cut back, then the likely.
    """
    unique: dict[str, Candidate] = {}
    for candidate in candidates:
        unique.setdefault(candidate.insert_text, candidate)
    return tuple(sorted(unique.values(), key=_key)[:limit])


def why_not(verdict: Verdict) -> str:
    """The first complaint that keeps a candidate from being shown, in the compiler's words."""
    if verdict.status == "unknown":
        return verdict.reason or "cannot be checked"
    for error in verdict.errors:
        return f"{error.message} ({verdict.reason})" if verdict.reason else error.message
    for item in verdict.unfinished:
        if item.final:
            return item.message
    return "not shown"


def _key(candidate: Candidate) -> tuple[int, int, float]:
    verdict = candidate.verdict
    leans = 0 if verdict is None else len(verdict.unfinished)
    return (min(leans, 1), int(CUT_BACK in candidate.trail), -candidate.generation.mean_logprob)
