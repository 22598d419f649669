"""`bench dense`: how quickly vectors are searched as they grow, and what part of an exact search's findings is found.

On made-up vectors, which lie around centres as those of code do, or on those that `eval search --dense` has kept.
Each size is written and opened as the indexer does it; it is also laid out in inverted lists where that would not be
done yet, to say what they cost. With `--embed` also how quickly the model turns a module's pieces into vectors.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from goassist_index import dense
from goassist_index.cachedir import cache_dir
from goassist_index.dense import DenseIndex
from goassist_index.embed import Embedder, Matrix
from goassist_index.errors import ConfigError
from goassist_index.gotools import download_module
from goassist_index.refine import DenseTier
from goassist_index.store import Store
from goassist_index.update import update_workspace
from goassist_index.vectors import Numbers, Vectors
from goassist_lsp import meaning
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models import registry
from goassist_models.evaluate.metrics import percentile
from goassist_models.evaluate.modules import named_module

COUNTS = (10_000, 50_000, 100_000)
_DIMENSIONS = 384
_A_CENTRE = 20
_SPREAD = 0.8
_QUERIES = 200
_QUERY_NOISE = 0.5
_AT = 10
_EMBEDDED_QUERIES = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """One set of vectors in one layout; `recall` of the ten that an exact search finds."""

    vectors: int
    kind: str
    lists: int
    probes: int
    recall: float
    build_s: float
    disk_mb: float
    open_ms: float
    search_p50_ms: float
    search_p95_ms: float


@dataclass(frozen=True, slots=True)
class Embedded:
    """What turning a module's pieces into vectors takes; `all_minutes` is reckoned from the rate of those embedded."""

    pieces: int
    embedded: int
    load_s: float
    pieces_a_second: float
    all_minutes: float
    query_p50_ms: float
    memory_mb: float


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser(
        "dense", help="how quickly vectors are searched, and how much of an exact search is found"
    )
    parser.add_argument("--count", type=int, action="append", metavar="N", help="so many made-up vectors; repeatable")
    parser.add_argument("--embed", metavar="MODULE@VERSION|DIR", help="only how quickly pieces of this are embedded")
    parser.add_argument("--pieces", type=int, default=200, help="of how many (default 200)")
    parser.add_argument("--kept", action="store_true", help="also the vectors that `eval search --dense` has kept")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured. Raises ConfigError without FAISS, or where no vectors are kept."""
    if not dense.available():
        raise ConfigError("vectors are searched with FAISS", cure="Install goassist-lsp[embed]")
    if args.embed is not None:
        return _embed(args)
    sets = {f"made up, {count:,}": made_up(count, args.seed) for count in args.count or ([] if args.kept else COUNTS)}
    if args.kept:
        sets["kept"] = kept()
    found: dict[str, list[Measured]] = {}
    for name, (numbers, vectors) in sets.items():
        with progress.status(f"{name}: building and searching"):
            found[name] = [measured(numbers, vectors, args.seed)]
            if found[name][0].kind == "flat":
                found[name].append(measured(numbers, vectors, args.seed, flat_up_to=0))
    if args.json:
        print_json({"bench": "dense", "sets": {name: [asdict(one) for one in some] for name, some in found.items()}})
    else:
        columns = (
            "vectors",
            "layout",
            "lists",
            "looked through",
            f"recall@{_AT}",
            "build s",
            "MB",
            "open ms",
            "p50 ms",
            "p95",
        )
        table("Vectors, one thread", columns, [_row(name, one) for name, some in found.items() for one in some])
    return 0


def _embed(args: argparse.Namespace) -> int:
    spec = named_module(args.embed)
    directory = download_module(spec.path, spec.version) if spec.version else Path(spec.path)
    with progress.status(f"{spec.name}: embedding"):
        one = embedded(directory, meaning.embedder(), args.pieces)
    if args.json:
        print_json({"bench": "dense", "module": spec.name, **asdict(one)})
    else:
        columns = (
            "module",
            "pieces",
            "embedded",
            "load s",
            "pieces a second",
            "all, minutes",
            "query p50 ms",
            "peak MB",
        )
        rest = (f"{one.load_s:.1f}", f"{one.pieces_a_second:.1f}", f"{one.all_minutes:.0f}")
        row = (
            spec.name,
            f"{one.pieces:,}",
            one.embedded,
            *rest,
            milliseconds(one.query_p50_ms),
            f"{one.memory_mb:.0f}",
        )
        table("Pieces as vectors, one thread at the least priority", columns, [row])
    return 0


def embedded(directory: Path, embedder: Embedder, count: int) -> Embedded:
    """Have about `count` pieces of a module embedded. Raises IndexUnavailable."""
    with tempfile.TemporaryDirectory(prefix="goassist-dense-") as scratch, Store(Path(scratch)) as store:
        update_workspace(store, directory.resolve())
        tier = DenseTier(store, embedder)
        try:
            tier.refresh(store.live_units())
            begun = time.perf_counter()
            tier.asked("load the model").result()
            load_s = time.perf_counter() - begun
            begun, done = time.perf_counter(), 0
            while done < count and (batch := tier.next_batch()) is not None:
                tier.keep(batch)
                done += len(batch.numbers)
            rate = done / max(time.perf_counter() - begun, 1e-9)
            queries_ms = []
            for number in range(_EMBEDDED_QUERIES):
                begun = time.perf_counter()
                tier.asked(f"reads the file number {number} and returns what it holds").result()
                queries_ms.append((time.perf_counter() - begun) * 1e3)
            memory = max((child.memory_info().rss for child in psutil.Process().children()), default=0)
            pieces = tier.coverage.pieces
        finally:
            tier.close()
    p50_ms = percentile(queries_ms, 50) or 0.0
    return Embedded(pieces, done, load_s, rate, pieces / max(rate, 1e-9) / 60, p50_ms, memory / 1e6)


def measured(numbers: Numbers, vectors: Matrix, seed: int, flat_up_to: int | None = None) -> Measured:
    """Write, open and search these; `flat_up_to`: see DenseIndex.write."""
    draw = np.random.default_rng(seed)
    noise = draw.standard_normal((_QUERIES, vectors.shape[1])).astype(np.float32)
    chosen = vectors[draw.integers(0, len(vectors), _QUERIES)]
    queries = _unit(chosen + _QUERY_NOISE * _unit(noise))
    with tempfile.TemporaryDirectory(prefix="goassist-dense-") as scratch:
        writer = DenseIndex(Path(scratch), "bench", vectors.shape[1])
        begun = time.perf_counter()
        manifest = writer.write(numbers, vectors, flat_up_to=flat_up_to)
        build_s = time.perf_counter() - begun
        begun = time.perf_counter()
        index = DenseIndex(Path(scratch), "bench", vectors.shape[1])
        open_ms = (time.perf_counter() - begun) * 1e3
        took_ms, parts = [], []
        for query in queries:
            begun = time.perf_counter()
            hits = index.search(query, _AT)
            took_ms.append((time.perf_counter() - begun) * 1e3)
            exact = numbers[np.argpartition(-(vectors @ query), _AT)[:_AT]]
            parts.append(len({number for number, _ in hits} & set(exact.tolist())) / _AT)
    return Measured(
        vectors=len(numbers),
        kind=manifest.layout.kind,
        lists=manifest.layout.lists,
        probes=manifest.layout.probes,
        recall=float(np.mean(parts)),
        build_s=build_s,
        disk_mb=manifest.size_bytes / 1e6,
        open_ms=open_ms,
        search_p50_ms=percentile(took_ms, 50) or 0.0,
        search_p95_ms=percentile(took_ms, 95) or 0.0,
    )


def made_up(count: int, seed: int) -> tuple[Numbers, Matrix]:
    """Vectors around centres, some twenty each, and their numbers."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((max(1, count // _A_CENTRE), _DIMENSIONS), dtype=np.float32)
    noise = draw.standard_normal((count, _DIMENSIONS), dtype=np.float32)
    return np.arange(count, dtype=np.int64), _unit(centres[draw.integers(0, len(centres), count)] + _SPREAD * noise)


def kept() -> tuple[Numbers, Matrix]:
    """All vectors of `eval search --dense`. Raises ConfigError when there are none."""
    entry = registry.default_embedding()
    found: dict[int, Matrix] = {}
    for folder in sorted((cache_dir() / "eval" / "search").glob("*")):
        if (folder / "vectors.sqlite").is_file():
            opened = Vectors(folder, meaning.embedder().space, entry.dimensions)
            numbers, vectors = opened.get(opened.numbers())
            opened.close()
            found.update(zip(numbers.tolist(), vectors, strict=True))
    if not found:
        raise ConfigError("no vectors are kept", cure="Run `goassist-lsp eval search --dense` first")
    return np.array(list(found), dtype=np.int64), np.array(list(found.values()), dtype=np.float32)


def _unit(rows: Matrix) -> Matrix:
    scaled: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def _row(name: str, one: Measured) -> tuple[str, ...]:
    lists = (f"{one.lists:,}", f"{one.probes:,}") if one.lists else ("-", "-")
    times = (milliseconds(one.open_ms), milliseconds(one.search_p50_ms), milliseconds(one.search_p95_ms))
    return (name, one.kind, *lists, f"{one.recall:.3f}", f"{one.build_s:.1f}", f"{one.disk_mb:.1f}", *times)
