"""The dense tier of a workspace's index: what its pieces mean, beside the words they hold.

Everything works without it. Pieces are embedded a few at a time when nobody types, those of the nearest packages
first; what has been embedded once never is again. search.py asks `ranked` for what is near a query, indexer.py says
when there is time for more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from filelock import FileLock, Timeout

from goassist_index.dense import DenseIndex, Layout
from goassist_index.embed import Embedder, Matrix, passage, plain
from goassist_index.errors import IndexCorrupt, IndexUnavailable
from goassist_index.postings import Hit
from goassist_index.store import Store
from goassist_index.vectors import Numbers, Vectors, numbers_of

# What one request to the model holds: a stop, and a query, wait for no more than this.
BATCH_CHARS = 6000
# So many vectors that are not in the file yet, as part of all, have it written again; it is when all is embedded too.
_FRESH_SHARE = 0.25
_LEAST_FRESH = 4096
_QUERY_CHARS = 1200

Progress = Callable[[int, int, str], None]
# A piece: its unit, and its number there.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far it is: of `pieces` different ones `embedded` are, and how they are laid out."""

    pieces: int
    embedded: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces that are being embedded."""

    numbers: tuple[int, ...]
    vectors: Future[Matrix]


class DenseTier:
    """The vectors of one store's pieces. `rebuilt`: why they were thrown away, "" when they were not.

    Methods raise IndexUnavailable when the disk refuses or the embedder does; damage is mended. Not for several
    threads at once.
    """

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._vectors = Vectors(store.folder, embedder.space, embedder.dimensions)
        self._index = DenseIndex(store.folder, embedder.space, embedder.dimensions)
        self.rebuilt = self._vectors.rebuilt or self._index.rebuilt
        self._places: dict[int, list[Place]] = {}
        self._numbers_of: dict[int, list[int]] = {}
        self._waiting: list[int] = []
        self._waiting_for: frozenset[str] | None = None
        self._under_way: set[int] = set()
        self._lock = FileLock(store.folder / "refine.lock", timeout=0)
        self._writing: threading.Thread | None = None
        self._write_failed: IndexUnavailable | None = None

    def close(self) -> None:
        """Let go of the model and the files. May be called twice."""
        if self._writing is not None:
            self._writing.join()
        self._embedder.close()
        self._vectors.close()
        self._lock.release(force=True)

    def rest(self) -> None:
        """Let go of the model: the next text loads it again."""
        self._embedder.close()

    def forget(self) -> None:
        """Know of no unit any more, for they have been numbered anew. What is embedded stays."""
        self._places, self._numbers_of = {}, {}

    def refresh(self, live: set[int]) -> None:
        """Agree with the units of the store that count now."""
        for unit in [unit for unit in self._numbers_of if unit >= 0 and unit not in live]:
            self._take_out(unit)
        for unit, digests in self._store.digests(sorted(live - self._numbers_of.keys())):
            self._put_in(unit, digests)
        self._take_in()

    def set_buffer(self, unit: int, digests: bytes | None) -> None:
        """Have the pieces of an unsaved text found where they are as they were stored; None: not any more.

        `unit` is below zero. Nothing of a buffer is embedded: it changes with each key.
        """
        self._take_out(unit)
        if digests is not None:
            self._put_in(unit, digests)

    def _put_in(self, unit: int, digests: bytes) -> None:
        numbers = numbers_of(digests).tolist()
        self._numbers_of[unit] = numbers
        for place, number in enumerate(numbers):
            self._places.setdefault(number, []).append((unit, place))

    def _take_out(self, unit: int) -> None:
        for number in set(self._numbers_of.pop(unit, ())):
            places = [place for place in self._places[number] if place[0] != unit]
            if places:
                self._places[number] = places
            else:
                del self._places[number]

    def _take_in(self) -> None:
        """Have what is embedded found, by whichever process it was, and nothing else."""
        self._index.reopen()
        stored_places = (n for n, places in self._places.items() if any(unit >= 0 for unit, _ in places))
        wanted = np.array(sorted(stored_places), dtype=np.int64)
        there = self._index.numbers()
        self._index.remove(there[~np.isin(there, wanted)])
        stored = self._vectors.numbers()
        try:
            numbers, vectors = self._vectors.get(wanted[np.isin(wanted, stored) & ~np.isin(wanted, there)])
        except IndexCorrupt:
            # What the file of vectors holds cannot be told from what it lost: all is embedded anew.
            self._vectors.rebuild()
            self.rebuilt = self._vectors.rebuilt
            stored = numbers = np.empty(0, dtype=np.int64)
            vectors = np.empty((0, self._embedder.dimensions), dtype=np.float32)
        self._index.add(numbers, vectors)
        waiting = wanted[~np.isin(wanted, stored)].tolist()
        self._waiting = [number for number in waiting if number not in self._under_way]
        self._waiting_for = None

    @property
    def coverage(self) -> Coverage:
        """How far it is."""
        return Coverage(len(self._index) + len(self._waiting), len(self._index), self._index.layout)

    def next_batch(self, near: Collection[str] = ()) -> Batch | None:
        """Have the embedder begin with a few pieces that wait, of the packages nearest to these folders first.

        None when none waits, or another process is at it.
        """
        if not self._waiting or not self._mine():
            return None
        if self._waiting_for != frozenset(near):
            self._waiting_for = frozenset(near)
            self._order(near)
        numbers: list[int] = []
        texts: list[str] = []
        size = 0
        while self._waiting and (not texts or size < BATCH_CHARS):
            number = self._waiting.pop()
            unit, place = max(self._places.get(number, ((-1, 0),)))
            stored = self._store.piece(unit, place)
            if stored is not None:
                numbers.append(number)
                texts.append(passage(stored.piece))
                size += len(texts[-1])
        self._under_way.update(numbers)
        return Batch(tuple(numbers), self._embedder.embed(texts)) if texts else None

    def keep(self, batch: Batch) -> None:
        """Keep what the embedder made of a batch, and have it found. Raises what the embedder raised."""
        self._under_way.difference_update(batch.numbers)
        vectors = batch.vectors.result()
        self._vectors.put(batch.numbers, vectors)
        living = [row for row, number in enumerate(batch.numbers) if number in self._places]
        self._index.add(np.array(batch.numbers, dtype=np.int64)[living], vectors[living])

    def settle(self) -> bool:
        """Write the searched file anew when much is not in it; whether that has begun. In a thread of its own."""
        writing = self._writing
        if writing is not None:
            if writing.is_alive():
                return True
            self._writing = None
            if self._write_failed is not None:
                failed, self._write_failed = self._write_failed, None
                raise failed
            self._take_in()
        fresh = self._index.fresh
        due = fresh > max(_LEAST_FRESH, _FRESH_SHARE * len(self._index)) or (fresh and not self._waiting)
        if not due or not self._mine():
            return False
        self._vectors.sweep(self._places)
        numbers, vectors = self._vectors.get(sorted(self._places))
        self._writing = threading.Thread(target=self._write, args=(numbers, vectors), daemon=True)
        self._writing.start()
        return True

    def _write(self, numbers: Numbers, vectors: Matrix) -> None:
        try:
            self._index.write(numbers, vectors)
        except IndexUnavailable as error:
            self._write_failed = error

    def refine(self, progress: Progress | None = None) -> int:
        """Embed all that waits, and wait for it; how many pieces that were. For the command line and measuring.

        `progress(done, total, "")` is told how far it is, in pieces.
        """
        count, total = 0, len(self._waiting)
        while (batch := self.next_batch()) is not None:
            self.keep(batch)
            count += len(batch.numbers)
            if progress is not None:
                progress(count, total, "")
        while self.settle():
            if self._writing is not None:
                self._writing.join()
        return count

    def asked(self, query: str) -> Future[Matrix]:
        """The vector of a query: begins at once, and is waited for by whoever has the time."""
        return self._embedder.embed([plain(query)[-_QUERY_CHARS:]], query=True)

    def ranked(self, vector: Matrix, limit: int) -> list[Hit]:
        """The pieces nearest to a query's vector, nearest first, each at all of its places."""
        hits: list[Hit] = []
        for number, cosine in self._index.search(vector[0], limit):
            hits += [Hit(unit, place, cosine) for unit, place in self._places.get(number, ())]
        return hits

    def _mine(self) -> bool:
        """Whether this process is the one that embeds. The operating system lets go when a process dies."""
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def _order(self, near: Collection[str]) -> None:
        """Have the pieces of the nearest folders last in the list of those that wait: they are taken from its end."""
        folders = self._store.folders()
        wanted = tuple(tuple(folder.split("/")) if folder else () for folder in near)
        distances = {
            unit: min((_distance(tuple(folder.split("/")) if folder else (), one) for one in wanted), default=0)
            for unit, folder in folders.items()
        }
        far = max(distances.values(), default=0) + 1

        def rank(number: int) -> tuple[int, int]:
            places = self._places[number]
            return -min(distances.get(unit, far) for unit, _ in places), -max(places)[0]

        self._waiting.sort(key=rank)


def _distance(folder: Sequence[str], other: Sequence[str]) -> int:
    """How many steps up and down lead from one folder to another."""
    shared = 0
    for one, two in zip(folder, other, strict=False):
        if one != two:
            break
        shared += 1
    return len(folder) + len(other) - 2 * shared
