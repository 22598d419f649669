"""What is known of a place beside its words: types in play, calls, files of late.

Used by search.py: what fits the words counts more where it is near, and what only types say comes behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from goassist_index.postings import Hit, Ranking
from goassist_index.store import StoredPiece
from goassist_index.words import words

# What is ranked for one name; a name that more pieces hold says little.
_RANKED = 24
_MOST_NAMES = 6
_INTERFACE = re.compile(r"^type \w+(?:\[[^\n]*\])? interface \{", re.MULTILINE)
_METHOD = re.compile(r"^\t(\w+)\(", re.MULTILINE)
# An interface of fewer methods is implemented by chance.
_LEAST_METHODS = 2

Placed = tuple[Hit, StoredPiece]


@dataclass(frozen=True, slots=True)
class Around:
    """Of a place: the `types` in play and the functions that are called there, by name, the most telling first.

    Types that another package declares are named with it ("price.Amount"). `recent`: files from the workspace's root
    with slashes that somebody edits or has open, the latest first.
    """

    types: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self.types or self.calls or self.recent)

    def has_method(self, stored: StoredPiece) -> bool:
        """Whether it is a method of a type in play."""
        return bool(stored.piece.receiver) and any(_is_of(stored, *_parted(name)) for name in self.types)

    def is_of_late(self, stored: StoredPiece) -> bool:
        """Whether it stands in a file of late. Not in a test: who writes one looks for what it tests."""
        return stored.path in self.recent and not stored.path.endswith("_test.go")


def by_types(around: Around, ranking: Ranking, stored: Callable[[Hit], StoredPiece | None]) -> list[Hit]:
    """Declarations of the types in play, with their methods and those who implement them, then who calls the same."""
    found: dict[tuple[int, int], Hit] = {}

    def add(hits: Iterable[Placed]) -> None:
        for hit, _ in hits:
            found.setdefault((hit.unit, hit.number), hit)

    def ranked(query: Sequence[str]) -> list[Placed]:
        placed = ((hit, stored(hit)) for hit in ranking.best(query, _RANKED))
        return [(hit, piece) for hit, piece in placed if piece is not None]

    for name in around.types[:_MOST_NAMES]:
        package, bare = _parted(name)
        named = [pair for pair in ranked(words(f"{package} {bare}")) if _is_of(pair[1], package, bare)]
        # The declaration before its methods.
        add(sorted(named, key=lambda pair: pair[1].piece.symbol != bare))
        for _, placed in named:
            if placed.piece.symbol == bare and _INTERFACE.search(placed.piece.text):
                methods = _METHOD.findall(placed.piece.text)
                add(pair for pair in ranked(words(" ".join(methods))) if _implements(pair[1], bare, methods))
    for name in around.calls[:_MOST_NAMES]:
        call = re.compile(rf"\b{re.escape(name)}\(")
        add(pair for pair in ranked(words(name)) if _calls(pair[1], name, call))
    return list(found.values())


def _parted(name: str) -> tuple[str, str]:
    package, _, bare = name.rpartition(".")
    return package, bare


def _is_of(stored: StoredPiece, package: str, name: str) -> bool:
    """Whether it declares a type of this name, or is one of its methods."""
    piece = stored.piece
    own = piece.symbol == name if piece.kind == "type" else piece.kind == "function" and piece.receiver == name
    return own and package in ("", piece.package_name)


def _implements(stored: StoredPiece, name: str, methods: Sequence[str]) -> bool:
    piece = stored.piece
    if piece.kind != "type" or piece.symbol == name or len(methods) < _LEAST_METHODS:
        return False
    return all(re.search(rf"\b{method}\(", piece.text) for method in methods)


def _calls(stored: StoredPiece, name: str, call: re.Pattern[str]) -> bool:
    piece = stored.piece
    own = piece.symbol.rpartition(".")[2] == name
    return piece.kind == "function" and not own and call.search(piece.text[piece.head_chars :]) is not None
