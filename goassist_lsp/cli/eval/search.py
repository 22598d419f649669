"""`eval search`: how often the index finds the function that somebody looks for, on the code of real modules.

By words, and with what is known of the place that asks (types in play, calls, the file that is open); with `--dense` by
meaning too, by both rankings joined, and as served: joined for prose, by words for code.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_lsp import meaning
from goassist_lsp.cli.bench_report import add_common, chosen_modules, print_json, progress, table
from goassist_models.evaluate.modules import prepare
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.searching import TASKS, SearchCase, rank_of, search_cases

if TYPE_CHECKING:
    from goassist_index.around import Around
    from goassist_index.embed import Embedder
    from goassist_index.search import Searcher

WORDS, PLACED, MEANING, JOINED, SERVED = "words", "and its place", "meaning", "joined", "as served"
# How far down the list a function is looked for: beyond, it counts as not found.
_DEPTH = 50
_AT = 5
_LOADING_LIMIT_S = 180.0
_ASKED = "asked"
_COLUMNS = ("task", "ranking", f"recall@{_AT}", "MRR", "recall less words", "cases")


@dataclass(frozen=True, slots=True)
class Found:
    """One case of a task, and the place (from 1) at which its function stood, by ranking; None where it did not."""

    task: str
    module: str
    symbol: str
    ranks: Mapping[str, int | None]

    def within(self, ranking: str) -> bool:
        """Whether the function is among the first few."""
        rank = self.ranks[ranking]
        return rank is not None and rank <= _AT

    def reciprocal(self, ranking: str) -> float:
        """1 / place, 0 where it was not found."""
        rank = self.ranks[ranking]
        return 1 / rank if rank is not None else 0.0


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("search", help="whether search finds the function that is asked for, on real modules")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's set")
    parser.add_argument(
        "--set", dest="subset", choices=("dev", "test"), default="test", help="which half of the pinned list"
    )
    parser.add_argument("--limit", type=int, default=40, help="cases of each task in a module (default 40)")
    parser.add_argument("--dense", action="store_true", help="also by meaning, and by both (minutes a module)")
    parser.add_argument("--embedding", metavar="NAME", help="the embedding model (default: the registry's default)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the run there; the same one goes on with it")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was asked, 1 when there was nothing to ask."""
    specs = chosen_modules(args.modules, lambda spec: spec.split == args.subset)
    with ExitStack() as stack:
        embedder = meaning.embedder(args.embedding) if args.dense or args.embedding else None
        if embedder is not None:
            stack.callback(embedder.close)
        arguments = {"modules": [spec.name for spec in specs], "limit": args.limit, "seed": args.seed}
        arguments["embedding"] = embedder.space if embedder is not None else None
        out = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goassist-search-")))
        the_run = Run.open(out, "search", arguments)
        for spec in specs:
            if spec.name in _modules(cases_of(the_run)):
                continue
            try:
                with progress.status(f"{spec.name}: indexing and asking"):
                    found = _asked(prepare(spec, cache_dir()), spec.name, args.limit, args.seed, embedder)
            except GoassistError as error:
                progress.print(f"left out: {error}", style="red", markup=False)
            else:
                the_run.append_line(_ASKED, json.dumps([_line(one) for one in found]))
        cases = cases_of(the_run)
        if args.json:
            print_json({"eval": "search", "seed": args.seed, "modules": _modules(cases), "tasks": figures(cases)})
        else:
            table(f"{len(_modules(cases))} modules", _COLUMNS, _rows(cases))
    return 0 if cases else 1


def markdown(run: Run) -> str:
    """The run's table, for the page of results."""
    cases = cases_of(run)
    lines = [_COLUMNS, ("---", "---", *["---:"] * 4), *_rows(cases)]
    text = "\n".join(f"| {' | '.join('-' if cell is None else str(cell) for cell in line)} |" for line in lines)
    return f"{text}\n\n{len(_modules(cases))} modules."


def cases_of(run: Run) -> list[Found]:
    """All cases that were asked in a run."""
    return [Found(**one) for line in run.lines(_ASKED) for one in json.loads(line)]


def figures(cases: Sequence[Found]) -> dict[str, dict[str, dict[str, Any]]]:
    """By task and ranking: see `_figures`."""
    rankings = list(cases[0].ranks) if cases else [WORDS]
    by_task = {task: [one for one in cases if one.task == task] for task in TASKS}
    return {task: {ranking: _figures(some, ranking) for ranking in rankings} for task, some in by_task.items()}


def _asked(directory: Path, module: str, count: int, seed: int, embedder: Embedder | None = None) -> list[Found]:
    from goassist_index.refine import DenseTier
    from goassist_index.search import JOINED as weights
    from goassist_index.search import Searcher
    from goassist_index.store import Store
    from goassist_index.update import update_workspace

    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="goassist-search-"))
        target = Path(scratch).resolve() / "module"
        cases = search_cases(directory.resolve(), target, module, count, seed)
        # Vectors are kept from run to run: their texts are the same, and embedding them takes minutes.
        folder = Path(scratch) / "store" if embedder is None else _kept(module, embedder)
        store = stack.enter_context(Store(folder))
        update_workspace(store, target)
        places = asyncio.run(_places(directory.resolve(), cases))
        if embedder is None:
            searcher = Searcher(store, target)
            searcher.refresh()
            pairs = zip(cases, places, strict=True)
            return [_found(case, searcher, {WORDS: {}, PLACED: {"around": around}}) for case, around in pairs]
        tier = DenseTier(store, embedder)
        stack.callback(tier.close)
        searcher = Searcher(store, target, dense=tier)
        searcher.refresh()
        tier.refine()
        found = []
        for case, around in zip(cases, places, strict=True):
            vector = tier.asked(case.query).result()
            options: dict[str, dict[str, Any]] = {
                WORDS: {},
                PLACED: {"around": around},
                MEANING: {"vector": vector, "weights": (0.0, 1.0)},
                JOINED: {"vector": vector, "weights": weights},
                SERVED: {"vector": vector},
            }
            found.append(_found(case, searcher, options))
        return found


async def _places(root: Path, cases: Sequence[SearchCase]) -> list[Around]:
    """What is known where each of the cases asks: as the server would tell it while one writes there."""
    from goassist_index.around import Around
    from goassist_lsp.check.typecheck import TypeChecker
    from goassist_lsp.context.cursor import context_at
    from goassist_lsp.context.retrieve import calls_before, types_in_play
    from goassist_lsp.types import DocumentSnapshot

    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    found = []
    try:
        await checker.set_folders([root])
        for case in cases:
            recent = (case.path,) if case.path else ()
            if case.offset < 0:
                found.append(Around(recent=recent))
                continue
            path = root / case.path
            snapshot = DocumentSnapshot(path.as_uri(), path, 1, case.written)
            offset = len(case.written.encode()[: case.offset].decode("utf-8", "replace"))
            await checker.check(snapshot, offset, offset, ("",))  # has the package loaded
            facts = await checker.in_play(snapshot, offset)
            await checker.document_closed(path)
            calls = calls_before(context_at(snapshot, offset))
            found.append(Around(types_in_play(facts), calls, recent))
    finally:
        await checker.close()
    return found


def _kept(module: str, embedder: Embedder) -> Path:
    name = hashlib.sha256(f"{module} {embedder.space}".encode()).hexdigest()[:16]
    return cache_dir() / "eval" / "search" / name


def _found(case: SearchCase, searcher: Searcher, options: Mapping[str, Mapping[str, Any]]) -> Found:
    ranks = {}
    for ranking, chosen in options.items():
        snippets = searcher.search(case.query, _DEPTH, known=case.known, kinds=("function",), **chosen)
        ranks[ranking] = rank_of(case, [(snippet.package, snippet.symbol) for snippet in snippets])
    return Found(case.task, case.module, case.symbol, ranks)


def _figures(found: Sequence[Found], ranking: str) -> dict[str, Any]:
    """Recall and mean reciprocal rank with 95 % intervals, recall paired with that by words; nulls without cases."""
    from goassist_models.evaluate.report.statistics import mean, paired, share

    within = [one.within(ranking) for one in found]
    by_words = [float(one.within(WORDS)) for one in found]
    estimates = {
        "recall": share(within),
        "mrr": mean([one.reciprocal(ranking) for one in found]),
        "less_words": paired([float(one) for one in within], by_words) if ranking != WORDS else None,
    }
    return {"n": len(found), **{name: one.as_json() if one is not None else None for name, one in estimates.items()}}


def _modules(found: Iterable[Found]) -> list[str]:
    return sorted({one.module for one in found})


def _line(one: Found) -> dict[str, Any]:
    return {"task": one.task, "module": one.module, "symbol": one.symbol, "ranks": dict(one.ranks)}


def _rows(cases: Sequence[Found]) -> list[tuple[object, ...]]:
    return [
        (task, ranking, *map(_shown, (one["recall"], one["mrr"])), _difference(one["less_words"]), one["n"])
        for task, by_ranking in figures(cases).items()
        for ranking, one in by_ranking.items()
    ]


def _shown(estimate: Mapping[str, float] | None) -> str | None:
    if estimate is None:
        return None
    return f"{estimate['value']:.2f} ({estimate['low']:.2f}-{estimate['high']:.2f})"


def _difference(paired: Mapping[str, float] | None) -> str | None:
    if paired is None:
        return None
    return f"{paired['difference']:+.2f} ({paired['low']:+.2f} to {paired['high']:+.2f})"
