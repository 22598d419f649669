"""Holes in real Go: texts taken out of functions of the standard library, as a cursor would find the file without them.

Used by the tests that hold post-processing to what people really write.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tree_sitter import Node

from goassist_index import syntax
from goassist_lsp.context.cursor import context_at
from goassist_lsp.types import CursorContext, DocumentSnapshot

PACKAGES = ("bufio", "encoding/json", "go/types", "net/http", "sort", "strings", "text/template", "time")
_EXPRESSIONS = frozenset(
    {
        "binary_expression",
        "call_expression",
        "composite_literal",
        "func_literal",
        "identifier",
        "index_expression",
        "int_literal",
        "interpreted_string_literal",
        "selector_expression",
        "slice_expression",
        "unary_expression",
    }
)
_CLAUSES = frozenset({"communication_case", "default_case", "expression_case", "type_case"})


@dataclass(frozen=True, slots=True)
class Hole:
    """`text` with `truth` taken out at `offset` (code points)."""

    kind: str
    path: Path
    text: str
    offset: int
    truth: str

    @cache  # noqa: B019 (holes live as long as their test)
    def context(self) -> CursorContext:
        return context_at(DocumentSnapshot(self.path.as_uri(), self.path, 1, self.text), self.offset)

    def __str__(self) -> str:
        before, after = self.text[: self.offset][-160:], self.text[self.offset :][:100]
        return f"{self.kind} {self.path.name}: {before}⟦{self.truth}⟧{after}"


@cache
def go_files() -> tuple[Path, ...]:
    """Sources of PACKAGES in the installed Go, tests left out."""
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    return tuple(
        path
        for package in PACKAGES
        for path in sorted((Path(root) / "src" / package).glob("*.go"))
        if not path.name.endswith("_test.go")
    )


def holes(seed: int, count: int) -> Iterator[Hole]:
    """`count` holes of mixed kinds, the same for the same seed and Go version."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        path = rng.choice(go_files())
        source = path.read_bytes()
        if not source.isascii():
            continue
        functions = _functions(path)
        if not functions:
            continue
        for _ in range(6):
            kind = rng.choice(("line", "statement", "expression", "block", "body"))
            span = _span(kind, rng.choice(functions), source, rng)
            if span is None or made == count:
                continue
            text = source.decode()
            yield Hole(kind, path, text[: span[0]] + text[span[1] :], span[0], text[span[0] : span[1]])
            made += 1


@cache
def _functions(path: Path) -> tuple[Node, ...]:
    return syntax.functions(syntax.parse(path.read_bytes()))


def _span(kind: str, function: Node, source: bytes, rng: random.Random) -> tuple[int, int] | None:
    body = function.child_by_field_name("body")
    assert body is not None
    if kind in ("block", "body"):
        types = {"block"} if kind == "block" else {"block", "literal_value"} | _CLAUSES
        block = rng.choice([node for node in syntax.walk(body) if node.type in types])
        found = _body_span(block, source) if kind == "body" else _block_span(block, rng)
    else:
        found = _inline_span(kind, body, source, rng)
    if found is None or not source[found[0] : found[1]].strip():
        return None
    line_end = source.find(b"\n", found[1])
    # A comment behind the hole would be the rest of the cursor's line: another kind of place.
    return None if kind != "expression" and source[found[1] : line_end].strip() else found


def _body_span(block: Node, source: bytes) -> tuple[int, int] | None:
    if block.type in _CLAUSES:
        run = syntax.statements(block)
        apart = run and run[0].start_point[0] > block.start_point[0]
        return (run[0].start_byte, run[-1].end_byte) if apart else None
    inner = source[block.start_byte + 1 : block.end_byte - 1]
    header, newline, _ = inner.partition(b"\n")
    if not newline or header.strip() or not inner.strip():
        return None
    start = block.start_byte + 1 + len(inner) - len(inner.lstrip())
    return start, block.start_byte + 1 + len(inner.rstrip())


def _block_span(block: Node, rng: random.Random) -> tuple[int, int] | None:
    run = syntax.statements(block)
    if len(run) < 2 or run[0].start_point[0] == block.start_point[0]:
        return None
    first = rng.randrange(len(run))
    last = min(len(run) - 1, first + rng.randrange(3))
    return None if last - first + 1 == len(run) else (run[first].start_byte, run[last].end_byte)


def _inline_span(kind: str, body: Node, source: bytes, rng: random.Random) -> tuple[int, int] | None:
    types = _EXPRESSIONS if kind == "expression" else syntax.STATEMENT_TYPES - {"block", "labeled_statement"}
    node = rng.choice([node for node in syntax.walk(body) if node.type in types] or [body])
    if node is body:
        return None
    line_start = source.rfind(b"\n", 0, node.start_byte) + 1
    if kind == "expression":
        end = node.end_byte
        rest = source[end : source.find(b"\n", end)].strip()
        if not rest or rest.startswith(b"//") or not source[line_start : node.start_byte].strip():
            return None
        tokens = [node, *syntax.tokens(node)]
    else:
        line_end = source.find(b"\n", node.start_byte)
        end = node.end_byte if kind == "statement" else min(line_end, len(source))
        tokens = [token for token in syntax.tokens(node) if token.end_byte <= min(line_end, end)][1:]
    if not tokens:
        return None
    token = rng.choice(tokens)
    # People pause within a word or a string too.
    start = rng.choice((token.start_byte, token.start_byte, rng.randrange(token.start_byte, token.end_byte)))
    return (start, end) if start < end and b"\n" not in source[token.start_byte : start] else None
