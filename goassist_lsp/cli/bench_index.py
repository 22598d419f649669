"""`bench index`: how long an index takes to be there, to answer, and to take in what is saved, as workspaces grow.

Measured through the indexer that the server starts, priority and pipe included, on copies of real modules and on
made-up ones (evaluate/made_up.py) of chosen sizes. Nothing is in any cache of ours before.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from goassist_index.cachedir import ENVIRONMENT_NAME
from goassist_index.errors import GoassistError
from goassist_index.gotools import download_module
from goassist_index.ignore import IGNORE_FILES
from goassist_index.workspaceindex import WorkspaceIndex
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models.evaluate.made_up import write_module
from goassist_models.evaluate.metrics import percentile
from goassist_models.evaluate.modules import named_module

MADE_UP_LINES = (10_000, 100_000, 400_000)
_QUERIES = 200
_SAVES = 20
_LEAST_QUERY_CHARS = 40
_COMMENT = re.compile(r"(?m)^((?://[^\n]*\n)+)func ")


@dataclass(frozen=True, slots=True)
class Measured:
    """One workspace. `cold_s`: from nothing to the first answer; `start_s`: the same with an index there.

    `cold_cpu_s` and `start_cpu_s` are the processor's share of these: on a busy machine they say more.
    """

    lines: int
    files: int
    chunks: int
    cold_s: float
    cold_cpu_s: float
    peak_mb: float
    disk_mb: float
    query_p50_ms: float
    query_p95_ms: float
    saved_p50_ms: float
    saved_max_ms: float
    start_s: float
    start_cpu_s: float


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("index", help="how long an index takes to be there, to answer and to follow saves")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="real modules (they are copied)")
    parser.add_argument(
        "--lines", type=int, action="append", metavar="N", help="also a made-up module of N lines; may be repeated"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when all was measured, 1 when something could not be."""
    sizes = args.lines or ([] if args.modules else MADE_UP_LINES)
    laid_out = [(name, partial(_copy, name)) for name in args.modules]
    laid_out += [(f"made up, {size:,} lines", partial(_made_up, size)) for size in sizes]
    found: dict[str, Measured] = {}
    for name, lay_out in laid_out:
        with tempfile.TemporaryDirectory(prefix="goassist-index-") as scratch:
            root = Path(scratch).resolve() / "module"
            try:
                with progress.status(f"{name}: laying out"):
                    lay_out(root)
                with progress.status(f"{name}: indexing"), _cache_in(Path(scratch) / "cache"):
                    found[name] = asyncio.run(measure(root))
            except GoassistError as error:
                progress.print(f"left out: {error}", style="red", markup=False)
    if args.json:
        print_json({"bench": "index", "workspaces": {name: asdict(one) for name, one in found.items()}})
    else:
        sizes_shown = ("workspace", "lines", "files", "chunks", "cold s", "CPU s", "peak MB", "disk MB")
        columns = (*sizes_shown, "query p50 ms", "p95", "saved p50 ms", "max", "start s", "CPU s")
        table("Through the indexer, at the least priority", columns, [_row(name, one) for name, one in found.items()])
    return 0 if len(found) == len(laid_out) else 1


async def measure(root: Path) -> Measured:
    """Index the workspace at `root`, which is written to. Raises GoassistError."""
    sources = sorted(root.rglob("*.go"))
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in sources}
    comments = itertools.chain.from_iterable(map(_COMMENT.findall, texts.values()))
    queries = [" ".join(re.sub("^//", "", line) for line in one.splitlines()) for one in comments]
    queries = [query for query in queries if len(query) >= _LEAST_QUERY_CHARS] or ["the largest of all"]
    begun = time.perf_counter()
    index = WorkspaceIndex(root)
    try:
        summary = await index.update()
        await index.search(queries[0], 1)
        cold_s = time.perf_counter() - begun
        stats = await index.stats()
        assert stats is not None
        asked = queries[:: max(1, len(queries) // _QUERIES)][:_QUERIES]
        query_ms = [await _timed(index, query) for query in asked]
        saved_ms = []
        indexed = [path for path in sources if "testdata" not in path.parts and not path.name.startswith("_")]
        for number, path in enumerate(indexed[:: max(1, len(indexed) // _SAVES)][:_SAVES]):
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\nfunc saved{number}Zebra() {{}}\n")
            begun = time.perf_counter()
            await index.saved([path])
            await index.search(f"saved{number}Zebra", 1)
            saved_ms.append((time.perf_counter() - begun) * 1e3)
    finally:
        await index.aclose()
    begun = time.perf_counter()
    again = WorkspaceIndex(root)
    try:
        await again.search(queries[0], 1)
        start_s = time.perf_counter() - begun
        started = await again.stats()
        assert started is not None
    finally:
        await again.aclose()
    return Measured(
        lines=sum(text.count("\n") for text in texts.values()),
        files=summary.files,
        chunks=summary.chunks,
        cold_s=cold_s,
        cold_cpu_s=stats["cpu_s"],
        peak_mb=stats["peak_bytes"] / 1e6,
        disk_mb=summary.disk_bytes / 1e6,
        query_p50_ms=percentile(query_ms, 50) or 0.0,
        query_p95_ms=percentile(query_ms, 95) or 0.0,
        saved_p50_ms=percentile(saved_ms, 50) or 0.0,
        saved_max_ms=max(saved_ms, default=0.0),
        start_s=start_s,
        start_cpu_s=started["cpu_s"],
    )


async def _timed(index: WorkspaceIndex, query: str) -> float:
    begun = time.perf_counter()
    await index.search(query, 10)
    return (time.perf_counter() - begun) * 1e3


def _made_up(lines: int, root: Path) -> None:
    root.mkdir()
    write_module(root, lines)


def _copy(name: str, root: Path) -> None:
    """Copy what an index reads or is ruled by; the module cache's read-only modes stay behind."""
    spec = named_module(name)
    source = download_module(spec.path, spec.version) if spec.version else Path(spec.path)
    for path in source.rglob("*"):
        if path.is_file() and (path.suffix == ".go" or path.name in ("go.mod", "go.work", *IGNORE_FILES)):
            place = root / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """Have indexes made in a cache directory of their own: the indexer takes it from its environment."""
    before = os.environ.get(ENVIRONMENT_NAME)
    os.environ[ENVIRONMENT_NAME] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[ENVIRONMENT_NAME]
        else:
            os.environ[ENVIRONMENT_NAME] = before


def _row(name: str, one: Measured) -> tuple[str, ...]:
    sizes = (f"{one.lines:,}", f"{one.files:,}", f"{one.chunks:,}")
    times = (one.query_p50_ms, one.query_p95_ms, one.saved_p50_ms, one.saved_max_ms)
    costs = (f"{one.cold_s:.1f}", f"{one.cold_cpu_s:.1f}", f"{one.peak_mb:.0f}", f"{one.disk_mb:.1f}")
    return (name, *sizes, *costs, *map(milliseconds, times), f"{one.start_s:.2f}", f"{one.start_cpu_s:.2f}")
