"""The groups that cases are reported in, beyond kinds: what their truth refers to, read without type checking.

- generics: the function, its receiver's type, or a function or type of the module that the truth names has a type
  parameter with a constraint other than `any`. Missed: methods of such types on other values.
- concurrency: `go`, `chan`, `select`, `<-`, `close` or the packages sync and sync/atomic in the truth; or channels or
  `go` in the innermost statement around the hole. Missed: locking (`mu.Lock()`) and waiting on values.
- dependencies: a package beyond the standard library and the module, named in the truth, or a member of a value whose
  type is from there.
- cross-package: the same for other packages of the module. An external test's own package counts.
- cross-file: a name of the package, or a method or field of its types, that another of its files declares.
- unexported-types: an unexported type of the package, named in the truth or the type of a variable that it uses.
- tests: in a `_test.go` file.

Types of variables come from parameters, declarations, composite literals, ranges and results of functions that the
module declares; what a function of another module returns is taken for a type of that package. Missed: members of
embedded types, results of methods of other modules, dot imports. A variable counts for its whole function, whatever
it shadows; a name that is a variable somewhere in the function is never one of the package or an import.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from goassist_index.syntax import STATEMENT_TYPES, tokens, walk
from goassist_index.syntax import text as node_text
from goassist_models.evaluate.declarations import (
    NO_TYPES,
    Declared,
    FileScope,
    ModuleDeclarations,
    TypeName,
    Types,
    is_constrained,
    receiver_type,
    result_types,
)

SLICES = (
    "generics",
    "concurrency",
    "dependencies",
    "cross-package",
    "cross-file",
    "unexported-types",
    "tests",
)
_CHANNEL_WORDS = frozenset({"go", "chan", "select", "<-"})
_AROUND = (STATEMENT_TYPES | {"communication_case"}) - {"block"}
_SYNC_PACKAGES = frozenset({"sync", "sync/atomic"})


@dataclass(slots=True)
class Uses:
    """What a piece of code refers to.

    `names` are those of its own package, `outside` those of other packages (import path and name), `members` methods
    and fields with the type that they are asked of, `values` the types of variables.
    """

    names: set[str] = field(default_factory=set)
    outside: set[tuple[str, str]] = field(default_factory=set)
    members: set[tuple[TypeName, str]] = field(default_factory=set)
    values: set[TypeName] = field(default_factory=set)

    @property
    def packages(self) -> set[str]:
        """Import paths of other packages, and of those whose types' members are used."""
        return {path for path, _ in self.outside} | {path for (path, _), _ in self.members}


def slices_and_dependencies(
    module: ModuleDeclarations, path: Path, source: bytes, function: Node, start: int, end: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Slices of bytes [start, end) of `function` in `path`, in the order of SLICES, and its dependencies.

    Dependencies are "path@version YEAR-MONTH", sorted; a part that is not known is left out.
    """
    scope = module.files[path]
    used = uses(module, path, source, function, start, end)
    dependencies = {_dependency(module, name) for name in used.packages} - {""}
    own = scope.package
    declared = [own.names.get(name) for name in used.names]
    declared += [own.members.get((name, member)) for (path_, name), member in used.members if path_ == own.path]
    mentioned = {name for name in used.names if name in own.types}
    mentioned |= {name for path_, name in used.values if path_ == own.path and name in own.types}
    found = {
        "generics": _is_generic(module, scope, source, function, used),
        "concurrency": _is_concurrent(source, function, used, start, end),
        "dependencies": bool(dependencies),
        "cross-package": any(name != own.path and name in module.packages for name in used.packages),
        "cross-file": any(known is not None and known.file != path for known in declared),
        "unexported-types": any(not name[0].isupper() for name in mentioned),
        "tests": path.name.endswith("_test.go"),
    }
    return tuple(name for name in SLICES if found[name]), tuple(sorted(dependencies))


def uses(module: ModuleDeclarations, path: Path, source: bytes, function: Node, start: int, end: int) -> Uses:
    """What bytes [start, end) of `function` in `path` refer to."""
    return _Reader(module, module.files[path], source, function).uses(start, end)


def _dependency(module: ModuleDeclarations, import_path: str) -> str:
    origin = module.origins.get(import_path)
    if origin is None or origin.main or not origin.module:
        return ""
    version = f"@{origin.version}" if origin.version else ""
    month = f" {origin.time[:7]}" if origin.time else ""
    return f"{origin.module}{version}{month}"


def _is_generic(module: ModuleDeclarations, scope: FileScope, source: bytes, function: Node, uses: Uses) -> bool:
    constrained = scope.package.constrained
    if is_constrained(function, source) or receiver_type(function, source) in constrained:
        return True
    others = ((module.packages.get(path), name) for path, name in uses.outside)
    return bool(uses.names & constrained) or any(p is not None and name in p.constrained for p, name in others)


def _is_concurrent(source: bytes, function: Node, uses: Uses, start: int, end: int) -> bool:
    if "close" in uses.names or any(path in _SYNC_PACKAGES for path, _ in uses.outside):
        return True
    around = function.descendant_for_byte_range(start, end)
    while around is not None and (around.type not in _AROUND or (around.start_byte, around.end_byte) == (start, end)):
        around = around.parent if around.id != function.id else None
    within = function.children[-1] if around is None else around
    first, last = (start, end) if around is None else (around.start_byte, around.end_byte)
    return any(t.type in _CHANNEL_WORDS for t in tokens(within) if first <= t.start_byte and t.end_byte <= last)


class _Reader:
    """Names and types in one function."""

    def __init__(self, module: ModuleDeclarations, scope: FileScope, source: bytes, function: Node) -> None:
        self._module = module
        self._scope = scope
        self._source = source
        self._function = function
        self._variables: dict[str, Types] = {}
        for node in walk(function):
            self._declare(node)

    def uses(self, start: int, end: int) -> Uses:
        """What bytes [start, end) refer to."""
        uses = Uses()
        for token in tokens(self._function):
            if start <= token.start_byte and token.end_byte <= end:
                self._add(token, uses)
        return uses

    def _add(self, token: Node, uses: Uses) -> None:
        name, parent = self._text(token), token.parent
        match token.type:
            case "identifier" if not _is_key(token):
                if name in self._variables:
                    uses.values |= self._variables[name]
                elif name not in self._scope.imports:
                    uses.names.add(name)
            case "type_identifier" if parent is not None and parent.type == "qualified_type":
                qualifier = parent.child_by_field_name("package")
                if qualifier is not None:
                    uses.outside.add((self._imported(qualifier), name))
            case "type_identifier":
                uses.names.add(name)
            case "field_identifier" if parent is not None and parent.type == "selector_expression":
                operand = parent.child_by_field_name("operand")
                if operand is None:
                    return
                if self._is_import(operand):
                    uses.outside.add((self._imported(operand), name))
                else:
                    uses.members |= {(kind, name) for kind in self._types(operand)}

    def _declare(self, node: Node) -> None:
        match node.type:
            case "parameter_declaration" | "variadic_parameter_declaration":
                kind = node.child_by_field_name("type")
                types = self._scope.types_in(kind, self._source) if kind is not None else NO_TYPES
                self._bind_all(node.children_by_field_name("name"), types)
            case "var_spec" | "const_spec":
                names, kind = node.children_by_field_name("name"), node.child_by_field_name("type")
                if kind is not None:
                    self._bind_all(names, self._scope.types_in(kind, self._source))
                else:
                    self._bind_each(names, node.child_by_field_name("value"))
            case "short_var_declaration":
                left = node.child_by_field_name("left")
                if left is not None:
                    self._bind_each(left.named_children, node.child_by_field_name("right"))
            case "range_clause" | "receive_statement":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and any(child.type == ":=" for child in node.children):
                    self._bind_all(left.named_children, self._types(right) if right is not None else NO_TYPES)
            case "type_switch_statement":
                alias = node.child_by_field_name("alias")
                mentioned = [c.child_by_field_name("type") for c in node.named_children if c.type == "type_case"]
                each = [self._scope.types_in(kind, self._source) for kind in mentioned if kind is not None]
                if alias is not None:
                    self._bind_all(alias.named_children, NO_TYPES.union(*each))

    def _bind_all(self, names: list[Node], types: Types) -> None:
        for name in names:
            if name.type == "identifier":
                self._variables[self._text(name)] = self._variables.get(self._text(name), NO_TYPES) | types

    def _bind_each(self, names: list[Node], values: Node | None) -> None:
        right = values.named_children if values is not None else []
        each = [self._types(value) for value in right]
        if len(right) == 1 and len(names) > 1:
            results = self._results(right[0])
            each = list(results) if len(results) > 1 else each
        for number, name in enumerate(names):
            self._bind_all([name], each[number] if number < len(each) else NO_TYPES)

    def _types(self, node: Node) -> Types:
        results = self._results(node)
        return results[0] if results else NO_TYPES

    def _results(self, node: Node) -> tuple[Types, ...]:
        """Types of an expression's values, as far as they can be known; those of a function are its results'."""
        match node.type:
            case "identifier":
                name = self._text(node)
                if name in self._variables:
                    return (self._variables[name],)
                return _types_of(self._scope.package.names.get(name))
            case "selector_expression":
                return self._selected(node)
            case "call_expression" if self._text(node).startswith(("new(", "make(")):
                return (self._scope.types_in(node, self._source),)
            case "func_literal":
                return result_types(node, self._source, self._scope)
            case "composite_literal" | "type_conversion_expression" | "type_assertion_expression":
                kind = node.child_by_field_name("type")
                return (self._scope.types_in(kind, self._source),) if kind is not None else ()
            case "generic_type" | "qualified_type" | "type_identifier":
                return (self._scope.types_in(node, self._source),)
            case "parenthesized_expression" if node.named_children:
                return self._results(node.named_children[0])
        operand = node.child_by_field_name("function") or node.child_by_field_name("operand")
        return self._results(operand) if operand is not None else ()

    def _selected(self, node: Node) -> tuple[Types, ...]:
        operand, member = node.child_by_field_name("operand"), node.child_by_field_name("field")
        if operand is None or member is None:
            return ()
        name = self._text(member)
        if self._is_import(operand):
            path = self._imported(operand)
            package = self._module.packages.get(path)
            return _types_of(package.names.get(name)) if package is not None else (frozenset({(path, "")}),)
        for path, kind in self._types(operand):
            package = self._module.packages.get(path)
            if package is not None and (found := package.members.get((kind, name))) is not None:
                return found.types
        return ()

    def _is_import(self, operand: Node) -> bool:
        name = self._text(operand)
        return operand.type == "identifier" and name in self._scope.imports and name not in self._variables

    def _imported(self, qualifier: Node) -> str:
        return self._scope.imports.get(self._text(qualifier), self._text(qualifier))

    def _text(self, node: Node) -> str:
        return node_text(node, self._source)


def _types_of(declared: Declared | None) -> tuple[Types, ...]:
    return declared.types if declared is not None else ()


def _is_key(token: Node) -> bool:
    """Whether a name is the key of a composite literal's element: nearly always a field, seldom a map's key."""
    element = token.parent
    keyed = element.parent if element is not None else None
    if element is None or keyed is None or keyed.type != "keyed_element":
        return False
    key = keyed.child_by_field_name("key")
    return key is not None and key.id == element.id
