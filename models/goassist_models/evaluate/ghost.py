"""Infill cases: places in recent functions where a user would want text, with the truth taken away.

Kinds: "line" (the rest of a line), "expression", "block" (inside an if, for or case) and "body" (of a function).
`eval infill` asks about the buffer with the hole; the whole function is not on disk meanwhile.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tree_sitter import Node

from goassist_index.errors import GoassistError
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
from goassist_models.evaluate.copies import Copies
from goassist_models.evaluate.declarations import ModuleDeclarations
from goassist_models.evaluate.example import Case, Question
from goassist_models.evaluate.holes import holes
from goassist_models.evaluate.judge import CompileJudge, is_test
from goassist_models.evaluate.needed import ImportLine, behind_name, needed_only_for
from goassist_models.evaluate.slices import slices_and_dependencies

GhostKind = Literal["line", "expression", "block", "body"]
ImportNeed = Literal["any", "named"]
GHOST_KINDS: tuple[GhostKind, ...] = ("line", "expression", "block", "body")
MAX_BLOCK_LINES = 12
MAX_BODY_LINES = 15
MIN_TOKENS_BEFORE = 2
ONE_TEST_IN = 8
_MAX_FILE_BYTES = 400_000
_BLOCK_OWNERS = frozenset({"if_statement", "for_statement"})
_ROLES = frozenset({"member", "right side", "results", "arguments"})
_TELLING = ("identifier", "literal", "nil", "true", "false")


@dataclass(frozen=True, slots=True)
class Place:
    """A function of a file, `node` in the tree of `source`; `new` when the models cannot know it."""

    path: Path
    source: bytes
    node: Node
    new: bool

    @property
    def name(self) -> str:
        """Its name, a method's with the receiver's type."""
        return function_name(self.node, self.source)


def signatures(directory: Path) -> frozenset[tuple[str, str]]:
    """All functions below a module's directory: package directory (relative) and signature."""
    found: set[tuple[str, str]] = set()
    for path in directory.rglob("*.go"):
        source = path.read_bytes()
        folder = str(path.parent.relative_to(directory))
        found.update((folder, signature(node, source)) for node in functions(parse(source)))
    return frozenset(found)


def infill_cases(
    judge: CompileJudge,
    module: str,
    counts: Mapping[GhostKind, int],
    seed: int,
    older: frozenset[tuple[str, str]],
    *,
    needs_import: ImportNeed | None = None,
    slices: Collection[str] = (),
) -> list[Case]:
    """Choose cases of one module, at most one a function, in functions that `older` lacks as far as there are any.

    `module` names it in the cases. The same module, seed and counts give the same cases. One in ONE_TEST_IN is in a
    test file, as far as there are any. There may be fewer than `counts` asks for. The truth compiles: packages that
    do not are left out. So are functions that stand nearly the same elsewhere (copies.py). `needs_import`: only holes
    whose truth alone in its file needs some import, which is taken out of the file with it; "named" ones begin behind
    the package's name and its dot, which the user has typed. `slices`: only holes in one of these (slices.py).
    """
    declarations = ModuleDeclarations.of(judge.directory, judge.packages)
    choice = _Choice(judge, module, declarations, Copies.below(judge.directory), needs_import, frozenset(slices))
    ordered = [(_digest(seed, module, _relative(judge, place), place.name), place) for place in _places(judge, older)]
    ordered.sort(key=lambda pair: (not pair[1].new, pair[0]))
    in_tests = [pair for pair in ordered if is_test(pair[1].path)]
    chosen = choice.cases(in_tests, _for_tests(counts, _digest(seed, module)))
    left = {kind: count - sum(case.kind == kind for _, case in chosen) for kind, count in counts.items()}
    chosen += choice.cases([pair for pair in ordered if not is_test(pair[1].path)], left)
    return [case for _, case in sorted(chosen, key=lambda pair: (not pair[1].new, pair[0]))]


def _for_tests(counts: Mapping[GhostKind, int], digest: str) -> dict[GhostKind, int]:
    """How many cases of each kind are to be in test files; `digest` says which kinds come first."""
    kinds = random.Random(digest).sample(GHOST_KINDS, len(GHOST_KINDS))
    share = dict.fromkeys(GHOST_KINDS, 0)
    for number in range(round(sum(counts.values()) / ONE_TEST_IN)):
        kind = kinds[number % len(kinds)]
        share[kind] = min(share[kind] + 1, counts.get(kind, 0))
    return share


@dataclass(frozen=True, slots=True)
class _Choice:
    """What cases of one module are chosen with."""

    judge: CompileJudge
    module: str
    declarations: ModuleDeclarations
    copies: Copies
    needs_import: ImportNeed | None
    slices: frozenset[str]

    def cases(self, places: Iterable[tuple[str, Place]], counts: Mapping[GhostKind, int]) -> list[tuple[str, Case]]:
        """Take one hole a place, in order, until there are `counts` of each kind."""
        left = dict(counts)
        chosen: list[tuple[str, Case]] = []
        for digest, place in places:
            if not any(left.values()):
                break
            rng = random.Random(digest)
            # The scarcest kind first: few functions are short enough for a body, nearly all have lines.
            for kind in reversed(GHOST_KINDS):
                offered = list(spans(kind, place)) if left.get(kind, 0) > 0 else []
                span = self._eligible(place, offered, rng) if offered else None
                if span is not None:
                    chosen.append((digest, self._case(kind, place, *span)))
                    left[kind] -= 1
                    break
        return chosen

    def _eligible(
        self, place: Place, offered: list[tuple[str, int, int]], rng: random.Random
    ) -> tuple[str, int, int] | None:
        package = self.judge.package_of(place.path)
        accepts = self.judge.accepts_untouched_tests if is_test(place.path) else self.judge.accepts_untouched
        if self.copies.of_function(place.path, place.node.start_byte) is not None or not accepts(package):
            return None
        while offered:
            role, start, end = rng.choice(offered)
            copied = self.copies.of_lines(place.node, place.source, place.path, start, end) is not None
            needed = self.needs_import is None or self._needed(place, start, end) is not None
            if not copied and needed and (not self.slices or self.slices & set(self._refers_to(place, start, end)[0])):
                return role, start, end
            offered.remove((role, start, end))
        return None

    def _refers_to(self, place: Place, start: int, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return slices_and_dependencies(self.declarations, place.path, place.source, place.node, start, end)

    def _needed(self, place: Place, start: int, end: int) -> ImportLine | None:
        """The import that these bytes alone need: one, or else it would not be clear which is the right one."""
        imports = self.declarations.files[place.path].imports
        needed = needed_only_for(_root(place), place.source, imports, start, end)
        return needed[0] if len(needed) == 1 else None

    def _behind_name(self, place: Place, path: str, start: int, end: int) -> int:
        """Where the first use of the package goes on behind its name's dot."""
        names = {name for name, of in self.declarations.files[place.path].imports.items() if of == path}
        behind = behind_name(_root(place), place.source, names, start, end)
        return start if behind is None else behind

    def _case(self, kind: GhostKind, place: Place, role: str, start: int, end: int) -> Case:
        needed = self._needed(place, start, end) if self.needs_import is not None else None
        if needed is not None and self.needs_import == "named":
            start = self._behind_name(place, needed.path, start, end)
        slices, dependencies = self._refers_to(place, start, end)
        return Case(
            module=self.module,
            file=_relative(self.judge, place),
            kind=kind,
            role=role,
            function=place.name,
            new=place.new,
            start=start,
            end=end,
            function_start=_with_comment(place.node),
            function_end=place.node.end_byte,
            truth=place.source[start:end].decode("utf-8"),
            slices=slices,
            dependencies=dependencies,
            needs=needed.path if needed is not None else "",
            import_start=needed.start if needed is not None else 0,
            import_end=needed.end if needed is not None else 0,
        )


def question(case: Case, root: Path) -> Question:
    """Ask for what stands in the hole, in the module's copy at `root`; `taken_out` may be under way there.

    Raises GoassistError when the file there is not the one that the case was made from.
    """
    source = _whole(case, root)
    before = source[: case.import_start] + source[case.import_end : case.start]
    buffer = before + source[case.end :]
    return Question(root=root, path=root / case.file, text=buffer.decode("utf-8"), offset=len(before.decode("utf-8")))


@contextmanager
def taken_out(case: Case, root: Path) -> Iterator[None]:
    """Leave the case's function, with its comment, out of the file in the copy at `root`: nobody can read it there.

    The whole file stands beside the copy meanwhile (`<root>.whole`), not in it. What a killed run left there is put
    back by the next one. One case a file at a time. Raises GoassistError when the file is not the case's.
    """
    path, whole = root / case.file, _place_of_whole(case, root)
    source = _whole(case, root)
    whole.parent.mkdir(parents=True, exist_ok=True)
    if not whole.exists():
        scratch = whole.with_suffix(".new")
        scratch.write_bytes(source)
        scratch.replace(whole)
    path.write_bytes(source[: case.function_start] + source[case.function_end :])
    try:
        yield
    finally:
        whole.replace(path)


def _place_of_whole(case: Case, root: Path) -> Path:
    return root.with_name(f"{root.name}.whole") / case.file


def _whole(case: Case, root: Path) -> bytes:
    whole = _place_of_whole(case, root)
    path = whole if whole.exists() else root / case.file
    try:
        source = path.read_bytes()
    except OSError as error:
        raise GoassistError(f"a case's file cannot be read ({error.strerror})", path=str(path)) from error
    if source[case.start : case.end] != case.truth.encode():
        raise GoassistError(
            "the file is not the one that the case was made from",
            path=str(path),
            cure="Make the copy anew from the module's directory",
        )
    return source


def _root(place: Place) -> Node:
    root = place.node.parent
    assert root is not None
    return root


def _digest(*parts: object) -> str:
    """Order that depends on nothing but the parts: other functions and modules do not disturb it."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _relative(judge: CompileJudge, place: Place) -> str:
    return place.path.relative_to(judge.directory).as_posix()


def _places(judge: CompileJudge, older: frozenset[tuple[str, str]]) -> Iterator[Place]:
    for package in judge.packages:
        folder = str(package.directory.relative_to(judge.directory))
        for path in (*package.go_files, *package.test_files):
            source = path.read_bytes()
            if len(source) > _MAX_FILE_BYTES or is_generated(source) or b"\r" in source:
                continue
            tree = parse(source)
            if tree.root_node.has_error or not _is_utf8(source):
                continue
            for node in functions(tree):
                yield Place(path, source, node, (folder, signature(node, source)) not in older)


def _with_comment(node: Node) -> int:
    """Start of a declaration with the comments that stand right above it."""
    start = node
    while (before := start.prev_sibling) is not None and before.type == "comment":
        if before.end_point[0] + 1 < start.start_point[0]:
            break
        start = before
    return start.start_byte


def spans(kind: GhostKind, place: Place) -> Iterator[tuple[str, int, int]]:
    """What may be taken out of a function as holes of this kind: role, and bytes [start, end) of its file."""
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


def _expression_spans(place: Place, body: Node) -> Iterator[tuple[str, int, int]]:
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
