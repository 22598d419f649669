"""A run's figures as one JSON value, and as Markdown tables made from it.

`summary` is what docs/results.md is made from; it needs no model and no compiler, only the run's directory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goassist_index.errors import GoassistError
from goassist_models.evaluate.report import measures
from goassist_models.evaluate.report.statistics import p_text
from goassist_models.evaluate.runs import Run

Figure = Mapping[str, Any] | None

_GROUPS = {
    "kind": "By kind of hole",
    "role": "By what is taken out",
    "slice": "By slice",
    "age": "Functions newer than the models' training, and others",
    "dependency": "By module that the truth refers to",
    "dependency_year": "By year of that module's version",
}
SHOWN = {"shown": "shown"}
GROUP_MEASURES = {"compiles_of_shown": "compiles, of shown", "first_line": "first line right, of all"}
_MEASURES = {"first_line": "first line right", "exact": "exact", "compiles_and_shown": "shown and compiles"}
_KIND_ORDER = ("line", "expression", "block", "body")


def summary(run: Run, against: str | None = None) -> dict[str, Any]:
    """All figures of a run; `against` is the system that the others are paired with, the first when None.

    Shares are 0 to 1, times in ms or s, each as {"value", "low", "high", "n"} with a 95 % interval.
    Raises GoassistError when the run has no answer, or `against` is not among the compared systems.
    """
    table = measures.frame({system: run.examples(system) for system in run.systems})
    if table.empty:
        raise GoassistError("nothing was asked in this run", path=str(run.directory), cure="Run the evaluation first")
    comparison = measures.compare(table, run.systems)
    if against is not None and against not in comparison.systems:
        raise GoassistError(
            f"no compared system is called {against!r}", cure=f"Name one of {', '.join(comparison.systems) or 'none'}"
        )
    base = against or next(iter(comparison.systems), "")
    found = {
        "task": run.header["task"],
        "arguments": run.header["arguments"],
        "machine": run.header.get("machine", {}),
        "versions": run.header.get("versions", {}),
        "failed_modules": run.header.get("failed_modules", []),
        "given_up": run.header.get("given_up", {}),
        "systems": {system: run.header["systems"][system] for system in run.systems},
        "cases": {
            "asked": comparison.asked,
            "compared": comparison.compared,
            "left_out": comparison.left_out,
            "apart": dict(comparison.apart),
        },
        "figures": {system: measures.figures(comparison.of(system)) for system in comparison.systems},
        "failures": {system: measures.failures(table, system) for system in run.systems},
        "groups": {by: measures.groups(comparison, by) for by in _GROUPS},
        "stages": measures.stages(comparison),
        "paired": {"base": base, "systems": measures.against(comparison, base) if base else {}},
        "silent_because": measures.counts(comparison, "silence"),
        "first_complaint": measures.counts(comparison, "complaint"),
    }
    plain: dict[str, Any] = measures.as_json(found)
    return plain


def markdown(run: Run, against: str | None = None) -> str:
    """All tables of a run as Markdown. Raises as `summary` does."""
    return markdown_of(summary(run, against))


def markdown_of(figures: Mapping[str, Any]) -> str:
    """All tables of a summary as Markdown."""
    notes = "\n\n".join(map(_escaped, notes_of(figures))) + "\n"
    return "\n".join((notes, *map(_drawn, tables_of(figures))))


@dataclass(frozen=True, slots=True)
class Table:
    """A table as plain text, nothing escaped: `rows` have as many cells as `columns`, the first names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(figures: Mapping[str, Any]) -> list[Table]:
    """All tables of a summary that have a row, the most important first."""
    found = [_main(figures), _failures(figures), _paired(figures)]
    found += [table for by, title in _GROUPS.items() for table in _group(figures, by, title)]
    found += [
        _counts(figures["silent_because"], "Why silent", "reason"),
        _counts(figures["first_complaint"], "The compiler's first complaint, of what does not compile", "complaint"),
        _stages(figures),
        _about(figures),
    ]
    return [table for table in found if table.rows]


def notes_of(figures: Mapping[str, Any]) -> list[str]:
    """What a reader of the tables must know: which cases they are about, what is missing, what was measured on."""
    cases, machine = figures["cases"], figures["machine"]
    lines = [f"{cases['compared']} cases that all compared systems answered; {cases['left_out']} left out."]
    lines += [
        f"{system} answered {answered} of {cases['asked']} and stands apart: it is in no table but that of failures."
        for system, answered in cases["apart"].items()
    ]
    lines += [f"{system} was given up: {words}" for system, words in figures["given_up"].items()]
    lines += [f"Not measured: {failed['module']}: {failed['why']}" for failed in figures["failed_modules"]]
    lines.append("In brackets: 95 % intervals (bootstrap over holes; exact below 20 holes or where all are alike).")
    if machine:
        lines.append(f"Measured on {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB memory.")
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return [*lines, *([f"Versions: {versions}."] if versions else [])]


def _main(figures: Mapping[str, Any]) -> Table:
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "holes": lambda f: str(f["holes"]),
        "shown": lambda f: percent(f["shown"]),
        "compiles, of shown": lambda f: percent(f["compiles_of_shown"]),
        "compiles, of all": lambda f: percent(f["compiles_of_all"]),
        "right import, of all": lambda f: percent(f["import_right"]),
        "wrong import, of all": lambda f: percent(f["import_wrong"]),
        "first line right, of all": lambda f: percent(f["first_line"]),
        "exact, of all": lambda f: percent(f["exact"]),
        "edit similarity": lambda f: number(f["edit_similarity"], 2),
        "prefix right": lambda f: percent(f["prefix_right"]),
        "p50 ms of shown": lambda f: number(f["ms_p50"], 0),
        "p90 ms of shown": lambda f: number(f["ms_p90"], 0),
        "CPU s a request": lambda f: number(f["cpu_s"], 2),
        "tokens read": lambda f: number(f["read_tokens"], 0),
        "tokens generated": lambda f: number(f["generated_tokens"], 0),
    }
    if all(f["import_right"] is None for f in figures["figures"].values()):  # no hole needs one
        del columns["right import, of all"], columns["wrong import, of all"]
    rows = [(system, *(cell(f) for cell in columns.values())) for system, f in figures["figures"].items()]
    return Table("Systems", ("system", *columns), tuple(rows))


def _failures(figures: Mapping[str, Any]) -> Table:
    rows = []
    for system, found in figures["failures"].items():
        words = [f"{count} times: {said}" for counted in found["words"].values() for said, count in counted.items()]
        numbers = [str(found[name]) for name in ("asked", "errors", "unjudged", "unscored")]
        rows.append((system, *numbers, "; ".join(words[:3]) or "-"))
    columns = ("system", "asked", "system failed", "not judged", "not scored", "in its words")
    return Table("Failures, counted apart and in no share above", columns, tuple(rows))


def _paired(figures: Mapping[str, Any]) -> Table:
    base, systems = figures["paired"]["base"], figures["paired"]["systems"]
    rows = []
    for system, compared in systems.items():
        for measure, title in _MEASURES.items():
            pair = compared[measure]
            if pair is None:
                rows.append((system, title, "0", "-", "-", "-", "-", "nothing to compare"))
                continue
            difference = "{difference:+.1f} ({low:+.1f} to {high:+.1f})".format(
                **{name: 100 * pair[name] for name in ("difference", "low", "high")}
            )
            numbers = [str(pair[name]) for name in ("gained", "lost")]
            rows.append((system, title, str(pair["n"]), difference, *numbers, p_text(pair["p"]), pair["verdict"]))
    columns = ("system", "measure", "cases", "difference, points", "alone", f"{base} alone", "McNemar p", "verdict")
    return Table(f"Each against {base}, on the same cases", columns, tuple(rows))


def _group(figures: Mapping[str, Any], by: str, title: str) -> list[Table]:
    groups, systems = figures["groups"][by], list(figures["figures"])
    if not groups or not systems:
        return []
    names = sorted(groups, key=lambda name: (_KIND_ORDER.index(name) if name in _KIND_ORDER else 99, name))
    return [
        Table(
            f"{title}: {told}",
            (by.replace("_", " "), "cases", *systems),
            tuple(
                (name, str(groups[name][systems[0]]["holes"]), *(percent(groups[name][s][measure]) for s in systems))
                for name in names
            ),
        )
        for measure, told in (SHOWN | GROUP_MEASURES if by == "kind" else GROUP_MEASURES).items()
    ]


def _counts(counted: Mapping[str, Mapping[str, int]], title: str, column: str) -> Table:
    systems = tuple(next(iter(counted.values()), {}))
    return Table(title, (column, *systems), tuple((word, *map(str, by.values())) for word, by in counted.items()))


def _stages(figures: Mapping[str, Any]) -> Table:
    """A system that shares what it has generated with another spends nothing on that: its other stages are its own."""
    found = figures["stages"]
    systems = [system for system in figures["figures"] if any(system in by for by in found.values())]
    rows = [
        (stage, *("{p50:.1f} / {p95:.1f}".format(**by[s]) if s in by else "-" for s in systems))
        for stage, by in found.items()
    ]
    return Table("Milliseconds by stage, p50 / p95", ("stage", *systems), tuple(rows))


def _about(figures: Mapping[str, Any]) -> Table:
    rows = [(s, "; ".join(f"{k}: {v}" for k, v in about.items()) or "-") for s, about in figures["systems"].items()]
    return Table("What the systems are", ("system", "about"), tuple(rows))


def percent(figure: Figure) -> str:
    """A share as "45 % (37-53)"."""
    if figure is None:
        return "-"
    value, low, high = (f"{100 * figure[name]:.0f}" for name in ("value", "low", "high"))
    return f"{value} % ({low}-{high})"


def number(figure: Figure, digits: int) -> str:
    """A figure with its interval."""
    if figure is None:
        return "-"
    value, low, high = (f"{figure[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} ({low}-{high})"


def _drawn(table: Table) -> str:
    """Markdown: the title, the cells escaped."""
    # Words read from the left, figures from the right.
    kinds = ["---" if any(row[at][:1].isalpha() for row in table.rows) else "--:" for at in range(len(table.columns))]
    lines = [f"### {_escaped(table.title)}", "", _line(table.columns), f"|{'|'.join(kinds)}|", *map(_line, table.rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(_escaped(str(cell)) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Words of others as plain text of one line."""
    text = " ".join(text.split())
    for character in "\\`*_[]|":
        text = text.replace(character, f"\\{character}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
