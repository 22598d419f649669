"""Near copies: functions whose code stands nearly the same elsewhere in the module give no cases.

A hole whose answer can be read in the next function measures copying. Compared are runs of five tokens (names and
literals as they are, comments and layout aside), by an inverted index over all functions of the module, those of
test files, generated files and other platforms included.

Thresholds, from reading pairs in asynq, excelize, fasthttp and certmagic: from a Jaccard index of 0.5 on a pair is
one function written twice with a name or two exchanged (`SeedAllRetryQueues` and `SeedAllCompletedQueues`, 0.52;
month names in two languages, 0.4-0.5); between 0.3 and 0.4 stand tests with the same beginning and one-line
delegates (`IsPut`, `IsTrace`), which are a module's habits, as a user meets them. A function that stands inside a
longer one has a low index, so its own share counts too: 0.8 of it in one other function, from 20 runs on (shorter
ones are `if err != nil` and `t.Parallel()`).
Not seen: copies with all names changed, copies in other modules, and near copies that are shorter than some fifteen
tokens, where one exchanged name changes most runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Node

from goassist_index.syntax import function_name, functions, parse, tokens

RUN_TOKENS = 5
MIN_JACCARD = 0.5
MIN_CONTAINED = 0.8
MIN_CONTAINED_RUNS = 20
MIN_TRUTH_LINES = 3

Runs = frozenset[tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Copied:
    """Where a near copy stands, and the shares of runs of tokens: in both functions, and of the one asked about."""

    file: Path
    function: str
    jaccard: float
    contained: float


@dataclass(frozen=True, slots=True)
class _Function:
    file: Path
    start: int
    name: str
    runs: Runs


class Copies:
    """All functions of a module, by runs of their tokens."""

    def __init__(self, found: Iterable[_Function]) -> None:
        self._functions = tuple(found)
        self._at = {(function.file, function.start): number for number, function in enumerate(self._functions)}
        self._having: dict[tuple[bytes, ...], list[int]] = {}
        for number, function in enumerate(self._functions):
            for run in function.runs:
                self._having.setdefault(run, []).append(number)

    @classmethod
    def below(cls, directory: Path) -> Copies:
        """Read every Go file below `directory`. Functions that stand behind broken syntax may be missed."""
        return cls(found for path in sorted(directory.rglob("*.go")) if path.is_file() for found in _read(path))

    def of_function(self, file: Path, start: int) -> Copied | None:
        """The nearest copy of the function that begins at byte `start` of `file`; None when there is none."""
        number = self._at[file, start]
        runs = self._functions[number].runs
        near = [
            copied
            for copied in self._shares(runs, number)
            if copied.jaccard >= MIN_JACCARD or (copied.contained >= MIN_CONTAINED and len(runs) >= MIN_CONTAINED_RUNS)
        ]
        return max(near, key=lambda copied: (copied.jaccard, copied.contained), default=None)

    def of_lines(self, function: Node, source: bytes, file: Path, start: int, end: int) -> Copied | None:
        """Another function that has all of bytes [start, end) of `function`, when these are MIN_TRUTH_LINES or more.

        Compared by runs of tokens: verbatim but for layout and comments. None when there is none, or fewer lines.
        """
        if source.count(b"\n", start, end) + 1 < MIN_TRUTH_LINES:
            return None
        runs = _runs(function, source, start, end)
        number = self._at[file, function.start_byte]
        return next((copied for copied in self._shares(runs, number) if copied.contained == 1.0), None)

    def _shares(self, runs: Runs, number: int) -> Iterable[Copied]:
        shared = Counter(other for run in runs for other in self._having.get(run, ()) if other != number)
        for other, count in shared.items():
            found = self._functions[other]
            jaccard = count / (len(runs) + len(found.runs) - count)
            yield Copied(found.file, found.name, jaccard, count / len(runs))


def _read(path: Path) -> Iterable[_Function]:
    source = path.read_bytes()
    for node in functions(parse(source)):
        body = node.child_by_field_name("body")
        if body is not None:
            runs = _runs(body, source, body.start_byte, body.end_byte)
            yield _Function(path, node.start_byte, function_name(node, source), runs)


def _runs(node: Node, source: bytes, start: int, end: int) -> Runs:
    texts = [
        text
        for token in tokens(node)
        if start <= token.start_byte and token.end_byte <= end and token.type != "comment"
        if (text := source[token.start_byte : token.end_byte]) != b"\n"
    ]
    return frozenset(zip(*(texts[skipped:] for skipped in range(RUN_TOKENS)), strict=False))
