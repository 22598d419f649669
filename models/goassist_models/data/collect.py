"""First stage: Go files with their functions, from pinned modules, the standard library, directories, The Stack.

A source is a shard, named in the recipe: "MODULE@VERSION" by the Go proxy, "std/FOLDER" of the Go distribution,
"dir:PATH" of the user's own, "stack:FILE" (stack.py). Nothing of a source is built or run here; links are not
followed.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from tree_sitter import Node

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.gotools import download_module
from goassist_index.syntax import function_name, functions, is_generated, parse, text, walk
from goassist_models.data.blocked import blocking
from goassist_models.data.records import FunctionRecord, SourceFile, shard_text
from goassist_models.data.shards import Counts
from goassist_models.evaluate.needed import imported
from goassist_models.evaluate.perplexity import added, go_root

MAX_FILE_BYTES = 400_000
# One literal of this size is a table or an embedded file, not code to learn from.
MAX_LITERAL_BYTES = 16_000
_LEFT_OUT = frozenset({"vendor", "testdata", "node_modules"})
_MODULE_LINE = re.compile(r"^\s*module\s+\"?([^\"\s]+)\"?", re.MULTILINE)
_TEST_NAME = re.compile(r"(Test|Benchmark|Fuzz|Example)(?![a-z])")


def tasks(sources: Iterable[str]) -> dict[str, str]:
    """Shard names and the sources that they are made of. Raises ConfigError for one that is named twice."""
    found: dict[str, str] = {}
    for source in sources:
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", source).strip("_") + ".jsonl"
        if name in found:
            raise ConfigError("a source is named twice", path=source, cure="Name it once in the recipe")
        found[name] = source
    return found


def collect(source: str) -> tuple[str, Counts]:
    """One source's shard. Raises GoassistError where it cannot be had; a blocked one gives an empty shard."""
    if source.startswith("stack:"):
        from goassist_models.data.stack import stack_files

        return _shard(stack_files(source.removeprefix("stack:")))
    if source.startswith("std/"):
        return _shard(_standard(source.removeprefix("std/")))
    if source.startswith("dir:"):
        root = Path(source.removeprefix("dir:")).expanduser().resolve()
        if not root.is_dir():
            raise ConfigError("there is no such directory", path=str(root), cure="Name one in the recipe")
        return _shard(below(root, "", "", "directory"))
    module, _, version = source.rpartition("@")
    if not module:
        raise ConfigError(
            "neither MODULE@VERSION nor std/FOLDER, dir:PATH or stack:FILE", path=source, cure="Mend the recipe"
        )
    if (by := blocking(module)) is not None:
        return "", {f"blocked: {by}": 1}
    return _shard(below(download_module(module, version), module, version, "proxy"))


def _shard(found: Iterable[SourceFile]) -> tuple[str, Counts]:
    files = with_tests(list(found))
    counts: Counter[str] = Counter()
    for file in files:
        counts["files"] += 1
        counts["lines"] += file.text.count("\n")
        counts["functions"] += len(file.functions)
        if file.dropped:
            counts[file.dropped] += 1
    # What is refused here is not to be learnt from in any way: its text does not go on.
    return shard_text(replace(f, text="", functions=()) if f.dropped else f for f in files), counts


def _standard(folder: str) -> Iterator[SourceFile]:
    """A folder of the distribution's src, without packages that perplexity holds functions out of."""
    goroot, version = go_root()
    held_out = frozenset(added(goroot))
    for file in below(goroot / "src", "std", version, "standard library", folder):
        package = file.path.rpartition("/")[0]
        yield file.drop("collect", "in a package with held-out functions") if package in held_out else file


def below(root: Path, module: str, version: str, origin: str, folder: str = "") -> Iterator[SourceFile]:
    """Files below `root` (or its `folder`), each of the module that its nearest go.mod names, else `module`."""
    for directory, folders, names in os.walk(root / folder):
        here = Path(directory)
        folders[:] = sorted(n for n in folders if n not in _LEFT_OUT and not n.startswith((".", "_")))
        inner = _module_of(here)
        if inner and here != root and version:  # another module: it has versions and a licence of its own
            folders.clear()
            continue
        owner = module or _owner(here, root)
        by = blocking(owner)
        for name in sorted(names):
            path = here / name
            if not name.endswith(".go") or name.startswith((".", "_")) or path.is_symlink() or not path.is_file():
                continue
            relative = path.relative_to(root).as_posix()
            file = SourceFile(owner, version, origin, str(root), relative, "")
            yield file.drop("collect", f"blocked: {by}") if by else read(file, path.read_bytes())


def read(file: SourceFile, source: bytes) -> SourceFile:
    """`file` with its text and functions, or with why it is left out."""
    if len(source) > MAX_FILE_BYTES:
        return file.drop("collect", "too large")
    try:
        content = source.decode("utf-8")
    except UnicodeDecodeError:
        return file.drop("collect", "no UTF-8")
    if b"\r" in source or b"\0" in source:
        return file.drop("collect", "carriage returns or null bytes")
    if is_generated(source):
        return file.drop("collect", "generated")
    tree = parse(source)
    if tree.root_node.has_error:
        return file.drop("collect", "syntax error")
    found = []
    for node in functions(tree):
        large = any(n.end_byte - n.start_byte > MAX_LITERAL_BYTES for n in walk(node) if n.type.endswith("_literal"))
        record = FunctionRecord(function_name(node, source), node.start_byte, node.end_byte, _types(node, source))
        found.append(replace(record, dropped="collect: huge literal") if large else record)
    return replace(file, text=content, imports=tuple(sorted(imported(source))), functions=tuple(found))


def with_tests(files: Sequence[SourceFile]) -> list[SourceFile]:
    """The files, each function with the tests of its directory that name it."""
    named: Mapping[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in files:
        if file.path.endswith("_test.go"):
            folder = file.path.rpartition("/")[0]
            source = file.text.encode()
            for node in functions(parse(source)):
                test = function_name(node, source)
                if _TEST_NAME.match(test):
                    for inner in walk(node):
                        if inner.type in ("identifier", "field_identifier"):
                            named[folder][text(inner, source)].add(test)
    found = []
    for file in files:
        tests = named.get(file.path.rpartition("/")[0], {})
        made = tuple(replace(f, tests=tuple(sorted(tests.get(f.name.split(".")[-1], ())))) for f in file.functions)
        found.append(file if file.path.endswith("_test.go") else replace(file, functions=made))
    return found


def _types(node: Node, source: bytes) -> tuple[str, ...]:
    return tuple(sorted({text(inner, source) for inner in walk(node) if inner.type == "type_identifier"}))


@cache
def _module_of(directory: Path) -> str:
    """Path of the module whose go.mod stands in a directory, "" when none does."""
    try:
        match = _MODULE_LINE.search((directory / "go.mod").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return match[1] if match else ""


def _owner(directory: Path, root: Path) -> str:
    for folder in (directory, *directory.parents):
        if name := _module_of(folder):
            return name
        if folder == root:
            break
    raise GoassistError("no go.mod in it or above", path=str(directory), cure="Name the directory of a module")
