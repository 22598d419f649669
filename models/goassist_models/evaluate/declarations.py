"""What a module's packages declare, and what its files import: enough to say what a piece of code refers to.

Read by tree-sitter, without type checking. Serves slices.py. Not seen: members of embedded types, methods that come
with a type's definition in terms of another, dot imports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from goassist_index.gotools import GoPackage, PackageOrigin, package_origins
from goassist_index.syntax import parse, text, walk

TypeName = tuple[str, str]
"""Import path of the package that declares a type ("" name: some type of it), and its name there."""
Types = frozenset[TypeName]
"""All types that a type's text mentions: of `map[string]*Item` this is `Item` (and `string`, declared nowhere)."""
NO_TYPES: Types = frozenset()


@dataclass(frozen=True, slots=True)
class Declared:
    """Where something is declared, and its types: one, or those of a function's results."""

    file: Path
    types: tuple[Types, ...] = ()


@dataclass(slots=True)
class Package:
    """What one package declares. An external test package (`<name>_test`) is one of its own.

    `members` are methods and fields by type and name. `constrained` are functions and types that have a type
    parameter with a constraint other than `any`.
    """

    path: str
    names: dict[str, Declared] = field(default_factory=dict)
    members: dict[tuple[str, str], Declared] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    constrained: set[str] = field(default_factory=set)


@dataclass(slots=True)
class FileScope:
    """A file's package, and its imports: import path by the name that the file uses."""

    package: Package
    imports: dict[str, str]

    def types_in(self, node: Node, source: bytes) -> Types:
        """All types that are mentioned in `node`, which is a type or has types in it."""
        return frozenset(self._types_in(node, source))

    def _types_in(self, node: Node, source: bytes) -> Iterator[TypeName]:
        for inner in walk(node):
            if inner.type == "qualified_type":
                name, qualifier = inner.child_by_field_name("name"), inner.child_by_field_name("package")
                if name is not None and qualifier is not None:
                    imported = text(qualifier, source)
                    yield self.imports.get(imported, imported), text(name, source)
            elif inner.type == "type_identifier" and (inner.parent is None or inner.parent.type != "qualified_type"):
                yield self.package.path, text(inner, source)


@dataclass(slots=True)
class ModuleDeclarations:
    """Packages of a module by import path ("<path>_test" for external tests), its files, and what it imports."""

    packages: dict[str, Package]
    files: dict[Path, FileScope]
    origins: Mapping[str, PackageOrigin]

    @classmethod
    def of(cls, directory: Path, packages: tuple[GoPackage, ...]) -> ModuleDeclarations:
        """Read the files of `packages`, which are the module's own. Raises GoassistError when `go list` fails."""
        module = cls({}, {}, package_origins(directory))
        for package in packages:
            for path in (*package.go_files, *package.cgo_files, *package.test_files):
                module._read(package, path)
        return module

    def _read(self, package: GoPackage, path: Path) -> None:
        source = path.read_bytes()
        root = parse(source).root_node
        clause = next((node for node in root.children if node.type == "package_clause"), None)
        name = text(clause.named_children[-1], source) if clause is not None else package.name
        own_path = package.import_path if name == package.name else f"{package.import_path}_test"
        own = self.packages.setdefault(own_path, Package(own_path))
        scope = self.files[path] = FileScope(own, dict(self._imports(root, source)))
        for node in root.children:
            _declare(node, source, path, scope)

    def _imports(self, root: Node, source: bytes) -> Iterator[tuple[str, str]]:
        for declaration in root.children:
            if declaration.type != "import_declaration":
                continue
            for spec in walk(declaration):
                if spec.type != "import_spec":
                    continue
                path_node, name = spec.child_by_field_name("path"), spec.child_by_field_name("name")
                path = text(path_node, source)[1:-1] if path_node is not None else ""
                if name is not None:
                    yield text(name, source), path
                else:
                    origin = self.origins.get(path)
                    yield (origin.name if origin is not None else "") or path.rpartition("/")[2], path


def is_constrained(node: Node, source: bytes) -> bool:
    """Whether a function or type has a type parameter whose constraint is not `any`."""
    parameters = node.child_by_field_name("type_parameters")
    if parameters is None:
        return False
    constraints = (p.child_by_field_name("type") for p in parameters.named_children)
    return any(c is not None and text(c, source).replace(" ", "") not in ("any", "interface{}") for c in constraints)


def receiver_type(function: Node, source: bytes) -> str:
    """Bare type name of a method's receiver, "" of a function."""
    receiver = function.child_by_field_name("receiver")
    if receiver is None:
        return ""
    return next((text(node, source) for node in walk(receiver) if node.type == "type_identifier"), "")


def result_types(function: Node, source: bytes, scope: FileScope) -> tuple[Types, ...]:
    """Types of each result of a function, method or function type."""
    result = function.child_by_field_name("result")
    if result is None:
        return ()
    if result.type != "parameter_list":
        return (scope.types_in(result, source),)
    found: list[Types] = []
    for parameter in result.named_children:
        kind = parameter.child_by_field_name("type")
        if kind is not None:
            names = parameter.children_by_field_name("name")
            found += [scope.types_in(kind, source)] * max(1, len(names))
    return tuple(found)


def _declare(node: Node, source: bytes, path: Path, scope: FileScope) -> None:
    own = scope.package
    name_node = node.child_by_field_name("name")
    match node.type:
        case "function_declaration" if name_node is not None:
            name = text(name_node, source)
            own.names[name] = Declared(path, result_types(node, source, scope))
            if is_constrained(node, source):
                own.constrained.add(name)
        case "method_declaration" if name_node is not None:
            key = receiver_type(node, source), text(name_node, source)
            own.members[key] = Declared(path, result_types(node, source, scope))
        case "type_declaration":
            for spec in node.named_children:
                _declare_type(spec, source, path, scope)
        case "const_declaration" | "var_declaration":
            for spec in walk(node):
                if spec.type in ("const_spec", "var_spec") and spec.parent in (node, *node.named_children):
                    kind = spec.child_by_field_name("type")
                    types = (scope.types_in(kind, source),) if kind is not None else ()
                    for each in spec.children_by_field_name("name"):
                        own.names[text(each, source)] = Declared(path, types)


def _declare_type(spec: Node, source: bytes, path: Path, scope: FileScope) -> None:
    own = scope.package
    name_node, kind = spec.child_by_field_name("name"), spec.child_by_field_name("type")
    if name_node is None:
        return
    name = text(name_node, source)
    own.types.add(name)
    own.names[name] = Declared(path, (frozenset({(own.path, name)}),))
    if is_constrained(spec, source):
        own.constrained.add(name)
    if kind is None:
        return
    for node in kind.named_children if kind.type == "interface_type" else _fields(kind):
        inner = node.child_by_field_name("type")
        for member in node.children_by_field_name("name"):
            types = (scope.types_in(inner, source),) if inner is not None else result_types(node, source, scope)
            own.members[name, text(member, source)] = Declared(path, types)


def _fields(kind: Node) -> Iterator[Node]:
    for part in kind.named_children if kind.type == "struct_type" else ():
        yield from (node for node in part.named_children if node.type == "field_declaration")
