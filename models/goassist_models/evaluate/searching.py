"""Search questions with known answers, made from a module's own code: does the index find what is looked for.

Three tasks, each with functions of the module as answers:
- comment: the doc comment, without the function's name that it begins with, asks for the function. The comments that
  are asked with are taken out of the files that are indexed.
- callee: the lines of a function before a call, up to the called name, ask for the function that is called next.
- tested: the body of `TestName` asks for `Name`; the test's own text does not count as found.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Node

from goassist_index import syntax
from goassist_index.fileset import FileSet, Found, read

TASKS = ("comment", "callee", "tested")
# A comment of fewer words asks for nothing in particular.
_LEAST_WORDS = 5
_LINES_BEFORE_CALL = 10


@dataclass(frozen=True, slots=True)
class SearchCase:
    """`query` should find the function `symbol` of the package `package`; `known` is text that is no finding.

    `path` (from the module's directory, with slashes) is the file that somebody asks from, "" for nowhere; `written` is
    that file's text with the function ending at the place where they ask, byte `offset` (-1: at no place of it).
    """

    task: str
    module: str
    query: str
    package: str
    symbol: str
    known: str = ""
    path: str = ""
    written: str = ""
    offset: int = -1


@dataclass(frozen=True, slots=True)
class _Function:
    path: str
    package: str
    symbol: str
    node: Node
    source: bytes
    comments: tuple[Node, ...]

    @property
    def text(self) -> str:
        return syntax.text(self.node, self.source)


def search_cases(root: Path, target: Path, module: str, count: int, seed: int) -> list[SearchCase]:
    """Up to `count` cases of each task from the module at `root`, and the module to index for them at `target`.

    `target` is made: the Go files that an index reads, without the doc comments that are asked with. The same module,
    seed and count give the same cases.
    """
    functions = list(_functions(root))
    declared = Counter((function.package, function.symbol) for function in functions)
    names = Counter(function.symbol.rpartition(".")[2] for function in functions)
    unique = {
        function.symbol.rpartition(".")[2]: function
        for function in functions
        if names[function.symbol.rpartition(".")[2]] == 1 and not function.path.endswith("_test.go")
    }
    ordered = sorted(functions, key=lambda f: _digest(seed, module, f.path, f.symbol))
    commented = [f for f in ordered if declared[f.package, f.symbol] == 1 and _asks(f)][:count]
    cases = [SearchCase("comment", module, _comment_query(f), f.package, f.symbol) for f in commented]
    cases += list(_take(count, (case for f in ordered if (case := _callee_case(module, f, unique)) is not None)))
    cases += list(_take(count, (case for f in ordered if (case := _tested_case(module, f, functions)) is not None)))
    _copy_without(root, target, commented)
    return cases


def rank_of(case: SearchCase, found: Sequence[tuple[str, str]]) -> int | None:
    """The place (from 1) of the case's function among (package, symbol), best first; None when it is not there."""
    return next((n for n, one in enumerate(found, 1) if one == (case.package, case.symbol)), None)


def _functions(root: Path) -> Iterator[_Function]:
    for seen in FileSet(root).walk():
        if not isinstance(seen, Found):
            continue
        source = read(root / seen.path)
        if source.reason is not None:
            continue
        tree = syntax.parse(source.data)
        for node in syntax.functions(tree):
            symbol = syntax.function_name(node, source.data)
            yield _Function(seen.path, seen.package, symbol, node, source.data, tuple(_comments_above(node)))


def _comments_above(node: Node) -> list[Node]:
    found: list[Node] = []
    row, before = node.start_point.row, node.prev_sibling
    while before is not None and before.type == "comment" and before.end_point.row + 1 == row:
        found.insert(0, before)
        row, before = before.start_point.row, before.prev_sibling
    return found


def _comment_query(function: _Function) -> str:
    lines = (syntax.text(comment, function.source) for comment in function.comments)
    text = " ".join(line.strip("/* \t") for line in lines if not line.startswith("//go:"))
    name = function.symbol.rpartition(".")[2]
    return re.sub(rf"\b{re.escape(name)}\b", "", text).strip()


def _asks(function: _Function) -> bool:
    return not function.path.endswith("_test.go") and len(_comment_query(function).split()) >= _LEAST_WORDS


def _callee_case(module: str, function: _Function, unique: dict[str, _Function]) -> SearchCase | None:
    """The last call in a function of one that only one function of the module can be, if there is any."""
    calls = [node for node in syntax.walk(function.node) if node.type == "call_expression"]
    for call in reversed(calls):
        callee = call.child_by_field_name("function")
        if callee is None:
            continue
        named = callee.child_by_field_name("field") or callee
        target = unique.get(syntax.text(named, function.source))
        if target is None or target.node.start_byte == function.node.start_byte:
            continue
        before = function.source[function.node.start_byte : named.start_byte].decode("utf-8", "replace")
        if re.search(rf"\b{re.escape(syntax.text(named, function.source))}\b", before):
            continue  # it says the name itself
        lines = before.splitlines()
        query = "\n".join((*lines[:1], *lines[1:][-_LINES_BEFORE_CALL:]))
        written = function.source[: named.start_byte] + b"\n}" + function.source[function.node.end_byte :]
        return SearchCase(
            "callee",
            module,
            query,
            target.package,
            target.symbol,
            known=function.text,
            path=function.path,
            written=written.decode("utf-8", "replace"),
            offset=named.start_byte,
        )
    return None


def _tested_case(module: str, function: _Function, functions: Sequence[_Function]) -> SearchCase | None:
    match = re.fullmatch(r"Test_?([A-Z]\w*?)(?:_\w+)?", function.symbol)
    if match is None or not function.path.endswith("_test.go"):
        return None
    name, package = match.group(1).lower(), function.package
    tested = [
        f
        for f in functions
        if f.package == package and f.symbol.replace(".", "").lower() == name and not f.path.endswith("_test.go")
    ]
    if len(tested) != 1:
        return None
    text = function.text
    return SearchCase("tested", module, text, package, tested[0].symbol, known=text, path=function.path)


def _copy_without(root: Path, target: Path, commented: Sequence[_Function]) -> None:
    """Copy what an index reads, and what it is ruled by, without these functions' comments (their lines stay)."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for function in commented:
        spans.setdefault(function.path, []).extend((c.start_byte, c.end_byte) for c in function.comments)
    for seen in FileSet(root).walk():
        if isinstance(seen, Found):
            data = (root / seen.path).read_bytes()
            for start, end in sorted(spans.get(seen.path, ()), reverse=True):
                data = data[:start] + b"\n" * data.count(b"\n", start, end) + data[end:]
            place = target / seen.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    for module_file in root.rglob("go.mod"):
        place = target / module_file.relative_to(root)
        if place.parent.is_dir():
            shutil.copyfile(module_file, place)


def _digest(seed: int, *parts: str) -> str:
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()


def _take(count: int, cases: Iterator[SearchCase]) -> Iterator[SearchCase]:
    return (case for _, case in zip(range(count), cases, strict=False))
