"""What the benches share on the terminal: modules from arguments, tables on standard output, JSON when asked."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.gotools import list_packages
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import infill_cases, share_out
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.keystrokes import TypedBody, bodies_of, typed_bodies
from goassist_models.evaluate.modules import ModuleSpec, named_module, pinned_modules, prepare

_T = TypeVar("_T")

progress = Console(stderr=True, highlight=False)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every bench has."""
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of a table")
    parser.add_argument("--seed", type=int, default=1, help="seed of the choice of cases (default 1)")


def chosen_modules(arguments: Sequence[str], default: Callable[[ModuleSpec], bool]) -> list[ModuleSpec]:
    """Modules named on the command line, or those of the pinned list that `default` takes."""
    if arguments:
        return [named_module(argument) for argument in arguments]
    return [spec for spec in pinned_modules() if default(spec)]


def open_module(spec: ModuleSpec) -> tuple[Path, CompileJudge]:
    """Working copy and judge of a module. Raises GoassistError when it cannot be had or built."""
    directory = prepare(spec, cache_dir())
    judge = CompileJudge.open(directory)
    if not judge.packages:
        raise GoassistError("no package of it can be built here", path=spec.name)
    return directory, judge


def each_module(
    args: argparse.Namespace, things: str, work: Callable[[Path, list[Case]], Coroutine[Any, Any, _T]]
) -> tuple[dict[str, _T], list[dict[str, str]]]:
    """What `work` finds at `args.limit` holes of the modules, by module, and those that cannot be had, with why.

    `work` is given a module's directory and its cases; `things` is what to call those to whoever waits.
    """
    specs = chosen_modules(args.modules, lambda spec: spec.split == "dev")
    shares = share_out(args.limit, [spec.name for spec in specs])
    found: dict[str, _T] = {}
    failed: list[dict[str, str]] = []
    for spec in specs:
        try:
            with progress.status(f"{spec.name}: fetching and building"):
                _, judge = open_module(spec)
                cases = infill_cases(judge, spec.name, shares[spec.name], args.seed, frozenset())
            with progress.status(f"{spec.name}: {len(cases)} {things}"):
                found[spec.name] = asyncio.run(work(judge.directory, cases))
        except GoassistError as error:
            progress.print(f"left out: {error}", style="red", markup=False)
            failed.append({"module": spec.name, "why": str(error)})
    return found, failed


def chosen_bodies(args: argparse.Namespace, *, copies: bool = True) -> list[TypedBody]:
    """`args.bodies` function bodies of `args.modules`, by default the pinned dev modules; `copies`: see typed_bodies.

    Raises GoassistError when there is none, or a module cannot be had.
    """
    sources = []
    for spec in chosen_modules(args.modules, lambda spec: spec.split == "dev"):
        with progress.status(f"{spec.name}: fetching"):
            directory = prepare(spec, cache_dir())
            judge = CompileJudge(directory, list_packages(directory, ["./..."], export=False), {})
            sources.append(typed_bodies(judge, args.seed, module=spec.name, copies=copies))
    bodies = list(islice(bodies_of(*sources), args.bodies))
    if not bodies:
        raise GoassistError("there is no function body to type in these modules")
    return bodies


def kept_lines(path: Path) -> list[str]:
    """The lines of a file that grows line by line, none where it is not there; one that was not finished is cut off."""
    if not path.is_file():
        return []
    whole, _, unfinished = path.read_text(encoding="utf-8").rpartition("\n")
    if unfinished:
        path.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    return whole.split("\n") if whole else []


def write_lines(path: Path, values: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines, the directory made when needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def print_json(value: object) -> None:
    """Print one JSON value on standard output."""
    print(json.dumps(value, indent=2))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on standard output; the first column is left-aligned, numbers to the right."""
    print(title)
    drawn = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        drawn.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*("-" if cell is None else str(cell) for cell in row))
    # A pipe has no width: wide enough that nothing is cut.
    Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160).print(drawn)


def milliseconds(value: float | None) -> str:
    """One figure for a table: tenths below 100 ms."""
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"
