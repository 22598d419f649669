"""Single faults in real Go text: each maker names the edits that ought to break a piece of code in one way.

Pure text and tree work; whether an edit really breaks the package is for the judge to say. Cases are built of
these in cases.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from goassist_index.syntax import walk

_BRACKETS = frozenset("()[]{}")
_LEFT_OF = frozenset({"short_var_declaration", "range_clause", "receive_statement", "type_switch_statement"})
_DECLARERS = frozenset(
    {
        "const_spec",
        "parameter_declaration",
        "type_alias",
        "type_parameter_declaration",
        "type_spec",
        "var_spec",
        "variadic_parameter_declaration",
        "field_declaration",
        "method_elem",
    }
)
# For the argument that is taken away, a literal of a kind that seldom fits in its place.
_WRONG_LITERALS = {
    "interpreted_string_literal": ("12345", "struct{}{}"),
    "raw_string_literal": ("12345", "[]bool{}"),
    "int_literal": ('"12345"', "[]string{}"),
    "func_literal": ('"12345"', "12345"),
}
_WRONG_ELSEWHERE = ("struct{}{}", '"12345"', "12345", "func() {}", "map[string]bool{}")


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes [start, end) of a file replaced by `text`."""

    start: int
    end: int
    text: bytes

    def apply(self, source: bytes, start: int, end: int) -> bytes:
        """Text of source[start:end] with this edit made; the edit lies within that range."""
        return source[start : self.start] + self.text + source[self.end : end]


Maker = Callable[[Node, bytes, random.Random], Iterator[Edit]]


def edits(kind: str, root: Node, source: bytes, start: int, end: int, rng: random.Random) -> list[Edit]:
    """All edits of `kind` inside bytes [start, end), in random order. `root` is the file's tree or a part of it.

    Raises KeyError for a kind that is not in FAULTS.
    """
    maker = FAULTS[kind]
    found: list[Edit] = []
    for node in walk(_smallest_around(root, start, end)):
        if node.start_byte >= start and node.end_byte <= end:
            found.extend(edit for edit in maker(node, source, rng) if start <= edit.start and edit.end <= end)
    rng.shuffle(found)
    return found


def misspelt(name: str, rng: random.Random) -> str:
    """`name` with one slip of the fingers: a letter dropped, doubled, swapped with its neighbour or added."""
    slips: list[str] = [name + rng.choice("eqsx")]
    at = rng.randrange(len(name))
    slips.append(name[: at + 1] + name[at:])
    if len(name) > 3:
        inner = rng.randrange(1, len(name) - 1)
        slips.append(name[:inner] + name[inner + 1 :])
        slips.append(name[:inner] + name[inner + 1] + name[inner] + name[inner + 2 :])
    usable = [slip for slip in slips if slip != name and slip.isidentifier()]
    return rng.choice(usable)


def _smallest_around(root: Node, start: int, end: int) -> Node:
    return root.descendant_for_byte_range(start, max(start, end - 1)) or root


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _unknown_name(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    if node.type not in ("identifier", "type_identifier") or _declares(node) or _is_literal_key(node):
        return
    if node.parent is not None and node.parent.type == "qualified_type":
        return
    name = _text(node, source)
    if name != "_":
        yield Edit(node.start_byte, node.end_byte, misspelt(name, rng).encode())


def _wrong_member(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    parent = node.parent
    if parent is None:
        return
    member = node.type == "field_identifier" and parent.type == "selector_expression"
    named_type = node.type == "type_identifier" and parent.type == "qualified_type"
    if member or named_type or _is_literal_key(node):
        yield Edit(node.start_byte, node.end_byte, misspelt(_text(node, source), rng).encode())


def _argument_count(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    if node.type != "argument_list":
        return
    arguments = _plain_arguments(node)
    if not arguments:
        if not node.named_children:
            yield Edit(node.end_byte - 1, node.end_byte - 1, rng.choice((b"0", b"nil", b'""')))
        return
    last = arguments[-1]
    before = arguments[-2].end_byte if len(arguments) > 1 else last.start_byte
    yield Edit(before, last.end_byte, b"")
    yield Edit(last.end_byte, last.end_byte, b", " + source[last.start_byte : last.end_byte])


def _argument_type(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    if node.type != "argument_list":
        return
    for argument in _plain_arguments(node):
        wrong = rng.choice(_WRONG_LITERALS.get(argument.type, _WRONG_ELSEWHERE))
        yield Edit(argument.start_byte, argument.end_byte, wrong.encode())


def _missing_return(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    if node.type != "return_statement":
        return
    values = [v for child in node.named_children if child.type == "expression_list" for v in child.named_children]
    if not values:
        return
    yield Edit(node.start_byte + len("return"), values[-1].end_byte, b"")
    if len(values) > 1:
        yield Edit(values[-2].end_byte, values[-1].end_byte, b"")
        yield Edit(values[0].start_byte, values[1].start_byte, b"")


def _bracket(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    if node.type in _BRACKETS and not node.is_named:
        yield Edit(node.start_byte, node.end_byte, b"")
        yield Edit(node.end_byte, node.end_byte, node.type.encode())


def _assignment(node: Node, source: bytes, rng: random.Random) -> Iterator[Edit]:
    if node.type not in ("assignment_statement", "short_var_declaration"):
        return
    operator = node.child_by_field_name("operator")
    if operator is not None and operator.type != "=":
        return
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        return
    yield Edit(left.end_byte, left.end_byte, b", _")
    targets, values = left.named_children, right.named_children
    if len(targets) > 1:
        yield Edit(targets[-2].end_byte, targets[-1].end_byte, b"")
    yield Edit(right.end_byte, right.end_byte, b", " + source[values[-1].start_byte : values[-1].end_byte])
    if len(values) > 1:
        yield Edit(values[-2].end_byte, values[-1].end_byte, b"")


def _plain_arguments(node: Node) -> list[Node]:
    """Arguments of a call, or none where one is a type or spread with dots (their count is another matter)."""
    arguments = [child for child in node.named_children if child.type != "comment"]
    if any(a.type == "variadic_argument" or a.type.endswith("_type") for a in arguments):
        return []
    return arguments


def _is_literal_key(node: Node) -> bool:
    element = node.parent
    if node.type != "identifier" or element is None or element.type != "literal_element":
        return False
    keyed = element.parent
    return keyed is not None and keyed.type == "keyed_element" and keyed.children[0].id == element.id


def _declares(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type in _DECLARERS:
        types = parent.children_by_field_name("type") + parent.children_by_field_name("value")
        return all(other.id != node.id for other in types)
    if parent.type == "expression_list" and parent.parent is not None and parent.parent.type in _LEFT_OF:
        lefts = parent.parent.children_by_field_name("left") + parent.parent.children_by_field_name("alias")
        return any(other.id == parent.id for other in lefts)
    return False


FAULTS: dict[str, Maker] = {
    "unknown_name": _unknown_name,
    "wrong_member": _wrong_member,
    "argument_count": _argument_count,
    "argument_type": _argument_type,
    "missing_return": _missing_return,
    "bracket": _bracket,
    "assignment": _assignment,
}
