"""Ranks pieces for words: BM25 over three fields, from postings held in numpy arrays.

`encode` turns a unit's pieces (those of a file, or of a package) into one blob, which store.py keeps; `Ranking` loads
the blobs that count now and answers a query in about a millisecond (docs/decisions/0008). Units come and go one by one;
the statistics are those of what is there, so that an index brought up to date ranks as one made anew.

BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the idf that never
falls below zero. A piece's score is the weighted sum of its fields' scores, each with its own lengths.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from goassist_index.chunk import Piece
from goassist_index.words import words

# Raised when a blob is laid out otherwise.
POSTINGS_VERSION = 1

K1 = 1.2
B = 0.75
# Symbol and package name, doc comment and signature, the rest. Set by `eval search --set dev`.
FIELD_WEIGHTS = (3.0, 1.5, 1.0)
_FIELDS = len(FIELD_WEIGHTS)
# Units that came since the large segment was made are held in a small one, up to this part of all postings.
_SMALL_SHARE = 0.1

# One posting: a word's hash, the piece's number in its unit, and field and count together.
_POSTING = np.dtype([("word", "<u4"), ("piece", "<u2"), ("field_count", "<u2")])
_COUNT_BITS = 14
_MAX_COUNT = (1 << _COUNT_BITS) - 1
MAX_PIECES = 1 << 16


@dataclass(frozen=True, slots=True)
class Hit:
    """One piece found: its unit, its number there, its score (above 0, higher is better)."""

    unit: int
    number: int
    score: float


def encode(pieces: Sequence[Piece]) -> bytes:
    """Postings of a unit's pieces, 8 bytes for each word of each field; those beyond MAX_PIECES are not found."""
    rows: list[tuple[int, int, int]] = []
    for number, piece in enumerate(pieces[:MAX_PIECES]):
        for field, text in enumerate(_fields(piece)):
            counted = Counter(words(text))
            rows.extend((_hash(w), number, field << _COUNT_BITS | min(n, _MAX_COUNT)) for w, n in counted.items())
    return np.array(rows, dtype=_POSTING).tobytes()


def _fields(piece: Piece) -> tuple[str, str, str]:
    return (
        f"{piece.symbol} {piece.package_name}",
        piece.text[: piece.head_chars],
        piece.text[piece.head_chars :],
    )


@lru_cache(maxsize=1 << 16)
def _hash(word: str) -> int:
    """32 bits of a word. Among 100,000 words one pair shares them: two rare words then count as one."""
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "little")


@dataclass(frozen=True, slots=True)
class _Unit:
    identity: int
    tie: int
    pieces: int
    postings: NDArray[np.void]


class _Segment:
    """Postings of some units, sorted by word and field. `alive` marks pieces whose unit has not gone since."""

    def __init__(self, units: Sequence[_Unit]) -> None:
        sizes = np.array([unit.pieces for unit in units], dtype=np.int64)
        starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        self.first = {unit.identity: int(start) for unit, start in zip(units, starts, strict=False)}
        self.size = int(starts[-1])
        self.unit = np.repeat(np.array([unit.identity for unit in units], dtype=np.int64), sizes)
        self.tie = np.repeat(np.array([unit.tie for unit in units], dtype=np.uint64), sizes)
        self.number = np.arange(self.size, dtype=np.int64) - np.repeat(starts[:-1], sizes)
        self.alive = np.ones(self.size, dtype=bool)
        rows = np.concatenate([unit.postings for unit in units]) if units else np.empty(0, _POSTING)
        base = np.repeat(starts[:-1], [len(unit.postings) for unit in units])
        key = rows["word"].astype(np.uint64) << np.uint64(2) | (rows["field_count"] >> _COUNT_BITS).astype(np.uint64)
        order = np.argsort(key, kind="stable")
        self._keys = key[order]
        self._pieces = (base + rows["piece"])[order].astype(np.int32)
        counts = (rows["field_count"] & _MAX_COUNT).astype(np.float32)
        self._counts = counts[order]
        field = (rows["field_count"] >> _COUNT_BITS).astype(np.int64)
        where = (base + rows["piece"]) * _FIELDS + field
        # Whole numbers in 64 bits: sums are exact, whatever came and went, and scores those of an index made anew.
        self.lengths = np.bincount(where, counts, self.size * _FIELDS).reshape(self.size, _FIELDS)
        self.totals = self.lengths.sum(axis=0)
        self.living = self.size

    def remove(self, unit: int, pieces: int) -> None:
        first = self.first.pop(unit)
        self.alive[first : first + pieces] = False
        self.totals = self.totals - self.lengths[first : first + pieces].sum(axis=0)
        self.living -= pieces

    def matches(self, word: int, field: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The pieces that hold a word in a field and are there still, and how often each does."""
        key = np.uint64(word << 2 | field)
        start, end = np.searchsorted(self._keys, (key, key + np.uint64(1)))
        pieces, counts = self._pieces[start:end], self._counts[start:end]
        there = self.alive[pieces]
        return pieces[there], counts[there]


class Ranking:
    """The units that count now, and which of their pieces fit words best. Not for several threads at once."""

    def __init__(self) -> None:
        self._units: dict[int, _Unit] = {}
        self._large = _Segment(())
        self._small: dict[int, _Unit] = {}
        self._small_segment: _Segment | None = None
        # Of all units and of the small segment's: a query must not count thousands of units.
        self._postings = self._small_postings = 0

    def __len__(self) -> int:
        """The number of pieces."""
        return sum(unit.pieces for unit in self._units.values())

    @property
    def units(self) -> Iterable[int]:
        """The units that are there."""
        return self._units.keys()

    def add(self, unit: int, key: str, pieces: int, blob: bytes) -> None:
        """Count a unit in: what it was made of, its number of pieces, and what `encode` made of them.

        Equal scores are ranked by `key`: units are numbered as they came. Raises ValueError if `blob` is damaged.
        """
        self.remove(unit)
        postings = np.frombuffer(blob, dtype=_POSTING)
        if len(postings) and int(postings["piece"].max()) >= pieces:
            raise ValueError("postings of pieces that are not there")
        self._units[unit] = self._small[unit] = _Unit(unit, _tie(key), min(pieces, MAX_PIECES), postings)
        self._small_segment = None
        self._postings += len(postings)
        self._small_postings += len(postings)

    def remove(self, unit: int) -> None:
        """Count a unit out, if it is there."""
        gone = self._units.pop(unit, None)
        if gone is None:
            return
        self._postings -= len(gone.postings)
        if self._small.pop(unit, None) is not None:
            self._small_segment = None
            self._small_postings -= len(gone.postings)
        else:
            self._large.remove(unit, gone.pieces)

    def best(self, query: Iterable[str], limit: int) -> list[Hit]:
        """The pieces that fit these words best, best first. Words may repeat; order says nothing."""
        segments = self._segments()
        living = sum(segment.living for segment in segments)
        hashes = [_hash(word) for word in dict.fromkeys(query)]
        if not living or not hashes:
            return []
        means = np.maximum(np.sum([segment.totals for segment in segments], axis=0) / living, 1e-9)
        scores = [np.zeros(segment.size, dtype=np.float64) for segment in segments]
        for word in hashes:
            for field, weight in enumerate(FIELD_WEIGHTS):
                matched = [segment.matches(word, field) for segment in segments]
                holding = sum(len(pieces) for pieces, _ in matched)
                idf = np.log(1 + (living - holding + 0.5) / (holding + 0.5))
                for segment, score, (pieces, counts) in zip(segments, scores, matched, strict=True):
                    norm = K1 * (1 - B + B * segment.lengths[pieces, field] / means[field])
                    score[pieces] += weight * idf * counts * (K1 + 1) / (counts + norm)
        hits = sorted(chain.from_iterable(_top(s, score, limit) for s, score in zip(segments, scores, strict=True)))
        return [Hit(unit, number, -negative) for negative, _, number, unit in hits[:limit]]

    def _segments(self) -> list[_Segment]:
        if self._small_postings > _SMALL_SHARE * self._postings:
            self._large, self._small, self._small_segment = _Segment(tuple(self._units.values())), {}, None
            self._small_postings = 0
        if self._small and self._small_segment is None:
            self._small_segment = _Segment(tuple(self._small.values()))
        return [self._large] if not self._small or self._small_segment is None else [self._large, self._small_segment]


def _tie(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


def _top(segment: _Segment, scores: NDArray[np.float64], limit: int) -> list[tuple[float, int, int, int]]:
    """The best pieces as (-score, tie, number, unit), in no order; of those that score alike the first by tie."""
    found = np.flatnonzero(scores > 0)
    if len(found) > limit:
        least = -np.partition(-scores[found], limit - 1)[limit - 1]
        found = found[scores[found] >= least]
        found = found[np.lexsort((segment.number[found], segment.tie[found], -scores[found]))[:limit]]
    return [(-float(scores[i]), int(segment.tie[i]), int(segment.number[i]), int(segment.unit[i])) for i in found]
