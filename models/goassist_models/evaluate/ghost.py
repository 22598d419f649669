"""Ghost holes: places in recent functions where a user would want text, with the truth taken away.

Kinds: "line" (the rest of a line), "expression", "block" (inside an if, for or case) and "body" (of a function).
`bench ghost` opens each buffer in the real server; the function's text is not on disk meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tree_sitter import Node

from goassist_index.syntax import (
    function_name,
    functions,
    is_generated,
    parse,
    signature,
    statements,
    tokens,
    walk,
)
from goassist_models.evaluate.holes import holes
from goassist_models.evaluate.judge import CompileJudge

GhostKind = Literal["line", "expression", "block", "body"]
GHOST_KINDS: tuple[GhostKind, ...] = ("line", "expression", "block", "body")
MAX_BLOCK_LINES = 12
MAX_BODY_LINES = 15
MIN_TOKENS_BEFORE = 2
_MAX_FILE_BYTES = 400_000
_BLOCK_OWNERS = frozenset({"if_statement", "for_statement"})
_ROLES = frozenset({"member", "right side", "results", "arguments"})
_TELLING = ("identifier", "literal", "nil", "true", "false")


@dataclass(frozen=True, slots=True)
class GhostHole:
    """Bytes [start, end) of `file` taken out of `function`; `new` when a version before mid-2024 lacks it.

    `function_start` and `function_end` are its bytes, which are not on disk while the hole is asked about.
    """

    module: str
    kind: GhostKind
    role: str
    file: str
    function: str
    new: bool
    start: int
    end: int
    function_start: int
    function_end: int


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    source: bytes
    node: Node
    new: bool


def signatures(directory: Path) -> frozenset[tuple[str, str]]:
    """All functions below a module's directory: package directory (relative) and signature."""
    found: set[tuple[str, str]] = set()
    for path in directory.rglob("*.go"):
        source = path.read_bytes()
        folder = str(path.parent.relative_to(directory))
        found.update((folder, signature(node, source)) for node in functions(parse(source)))
    return frozenset(found)


def ghost_holes(
    judge: CompileJudge, module: str, counts: dict[GhostKind, int], seed: int, older: frozenset[tuple[str, str]]
) -> list[GhostHole]:
    """Choose holes of one module, at most one a function, in functions that `older` lacks as far as there are any.

    There may be fewer than `counts` asks for. The truth compiles: packages that do not are left out.
    """
    rng = random.Random(f"{seed} {module} ghost")
    places = _places(judge, older)
    rng.shuffle(places)
    places.sort(key=lambda place: not place.new)
    left = dict(counts)
    chosen: list[GhostHole] = []
    for place in places:
        # The scarcest kind first: few functions are short enough for a body, nearly all have lines.
        for kind in reversed(GHOST_KINDS):
            spans = list(_spans(kind, place)) if left.get(kind, 0) > 0 else []
            if spans and judge.accepts_untouched(judge.package_of(place.path)):
                role, start, end = rng.choice(spans)
                chosen.append(_hole(module, kind, role, place, start, end))
                left[kind] -= 1
                break
        if not any(left.values()):
            break
    return chosen


def _places(judge: CompileJudge, older: frozenset[tuple[str, str]]) -> list[_Place]:
    places: list[_Place] = []
    for package in judge.packages:
        folder = str(package.directory.relative_to(judge.directory))
        for path in package.go_files:
            source = path.read_bytes()
            if len(source) > _MAX_FILE_BYTES or is_generated(source) or b"\r" in source:
                continue
            tree = parse(source)
            if tree.root_node.has_error or not _is_utf8(source):
                continue
            for node in functions(tree):
                places.append(_Place(path, source, node, (folder, signature(node, source)) not in older))
    return places


def _hole(module: str, kind: GhostKind, role: str, place: _Place, start: int, end: int) -> GhostHole:
    node = place.node
    return GhostHole(
        module=module,
        kind=kind,
        role=role,
        file=str(place.path),
        function=function_name(node, place.source),
        new=place.new,
        start=start,
        end=end,
        function_start=_with_comment(node),
        function_end=node.end_byte,
    )


def _with_comment(node: Node) -> int:
    """Start of a declaration with the comments that stand right above it."""
    start = node
    while (before := start.prev_sibling) is not None and before.type == "comment":
        if before.end_point[0] + 1 < start.start_point[0]:
            break
        start = before
    return start.start_byte


def _spans(kind: GhostKind, place: _Place) -> Iterator[tuple[str, int, int]]:
    body = place.node.child_by_field_name("body")
    if body is None:
        return
    match kind:
        case "line":
            yield from _line_spans(body, place.source)
        case "expression":
            yield from _expression_spans(place, body)
        case "block":
            for node in walk(body):
                if node.type == "block" and node.parent is not None and node.parent.type in _BLOCK_OWNERS:
                    yield from _inner(node, place.source, node.parent.type, MAX_BLOCK_LINES)
                elif node.type in ("expression_case", "type_case", "communication_case", "default_case"):
                    yield from _case_inner(node, place.source)
        case "body":
            yield from _inner(body, place.source, "body", MAX_BODY_LINES)


def _line_spans(body: Node, source: bytes) -> Iterator[tuple[str, int, int]]:
    """Rest of a line from a token boundary: at least two tokens stand before, and the rest says something."""
    lines: dict[int, list[Node]] = {}
    for token in tokens(body):
        for row in {token.start_point[0], token.end_point[0]}:
            lines.setdefault(row, []).append(token)
    for row, on_line in lines.items():
        if any(t.start_point[0] != row or t.end_point[0] != row or t.type == "comment" for t in on_line):
            continue
        on_line = [t for t in on_line if source[t.start_byte : t.end_byte] != b"\n"]
        for number, token in enumerate(on_line):
            rest = on_line[number:]
            if number >= MIN_TOKENS_BEFORE and any(t.type.endswith(_TELLING) for t in rest):
                yield "rest of line", token.start_byte, rest[-1].end_byte


def _expression_spans(place: _Place, body: Node) -> Iterator[tuple[str, int, int]]:
    for hole in holes(place.node):
        if hole.piece == "expression" and hole.role in _ROLES:
            yield from _single_line(hole.role, hole.start, hole.end, place.source)
    for node in walk(body):
        if node.type == "argument_list" and node.named_children:
            yield from _single_line("arguments", node.start_byte + 1, node.end_byte - 1, place.source)


def _single_line(role: str, start: int, end: int, source: bytes) -> Iterator[tuple[str, int, int]]:
    if end - start > 1 and b"\n" not in source[start:end]:
        yield role, start, end


def _inner(block: Node, source: bytes, role: str, max_lines: int) -> Iterator[tuple[str, int, int]]:
    """Everything between the braces, comments too, when it stands on lines of its own."""
    if statements(block):
        yield from _own_lines(source, block.start_byte + 1, block.end_byte - 1, role, max_lines)


def _case_inner(node: Node, source: bytes) -> Iterator[tuple[str, int, int]]:
    inner = statements(node)
    colon = next((child for child in node.children if child.type == ":"), None)
    if inner and colon is not None:
        yield from _own_lines(source, colon.end_byte, inner[-1].end_byte, node.type, MAX_BLOCK_LINES)


def _own_lines(source: bytes, start: int, end: int, role: str, max_lines: int) -> Iterator[tuple[str, int, int]]:
    text = source[start:end]
    content = text.strip()
    head = text[: len(text) - len(text.lstrip())]
    if b"\n" in head and content.count(b"\n") < max_lines:
        first = start + len(head)
        yield role, first, first + len(content)


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def share_out(total: int, modules: Sequence[str]) -> dict[str, dict[GhostKind, int]]:
    """Spread `total` holes over kinds and modules as evenly as whole numbers allow."""
    counts: dict[str, dict[GhostKind, int]] = {name: dict.fromkeys(GHOST_KINDS, 0) for name in modules}
    for number in range(total):
        kind = GHOST_KINDS[number % len(GHOST_KINDS)]
        counts[modules[(number // len(GHOST_KINDS)) % len(modules)]][kind] += 1
    return counts
