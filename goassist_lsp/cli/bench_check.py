"""`bench check`: how long the type service takes for what a keystroke asks of it, at holes of real modules.

At each hole, in the pipeline's order: what the place wants, which names are legal there, and whether the author's text
type-checks. The first check of a package loads it and is told apart, as an editor does that when a file is opened.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import (
    add_common,
    each_module,
    milliseconds,
    print_json,
    table,
)
from goassist_lsp.types import Checker, DocumentSnapshot
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.metrics import percentile

QUESTIONS = ("check", "legal", "wanted", "first check of a package")
_LOADING_LIMIT_S = 180.0
_T = TypeVar("_T")


@dataclass(slots=True)
class Measured:
    """Milliseconds of each answer by question, places asked about, and of those how many could not be answered."""

    ms: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in QUESTIONS})
    places: int = 0
    unknown: int = 0

    def add(self, other: Measured) -> None:
        """Count what `other` counted too."""
        for name, ms in other.ms.items():
            self.ms[name] += ms
        self.places += other.places
        self.unknown += other.unknown

    def as_json(self) -> dict[str, object]:
        """All percentiles as one JSON object."""
        return {"places": self.places, "unknown": self.unknown, **{name: _figures(ms) for name, ms in self.ms.items()}}


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("check", help="milliseconds of a type check, and of what decoding and the prompt ask")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned dev modules")
    parser.add_argument("--limit", type=int, default=100, help="places in all, a quarter of each kind (default 100)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when every place was answered, 1 when one was not, or there was none."""
    found, failed = each_module(args, "places", _with_types)
    every = Measured()
    for of_module in found.values():
        every.add(of_module)
    if args.json:
        modules = {name: of_module.as_json() for name, of_module in found.items()}
        print_json({"bench": "check", "seed": args.seed, "ms": every.as_json(), "modules": modules, "failed": failed})
    else:
        _print({**found, "all": every})
    return 0 if every.places and not every.unknown else 1


def _print(found: Mapping[str, Measured]) -> None:
    rows = []
    for name, of_module in found.items():
        figures = [_figures(of_module.ms[question]) for question in QUESTIONS]
        cells = [milliseconds(one[key]) for one in figures for key in ("p50", "p95")]
        rows.append((name, of_module.places, of_module.unknown, *cells))
    columns = [label for name in (*QUESTIONS[:-1], "first check") for label in (f"{name} p50", "p95")]
    table("Milliseconds of the type service's answers", ("module", "places", "unknown", *columns), rows)


def _figures(ms: Sequence[float]) -> dict[str, float | None]:
    return {"n": len(ms), "p50": percentile(ms, 50), "p95": percentile(ms, 95)}


async def _with_types(root: Path, cases: Sequence[Case]) -> Measured:
    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    try:
        await checker.set_folders([root])
        return await measured(checker, root, cases)
    finally:
        await checker.close()


async def measured(checker: Checker, root: Path, cases: Sequence[Case]) -> Measured:
    """Ask about each case's hole in turn; raises CheckerUnavailable when there is no service."""
    found, loaded = Measured(), set[Path]()
    for case in cases:
        asked = question(case, root)
        snapshot = DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text)
        at = asked.offset
        if asked.path.parent not in loaded:
            loaded.add(asked.path.parent)
            await _timed(checker.check(snapshot, at, at, ("",)), found.ms["first check of a package"])
        await _timed(checker.wanted(snapshot, at), found.ms["wanted"])
        await _timed(checker.legal(snapshot, at, ""), found.ms["legal"])
        (verdict,) = await _timed(checker.check(snapshot, at, at, (case.truth,)), found.ms["check"])
        found.places += 1
        found.unknown += verdict.status == "unknown"
    return found


async def _timed(answer: Awaitable[_T], ms: list[float]) -> _T:
    begun = time.perf_counter()
    value = await answer
    ms.append((time.perf_counter() - begun) * 1e3)
    return value
