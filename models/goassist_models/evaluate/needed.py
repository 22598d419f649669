"""Imports that a file needs only for a hole: for cases whose answer must bring its import along (ghost.py)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from goassist_index.syntax import parse, text, walk

_NOT_BY_NAME = frozenset({"_", ".", "C"})


@dataclass(frozen=True, slots=True)
class ImportLine:
    """An import of `path` and the bytes [start, end) of its file that go when it goes: the whole line, or lines."""

    path: str
    start: int
    end: int


def needed_only_for(
    root: Node, source: bytes, imports: Mapping[str, str], start: int, end: int
) -> tuple[ImportLine, ...]:
    """Imports of a file that bytes [start, end) use and nothing else in it does.

    `root` is the file's tree, `imports` its import paths by the names that the file uses. An import that stands
    beside others on its line is left out.
    """
    inside: set[str] = set()
    outside: set[str] = set()
    for node in walk(root):
        name = _package_name(node, source)
        if name in imports:
            (inside if start <= node.start_byte < end else outside).add(name)
    wanted = {imports[name] for name in inside - outside if name not in _NOT_BY_NAME}
    return tuple(line for line in _lines(root, source) if line.path in wanted)


def behind_name(root: Node, source: bytes, names: Container[str], start: int, end: int) -> int | None:
    """Where the first use of a package called one of `names` in bytes [start, end) goes on behind its dot, if any."""
    uses = (node for node in walk(root) if start <= node.start_byte < end and _package_name(node, source) in names)
    first = min(uses, key=lambda node: node.start_byte, default=None)
    dot = source.find(b".", first.start_byte) if first is not None else -1
    return dot + 1 if 0 <= dot < end - 1 else None


def imported(source: bytes) -> frozenset[str]:
    """All paths that a file imports, which need not parse."""
    specs = (node for node in walk(parse(source).root_node) if node.type == "import_spec")
    paths = (node.child_by_field_name("path") for node in specs)
    return frozenset(text(path, source)[1:-1] for path in paths if path is not None)


def _package_name(node: Node, source: bytes) -> str:
    """The name before a dot, where it may be a package's; "" for any other node."""
    match node.type:
        case "selector_expression":
            operand = node.child_by_field_name("operand")
            return text(operand, source) if operand is not None and operand.type == "identifier" else ""
        case "qualified_type":
            package = node.child_by_field_name("package")
            return text(package, source) if package is not None else ""
    return ""


def _lines(root: Node, source: bytes) -> list[ImportLine]:
    found: list[ImportLine] = []
    for declaration in root.children:
        if declaration.type != "import_declaration":
            continue
        specs = [node for node in walk(declaration) if node.type == "import_spec"]
        for spec in specs:
            whole = declaration if len(specs) == 1 else spec
            path = spec.child_by_field_name("path")
            line = _whole_lines(whole, source)
            if path is not None and line is not None:
                found.append(ImportLine(text(path, source)[1:-1], *line))
    return found


def _whole_lines(node: Node, source: bytes) -> tuple[int, int] | None:
    start = source.rfind(b"\n", 0, node.start_byte) + 1
    stop = source.find(b"\n", node.end_byte)
    stop = len(source) if stop < 0 else stop + 1
    beside = source[start : node.start_byte] + source[node.end_byte : stop].partition(b"//")[0]
    return None if beside.strip() else (start, stop)
