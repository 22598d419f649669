"""What may be taken out of lines that a commit added: holes that lie wholly in them, inside functions.

The source of history.py's cases, as holes.py is of those from modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Node

from goassist_index.syntax import functions, parse, statements, walk
from goassist_models.evaluate.commits import Added
from goassist_models.evaluate.ghost import MAX_BLOCK_LINES, GhostKind, Place, spans

_BLOCKS = frozenset({"block", "expression_case", "type_case", "communication_case", "default_case"})
_TELLING_CHARS = 4


@dataclass(frozen=True, slots=True)
class AddedHole:
    """Bytes [start, end) of a file, in the function `node`."""

    kind: GhostKind
    role: str
    start: int
    end: int
    node: Node


def added_holes(source: bytes, added: Added, removed: frozenset[bytes]) -> list[AddedHole]:
    """Everything in the file's functions that lies wholly in added lines.

    `removed` are lines that the commit took away somewhere: where at least half of a hole's lines are among them, they
    were moved or indented anew, and nobody wrote them.
    """
    found = []
    lines = [line.strip() for line in source.split(b"\n")]
    for node in functions(parse(source)):
        rows = _rows([node])
        if added.rows.isdisjoint(rows):
            continue
        place = Place(Path(), source, node, new=added.rows.issuperset(rows))
        kinds: tuple[GhostKind, ...] = ("line", "expression", *(("body",) if place.new else ()))
        offered = [AddedHole(kind, *span, node) for kind in kinds for span in spans(kind, place)]
        offered += [AddedHole("block", *span, node) for span in _runs(node, source, added.rows)]
        for hole in offered:
            first = source.count(b"\n", 0, hole.start)
            touched = range(first, first + source.count(b"\n", hole.start, hole.end) + 1)
            telling = [lines[row] for row in touched if len(lines[row]) >= _TELLING_CHARS]
            moved = sum(line in removed for line in telling)
            if added.rows.issuperset(touched) and (not moved or 2 * moved < len(telling)):
                found.append(hole)
    return found


def _runs(function: Node, source: bytes, added: frozenset[int]) -> Iterator[tuple[str, int, int]]:
    """Runs of added statements of one block, on two lines at least; all of a function's body is no block."""
    body = function.child_by_field_name("body")
    for block in walk(function):
        inner = statements(block) if block.type in _BLOCKS else ()
        for run in _added_runs(inner, added):
            whole = block == body and len(run) == len(inner)
            if len(_rows(run)) > 1 and not whole and _alone(run, source):
                yield "statements", run[0].start_byte, run[-1].end_byte


def _added_runs(inner: tuple[Node, ...], added: frozenset[int]) -> Iterator[list[Node]]:
    """Neighbouring statements whose lines were all added, cut where they would be too many lines."""

    def fit(nodes: list[Node]) -> bool:
        return len(_rows(nodes)) <= MAX_BLOCK_LINES and added.issuperset(_rows(nodes))

    run: list[Node] = []
    for statement in inner:
        if fit([*run, statement]):
            run.append(statement)
            continue
        if run:
            yield run
        run = [statement] if fit([statement]) else []
    if run:
        yield run


def _rows(nodes: list[Node]) -> range:
    return range(nodes[0].start_point[0], nodes[-1].end_point[0] + 1)


def _alone(run: list[Node], source: bytes) -> bool:
    """Whether nothing else stands on the lines of these statements."""
    before = source[source.rfind(b"\n", 0, run[0].start_byte) + 1 : run[0].start_byte]
    end = source.find(b"\n", run[-1].end_byte)
    return not before.strip() and not source[run[-1].end_byte : end if end >= 0 else len(source)].strip()
