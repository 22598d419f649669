"""Where a text inserted into Go code may be cut: ends of statements and of operands, by tree-sitter.

Post-processing cuts failed candidates back to these points. Offsets in and out are code points of the inserted text.
"""

from __future__ import annotations

from tree_sitter import Node

from goassist_index.syntax import STATEMENT_TYPES, parse, walk

_HEADER = "package p\n"
_OPERAND_TYPES = frozenset(
    {
        "binary_expression",
        "call_expression",
        "composite_literal",
        "false",
        "field_identifier",
        "float_literal",
        "func_literal",
        "identifier",
        "index_expression",
        "int_literal",
        "interpreted_string_literal",
        "keyed_element",
        "literal_element",
        "nil",
        "package_identifier",
        "parenthesized_expression",
        "raw_string_literal",
        "rune_literal",
        "selector_expression",
        "slice_expression",
        "true",
        "type_assertion_expression",
        "type_conversion_expression",
        "type_identifier",
        "unary_expression",
    }
)


def statement_cuts(before: str, text: str, after: str) -> tuple[int, ...]:
    """Ends of whole statements inside `text`, nested ones included, in order. `before` and `after` surround it."""
    return _ends(before, text, after, STATEMENT_TYPES)


def operand_cuts(before: str, text: str, after: str) -> tuple[int, ...]:
    """Ends of whole operands, calls and elements inside `text`, in order."""
    return _ends(before, text, after, _OPERAND_TYPES)


def _ends(before: str, text: str, after: str, types: frozenset[str]) -> tuple[int, ...]:
    head = (_HEADER + before).encode()
    inserted = text.encode()
    tree = parse(head + inserted + after.encode())
    first, last = len(head), len(head) + len(inserted)
    found = {
        node.end_byte - first
        for node in walk(tree.root_node)
        if node.type in types and first < node.end_byte <= last and not _is_empty(node)
    }
    return tuple(len(inserted[:end].decode(errors="ignore")) for end in sorted(found))


def _is_empty(node: Node) -> bool:
    return node.is_missing or node.end_byte == node.start_byte
