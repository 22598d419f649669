"""What a place could use that its package's other files declare: members of the values there, and functions.

What the snippets of a search show holds little of what a text goes on to use: it is found by likeness. This goes by
types instead, by how often a name is used, and by its words. For prompts; `bench needed` says what it is worth.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from goassist_index.chunk import Outline, outline_of
from goassist_index.typefacts import InPlay, TypeFacts
from goassist_index.words import words

_MOST_CHARS = 110
# Weights of what speaks for a name, set on 110 declarations that holes of the dev modules need.
_OWN_USES, _OTHER_USES, _WORDS, _SEEN = 1.0, 0.5, 4.0, 1.0
_OPERAND, _VALUE, _GIVES, _TAKES = 4.0, 2.0, 2.5, 0.7
_NAME = re.compile(r"\w+")
_MEMBER = re.compile(r"\.(\w+)")
_TYPE = re.compile(r"^[*\[\]]*(?:(\w+)\.)?(\w+)")
_FIELD = re.compile(r"^\t(\w+(?:, \w+)*) [^\n]+$", re.MULTILINE)
_METHOD = re.compile(r"^\t(\w+)\([^\n]*$", re.MULTILINE)
_BEHIND_DOT = re.compile(r"([\w.\[\]()]+)\.\w*$")


@dataclass(frozen=True, slots=True)
class AtHand:
    """One name: as it would be written there with what it is ("r.logger hclog.Logger"), and what speaks for it."""

    line: str
    score: float


@dataclass(frozen=True, slots=True)
class Place:
    """The place: its file's `text`, what stands on the cursor's line before it, and the lines that ask."""

    text: str
    line_prefix: str
    asking: str
    known: str


def at_hand(place: Place, others: Mapping[Path, str], facts: TypeFacts) -> list[AtHand]:
    """Names that may be of use, best first; `others` are the texts of the package's other files.

    Behind a dot only what may follow it. What `place.known` says already is left out.
    """
    outlines = [_outline(text) for text in others.values()]
    uses = _Uses(place.text, others.values())
    asked, seen = set(words(place.asking)), set(_NAME.findall(place.known))
    ranked: dict[str, float] = {}
    for name, line, prior in _candidates(place, facts, outlines):
        if (line.partition(".")[2] and line.partition(".")[2] in place.known) or line in place.known:
            continue
        own = words(name)
        score = prior + uses.worth(name) + _WORDS * len(asked & set(own)) / math.sqrt(1 + len(own))
        score += _SEEN if name in seen else 0.0
        shown = line[:_MOST_CHARS]
        ranked[shown] = max(score, ranked.get(shown, score))
    return [AtHand(line, score) for line, score in sorted(ranked.items(), key=lambda pair: (-pair[1], pair[0]))]


@lru_cache(maxsize=128)  # files of the package that is worked in, and of the last few; it holds their texts
def _outline(text: str) -> Outline:
    return outline_of(text.encode())


class _Uses:
    """How often names are used, in the file itself and in the others."""

    def __init__(self, own: str, others: Iterable[str]) -> None:
        self._own = Counter(_NAME.findall(own))
        self._others: Counter[str] = Counter()
        for text in others:
            self._others.update(_NAME.findall(text))

    def worth(self, name: str) -> float:
        return _OWN_USES * math.log1p(self._own[name]) + _OTHER_USES * math.log1p(self._others[name])


def _candidates(place: Place, facts: TypeFacts, outlines: list[Outline]) -> Iterator[tuple[str, str, float]]:
    """(name, line, prior) of all that is at hand."""
    behind = _BEHIND_DOT.search(place.line_prefix)
    for rank, one in enumerate(one for one in facts.in_play if not one.standard):
        named = _TYPE.match(one.name)
        if named is None:
            continue
        value = behind.group(1) if one.role == "operand" and behind else one.variable
        if not value:
            continue
        prior = _OPERAND if one.role == "operand" else _VALUE / (1 + rank)
        for name, rest in _members(one, named.group(2), outlines if not named.group(1) else []):
            yield name, f"{value}.{rest}", prior
    if behind:
        return
    wanted = _TYPE.match(facts.expected)
    types = [named.group(2) for one in facts.in_play if not one.standard and (named := _TYPE.match(one.name))]
    for outline in outlines:
        for piece in outline.functions:
            if piece.receiver or piece.symbol in ("_", "init", "main"):
                continue
            line = _signature(piece.text[: piece.head_chars])
            takes, gives = _parted(line)
            prior = _GIVES if wanted is not None and re.search(rf"\b{wanted.group(2)}\b", gives) else 0.0
            prior += _TAKES if any(re.search(rf"\b{name}\b", takes) for name in types) else 0.0
            yield piece.symbol, line, prior


def _members(one: InPlay, name: str, outlines: list[Outline]) -> Iterator[tuple[str, str]]:
    """(name, name and type) of the fields and methods of a type, as far as files that are not the place's declare them.

    Those of other packages' types as far as the type service tells of them.
    """
    declarations = [one.declaration] if not outlines else []
    for method in one.methods if not outlines else ():
        line = _signature(method)
        yield line.partition("(")[0], line
    for outline in outlines:
        declarations += [declared.text for declared in outline.types if declared.name == name]
        for piece in outline.functions:
            if piece.receiver == name:
                line = _signature(piece.text[: piece.head_chars])
                yield line.partition("(")[0], line
    for text in declarations:
        for found in (*_FIELD.finditer(text), *_METHOD.finditer(text)):
            line = " ".join(found.group().partition("`")[0].partition(" //")[0].split())
            for field in found.group(1).split(", "):
                yield field, line


def _parted(line: str) -> tuple[str, str]:
    """A function's line up to the end of its parameters, and its results."""
    depth = 0
    for at, sign in enumerate(line):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and not depth:
            return line[:at], line[at + 1 :]
    return line, ""


def _signature(header: str) -> str:
    """From `func (c *Cart) Add(line Line) error {` with its comment what stands behind `func` and the receiver."""
    lines = [line for line in header.splitlines() if not line.startswith("//")]
    text = " ".join(" ".join(lines).split()).rstrip("{ ").removeprefix("func ")
    return text.partition(") ")[2] if text.startswith("(") else text
