"""What `eval history` prints: what each model with each setting was worth, and in plain words which serves best.

Made from a finished run alone. The rule: of the combinations that are better than the defaults beyond noise the one
worth most; when there is none, the defaults.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from goassist_lsp.cli.bench_report import milliseconds, print_json, progress, table
from goassist_lsp.settings import wire_name
from goassist_models.evaluate.example import Example
from goassist_models.evaluate.metrics import percentile
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.usefulness import FEWEST_CASES, Difference, difference, keys, usefulness

_COLUMNS = (
    *("model and settings", "answered", "failed", "shown %", "first line right %", "compiles, of shown %"),
    *("wrong, of shown %", "keys saved a place", "of 100 keys", "p50 ms"),
)
# How much sooner at the median an answer must come that it is worth a word.
_QUICKER = 0.75


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination that is asked: a model by name, and the settings in which it differs from the others."""

    name: str
    model: str
    context_tokens: int
    check_types: bool

    def settings(self) -> str:
        """How a person sets it."""
        told = {"model": self.model, "context_tokens": self.context_tokens, "check_types": self.check_types}
        return ", ".join(f"goassist.{wire_name(name)} = {json.dumps(value)}" for name, value in told.items())

    def as_json(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Advice:
    """What is recommended: a cell's name (None: nothing can be said), and why, sentence by sentence."""

    cell: str | None
    sentences: tuple[str, ...]
    differences: Mapping[str, Difference]


def show(run: Run, *, as_json: bool) -> int:
    """Print a run's table and what follows from it. Exit status 1 when nobody answered."""
    cells = [Cell(**cell) for cell in run.header["cells"]]
    found = {cell.name: answered(run, cell.name) for cell in cells}
    if not any(found.values()):
        progress.print(f"nobody answered; what went wrong is in {run.directory}", style="red", markup=False)
        return 1
    advice = advise(cells, found)
    if as_json:
        print_json(_as_json(run, cells, found, advice))
        return 0
    title = f"{len(run.header['cases'])} places in {run.header['looked_at']} commits of your history"
    table(title, _COLUMNS, [_row(run, cell.name, found[cell.name]) for cell in cells])
    print()
    for sentence in advice.sentences:
        print(sentence)
    if run.header["discarded"]:
        print("\nFiles left out: " + ", ".join(f"{why} ({count})" for why, count in run.header["discarded"].items()))
    for system, error in run.header.get("given_up", {}).items():
        print(f"Given up: {system}: {error}")
    print(f"Each place and answer: {run.directory}")
    return 0


def answered(run: Run, system: str) -> dict[str, Example]:
    """Scored examples of the run's present cases by key, without those in which the system failed."""
    return {
        e.case.key: e
        for e in run.examples(system)
        if e.case.key in run.header["cases"] and e.answer and e.scores and not e.answer.error
    }


def advise(cells: Sequence[Cell], found: Mapping[str, Mapping[str, Example]]) -> Advice:
    """Which of `cells` serves best, by their examples; the first of them is what it is now."""
    now, others = cells[0], cells[1:]
    defaults = f"the defaults ({now.settings()})"
    differences: dict[str, Difference] = {}
    for cell in others:
        told = difference(found[cell.name], found[now.name], max(1, len(others)))
        if told is not None:
            differences[cell.name] = told
    worth = _worth(found[now.name])
    said = [] if worth is None else [_said_of_defaults(worth, found[now.name])]
    most = max((told.cases for told in differences.values()), default=len(found[now.name]))
    if not found[now.name]:
        return Advice(None, ("The defaults could not be measured: nothing can be compared with them.",), differences)
    if most < FEWEST_CASES:
        why = f"{most} places are too few to recommend anything (at least {FEWEST_CASES}): stay with {defaults}."
        return Advice(None, (*said, why), differences)
    enough = {name: told for name, told in differences.items() if told.cases >= FEWEST_CASES}
    better = {name: told for name, told in enough.items() if told.verdict == "better"}
    if not better:
        said.append(_stay(enough, defaults))
    else:
        best = next(cell for cell in others if cell.name == max(better, key=lambda name: better[name].mean))
        said.append(f"Use {best.settings()}: {_apart(better[best.name])} than the defaults.")
        said.append(_times(best.name, found))
    said += _quicker(now, {name for name in enough if enough[name].verdict == "within noise"}, found)
    return Advice(best.name if better else now.name, tuple(said), differences)


def _said_of_defaults(worth: float, examples: Mapping[str, Example]) -> str:
    typed = sum(keys(e.case.truth) for e in examples.values()) / len(examples)
    if worth <= 0:
        return f"With the defaults, reading cost more than suggestions saved ({worth:+.1f} keys a place)."
    return f"With the defaults, suggestions saved {worth:.1f} of the {typed:.1f} keys that a place took."


def _stay(differences: Mapping[str, Difference], defaults: str) -> str:
    worse = [name for name, told in differences.items() if told.verdict == "worse"]
    noise = "All differences are within noise" if not worse else f"Worse beyond noise: {'; '.join(worse)}"
    between = "" if not worse or len(worse) == len(differences) else "; all other differences are within noise"
    return f"{noise}{between}: stay with {defaults}."


def _apart(told: Difference) -> str:
    sure = f"95 % interval of {told.comparisons} comparisons together" if told.comparisons > 1 else "95 % interval"
    return f"{told.mean:+.1f} keys a place [{told.low:+.1f}, {told.high:+.1f}; {sure}, {told.cases} places]"


def _times(name: str, found: Mapping[str, Mapping[str, Example]]) -> str:
    p50s_ms = [_p50_ms(found[which]) for which in (name, next(iter(found)))]
    own, now = (milliseconds(value) for value in p50s_ms)
    return f"At a new place it answers in {own} ms at the median, the defaults in {now} ms."


def _quicker(now: Cell, alike: set[str], found: Mapping[str, Mapping[str, Example]]) -> list[str]:
    """What is much quicker and not known to be worse: the person may prefer it."""
    current_ms = _p50_ms(found[now.name]) or 0.0
    said = []
    for name in sorted(alike):
        own_ms = _p50_ms(found[name])
        if own_ms is not None and own_ms < _QUICKER * current_ms:
            said.append(
                f"Quicker, and no worse as far as these places can tell: {name} ({milliseconds(own_ms)} ms at the "
                f"median, against {milliseconds(current_ms)})."
            )
    return said


def _worth(examples: Mapping[str, Example]) -> float | None:
    worths = [worth for e in examples.values() if (worth := usefulness(e)) is not None]
    return sum(worths) / len(worths) if worths else None


def _p50_ms(examples: Mapping[str, Example]) -> float | None:
    return percentile([e.answer.ms for e in examples.values() if e.answer], 50)


def figures(run: Run, system: str, found: Mapping[str, Example]) -> dict[str, Any]:
    """What a system was worth; shares are 0 to 1 and None where there was nothing to share."""
    from goassist_models.evaluate.report.statistics import mean, median

    examples = list(found.values())
    scores = [e.scores for e in examples if e.scores]
    shown = [s for s in scores if s.shown]
    judged = [s.compiles for s in shown if s.compiles is not None]
    worths = [saved for e in examples if (saved := usefulness(e)) is not None]
    typed = sum(keys(e.case.truth) for e in examples)
    worth, p50_ms = mean(worths), median([e.answer.ms for e in examples if e.answer])
    return {
        "answered": len(examples),
        "failed": sum(bool(e.answer and e.answer.error) for e in run.examples(system)),
        "kinds": dict(Counter(e.case.kind for e in examples)),
        "shown": _share([s.shown for s in scores]),
        "first_line_right": _share([s.first_line_exact for s in scores]),
        "compiles_of_shown": _share([bool(compiles) for compiles in judged]),
        "wrong_of_shown": _share([not s.first_line_exact for s in shown]),
        "keys_saved_a_place": worth.as_json() if worth else None,
        "keys_saved_of_all": sum(worths) / typed if typed else None,
        "p50_ms": p50_ms.as_json() if p50_ms else None,
    }


def _share(outcomes: Sequence[bool]) -> float | None:
    return sum(outcomes) / len(outcomes) if outcomes else None


def _row(run: Run, name: str, found: Mapping[str, Example]) -> tuple[object, ...]:
    of = figures(run, name, found)
    worth, p50_ms = of["keys_saved_a_place"], of["p50_ms"]
    shares = ("shown", "first_line_right", "compiles_of_shown", "wrong_of_shown")
    return (
        *(name, of["answered"], of["failed"]),
        *(None if of[share] is None else f"{100 * of[share]:.0f}" for share in shares),
        worth and f"{worth['value']:+.1f} [{worth['low']:+.1f}, {worth['high']:+.1f}]",
        None if of["keys_saved_of_all"] is None else f"{100 * of['keys_saved_of_all']:+.1f}",
        p50_ms and milliseconds(p50_ms["value"]),
    )


def _as_json(
    run: Run, cells: Sequence[Cell], found: Mapping[str, Mapping[str, Example]], advice: Advice
) -> dict[str, Any]:
    differences = {name: {**asdict(told), "verdict": told.verdict} for name, told in advice.differences.items()}
    return {
        "task": "history",
        "run": str(run.directory),
        "arguments": run.header["arguments"],
        "cases": len(run.header["cases"]),
        "commits": run.header["looked_at"],
        "discarded": run.header["discarded"],
        "given_up": run.header.get("given_up", {}),
        "compared_with": cells[0].name,
        "systems": {cell.name: {**cell.as_json(), **figures(run, cell.name, found[cell.name])} for cell in cells},
        "against_defaults": differences,
        "recommended": advice.cell,
        "why": list(advice.sentences),
    }
