"""Vectors that can be searched: a FAISS index on disk, and what came and went since it was written.

The file is built from vectors.py in one go, written atomically beside a manifest that says what it is, checked when it
is opened and then mapped into memory; it is never changed. What was added since is held in a small index in memory,
what was removed is passed over, by number; both end with the next `write`. All vectors are compared by their inner
product, which for rows of length 1 is the cosine.

Exact while there are few; beyond, inverted lists (Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor
Search", 2011) of which as many are looked through as find what an exact search finds, measured when they are built;
the largest are quantised too. FAISS is part of the extra `embed`: only this module imports it.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from goassist_index.embed import Matrix
from goassist_index.sqlitefile import told
from goassist_index.vectors import Numbers

Kind = Literal["flat", "ivf", "ivfpq"]

# Raised when files are written otherwise.
DENSE_VERSION = 1
FLAT_UP_TO = 50_000
PQ_FROM = 1_000_000
# Of the ten that an exact search finds, the part that must be found. Set by `bench dense`.
LEAST_RECALL = 0.95
_RECALL_AT = 10
_LEAST_GAIN = 0.002
_SAMPLED = 200
# Inner products are measured on noise added to stored vectors: a query is near what it asks for, not the same.
_NOISE = 0.5
# What FAISS wants to learn a centre from, and how many it needs no more than.
_LEAST_A_CENTRE = 39
_MOST_A_CENTRE = 64
_ROUNDS = 10
_PQ_BITS = 8
_MANIFEST = "dense.json"
_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out: of `lists` inverted lists `probes` are looked through, which finds `recall` of exact."""

    kind: Kind
    lists: int = 0
    probes: int = 0
    recall: float = 1.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file is, and how it is known to be whole."""

    version: int
    space: str
    dimensions: int
    count: int
    layout: Layout
    file: str
    size_bytes: int
    crc32: int


class DenseIndex:
    """Vectors of one space in `folder`. `rebuilt`: why the file that was there is not used, "" when it is.

    Not for several threads at once, but that `write` may run in one of its own.
    """

    def __init__(self, folder: Path, space: str, dimensions: int) -> None:
        """Map the file in `folder` if there is one and it is whole. Raises IndexUnavailable."""
        self._folder = folder
        self._space = space
        self._dimensions = dimensions
        self.rebuilt = ""
        self._opened: Manifest | None = None
        self._stored: Any = None
        self._stored_numbers = np.empty(0, dtype=np.int64)
        self._fresh: Any = _flat(dimensions)
        self._fresh_numbers: set[int] = set()
        self._removed: set[int] = set()
        self.reopen()

    def __len__(self) -> int:
        """The number of vectors that can be found."""
        return len(self._stored_numbers) - len(self._removed) + len(self._fresh_numbers)

    @property
    def layout(self) -> Layout:
        """How the file is laid out; flat when there is none."""
        return self._opened.layout if self._opened is not None else Layout("flat")

    @property
    def fresh(self) -> int:
        """How many vectors are not in the file."""
        return len(self._fresh_numbers)

    def numbers(self) -> Numbers:
        """The numbers of all vectors that can be found, in no order."""
        stored = self._stored_numbers
        if self._removed:
            stored = stored[~np.isin(stored, list(self._removed))]
        return np.concatenate((stored, np.array(sorted(self._fresh_numbers), dtype=np.int64)))

    def reopen(self) -> bool:
        """Turn to the file that is there now, if it is another; whether it is. What was added since is forgotten."""
        with told(self._folder / _MANIFEST):
            try:
                manifest = _read_manifest(self._folder)
                if manifest is not None and manifest == self._opened:
                    return False
                self._map(manifest)
            except _Unusable as error:
                if self._opened is None:
                    self.rebuilt = str(error)
                return False
        return manifest is not None

    def _map(self, manifest: Manifest | None) -> None:
        if manifest is None:
            return
        if (manifest.version, manifest.space, manifest.dimensions) != (DENSE_VERSION, self._space, self._dimensions):
            raise _Unusable("of another model or version")
        path = self._folder / manifest.file
        if not path.is_file() or path.stat().st_size != manifest.size_bytes or _crc32(path) != manifest.crc32:
            raise _Unusable("damaged")
        faiss = _faiss()
        flags = faiss.IO_FLAG_MMAP_IFC if manifest.layout.kind == "flat" else faiss.IO_FLAG_MMAP
        try:
            stored = faiss.read_index(str(path), flags)
            numbers = faiss.vector_to_array(stored.id_map)
        except RuntimeError as error:
            raise _Unusable("damaged") from error
        self._stored, self._stored_numbers, self._opened = stored, numbers, manifest
        self._fresh, self._fresh_numbers, self._removed = _flat(self._dimensions), set(), set()

    def add(self, numbers: Numbers, vectors: Matrix) -> None:
        """Have vectors found from now on; those of the same numbers before are not any more."""
        self.remove(numbers)
        if len(numbers):
            self._fresh.add_with_ids(vectors, numbers)
            self._fresh_numbers.update(numbers.tolist())

    def remove(self, numbers: Numbers) -> None:
        """Have these not found any more."""
        fresh = [number for number in numbers.tolist() if number in self._fresh_numbers]
        if fresh:
            self._fresh.remove_ids(np.array(fresh, dtype=np.int64))
            self._fresh_numbers.difference_update(fresh)
        self._removed.update(numbers[np.isin(numbers, self._stored_numbers)].tolist())

    def search(self, vector: NDArray[np.float32], k: int, *, probes: int | None = None) -> list[tuple[int, float]]:
        """The `k` nearest to a vector of length 1, as (number, cosine), nearest first.

        `probes`: other than was measured when the file was written.
        """
        faiss = _faiss()
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        found: list[tuple[int, float]] = []
        if self._stored is not None:
            chosen: dict[str, Any] = {}
            if self._removed:
                gone = np.array(sorted(self._removed), dtype=np.int64)
                selector = faiss.IDSelectorBatch(gone)
                chosen["sel"] = faiss.IDSelectorNot(selector)
            if self.layout.kind != "flat":
                parameters = faiss.SearchParametersIVF(nprobe=probes or self.layout.probes, **chosen)
            else:
                parameters = faiss.SearchParameters(**chosen)
            found += _pairs(self._stored.search(query, k, params=parameters))
        if self._fresh_numbers:
            found += _pairs(self._fresh.search(query, k))
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]

    def write(self, numbers: Numbers, vectors: Matrix, *, flat_up_to: int | None = None) -> Manifest:
        """Put these into a new file in place of the one that is there; `reopen` turns to it. Raises IndexUnavailable.

        Takes seconds, for many vectors minutes, and may run beside searches. `flat_up_to`: how many are compared one by
        one, FLAT_UP_TO unless given.
        """
        faiss = _faiss()
        index, layout = _built(numbers, vectors, FLAT_UP_TO if flat_up_to is None else flat_up_to)
        with told(self._folder / _MANIFEST):
            handle, name = tempfile.mkstemp(prefix="dense-", suffix=".faiss", dir=self._folder)
            path = Path(name)
            os.close(handle)  # made with rights for its owner alone
            try:
                try:
                    faiss.write_index(index, name)
                except RuntimeError as error:
                    raise OSError(f"writing {path.name} failed: {error}") from error
                size, crc32 = path.stat().st_size, _crc32(path)
                manifest = Manifest(
                    DENSE_VERSION, self._space, self._dimensions, len(numbers), layout, path.name, size, crc32
                )
                _replace(self._folder / _MANIFEST, json.dumps(asdict(manifest)).encode())
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            for old in self._folder.glob("dense-*"):
                # Whoever has it mapped keeps what is mapped.
                if old.name != path.name:
                    old.unlink(missing_ok=True)
        return manifest


class _Unusable(Exception):
    """Why a file on disk is not used."""


def available() -> bool:
    """Whether FAISS is installed."""
    try:
        _faiss()
    except ImportError:
        return False
    return True


def _faiss() -> Any:
    import faiss

    # The other cores are the model's that writes.
    faiss.omp_set_num_threads(1)
    return faiss


def _flat(dimensions: int) -> Any:
    faiss = _faiss()
    return faiss.IndexIDMap(faiss.IndexFlatIP(dimensions))


def lists_for(count: int) -> int:
    """How many inverted lists for so many vectors: four times the root, as long as each can be learned well."""
    return max(1, min(int(4 * math.sqrt(count)), count // _LEAST_A_CENTRE))


def _built(numbers: Numbers, vectors: Matrix, flat_up_to: int) -> tuple[Any, Layout]:
    """An index of these vectors, and how it is laid out."""
    faiss = _faiss()
    count, dimensions = vectors.shape
    if count <= flat_up_to:
        index = _flat(dimensions)
        if count:
            index.add_with_ids(vectors, numbers)
        return index, Layout("flat")
    lists = lists_for(count)
    coarse = faiss.IndexFlatIP(dimensions)
    kind: Kind = "ivfpq" if count >= PQ_FROM else "ivf"
    if kind == "ivfpq":
        inner = faiss.IndexIVFPQ(coarse, dimensions, lists, dimensions // 8, _PQ_BITS, faiss.METRIC_INNER_PRODUCT)
    else:
        inner = faiss.IndexIVFFlat(coarse, dimensions, lists, faiss.METRIC_INNER_PRODUCT)
    inner.cp.niter = _ROUNDS
    inner.cp.max_points_per_centroid = _MOST_A_CENTRE
    draw = np.random.default_rng(0)
    inner.train(vectors[draw.permutation(count)[: lists * _MOST_A_CENTRE]])
    index = faiss.IndexIDMap(inner)
    index.add_with_ids(vectors, numbers)
    probes, recall = _probes(inner, vectors, lists)
    return index, Layout(kind, lists, probes, recall)


def _probes(inner: Any, vectors: Matrix, lists: int) -> tuple[int, float]:
    """How many lists to look through, the fewest of doublings that find enough, and what part they find."""
    faiss = _faiss()
    draw = np.random.default_rng(1)
    chosen = vectors[draw.integers(0, len(vectors), _SAMPLED)]
    noise = draw.standard_normal(chosen.shape).astype(np.float32)
    queries = chosen + _NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    exact = faiss.knn(queries, vectors, _RECALL_AT, metric=faiss.METRIC_INNER_PRODUCT)[1]
    probes, before = 1, 0.0
    while True:
        found = inner.search(queries, _RECALL_AT, params=faiss.SearchParametersIVF(nprobe=probes))[1]
        recall = float(np.mean([len(set(a) & set(b)) / _RECALL_AT for a, b in zip(exact, found, strict=True)]))
        # Quantised vectors are told apart only so far, however many lists are looked through.
        if recall >= LEAST_RECALL or probes >= lists or recall - before < _LEAST_GAIN:
            return probes, recall
        probes, before = min(2 * probes, lists), recall


def _pairs(answer: tuple[NDArray[np.float32], Numbers]) -> list[tuple[int, float]]:
    scores, numbers = answer
    # Below zero: fewer were found than asked for.
    return [(int(n), float(s)) for n, s in zip(numbers[0], scores[0], strict=True) if n >= 0]


def _read_manifest(folder: Path) -> Manifest | None:
    try:
        values = json.loads((folder / _MANIFEST).read_bytes())
        return Manifest(**{**values, "layout": Layout(**values["layout"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise _Unusable("damaged") from error


def _replace(path: Path, data: bytes) -> None:
    """Put a small file in place at once, for its owner alone to read."""
    fresh = path.with_name(f"{path.stem}-{os.getpid()}{path.suffix}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _crc32(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            checksum = zlib.crc32(block, checksum)
    return checksum
