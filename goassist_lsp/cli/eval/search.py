"""`eval search`: how often the index finds the function that somebody looks for, on the code of real modules."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_report import add_common, chosen_modules, print_json, progress, table
from goassist_models.evaluate.searching import TASKS, SearchCase, rank_of, search_cases

# How far down the list a function is looked for: beyond, it counts as not found.
_DEPTH = 50
_AT = 5


@dataclass(frozen=True, slots=True)
class Found:
    """One case, and the place (from 1) at which its function stood; None where it did not."""

    case: SearchCase
    rank: int | None


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("search", help="whether search finds the function that is asked for, on real modules")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's set")
    parser.add_argument(
        "--set", dest="subset", choices=("dev", "test"), default="test", help="which half of the pinned list"
    )
    parser.add_argument("--limit", type=int, default=40, help="cases of each task in a module (default 40)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was asked, 1 when there was nothing to ask."""
    found: list[Found] = []
    for spec in chosen_modules(args.modules, lambda spec: spec.split == args.subset):
        try:
            with progress.status(f"{spec.name}: indexing and asking"):
                found.extend(_asked(_directory(spec), spec.name, args.limit, args.seed))
        except GoassistError as error:
            progress.print(f"left out: {error}", style="red", markup=False)
    figures = {task: _figures([one for one in found if one.case.task == task]) for task in TASKS}
    if args.json:
        print_json({"eval": "search", "seed": args.seed, "modules": _modules(found), "tasks": figures})
    else:
        rows = [(task, *map(_shown, (one["recall"], one["mrr"])), one["n"]) for task, one in figures.items()]
        table(f"{len(_modules(found))} modules", ("task", f"recall@{_AT}", "MRR", "cases"), rows)
    return 0 if found else 1


def _directory(spec: Any) -> Path:
    from goassist_index.cachedir import cache_dir
    from goassist_models.evaluate.modules import prepare

    return prepare(spec, cache_dir())


def _asked(directory: Path, module: str, count: int, seed: int) -> list[Found]:
    from goassist_index.search import Searcher
    from goassist_index.store import Store
    from goassist_index.update import update_workspace

    with tempfile.TemporaryDirectory(prefix="goassist-search-") as scratch:
        target = Path(scratch).resolve() / "module"
        cases = search_cases(directory.resolve(), target, module, count, seed)
        with Store(Path(scratch) / "store") as store:
            update_workspace(store, target)
            searcher = Searcher(store, target)
            searcher.refresh()
            found = []
            for case in cases:
                snippets = searcher.search(case.query, _DEPTH, known=case.known, kinds=("function",))
                places = [(snippet.package, snippet.symbol) for snippet in snippets]
                found.append(Found(case, rank_of(case, places)))
            return found


def _figures(found: Sequence[Found]) -> dict[str, Any]:
    """Recall and mean reciprocal rank with 95 % intervals; nulls where there were no cases."""
    from goassist_models.evaluate.report.statistics import mean, share

    recall = share([one.rank is not None and one.rank <= _AT for one in found])
    reciprocal = mean([1 / one.rank if one.rank is not None else 0.0 for one in found])
    return {
        "n": len(found),
        "recall": recall.as_json() if recall is not None else None,
        "mrr": reciprocal.as_json() if reciprocal is not None else None,
    }


def _modules(found: Sequence[Found]) -> list[str]:
    return sorted({one.case.module for one in found})


def _shown(estimate: Mapping[str, float] | None) -> str | None:
    if estimate is None:
        return None
    return f"{estimate['value']:.2f} ({estimate['low']:.2f}-{estimate['high']:.2f})"
