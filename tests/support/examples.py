"""Examples made by hand, for the tests of reports: what was said and what it was worth is given, nothing is asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from goassist_models.evaluate.example import Answer, Case, Edit, Example, Scores
from goassist_models.evaluate.runs import Run


def case(number: int, **fields: Any) -> Case:
    """One case like all others, at a place of its own."""
    given: dict[str, Any] = {
        "module": "example.com/m@v1.0.0",
        "file": "a.go",
        "kind": "line",
        "role": "",
        "function": f"F{number}",
        "new": True,
        "start": number,
        "end": number + 1,
        "function_start": 0,
        "function_end": 0,
        "truth": "x",
    }
    return Case(**{**given, **fields})


def shown(
    case: Case, system: str, *, text: str = "x", ms: float = 100.0, logprob: float | None = None, **scores: Any
) -> Example:
    """Something was shown; unless `scores` says other things it compiles and is exact."""
    right = {"compiles": True, "compiles_bare": True, "first_line_exact": True, "exact": True, "edit_similarity": 1.0}
    worth = Scores(shown=True, inserted=text, **{**right, "prefix_right": 1.0, **scores})
    return Example(case, system, Answer((Edit(0, 0, text),), ms, mean_logprob=logprob), worth)


def wrong(case: Case, system: str, judge: str = "a.go:1:1: undefined: y", **fields: Any) -> Example:
    """Something was shown that neither compiles nor agrees."""
    worth = {"compiles": False, "compiles_bare": False, "first_line_exact": False, "exact": False, "judge": judge}
    return shown(case, system, **{**worth, "edit_similarity": 0.0, "prefix_right": 0.0, **fields})


def silent(case: Case, system: str, because: str = "skipped: a comment") -> Example:
    """Nothing was shown."""
    return Example(case, system, Answer(ms=10.0, silent_because=because), Scores(shown=False))


def failed(case: Case, system: str, error: str = "it died") -> Example:
    """The system broke down."""
    return Example(case, system, Answer(error=error), Scores(shown=False, unjudged=f"the system failed: {error}"))


def unjudged(case: Case, system: str, why: str = "the judge failed: gave up after 300 s") -> Example:
    """The judge broke down over what was shown."""
    return shown(case, system, compiles=None, compiles_bare=None, unjudged=why)


def run(directory: Path, examples: Iterable[Example], **header: Any) -> Run:
    """A run on disk that holds these examples, its systems in the order of their first."""
    made = Run.open(directory, "infill", {"limit": 3})
    for example in examples:
        if example.system not in made.systems:
            made = made.describe(example.system, {"model": "none"})
        made.append(example)
    return made.note(**header)
