"""Five measures of whether Go is written as Go's own guides ask, seen in the syntax tree alone.

Part of lint.py, beside the analyzers that know types. CRC is Go Code Review Comments (go.dev/wiki/CodeReviewComments),
EG is Effective Go (go.dev/doc/effective_go). Each measure is narrower than its source, so that a finding is hardly
ever wrong; what it does not see is said.

- `else after return`: an else block behind a block whose last statement returns (CRC "Indent Error Flow", EG "If").
  Not where the if has an initializer, whose names the else may need, nor in a chain of else if.
- `error compared with ==`: == or != with a sentinel, a name as ErrClosed or errClosed, which a wrapped error is never
  equal to: errors.Is finds it (package errors). Not io.EOF, which readers must not wrap (package io), nor in a switch.
- `error not wrapped`: fmt.Errorf with an argument called err, or as closeErr, and a format without %w (package fmt;
  the Go blog, "Working with Errors in Go 1.13"). Where hiding the cause was meant, it is a finding all the same.
- `panic in a library`: a call of panic in a package other than main, outside tests (CRC "Don't Panic", EG "Panic").
  Not in init, nor in functions called Must...; a panic that says "unreachable" counts too.
- `underscore in a name`: a variable, constant, parameter, field, type or function declared with an underscore between
  other characters (EG "MixedCaps", CRC "Mixed Caps"). Not functions of tests, where _ stands by custom (go/testing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from goassist_index.syntax import function_name, parse, statements, text, walk

IDIOMS = (
    "else after return",
    "error compared with ==",
    "error not wrapped",
    "panic in a library",
    "underscore in a name",
)
_SENTINEL = re.compile(r"[Ee]rr[A-Z]\w*\Z")
_ERROR_NAME = re.compile(r"(?:\w+Err|err)\Z")
_SNAKE = re.compile(r"[^_]_+[^_]")
_DECLARING = frozenset(
    {"var_spec", "const_spec", "type_spec", "field_declaration", "parameter_declaration", "function_declaration"}
    | {"method_declaration", "variadic_parameter_declaration"}
)


def idiom_findings(source: bytes, *, test: bool = False) -> Iterator[tuple[str, int, str]]:
    """Yield (measure, line, what stands there) for a whole file, lines counted from 1. `test`: it is a _test.go."""
    tree = parse(source)
    library = not test and _package(tree.root_node, source) != "main"
    for node in walk(tree.root_node):
        match node.type:
            case "if_statement":
                found = _else_after_return(node)
                if found is not None:
                    yield IDIOMS[0], _line(found), "the block before it returns"
            case "binary_expression" if _compares_sentinel(node, source):
                yield IDIOMS[1], _line(node), text(node, source)
            case "call_expression":
                callee = _field(node, "function", source)
                if callee == "fmt.Errorf" and _drops_cause(node, source):
                    yield IDIOMS[2], _line(node), text(node, source)
                elif callee == "panic" and library and not _may_panic(node, source):
                    yield IDIOMS[3], _line(node), text(node, source)
            case _:
                for name in _declared(node, test):
                    if _SNAKE.search(text(name, source)):
                        yield IDIOMS[4], _line(name), text(name, source)


def _line(node: Node) -> int:
    return node.start_point[0] + 1


def _field(node: Node, name: str, source: bytes) -> str:
    child = node.child_by_field_name(name)
    return text(child, source) if child is not None else ""


def _package(root: Node, source: bytes) -> str:
    for child in root.children:
        if child.type == "package_clause" and child.named_children:
            return text(child.named_children[0], source)
    return ""


def _else_after_return(node: Node) -> Node | None:
    """The else block that needs none."""
    block, other = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
    if block is None or other is None or other.type != "block" or node.child_by_field_name("initializer"):
        return None
    if node.parent is not None and node.parent.type == "if_statement":
        return None
    inner = statements(block)
    return other if inner and inner[-1].type == "return_statement" else None


def _compares_sentinel(node: Node, source: bytes) -> bool:
    if _field(node, "operator", source) not in ("==", "!="):
        return False
    sides = [node.child_by_field_name(side) for side in ("left", "right")]
    named = [side for side in sides if side is not None and side.type in ("identifier", "selector_expression")]
    return len(named) == 2 and any(_SENTINEL.match(text(side, source).rsplit(".", 1)[-1]) for side in named)


def _drops_cause(call: Node, source: bytes) -> bool:
    arguments = call.child_by_field_name("arguments")
    given = [child for child in arguments.named_children if child.type != "comment"] if arguments is not None else []
    if not given or not given[0].type.endswith("string_literal") or "%w" in text(given[0], source):
        return False
    return any(part.type == "identifier" and _ERROR_NAME.match(text(part, source)) for part in given[1:])


def _may_panic(call: Node, source: bytes) -> bool:
    top = call
    while top.parent is not None and top.parent.parent is not None:
        top = top.parent
    if top.type not in ("function_declaration", "method_declaration"):
        return False
    name = function_name(top, source).rsplit(".", 1)[-1]
    return name == "init" or name.lower().startswith("must")


def _declared(node: Node, test: bool) -> Iterator[Node]:
    """Names that a node declares."""
    if node.type in ("function_declaration", "method_declaration") and test:
        return
    if node.type in _DECLARING:
        yield from node.children_by_field_name("name")
    elif node.type in ("short_var_declaration", "range_clause"):
        left = node.child_by_field_name("left")
        if left is not None and any(child.type == ":=" for child in node.children):
            yield from (child for child in left.named_children if child.type == "identifier")
