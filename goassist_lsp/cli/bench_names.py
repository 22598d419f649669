"""`bench names`: whether decoding held to names would let real code pass, and what its questions cost.

The author's text of holes in real modules is said piece by piece to the guide (generate/names.py), as a model would
say it; what it refuses of that is refused wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.verdict import LegalNames
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import (
    add_common,
    each_module,
    milliseconds,
    print_json,
    table,
    write_lines,
)
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate.names import NameGuide
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.metrics import percentile

_LOADING_LIMIT_S = 180.0
_PIECE = re.compile(r"[ \t]*\w{1,5}|\W")  # words in parts, as a model's tokens may be


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one truth: what was refused of it, each with the text before it, and each question's milliseconds.

    `known` counts the questions that had an answer.
    """

    case: Case
    refused: tuple[str, ...]
    known: int
    ms: tuple[float, ...]


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("names", help="what decoding held to names refuses of real code, and what it costs")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned dev modules")
    parser.add_argument("--limit", type=int, default=200, help="truths in all, a quarter of each kind (default 200)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what came of each truth to this JSONL file")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when nothing was refused, 1 when something was, or no truth could be said."""
    found, failed = each_module(args, "truths", _said)
    every = [outcome for of_module in found.values() for outcome in of_module]
    out = args.out or cache_dir() / "bench" / "names.jsonl"
    write_lines(out, (asdict(outcome) for outcome in every))
    rows = [*found.items(), ("all", every)]
    if args.json:
        figures = {name: _figures(outcomes) for name, outcomes in rows}
        print_json({"bench": "names", "seed": args.seed, "modules": figures, "failed": failed, "truths": str(out)})
    else:
        columns = ("module", "truths", "refused", "questions", "with an answer", "p50 ms", "p95 ms")
        table("Real code, held to names", columns, [(name, *map(_cell, _figures(o).values())) for name, o in rows])
        for outcome in every:
            for refused in outcome.refused:
                print(f"refused in {outcome.case.module} {outcome.case.file} {outcome.case.function}: {refused!r}")
    return 0 if every and not any(outcome.refused for outcome in every) else 1


def _figures(outcomes: list[Outcome]) -> dict[str, float | int | None]:
    ms = [one for outcome in outcomes for one in outcome.ms]
    return {
        "truths": len(outcomes),
        "refused": sum(bool(outcome.refused) for outcome in outcomes),
        "questions": len(ms),
        "known": sum(outcome.known for outcome in outcomes),
        "p50_ms": percentile(ms, 50),
        "p95_ms": percentile(ms, 95),
    }


def _cell(value: float | int | None) -> str:
    return str(value) if isinstance(value, int) else milliseconds(value)


async def _said(root: Path, cases: list[Case]) -> list[Outcome]:
    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    try:
        await checker.set_folders([root])
        return [await _one(checker, root, case) for case in cases]
    finally:
        await checker.close()


async def _one(checker: TypeChecker, root: Path, case: Case) -> Outcome:
    asked, loop = question(case, root), asyncio.get_running_loop()
    snapshot = DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text)
    await checker.check(snapshot, asked.offset, asked.offset, ("",))  # as in an editor: the package is loaded
    ms: list[float] = []
    known: list[LegalNames] = []

    def ask(said: str) -> LegalNames | None:
        begun = time.perf_counter()
        legal = asyncio.run_coroutine_threadsafe(checker.legal(snapshot, asked.offset, said), loop).result()
        ms.append((time.perf_counter() - begun) * 1e3)
        if legal is not None:
            known.append(legal)
        return legal

    guide = NameGuide(context_at(snapshot, asked.offset), ask)
    refused = await asyncio.to_thread(_refused, guide, case.truth)
    return Outcome(case, tuple(refused), len(known), tuple(ms))


def _refused(guide: NameGuide, truth: str) -> list[str]:
    refused, said = [], ""
    for piece in _PIECE.findall(truth):
        if guide.refuses(said, piece):
            refused.append(f"{said}│{piece}")
        said += piece
    return refused
