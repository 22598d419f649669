"""`bench dense`: how quickly vectors are searched as they grow, and what part of an exact search's findings is found.

On made-up vectors, which lie around centres as those of code do, or on those that `eval search --dense` has kept.
Each size is written and opened as the indexer does it; it is also laid out in inverted lists where that would not be
done yet, to say what they cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from goassist_index import dense
from goassist_index.cachedir import cache_dir
from goassist_index.dense import DenseIndex
from goassist_index.embed import Matrix
from goassist_index.errors import ConfigError
from goassist_index.vectors import Numbers, Vectors
from goassist_lsp import meaning
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models import registry
from goassist_models.evaluate.metrics import percentile

COUNTS = (10_000, 50_000, 100_000)
_DIMENSIONS = 384
_A_CENTRE = 20
_SPREAD = 0.8
_QUERIES = 200
_QUERY_NOISE = 0.5
_AT = 10


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


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser(
        "dense", help="how quickly vectors are searched, and how much of an exact search is found"
    )
    parser.add_argument("--count", type=int, action="append", metavar="N", help="so many made-up vectors; repeatable")
    parser.add_argument("--kept", action="store_true", help="also the vectors that `eval search --dense` has kept")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured. Raises ConfigError without FAISS, or where no vectors are kept."""
    if not dense.available():
        raise ConfigError("vectors are searched with FAISS", cure="Install goassist-lsp[embed]")
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
