"""Go syntax trees by tree-sitter: parsing, and small questions about nodes.

Serves post-processing (where does a candidate end), evaluation (what may be taken out) and chunking. Offsets
are bytes into the UTF-8 source. A tree is never None: broken code gives a tree with error nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import tree_sitter_go
from tree_sitter import Language, Node, Parser, Tree

FUNCTION_TYPES = frozenset({"function_declaration", "method_declaration"})
STATEMENT_TYPES = frozenset(
    {
        "assignment_statement",
        "block",
        "break_statement",
        "const_declaration",
        "continue_statement",
        "dec_statement",
        "defer_statement",
        "expression_statement",
        "expression_switch_statement",
        "fallthrough_statement",
        "for_statement",
        "go_statement",
        "goto_statement",
        "if_statement",
        "inc_statement",
        "labeled_statement",
        "return_statement",
        "select_statement",
        "send_statement",
        "short_var_declaration",
        "type_declaration",
        "type_switch_statement",
        "var_declaration",
    }
)
STRING_TYPES = frozenset({"interpreted_string_literal", "raw_string_literal"})
_OPAQUE_TYPES = STRING_TYPES | {"rune_literal", "comment"}


@cache
def _language() -> Language:
    return Language(tree_sitter_go.language())


def parse(source: bytes, old: Tree | None = None) -> Tree:
    """Parse `source` (UTF-8). `old` is the tree before an edit, already told of it by `Tree.edit`."""
    parser = Parser(_language())
    return parser.parse(source, old) if old is not None else parser.parse(source)


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and all below it, in source order, parents before children."""
    cursor = node.walk()
    depth = 0
    while True:
        current = cursor.node
        if current is not None:
            yield current
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if depth == 0:
                return
            cursor.goto_parent()
            depth -= 1
        if depth == 0:
            return


def tokens(node: Node) -> Iterator[Node]:
    """Yield the leaves below `node` in order, empty ones left out; a string, rune or comment is one token."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type in _OPAQUE_TYPES or current.child_count == 0:
            if current.end_byte > current.start_byte:
                yield current
        else:
            stack.extend(reversed(current.children))


def functions(tree: Tree) -> tuple[Node, ...]:
    """Top-level functions and methods that have a body, in order."""
    return tuple(
        node
        for node in tree.root_node.children
        if node.type in FUNCTION_TYPES and node.child_by_field_name("body") is not None
    )


def enclosing_function(tree: Tree, offset: int) -> Node | None:
    """Return the top-level function or method that byte `offset` stands in, header included; None outside."""
    for node in tree.root_node.children:
        if node.type in FUNCTION_TYPES and node.start_byte <= offset <= node.end_byte:
            return node
    return None


def function_name(node: Node, source: bytes) -> str:
    """Name of a function, or `Receiver.Name` of a method with the receiver's bare type name."""
    name_node = node.child_by_field_name("name")
    name = text(name_node, source) if name_node is not None else ""
    receiver = node.child_by_field_name("receiver")
    if receiver is None:
        return name
    for inner in walk(receiver):
        if inner.type == "type_identifier":
            return f"{text(inner, source)}.{name}"
    return name


def signature(node: Node, source: bytes) -> str:
    """Text of a function's header up to its body, white space made single, without the final blank."""
    body = node.child_by_field_name("body")
    end = body.start_byte if body is not None else node.end_byte
    return " ".join(source[node.start_byte : end].decode("utf-8", "replace").split())


def text(node: Node, source: bytes) -> str:
    """Source text of `node`."""
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def statements(block: Node) -> tuple[Node, ...]:
    """Statements directly in a block or case clause, comments left out."""
    found: list[Node] = []
    for child in block.children:
        if child.type == "statement_list":
            found.extend(inner for inner in child.children if inner.type in STATEMENT_TYPES)
        elif child.type in STATEMENT_TYPES:
            found.append(child)
    return tuple(found)


def has_error(node: Node, start: int, end: int) -> bool:
    """Whether a syntax error touches bytes [start, end] below `node`, missing tokens included."""
    if not node.has_error:
        return False
    for inner in walk(node):
        if (inner.is_error or inner.is_missing) and inner.start_byte <= end and inner.end_byte >= start:
            return True
    return False


def is_generated(source: bytes) -> bool:
    """Whether the file says that it is generated (golang.org/s/generatedcode)."""
    for line in source[:4096].splitlines():
        if line.startswith(b"// Code generated ") and line.rstrip().endswith(b"DO NOT EDIT."):
            return True
        if line.startswith(b"package "):
            return False
    return False
