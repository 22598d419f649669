"""What a run of HumanEval-X came to: its records, their figures with intervals, and the published table.

Records are made by the task, one JSON line a problem and way of drawing in the file of each system (model and mode).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cattrs

from goassist_index.errors import GoassistError
from goassist_models.evaluate.humaneval import pass_at_k
from goassist_models.evaluate.report.complaints import complaint_class, silence_class
from goassist_models.evaluate.report.statistics import Estimate, mean, paired, share
from goassist_models.evaluate.runs import Run

GREEDY, SAMPLED = "greedy", "sampled"
SILENT = "silent"
VERDICTS = ("passed", "does not compile", "fails", "times out", SILENT)
_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer: the body with its closing brace ("" when silent) and its verdict, with the words that go with it.

    `missing_imports` and `unused_imports` are what the user's file would have to change for it. `ms` is what the
    pipeline took, without the model's draw where a mode before had asked for it. `trail`: what was done to it.
    """

    verdict: str
    body: str = ""
    detail: str = ""
    missing_imports: tuple[str, ...] = ()
    unused_imports: tuple[str, ...] = ()
    ms: float = 0.0
    tokens: int | None = None
    trail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One problem, drawn "greedy" (one answer) or "sampled"; `error` when it could not be asked or judged."""

    problem: str
    drawn: str
    attempts: tuple[Attempt, ...] = ()
    error: str = ""

    @property
    def passed(self) -> int:
        """How many of the attempts pass."""
        return sum(attempt.verdict == "passed" for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one system and way of drawing. Shares are over problems without error; `pass_at` by k.

    `complaints`: how often the compiler's first one was of a class; `silences`: why nothing was shown.
    """

    system: str
    drawn: str
    problems: int
    pass_at: dict[int, Estimate]
    shares: dict[str, float]
    passed_of_shown: Estimate | None
    imports_to_mend: float
    complaints: dict[str, int] = field(default_factory=dict)
    silences: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def line(asked: Asked) -> str:
    """The record as a JSON line."""
    return json.dumps(_CONVERTER.unstructure(asked), ensure_ascii=False)


def records(run: Run, system: str) -> dict[tuple[str, str], Asked]:
    """What is there of a system, by problem and way of drawing; a later record replaces an earlier one.

    Raises GoassistError for a line that is no record.
    """
    found: dict[tuple[str, str], Asked] = {}
    for number, text in enumerate(run.lines(system), 1):
        try:
            asked = _CONVERTER.structure(json.loads(text), Asked)
        except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
            raise GoassistError(
                f"line {number} is no record of this task", path=str(run.path(system)), cure="Delete the file"
            ) from error
        found[asked.problem, asked.drawn] = asked
    return found


def rows(run: Run) -> list[Row]:
    """Figures of all systems of a run, in order."""
    found = []
    for system in run.systems:
        all_asked = records(run, system)
        for drawn in (GREEDY, SAMPLED):
            asked = [one for key, one in all_asked.items() if key[1] == drawn]
            if asked:
                found.append(_row(system, drawn, asked))
    return found


def _row(system: str, drawn: str, asked: Sequence[Asked]) -> Row:
    judged = [one for one in asked if not one.error]
    attempts = [attempt for one in judged for attempt in one.attempts]
    shown = [attempt for attempt in attempts if attempt.verdict != SILENT]
    least = min((len(one.attempts) for one in judged), default=0)
    pass_at: dict[int, Estimate] = {}
    for k in sorted({1, least} - {0}) if judged else ():
        values = [pass_at_k(one.passed, len(one.attempts), k) for one in judged]
        estimate = share([value == 1 for value in values]) if drawn == GREEDY else mean(values)
        if estimate is not None:
            pass_at[k] = estimate
    total = max(1, len(attempts))
    return Row(
        system=system,
        drawn=drawn,
        problems=len(judged),
        pass_at=pass_at,
        shares={v: sum(a.verdict == v for a in attempts) / total for v in VERDICTS},
        passed_of_shown=share([a.verdict == "passed" for a in shown]) if drawn == GREEDY else None,
        imports_to_mend=sum(bool(a.missing_imports or a.unused_imports) for a in shown) / max(1, len(shown)),
        complaints=_often(complaint_class(a.detail.partition("\n")[0]) for a in attempts if a.verdict == VERDICTS[1]),
        silences=_often(silence_class(a.detail) for a in attempts if a.verdict == SILENT),
        errors={one.problem: one.error for one in asked if one.error},
    )


def _often(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def comparisons(run: Run) -> list[str]:
    """Greedy answers, mode against mode of the same model, in sentences: what each step is worth."""
    found = []
    greedy = {s: {k[0]: a for k, a in records(run, s).items() if k[1] == GREEDY and not a.error} for s in run.systems}
    for first, second in zip(run.systems[1:], run.systems, strict=False):
        if first.rpartition(" ")[0] != second.rpartition(" ")[0]:
            continue
        both = sorted(greedy[first].keys() & greedy[second].keys())
        compared = paired([greedy[first][p].passed for p in both], [greedy[second][p].passed for p in both])
        if compared is not None:
            found.append(compared.sentence(first, second, "passes"))
    return found


def markdown(run: Run) -> str:
    """The published table of a finished run, and what it says mode against mode."""
    head = ["system", "drawn", "problems", "pass@1", "pass@k", *VERDICTS[1:], "passed of shown", "imports to mend"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row in rows(run):
        most = max(row.pass_at, default=1)
        cells = [
            row.system,
            row.drawn,
            str(row.problems),
            _estimate(row.pass_at.get(1)),
            f"k = {most}: {_estimate(row.pass_at[most])}" if most > 1 else "",
            *(f"{100 * row.shares[verdict]:.1f} %" for verdict in VERDICTS[1:]),
            _estimate(row.passed_of_shown),
            f"{100 * row.imports_to_mend:.1f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    told = [f"- {sentence}" for sentence in comparisons(run)]
    for row in rows(run):
        for what, counted in (("does not compile", row.complaints), ("silent", row.silences)):
            if counted:
                told.append(
                    f"- {row.system}, {row.drawn}, {what}: {', '.join(f'{n} {c}' for n, c in counted.items())}."
                )
    told += [
        f"- {row.system}, {row.drawn}: {len(row.errors)} left out, the first ({problem}): {' '.join(error.split())}"
        for row in rows(run)
        for problem, error in list(row.errors.items())[:1]
    ]
    return "\n".join([*lines, "", *told]) + "\n"


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return ""
    return f"{100 * found.value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def as_json(run: Run) -> dict[str, Any]:
    """All figures as one JSON object."""
    return {
        "run": str(run.directory),
        "rows": [
            {
                "system": row.system,
                "drawn": row.drawn,
                "problems": row.problems,
                "pass_at": {str(k): estimate.as_json() for k, estimate in row.pass_at.items()},
                "shares": row.shares,
                "passed_of_shown": row.passed_of_shown.as_json() if row.passed_of_shown else None,
                "imports_to_mend": row.imports_to_mend,
                "complaints": row.complaints,
                "silences": row.silences,
                "errors": row.errors,
            }
            for row in rows(run)
        ],
        "comparisons": comparisons(run),
    }
