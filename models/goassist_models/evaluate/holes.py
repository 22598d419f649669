"""What may be taken out of a function: statements, expressions and bodies, as byte ranges of a real file.

The source of verdict cases (cases.py) and of ghost holes (ghost.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

from goassist_index.syntax import statements, walk

Piece = Literal["statement", "expression", "body"]
MAX_PIECE_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes [start, end) of a file that are taken out; `role` says what they are, for instance "argument"."""

    piece: Piece
    role: str
    start: int
    end: int


def holes(function: Node) -> Iterator[Hole]:
    """Yield everything that can be taken out of a top-level function and put back."""
    body = function.child_by_field_name("body")
    if body is None:
        return
    inner = statements(body)
    if inner:
        yield from _sized(Hole("body", "body", inner[0].start_byte, inner[-1].end_byte))
    for node in walk(body):
        if node.type in ("block", "expression_case", "type_case", "default_case", "communication_case"):
            for statement in statements(node):
                yield from _sized(Hole("statement", statement.type, statement.start_byte, statement.end_byte))
        for role, part in _expressions(node):
            yield from _sized(Hole("expression", role, part.start_byte, part.end_byte))


def _sized(hole: Hole) -> Iterator[Hole]:
    if 0 < hole.end - hole.start <= MAX_PIECE_BYTES:
        yield hole


def _expressions(node: Node) -> Iterator[tuple[str, Node]]:
    """Expressions directly below `node`, each with the role it plays there."""
    match node.type:
        case "argument_list":
            for child in node.named_children:
                if child.type not in ("comment", "variadic_argument") and not child.type.endswith("_type"):
                    yield "argument", child
        case "assignment_statement" | "short_var_declaration":
            right = node.child_by_field_name("right")
            if right is not None:
                yield "right side", right
        case "selector_expression":
            field = node.child_by_field_name("field")
            if field is not None:
                yield "member", field
            yield "selector", node
        case "return_statement":
            for child in node.named_children:
                if child.type == "expression_list":
                    yield "results", child
        case "if_statement" | "for_statement":
            condition = node.child_by_field_name("condition")
            if condition is None and node.type == "for_statement":
                clauses = [c for c in node.named_children if c.type == "for_clause"]
                condition = clauses[0].child_by_field_name("condition") if clauses else None
            if condition is not None:
                yield "condition", condition
        case "literal_value":
            for child in node.named_children:
                if child.type == "keyed_element" and child.named_children:
                    yield "element value", child.named_children[-1]
                elif child.type == "literal_element":
                    yield "element", child
        case _:
            return
