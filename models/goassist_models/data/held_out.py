"""Functions that evaluations ask for, signed for dedup.py: no training set may hold a copy of one.

Held-out functions of the standard library (perplexity), all of the modules that cases are made from, and HumanEval-X
where its file is named in the environment. The modules that are kept apart are not even read.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from goassist_index.gotools import download_module
from goassist_index.syntax import functions, is_generated, parse
from goassist_models.data.collect import read, tasks
from goassist_models.data.dedup import Signed, signed, signed_line
from goassist_models.data.records import SourceFile, shard_text
from goassist_models.data.shards import Counts
from goassist_models.data.similar import normalised
from goassist_models.evaluate.humaneval import DATA_VARIABLE, data_file, read_problems
from goassist_models.evaluate.modules import pinned_modules
from goassist_models.evaluate.perplexity import go_root, held_out

_PERPLEXITY, _HUMANEVAL = "held-out standard library", "HumanEval-X"


def asked_tasks() -> dict[str, str]:
    """Shards of what is asked for, each with its source. Without its data file HumanEval-X is not among them."""
    more = (_HUMANEVAL,) if os.environ.get(DATA_VARIABLE) else ()
    return tasks((_PERPLEXITY, *more, *(spec.name for spec in pinned_modules())))


def sign_asked(source: str) -> tuple[str, Counts]:
    """Signatures of one source's functions. Raises GoassistError when a module cannot be downloaded."""
    found = [signed_line(one) for one in _asked(source)]
    return "".join(found), {"functions": len(found)}


def _asked(source: str) -> Iterator[Signed]:
    if source == _PERPLEXITY:
        for place in held_out(go_root()[0]):
            yield signed("", str(place.path), place.node.start_byte, normalised(place.node, place.source))
    elif source == _HUMANEVAL:
        for problem in read_problems(data_file(None)):
            yield from _of_source(problem.name, f"package p\n{problem.prompt}{problem.solution}".encode())
    else:
        module, _, version = source.rpartition("@")
        for path in sorted(download_module(module, version).rglob("*.go")):
            if path.is_file():
                yield from _of_source(str(path), path.read_bytes())


def _of_source(name: str, source: bytes) -> Iterator[Signed]:
    if not is_generated(source):
        for node in functions(parse(source)):
            yield signed("", name, node.start_byte, normalised(node, source))


def held_out_shard(_: str) -> tuple[str, Counts]:
    """Held-out functions of the standard library as a shard that samples can be made of: to measure, never to learn."""
    goroot, version = go_root()
    by_path: dict[Path, set[int]] = defaultdict(set)
    for place in held_out(goroot):
        by_path[place.path].add(place.node.start_byte)
    made = []
    for path, starts in sorted(by_path.items()):
        name = path.relative_to(goroot / "src").as_posix()
        file = read(SourceFile("std", version, _PERPLEXITY, str(goroot / "src"), name, ""), path.read_bytes())
        made.append(replace(file, functions=tuple(f for f in file.functions if f.start in starts)))
    return shard_text(made), {"functions": sum(len(file.functions) for file in made)}
