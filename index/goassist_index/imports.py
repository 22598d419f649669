"""Adds imports to the text of a Go file where gofmt and goimports would place them.

postprocess/imports.py makes edits of a candidate of it; header.py reads what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from goassist_index.header import (
    Declaration,
    Line,
    is_standard,
    nearest,
    read_header,
    sort_key,
    spelled,
)
from goassist_index.verdict import ImportSpec


@dataclass(frozen=True, slots=True)
class Change:
    """`text[start:end]` (code points) replaced by `new`."""

    start: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        """The text with the change made."""
        return text[: self.start] + self.new + text[self.end :]


def change_for(text: str, imports: Sequence[ImportSpec]) -> Change | None:
    """The one change of `text` that adds `imports`, as small as can be; None when they are all there already.

    Line ends are the text's own. Raises NoPlaceForImport when its head is broken or in a shape that cannot be added to
    without reading more than it says.
    """
    changed = text
    for spec in sorted(imports, key=sort_key):
        change = _change_for_one(changed, spec)
        changed = change.apply(changed) if change else changed
    if changed == text:
        return None
    # What the changes touched, as one: all lie before the head's end.
    tail = len(text) - read_header(text).end
    end, new_end = len(text) - tail, len(changed) - tail
    while min(end, new_end) > 0 and text[end - 1] == changed[new_end - 1]:
        end, new_end = end - 1, new_end - 1
    start = 0
    while start < min(end, new_end) and text[start] == changed[start]:
        start += 1
    start, end, new_end = _at_line_end(changed, start, end, new_end)
    # No position lies between the two characters of a line end.
    if text[end - 1 : end + 1] == "\r\n":
        end, new_end = end + 1, new_end + 1
    if start and text[start - 1 : start + 1] == "\r\n":
        start -= 1
    return Change(start, end, changed[start:new_end])


def _at_line_end(changed: str, start: int, end: int, new_end: int) -> tuple[int, int, int]:
    """The same insertion, moved right to where it begins with a line end, rather than in the middle of an import."""
    for shift in range(new_end - start if start == end else 0):
        if changed[start + shift] in "\r\n":
            return start + shift, end + shift, new_end + shift
        if changed[start + shift] != changed[new_end + shift : new_end + shift + 1]:
            break
    return start, end, new_end


def _change_for_one(text: str, spec: ImportSpec) -> Change | None:
    header = read_header(text)
    nl = "\r\n" if text[: text.find("\n")].endswith("\r") else "\n"
    present = [line.spec for declaration in header.declarations for line in declaration.lines]
    if spec in present:
        return None
    candidates = [declaration for declaration in header.declarations if declaration.takes_more]
    if not candidates:
        lines = f"{nl}{nl}import {spelled(spec)}"
        # Two line ends part it from what follows, as gofmt has it.
        following = text[header.end :].removeprefix("\r").removeprefix("\n")
        shut = not following or following[0] in "\r\n"
        return Change(header.end, header.end, lines if shut else lines + nl)
    near = nearest(candidates, spec.path)
    target, index = near or (candidates[0], -1)
    if target.opened < 0:
        row = _row(text, candidates, target)
        return _among_single(text, row, spec, nl) if len(row) > 1 else _into_block(target, spec, nl)
    if near is None:
        return _new_group(target, spec, nl)
    return _into_group(text, target, index, spec, nl)


def _row(text: str, candidates: Sequence[Declaration], target: Declaration) -> list[Declaration]:
    """The declarations of one import each that stand on the lines next to `target`, itself included."""
    row: list[Declaration] = []
    for declaration in candidates:
        follows = bool(row) and not text[row[-1].end : declaration.start].strip("\r\n")
        adjacent = follows and text[row[-1].end : declaration.start].count("\n") == 1
        if declaration.opened >= 0 or not adjacent:
            if target in row:
                break
            row = []
        if declaration.opened < 0:
            row.append(declaration)
    return row


def _among_single(text: str, row: Sequence[Declaration], spec: ImportSpec, nl: str) -> Change:
    """One more line of `import "path"`, sorted, but never between the first one and a comment above it."""
    before = [d for d in row if sort_key(d.lines[0].spec) < sort_key(spec)]
    at = (before[-1] if before else row[0]).end
    return Change(at, at, f"{nl}import {spelled(spec)}")


def _into_block(single: Declaration, spec: ImportSpec, nl: str) -> Change:
    """The only `import "path"` made a block of two."""
    (line,) = single.lines
    old = f"{line.code} {line.comment}".rstrip()
    first, second = (old, spelled(spec)) if _precedes(line.spec, spec) else (spelled(spec), old)
    gap = nl if is_standard(line.spec.path) == is_standard(spec.path) else nl * 2
    return Change(single.start, single.end, f"import ({nl}\t{first}{gap}\t{second}{nl})")


def _precedes(a: ImportSpec, b: ImportSpec) -> bool:
    """Whether a stands before b: the standard library first."""
    return (not is_standard(a.path), *sort_key(a)) < (not is_standard(b.path), *sort_key(b))


def _new_group(block: Declaration, spec: ImportSpec, nl: str) -> Change:
    """A group of its own: the standard library before all others, what is not behind them."""
    if is_standard(spec.path):
        return Change(block.opened, block.opened, f"{nl}\t{spelled(spec)}{nl}")
    return Change(block.closed, block.closed, f"{nl}\t{spelled(spec)}{nl}")


@dataclass(frozen=True, slots=True)
class _Run:
    """Imports on successive lines, which gofmt sorts.

    `comment`: where the comment lines right above begin, -1 without any; `heads`: they begin a group.
    """

    lines: tuple[Line, ...]
    comment: int
    heads: bool


def _runs(text: str, block: Declaration) -> list[_Run]:
    runs: list[_Run] = []
    lines: list[Line] = []
    gap_from = block.opened
    comment, heads = -1, False
    for line in block.lines:
        line_start = text.rfind("\n", 0, line.start) + 1
        between = text[gap_from:line_start]
        rows = between.split("\n")[1:-1]
        if rows or not lines:
            if lines:
                runs.append(_Run(tuple(lines), comment, heads))
            lines = []
            blank = max((i for i, row in enumerate(rows) if not row.strip()), default=-1)
            comments = rows[blank + 1 :]
            comment = line_start - sum(len(row) + 1 for row in comments) if comments else -1
            heads = blank >= 0 or not runs
        lines.append(line)
        gap_from = line.end
    runs.append(_Run(tuple(lines), comment, heads))
    return runs


def _into_group(text: str, block: Declaration, index: int, spec: ImportSpec, nl: str) -> Change:
    """A line more in the run of the import at `index`, sorted."""
    runs = _runs(text, block)
    at = next(i for i, run in enumerate(runs) if block.lines[index] in run.lines)
    run = runs[at]
    while run.comment >= 0 and sort_key(spec) < sort_key(run.lines[0].spec):
        # Never between an import and its comment; a comment over several is their group's.
        if run.heads and len(run.lines) > 1:
            break
        if run.heads:
            return Change(run.comment, run.comment, f"\t{spelled(spec)}{nl}")
        at -= 1
        run = runs[at]
    added = Line(-1, -1, spec, spelled(spec), "")
    lines = [*run.lines, added]
    if _is_sorted(run):
        lines.sort(key=lambda line: sort_key(line.spec))
    start, end = run.lines[0].start, run.lines[-1].end
    commented = [bool(line.comment) for line in run.lines]
    if any(a and b for a, b in pairwise(commented)):
        return Change(start, end, f"{nl}\t".join(_aligned(lines)))
    where = lines.index(added)
    if where == 0:
        return Change(start, start, f"{added.code}{nl}\t")
    before = lines[where - 1].end
    return Change(before, before, f"{nl}\t{added.code}")


def _is_sorted(run: _Run) -> bool:
    keys = [sort_key(line.spec) for line in run.lines]
    return keys == sorted(keys)


def _aligned(lines: Sequence[Line]) -> list[str]:
    """The lines' text; comments of successive lines stand below each other, as gofmt has them."""
    texts: list[str] = []
    for i, line in enumerate(lines):
        if not line.comment:
            texts.append(line.code)
            continue
        first, last = i, i
        while first > 0 and lines[first - 1].comment:
            first -= 1
        while last + 1 < len(lines) and lines[last + 1].comment:
            last += 1
        width = max(len(other.code) for other in lines[first : last + 1])
        texts.append(f"{line.code.ljust(width)} {line.comment}")
    return texts
