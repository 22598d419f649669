"""`eval results`: the published page, its tables made anew from finished runs; the prose between them stays."""

from __future__ import annotations

import argparse
import importlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_models.evaluate.runs import Run

# Modules of this package by the task that a run's header names; each has `markdown(run) -> str`.
SECTIONS = {
    "infill": "infill",
    "typing": "typing",
    "humaneval-x": "humaneval",
    "perplexity": "perplexity",
    "lint": "lint",
    "search": "search",
}
_PAGE = Path("docs/results.md")


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("results", help="write the tables of finished runs into docs/results.md")
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="[SECTION=]DIR",
        help="directories of runs (their --out); the section of the page is the run's task, or the one given",
    )
    parser.add_argument("--write", type=Path, default=_PAGE, metavar="FILE", help=f"the page (default {_PAGE})")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when every run has its place on the page; else nothing is written."""
    try:
        page = args.write.read_text(encoding="utf-8")
    except OSError as error:
        raise GoassistError(f"the page cannot be read ({error.strerror})", path=str(args.write)) from error
    for argument in args.runs:
        section, _, directory = argument.rpartition("=")
        the_run = Run.read(Path(directory))
        task = the_run.header["task"]
        if task not in SECTIONS:
            raise GoassistError(f"runs of {task!r} have no place on the page", path=directory)
        tables = importlib.import_module(f"goassist_lsp.cli.eval.{SECTIONS[task]}").markdown(the_run)
        text = f"{tables.strip()}\n\n{footnote(the_run.header)}"
        page = replaced(page, section or task, text, args.write)
    scratch = args.write.with_suffix(f".{os.getpid()}.new")
    scratch.write_text(page, encoding="utf-8")
    scratch.replace(args.write)
    print(f"wrote {args.write}")
    return 0


def replaced(page: str, section: str, text: str, path: Path) -> str:
    """`page` with `text` between the marks of `section`. Raises GoassistError where the marks are missing."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise GoassistError(
            f"the page has no place for {section}", path=str(path), cure=f"Add the lines {begin} and {end}"
        )
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"


def footnote(header: Mapping[str, Any]) -> str:
    """One small paragraph: the machine, the versions, the arguments of a run."""
    machine, versions = header["machine"], header["versions"]
    arguments = ", ".join(f"{name} {_shown(value)}" for name, value in header["arguments"].items())
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    return f"<sub>{where}. {told}. Arguments: {arguments}.</sub>"


def _shown(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value))
    return re.sub(r"\s+", " ", str(value))
