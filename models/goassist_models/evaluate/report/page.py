"""One HTML page of a run: tables, plots, and every case to look at. It works offline and asks no other address.

What comes from Go files, models and servers is text there, never markup: jinja2 escapes it, and the page's own
policy forbids it to fetch anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Case, Example
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.report import measures, plots
from goassist_models.evaluate.report.tables import notes_of, summary, tables_of
from goassist_models.evaluate.runs import Run

LINES_BEFORE = 20
LINES_BEHIND = 8
_TEMPLATE = "page.html.jinja"


@dataclass(frozen=True, slots=True)
class _Said:
    """What one system said to a case."""

    system: str
    outcome: str
    text: str
    facts: str
    words: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """A case as the page shows it. `before` and `behind` are "" where the module's copy is not there."""

    case: Case
    before: str
    behind: str
    said: tuple[_Said, ...]

    @property
    def outcomes(self) -> str:
        """Names of system and outcome, for the filter."""
        return "\n".join(f"{said.system}\t{said.outcome}" for said in self.said)


def write_page(run: Run, path: Path, against: str | None = None, directories: Mapping[str, Path] | None = None) -> None:
    """Write the page of a run to `path`. `directories` are pristine copies of modules, by `Case.module`.

    A case of a module that has no copy is shown without what stands around it. Raises as `summary` does, and
    GoassistError when the file cannot be written.
    """
    text = page(run, against, directories)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise GoassistError(f"the page cannot be written ({error.strerror})", path=str(path)) from error


def page(run: Run, against: str | None = None, directories: Mapping[str, Path] | None = None) -> str:
    """The page as text; see `write_page`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    figures = summary(run, against)
    examples = {system: run.examples(system) for system in run.systems}
    comparison = measures.compare(measures.frame(examples), run.systems)
    drawn = plots.figures(comparison, figures)
    cases = _cases(examples, directories or {})
    environment = Environment(
        loader=PackageLoader("goassist_models.evaluate", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(
        title=f"goassist eval {figures['task']}",
        notes=notes_of(figures),
        tables=tables_of(figures),
        plots=list(drawn),
        plots_json=[_script_json(figure.to_json()) for figure in drawn.values()],
        plotly_js=get_plotlyjs(),
        cases=cases,
        kinds=sorted({shown.case.kind for shown in cases}),
        slices=sorted({name for shown in cases for name in shown.case.slices}),
        modules=sorted({shown.case.module for shown in cases}),
        systems=run.systems,
        outcomes=[name for name in measures.OUTCOMES if any(s.outcome == name for c in cases for s in c.said)],
    )


def _cases(examples: Mapping[str, list[Example]], directories: Mapping[str, Path]) -> list[_Shown]:
    by_case: dict[str, dict[str, Example]] = {}
    for system, found in examples.items():
        for example in found:
            by_case.setdefault(example.case.key, {})[system] = example
    shown = []
    for answers in by_case.values():
        case = next(iter(answers.values())).case
        before, behind = _around(case, directories.get(case.module))
        shown.append(_Shown(case, before, behind, tuple(_said(example) for example in answers.values())))
    return sorted(shown, key=lambda s: (s.case.module, s.case.file, s.case.start))


def _around(case: Case, directory: Path | None) -> tuple[str, str]:
    """Twenty lines before the hole, its own among them, and eight behind, its own again."""
    if directory is None:
        return "", ""
    try:
        asked = question(case, directory)
    except (GoassistError, OSError, ValueError):
        return "", ""  # the copy is gone, or another version: the truth alone is shown
    before = asked.text[: asked.offset].split("\n")[-LINES_BEFORE:]
    behind = asked.text[asked.offset :].split("\n")[:LINES_BEHIND]
    return "\n".join(before), "\n".join(behind)


def _said(example: Example) -> _Said:
    answer, scores = example.answer, example.scores
    outcome = measures.outcome(example)
    facts: list[str] = []
    words = ""
    if answer is not None:
        facts = [f"{answer.ms:.0f} ms"]
        facts += [f"{answer.cpu_s:.2f} CPU s"] if answer.cpu_s is not None else []
        facts += [f"{answer.read_tokens} tokens read"] if answer.read_tokens is not None else []
        facts += [f"{answer.generated_tokens} generated"] if answer.generated_tokens is not None else []
        facts += [f"sure to {math.exp(answer.mean_logprob):.2f}"] if answer.mean_logprob is not None else []
        words = answer.error or answer.silent_because
    if scores is not None and not words:
        words = scores.judge or scores.unjudged
        if scores.shown:
            facts.append(f"similar to {scores.edit_similarity:.2f}")
        if scores.compiles and scores.compiles_bare is False:
            facts.append("compiles with its imports alone")
    text = scores.inserted if scores is not None else answer.edits[0].text if answer and answer.edits else ""
    return _Said(example.system, outcome, text, ", ".join(facts), words)


def _script_json(text: Any) -> str:
    """JSON that may stand in a script element: no character of it can end the element."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return str(text)
