"""`eval report`: a run's tables and page, made anew from what is on disk, without any model."""

from __future__ import annotations

import argparse
import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.bench_report import open_module, progress
from goassist_models.evaluate.example import Example
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.modules import named_module
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.scores import score

_LIBRARIES = ("jinja2", "pandas", "plotly", "rapidfuzz", "scipy")
_JUDGE_THREADS = 2


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("report", help="tables and page of a run that is on disk; asks no model")
    parser.add_argument("directory", type=Path, metavar="DIR", help="the run's --out")
    parser.add_argument(
        "--against", metavar="SYSTEM", help="compare the others with this one (default: the run's first)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="the page (default: report.html in DIR)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of tables")
    parser.add_argument("--rescore", action="store_true", help="compile and compare all answers again first")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there was something to report."""
    need_libraries()
    the_run = Run.read(args.directory)
    if args.rescore:
        rescore(the_run)
    page = args.out or args.directory / "report.html"
    publish(the_run, page, against=args.against, markdown=args.markdown, as_json=args.json)
    return 0


def need_libraries() -> None:
    """Raise ConfigError when a library of the extra `eval` is not installed, before anything is measured."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"reports need {', '.join(missing)}", cure="Install them: pip install 'goassist-lsp[eval]'")


def publish(
    the_run: Run, page: Path, *, against: str | None = None, markdown: Path | None = None, as_json: bool = False
) -> None:
    """Print a run's tables (or JSON) and write its page; raises GoassistError when there is nothing to report."""
    from goassist_models.evaluate.report.page import write_page
    from goassist_models.evaluate.report.tables import markdown_of, summary

    figures = summary(the_run, against)
    tables = markdown_of(figures)
    write_page(the_run, page, against, copies(the_run))
    if markdown is not None:
        try:
            markdown.write_text(tables, encoding="utf-8")
        except OSError as error:
            raise GoassistError(f"the tables cannot be written ({error.strerror})", path=str(markdown)) from error
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        print(tables)
    progress.print(f"page: {page}", markup=False)


def copies(the_run: Run) -> dict[str, Path]:
    """Directories of the run's modules that are here already, by name; nothing is fetched."""
    names = {example.case.module for system in the_run.systems for example in the_run.examples(system)}
    places = {
        name: Path(name) if Path(name).is_absolute() else cache_dir() / "bench" / "modules" / name for name in names
    }
    return {name: place for name, place in places.items() if place.is_dir()}


def rescore(the_run: Run) -> None:
    """Score every answer of the run anew. Where the module or the case's file cannot be had, the scores stay."""
    judges: dict[str, CompileJudge | None] = {}
    for system in the_run.systems:
        found = the_run.examples(system)
        for name in sorted({example.case.module for example in found} - judges.keys()):
            judges[name] = _judge(name)
        with progress.status(f"{system}: {len(found)} answers"), ThreadPoolExecutor(_JUDGE_THREADS) as threads:
            scored = list(threads.map(lambda e: _rescored(e, judges[e.case.module]), found))
        if scored:
            the_run.rewrite(system, scored)


def _judge(name: str) -> CompileJudge | None:
    try:
        with progress.status(f"{name}: fetching and building"):
            _, judge = open_module(named_module(name))
    except GoassistError as error:
        progress.print(f"its answers keep their scores: {error}", style="red", markup=False)
        return None
    return judge


def _rescored(example: Example, judge: CompileJudge | None) -> Example:
    if judge is None or example.answer is None:
        return example
    try:
        asked = question(example.case, judge.directory)
    except GoassistError as error:
        progress.print(f"an answer keeps its scores: {error}", style="red", markup=False)
        return example
    return replace(example, scores=score(example.case, asked, example.answer, judge))
