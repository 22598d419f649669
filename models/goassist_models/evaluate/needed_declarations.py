"""What the text of a hole needs of other files of its module: those declarations, bodies left out.

Read without type checking, with the limits of slices.py. Serves `bench needed`, which asks what it would be worth to
show a model exactly this: no choice of snippets can be expected to bring more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from goassist_index.syntax import parse, text, walk
from goassist_models.evaluate.declarations import Declared, ModuleDeclarations, receiver_type
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.slices import uses

_MOST_CHARS = 600
_OWNERS = {"struct_type": "struct", "interface_type": "interface"}
# A name as the module's packages know it: of a type ("" for the package's own), and the name.
_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NeededDeclaration:
    """One of them: the file that holds it, and as much of its text as says how it is used."""

    path: Path
    text: str

    @property
    def line(self) -> str:
        """It on one line: for a field or a method of an interface what stands in its type."""
        lines = [line.strip() for line in self.text.splitlines() if not line.strip().startswith("//")]
        inner = lines[1:-1] if lines and lines[0].endswith("{") and lines[-1] == "}" else lines
        return " ".join(inner or lines)


@dataclass(slots=True)
class NeededDeclarations:
    """Finds them in one module. What a file declares is read once."""

    module: ModuleDeclarations
    _texts: dict[Path, dict[_Name, str]] = field(default_factory=dict)

    def of(self, case: Case, root: Path, known: str = "") -> tuple[NeededDeclaration, ...]:
        """What the case's truth needs that other files declare and whose text is not in `known`; in order of names.

        `root`: the module's directory, with the case's file as it was made.
        """
        path = root / case.file
        source = path.read_bytes()
        children = parse(source).root_node.children
        function = next(node for node in children if node.start_byte <= case.start and case.end <= node.end_byte)
        used = uses(self.module, path, source, function, case.start, case.end)
        own = self.module.files[path].package.path
        places = [(own, ("", name)) for name in sorted(used.names)]
        places += [(package, ("", name)) for package, name in sorted(used.outside)]
        places += [(package, (kind, name)) for (package, kind), name in sorted(used.members)]
        found: dict[NeededDeclaration, None] = {}
        for package, name in places:
            declared = self._declared(package, name)
            if declared is None or declared.file == path:
                continue
            shown = self._read(declared.file).get(name)
            if shown is not None and (one := NeededDeclaration(declared.file, shown)).line not in known:
                found[one] = None
        return tuple(found)

    def _declared(self, package: str, name: _Name) -> Declared | None:
        known = self.module.packages.get(package)
        if known is None:
            return None
        return known.members.get(name) if name[0] else known.names.get(name[1])

    def _read(self, path: Path) -> dict[_Name, str]:
        if path not in self._texts:
            source = path.read_bytes()
            declared = (pair for node in parse(source).root_node.children for pair in _declared_by(node, source))
            self._texts[path] = {name: shown[:_MOST_CHARS] for name, shown in declared}
        return self._texts[path]


def _declared_by(node: Node, source: bytes) -> Iterator[tuple[_Name, str]]:
    name = node.child_by_field_name("name")
    match node.type:
        case "function_declaration" | "method_declaration" if name is not None:
            body = node.child_by_field_name("body")
            end = body.start_byte if body is not None else node.end_byte
            header = source[node.start_byte : end].decode("utf-8", "replace").rstrip()
            yield (receiver_type(node, source), text(name, source)), header
        case "type_declaration":
            for spec in node.named_children:
                yield from _declared_by_type(spec, source)
        case "const_declaration" | "var_declaration":
            keyword = node.type.partition("_")[0]
            for spec in walk(node):
                if spec.type in ("const_spec", "var_spec"):
                    for each in spec.children_by_field_name("name"):
                        yield ("", text(each, source)), f"{keyword} {text(spec, source)}"


def _declared_by_type(spec: Node, source: bytes) -> Iterator[tuple[_Name, str]]:
    name, kind = spec.child_by_field_name("name"), spec.child_by_field_name("type")
    if name is None:
        return
    own = text(name, source)
    yield ("", own), f"type {text(spec, source)}"
    if kind is None or kind.type not in _OWNERS:
        return
    inner = kind.named_children
    if kind.type == "struct_type":
        inner = [each for part in kind.named_children for each in part.named_children]
    for each in inner:
        for member in each.children_by_field_name("name"):
            yield (own, text(member, source)), f"type {own} {_OWNERS[kind.type]} {{\n\t{text(each, source)}\n}}"
