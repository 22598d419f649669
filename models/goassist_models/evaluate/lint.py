"""What Go's analyzers say of accepted text: findings on accepted lines, a 100 of them, beside those on the author's.

The fourth stage of an infill run (runs.py), after the compiler's word. All accepted texts of one system in one
package are put together into a scratch copy of the module, each analyzer runs once a package, and once more on the
package as its author left it. Both sides are the same holes: where an analyzer fails on one, it counts for neither.

What is not covered: a finding is blamed on the line it is reported at, though on a line that was completed half of
it stood there before; that is so for the author's line too.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from goassist_index.errors import GoassistError
from goassist_models.evaluate.analyzers import VET, Analyzer, Finding
from goassist_models.evaluate.example import Case, Example
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.keystrokes import bootstrap_95

OVERLAPS = "overlaps another accepted text"
OTHER_FILE = "the file is not the one that it was made for"
NOT_TOGETHER = "does not compile together with the others"


@dataclass(frozen=True, slots=True)
class Piece:
    """An accepted text: `text` in place of bytes [start, end) of a case's file, and the imports that come with it.

    Bytes [lead, lead + size) of `text` are what stands in the hole, blank space at its ends aside.
    """

    case: Case
    start: int
    end: int
    text: bytes
    lead: int
    size: int
    imports: tuple[tuple[int, int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class _Span:
    """Lines first to last (1-based) of a file, on which a case's text stands."""

    file: str
    first: int
    last: int

    @property
    def lines(self) -> int:
        return self.last - self.first + 1


@dataclass(slots=True)
class _Tally:
    """What was found of one system with one analyzer: an entry a case, the lines and what lies on them."""

    lines: list[int] = field(default_factory=list)
    found: list[list[Finding]] = field(default_factory=list)

    def add(self, span: _Span, findings: Iterable[Finding]) -> None:
        self.lines.append(span.lines)
        self.found.append([f for f in findings if f.file == span.file and span.first <= f.line <= span.last])

    def as_json(self) -> dict[str, Any]:
        low, high = bootstrap_95([(len(f), n) for f, n in zip(self.found, self.lines, strict=True)])
        findings, lines = sum(map(len, self.found)), sum(self.lines)
        return {
            "lines": lines,
            "findings": findings,
            "per_100_lines": 100 * findings / lines if lines else None,
            "low": low,
            "high": high,
            "checks": dict(sorted(Counter(f.check for found in self.found for f in found).items())),
        }


@dataclass(slots=True)
class Report:
    """What came out, as it is built up. Tallies are by (system, analyzer, whose text it is)."""

    tallies: dict[tuple[str, str, str], _Tally] = field(default_factory=lambda: defaultdict(_Tally))
    accepted: Counter[str] = field(default_factory=Counter)
    together: Counter[str] = field(default_factory=Counter)
    dropped: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, module: str, package: str, analyzer: str, system: str, error: object) -> None:
        """Name what could not be found out; `system` "" is the author's text."""
        self.failures.append(
            {"module": module, "package": package, "analyzer": analyzer, "system": system, "why": str(error)}
        )

    def as_json(self, systems: Sequence[str], analyzers: Iterable[str]) -> dict[str, Any]:
        """All of it; for a system and analyzer, `accepted` and `author` are the same holes."""
        names = list(analyzers)
        return {
            "systems": {
                system: {
                    "accepted": self.accepted[system],
                    "together": self.together[system],
                    "dropped": dict(Counter(d["why"] for d in self.dropped if d["system"] == system)),
                    "analyzers": {
                        name: {side: self.tallies[system, name, side].as_json() for side in ("accepted", "author")}
                        for name in names
                    },
                }
                for system in systems
            },
            "dropped": self.dropped,
            "failures": self.failures,
            "findings": self.findings,
        }


def piece_of(example: Example, root: Path) -> Piece:
    """What accepting an answer does to the case's file in the module at `root`.

    Raises GoassistError when that file is not the one that the case was made from.
    """
    from rapidfuzz.distance import Prefix

    assert example.answer is not None and example.scores is not None
    case, asked = example.case, question(example.case, root)
    text, cursor, edit = asked.text, asked.offset, example.answer.edits[0]
    first, last = min(edit.start, cursor), max(edit.end, cursor)
    new = text[first : edit.start] + edit.text + text[edit.end : last]
    kept = Prefix.similarity(text[first:cursor], new)  # what stood there before, said again: see scores.inserted
    inserted = example.scores.inserted
    lead = kept + len(inserted) - len(inserted.lstrip())

    def place(at: int, *, end: bool = False) -> int:
        """Byte of the whole file for a code point of the buffer that lacks the hole."""
        byte = len(text[:at].encode())
        return byte + (case.end - case.start if at > cursor or (at == cursor and end) else 0)

    return Piece(
        case,
        place(first),
        place(last, end=True),
        new.encode(),
        len(new[:lead].encode()),
        len(inserted.strip().encode()),
        tuple((place(e.start), place(e.end), e.text.encode()) for e in example.answer.edits[1:]),
    )


def put_together(source: bytes, pieces: Sequence[Piece]) -> tuple[bytes, dict[str, tuple[int, int]], list[Piece]]:
    """`source` with all pieces of one file: the text, the lines of each by its case's key, and those that overlap.

    Imports that several bring are put in once.
    """
    taken: list[tuple[int, int, bytes, Piece | None]] = []
    overlapping: list[Piece] = []
    for piece in pieces:
        edits: list[tuple[int, int, bytes, Piece | None]] = [(piece.start, piece.end, piece.text, piece)]
        edits += [(*edit, None) for edit in piece.imports if (*edit, None) not in taken]
        if any(a[0] < b[1] and b[0] < a[1] for a in edits for b in taken):
            overlapping.append(piece)
        else:
            taken += edits
    parts: list[bytes] = []
    lines: dict[str, tuple[int, int]] = {}
    at, line = 0, 1
    for start, end, text, own in sorted(taken, key=lambda edit: edit[:2]):
        line += source.count(b"\n", at, start)
        if own is not None:
            first = line + text.count(b"\n", 0, own.lead)
            lines[own.case.key] = first, first + text.count(b"\n", own.lead, own.lead + own.size)
        parts += [source[at:start], text]
        line += text.count(b"\n")
        at = end
    return b"".join(parts) + source[at:], lines, overlapping


def lint(
    examples: Mapping[str, Sequence[Example]],
    directory_of: Callable[[str], Path],
    analyzers: Mapping[str, Analyzer],
    scratch: Path,
    tell: Callable[[str], None] = lambda message: None,
) -> Report:
    """Put what compiles of each system's `examples` together, package by package, and have it analyzed.

    `directory_of` gives a module's pristine directory by its name; copies lie below `scratch` while they are needed.
    A module, package or analyzer that fails is named in the report and counts nowhere.
    """
    report = Report()
    by_module: dict[str, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for system, of_system in examples.items():
        for example in of_system:
            if example.scores is not None and example.scores.compiles and example.scores.inserted.strip():
                report.accepted[system] += 1
                by_module[example.case.module][system].append(example)
    for module, of_module in by_module.items():
        copy = scratch / "module"
        try:
            root = directory_of(module)
            shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            work = _Module(module, root, copy, analyzers, report)
            for folder in sorted({_folder(e.case) for found in of_module.values() for e in found}):
                tell(f"{module}: {folder}")
                work.package(
                    folder, {s: [e for e in found if _folder(e.case) == folder] for s, found in of_module.items()}
                )
        except (GoassistError, OSError) as error:
            report.fail(module, "", "", "", error)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return report


def _folder(case: Case) -> str:
    return str(PurePosixPath(case.file).parent)


@dataclass(slots=True)
class _Module:
    """One module under way: `root` is as its author left it, `copy` the same but for what is put in."""

    name: str
    root: Path
    copy: Path
    analyzers: Mapping[str, Analyzer]
    report: Report

    def package(self, folder: str, examples: Mapping[str, Sequence[Example]]) -> None:
        """Analyze one package: as it is, then with each system's texts."""
        author = self._analyzed(folder, "", self.analyzers)
        for system, of_system in examples.items():
            pieces = []
            for example in of_system:
                try:
                    pieces.append(piece_of(example, self.root))
                except GoassistError as error:
                    self._drop(system, example.case, OTHER_FILE, str(error))
            if pieces:
                self._system(folder, system, pieces, author)

    def _system(self, folder: str, system: str, pieces: list[Piece], author: Mapping[str, list[Finding]]) -> None:
        kept, spans = self._compiling(folder, system, pieces, judged=VET in author)
        self.report.together[system] += len(kept)
        if not kept:
            return
        try:
            found = self._analyzed(folder, system, {name: self.analyzers[name] for name in author})
        finally:
            self._restore(kept)
        for name, findings in found.items():
            for piece in kept:
                span = spans[piece.case.key]
                self._count(system, name, "accepted", piece.case, span, findings)
                self._count(system, name, "author", piece.case, _truth_span(piece.case, self.root), author[name])

    def _count(self, system: str, name: str, side: str, case: Case, span: _Span, findings: Sequence[Finding]) -> None:
        tally = self.report.tallies[system, name, side]
        tally.add(span, findings)
        self.report.findings += [
            {"system": system, "side": side, "key": case.key, "module": self.name, **asdict(f)} for f in tally.found[-1]
        ]

    def _analyzed(self, folder: str, system: str, analyzers: Mapping[str, Analyzer]) -> dict[str, list[Finding]]:
        """What each analyzer says of the package in the copy, as it is now; those that fail are named and missing."""
        found: dict[str, list[Finding]] = {}
        for name, analyze in analyzers.items():
            try:
                found[name] = analyze(self.copy, folder)
            except GoassistError as error:
                self.report.fail(self.name, folder, name, system, error)
        return found

    def _compiling(
        self, folder: str, system: str, pieces: list[Piece], *, judged: bool
    ) -> tuple[list[Piece], dict[str, _Span]]:
        """Put into the copy as many pieces as compile together; the others are put down in the report.

        `judged` false: the package cannot be vetted as its author left it, so each text's own compiling has to do.
        """
        kept, spans, overlapping = self._put(pieces)
        for piece in overlapping:
            self._drop(system, piece.case, OVERLAPS, "")
        if not judged or not kept or not self._complaint(folder):
            return kept, spans
        together: list[Piece] = []
        for piece in kept:
            self._restore(kept)
            self._put([*together, piece])
            if complaint := self._complaint(folder):
                self._drop(system, piece.case, NOT_TOGETHER, complaint)
            else:
                together.append(piece)
        self._restore(kept)
        _, spans, _ = self._put(together)
        return together, spans

    def _complaint(self, folder: str) -> str:
        """Why go vet cannot type-check the copy's package, "" when it can."""
        try:
            self.analyzers[VET](self.copy, folder)
        except GoassistError as error:
            return str(error)
        return ""

    def _drop(self, system: str, case: Case, why: str, complaint: str) -> None:
        self.report.dropped.append(
            {"system": system, "key": case.key, "module": self.name, "why": why, "complaint": complaint}
        )

    def _put(self, pieces: Sequence[Piece]) -> tuple[list[Piece], dict[str, _Span], list[Piece]]:
        """Write the files that pieces change; the pieces that are in, their lines, and those that overlap."""
        by_file: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            by_file[piece.case.file].append(piece)
        spans: dict[str, _Span] = {}
        overlapping: list[Piece] = []
        for file, of_file in by_file.items():
            text, lines, left = put_together((self.root / file).read_bytes(), of_file)
            (self.copy / file).write_bytes(text)
            spans.update({key: _Span(file, first, last) for key, (first, last) in lines.items()})
            overlapping += left
        return [piece for piece in pieces if piece.case.key in spans], spans, overlapping

    def _restore(self, pieces: Sequence[Piece]) -> None:
        for file in {piece.case.file for piece in pieces}:
            (self.copy / file).write_bytes((self.root / file).read_bytes())


def _truth_span(case: Case, root: Path) -> _Span:
    source = (root / case.file).read_bytes()
    truth = source[case.start : case.end]
    first = source.count(b"\n", 0, case.start + len(truth) - len(truth.lstrip())) + 1
    return _Span(case.file, first, first + truth.strip().count(b"\n"))
