"""Finds what a workspace already has for a few words: ranked snippets, none twice, none that one has already.

Reads what update.py stored; unsaved buffers count in place of their files. The words may be a question, a doc comment,
a line of code: names are taken whole and in pieces (words.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from goassist_index.around import Around, by_types
from goassist_index.chunk import Kind, Piece, outline_of, package_pieces
from goassist_index.dependencies import dependency_units
from goassist_index.errors import IndexCorrupt
from goassist_index.fileset import FileSet, content_reason
from goassist_index.fusion import joined
from goassist_index.postings import Hit, Ranking, encode
from goassist_index.secrets import mask
from goassist_index.store import Store, StoredPiece, Version
from goassist_index.words import words

if TYPE_CHECKING:
    from goassist_index.embed import Matrix
    from goassist_index.refine import DenseTier

Origin = Literal["workspace", "buffer", "dependency"]
# Units of the shared store are counted from here on, those of buffers below zero.
_SHARED = 1 << 40

# More pieces are ranked than asked for: some are parts of one function, near-duplicates, or known already.
_SPARE = 4
_LEAST_RANKED = 40
# Of two pieces that share this part of their words the lower one is left out.
_SAME_SHARE = 0.8
# A piece is known when this part of its telling lines stands in the given text.
_KNOWN_SHARE = 0.7
_SCORE_DIGITS = 6
# Tests hold the words of what they test, many times over. Set by `eval search --set dev`.
_TEST_WEIGHT = 0.5
# So much less than what it says a test's cosine counts. Set by the same.
_TEST_COSINE = 0.1
_TELLING_CHARS = 4
# What the two rankings count when they are joined: words, and meaning. Set by the same.
JOINED = (1.0, 0.5)
WORDS_ALONE = (1.0, 0.0)
# Of a place: what a piece scores by words counts so much more where it is a method of a type in play, and where it
# stands in a file of late; what only types say comes behind. Set by the same.
TYPE_FACTOR = 1.5
RECENT_FACTOR = 1.1
# So many times as many are looked at where these may put one before others.
_DEEPER = 4
# Code is found by the names in it; a model of prose only adds noise (docs/decisions/0009).
_CODE = re.compile(r"[{}]|:=|==|!=|&&|\|\|")
_LEAST_PROSE_WORDS = 3


@dataclass(frozen=True, slots=True)
class Snippet:
    """One thing found. `path` from the workspace's root with slashes; `lines` 1-based, inclusive; `score` above 0.

    `source` says where its text is from: the "workspace" on disk, an unsaved "buffer", or a "dependency", whose path
    begins with module@version (or std@ and Go's version) in place of the root.
    """

    path: str
    symbol: str
    kind: Kind
    text: str
    score: float
    source: Origin
    lines: tuple[int, int]
    package: str


@dataclass(frozen=True, slots=True)
class _Buffer:
    """An unsaved text: its pieces, counted as a unit of negative number."""

    unit: int
    pieces: tuple[StoredPiece, ...]


class Searcher:
    """Answers from one workspace's store and, where it is given, the shared one of dependencies.

    `refresh` first: it takes in what any process has stored since. Not for several threads at once.
    """

    def __init__(self, store: Store, root: Path, shared: Store | None = None, dense: DenseTier | None = None) -> None:
        self._store = store
        self._shared = shared
        self._dense = dense
        self._root = root
        self._files = FileSet(root)
        self._ranking = Ranking()
        self._seen: tuple[Version, ...] = ()
        self._buffers: dict[str, _Buffer] = {}
        self._next_buffer = -1

    def refresh(self) -> bool:
        """Take in what was stored since; whether there was anything. Raises IndexUnavailable or IndexCorrupt."""
        stores = [store for store in (self._store, self._shared) if store is not None]
        for store in stores:
            store.reopen_if_replaced()
        seen = tuple(store.version() for store in stores)
        if seen == self._seen:
            return False
        if [version.generation for version in seen] != [version.generation for version in self._seen]:
            self._ranking = Ranking()
            if self._dense is not None:
                self._dense.forget()
            for buffer in self._buffers.values():
                self._count_in(buffer)
        there = {unit for unit in self._ranking.units if unit >= 0}
        live = self._store.live_units()
        self._take_in(self._store, 0, live, {unit for unit in there if unit < _SHARED})
        if self._dense is not None:
            self._dense.refresh(live)
        if self._shared is not None:
            used = dependency_units(self._shared, self._store)
            self._take_in(self._shared, _SHARED, used, {unit - _SHARED for unit in there if unit >= _SHARED})
        self._seen = seen
        # Its ignore files are read once; they may be among what changed.
        self._files = FileSet(self._root)
        return True

    def _take_in(self, store: Store, base: int, live: set[int], there: set[int]) -> None:
        for unit in there - live:
            self._ranking.remove(base + unit)
        for unit, key, pieces, blob in store.postings(sorted(live - there)):
            try:
                self._ranking.add(base + unit, key, pieces, blob)
            except ValueError as error:
                raise IndexCorrupt(f"the index is damaged ({error})", path=str(store.path)) from error

    def set_buffer(self, path: Path, text: str | None) -> None:
        """Have an unsaved text count in place of its file; None: the file counts again.

        A file that rules keep out stays out, whatever its buffer holds. Nothing of it is stored.
        """
        found = self._files.found(path)
        if found is None:
            return
        old = self._buffers.pop(found.path, None)
        if old is not None:
            self._ranking.remove(old.unit)
            if self._dense is not None:
                self._dense.set_buffer(old.unit, None)
        if text is None or content_reason(text.encode("utf-8", "replace")) is not None:
            return
        outline = outline_of(mask(text).encode("utf-8", "replace"))
        name = found.path.rpartition("/")[2]
        # Of its package only this file is known here; the package as a whole stays as it is stored.
        types = [piece for _, piece in package_pieces(found.package, [(name, outline)]) if piece.kind == "type"]
        pieces = tuple(StoredPiece(found.path, found.package, piece) for piece in (*types, *outline.functions))
        buffer = self._buffers[found.path] = _Buffer(self._next_buffer, pieces)
        self._next_buffer -= 1
        self._count_in(buffer)

    def _count_in(self, buffer: _Buffer) -> None:
        pieces = [stored.piece for stored in buffer.pieces]
        path = buffer.pieces[0].path if buffer.pieces else ""
        self._ranking.add(buffer.unit, f"buffer {path}", len(pieces), encode(pieces))
        if self._dense is not None:
            self._dense.set_buffer(buffer.unit, b"".join(bytes.fromhex(piece.digest) for piece in pieces))

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        known: str = "",
        kinds: Sequence[Kind] = (),
        vector: Matrix | None = None,
        weights: tuple[float, float] | None = None,
        around: Around | None = None,
    ) -> list[Snippet]:
        """At most `k` snippets for `query`, best first: each symbol once, no near-duplicates.

        What stands in `known` already (a prompt, the current file) is left out. `kinds` limits what is found. `vector`
        is the query's, from the dense tier (`asked`): what is near it counts too, by `weights` of words and meaning,
        which are those of `weights_for` unless given. `around`: what is known of the place that asks; methods of its
        types and what stands in files of late count for more, and what only types say comes behind what the words find.
        """
        asked = words(query)
        if k <= 0 or not asked:
            return []
        known_lines = _telling_lines(known)
        chosen: list[Snippet] = []
        bags: list[frozenset[str]] = []
        symbols: set[tuple[str, str, str]] = set()
        for hit, stored in self._found(asked, k, vector, weights or weights_for(query), around or Around()):
            piece = stored.piece
            # A method's file says which of two packages of one folder it is in.
            symbol = (stored.package, piece.package_name, piece.symbol)
            if symbol in symbols or (kinds and piece.kind not in kinds):
                continue
            lines = _telling_lines(piece.text) if known_lines else frozenset()
            if lines and len(lines & known_lines) >= _KNOWN_SHARE * len(lines):
                continue
            bag = frozenset(words(piece.text))
            if any(len(bag & other) >= _SAME_SHARE * len(bag | other) for other in bags):
                continue
            symbols.add(symbol)
            bags.append(bag)
            chosen.append(_snippet(stored, hit))
            if len(chosen) == k:
                break
        return chosen

    def _found(
        self, asked: Sequence[str], k: int, vector: Matrix | None, weights: tuple[float, float], around: Around
    ) -> list[tuple[Hit, StoredPiece]]:
        """Pieces that are there still, best first; ties by place, however the index came to be."""
        limit = max(_LEAST_RANKED, k * _SPARE)
        deeper = limit * _DEEPER if around else limit
        worded = self._weighed(self._ranking.best(asked, deeper), factor=_TEST_WEIGHT, around=around)
        rankings = [([hit for hit, _ in worded], weights[0])]
        if vector is not None and self._dense is not None and weights != WORDS_ALONE:
            meant = self._weighed(self._dense.ranked(vector, limit), less=_TEST_COSINE)
            rankings.append(([hit for hit, _ in meant], weights[1]))
            placed = ((hit, self._stored(hit)) for hit in joined(rankings))
            worded = [(hit, stored) for hit, stored in placed if stored is not None]
        there = {(hit.unit, hit.number) for hit, _ in worded}
        least = min((hit.score for hit, _ in worded), default=1.0)
        typed = (hit for hit in by_types(around, self._ranking, self._stored) if (hit.unit, hit.number) not in there)
        placed = ((replace(hit, score=least), self._stored(hit)) for hit in typed)
        return worded + [(hit, stored) for hit, stored in placed if stored is not None]

    def _weighed(
        self, hits: Sequence[Hit], *, factor: float = 1.0, less: float = 0.0, around: Around | None = None
    ) -> list[tuple[Hit, StoredPiece]]:
        """The pieces of one ranking, best first, those of tests for less than they score, what is near for more."""
        found = []
        for hit in hits:
            stored = self._stored(hit)
            if stored is not None:
                score = hit.score * factor - less if stored.path.endswith("_test.go") else hit.score
                if around:
                    score *= TYPE_FACTOR if around.has_method(stored) else 1.0
                    score *= RECENT_FACTOR if around.is_of_late(stored) else 1.0
                found.append((replace(hit, score=score), stored))
        found.sort(key=lambda pair: (-round(pair[0].score, _SCORE_DIGITS), pair[1].path, pair[1].piece.lines))
        return found

    def _stored(self, hit: Hit) -> StoredPiece | None:
        if hit.unit < 0:
            return next(b.pieces[hit.number] for b in self._buffers.values() if b.unit == hit.unit)
        if hit.unit >= _SHARED:
            return self._shared.piece(hit.unit - _SHARED, hit.number) if self._shared is not None else None
        stored = self._store.piece(hit.unit, hit.number)
        hidden = stored is not None and stored.path in self._buffers and stored.piece.kind != "package"
        return None if hidden else stored


def weights_for(query: str) -> tuple[float, float]:
    """What words and meaning count: both for a question in prose, words alone for names and code."""
    prose = len(query.split()) >= _LEAST_PROSE_WORDS and not _CODE.search(query)
    return JOINED if prose else WORDS_ALONE


def _snippet(stored: StoredPiece, hit: Hit) -> Snippet:
    piece: Piece = stored.piece
    source: Origin = "buffer" if hit.unit < 0 else "dependency" if hit.unit >= _SHARED else "workspace"
    score = round(hit.score, _SCORE_DIGITS)
    return Snippet(stored.path, piece.symbol, piece.kind, piece.text, score, source, piece.lines, stored.package)


def _telling_lines(text: str) -> frozenset[str]:
    """The lines of a text without white space around them, short ones such as braces left out."""
    stripped = (" ".join(line.split()) for line in text.splitlines())
    return frozenset(line for line in stripped if len(line) >= _TELLING_CHARS)
