"""Third stage, the quality gates: gofmt, go vet, the type check and staticcheck, in each source's own module.

Dependencies are fetched first; then nothing of a module is run, linked or generated: without cgo, without network,
with its go.mod as it is. A function that fails stays in the shard with the cause; train/negatives.py makes use of it.

What a gate cannot say anything about (files for another system, cgo, a package whose dependencies are missing) is out.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import CheckerUnavailable, GoassistError
from goassist_index.gotools import list_packages
from goassist_index.syntax import functions, parse
from goassist_index.typeservice import TypeService
from goassist_models.data.records import FunctionRecord, SourceFile, read_shard, shard_text
from goassist_models.data.shards import Counts
from goassist_models.evaluate.analyzers import STATICCHECK_MODULE, Analyzer, Finding, built, staticcheck, vet
from goassist_models.evaluate.modules import ModuleSpec, prepare

# Bugs and dead code; staticcheck's matters of style (ST, QF) are left to the model's other examples.
BUGS = ("SA", "S1", "U1")
_LOADING_LIMIT_S = 180.0
_OFFLINE = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOPROXY": "off", "GOWORK": "off", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True, slots=True)
class _Module:
    """Where a module's files are judged, and the folders of it that are wanted ("...": all)."""

    root: Path
    folders: tuple[str, ...]


def gate(shard: str) -> tuple[str, Counts]:
    """The shard with causes on what failed, and counts of files, functions and causes.

    Raises GoassistError when staticcheck cannot be had: that is no fault of the sources.
    """
    checked = staticcheck(built(cache_dir(), *STATICCHECK_MODULE))
    sources = read_shard(Path(shard))
    groups: dict[tuple[str, str, str], list[SourceFile]] = defaultdict(list)
    for file in sources:
        groups[file.origin, file.module, file.version].append(file)
    judged: dict[str, SourceFile] = {}
    for group in groups.values():
        judged.update((file.name, file) for file in _group(group, checked))
    kept = [judged[file.name] for file in sources]
    return shard_text(kept), _counts(kept)


def _group(files: Sequence[SourceFile], checked: Analyzer) -> list[SourceFile]:
    if not any(file.kept for file in files) or not files[0].root:
        return list(files)
    try:
        module = _module(files)
        with offline():
            return _judged(module, files, checked)
    except GoassistError as error:
        cause = str(error).split(":")[0].split("(")[0].strip()
        return [file.drop("module", cause) for file in files]


def module_root(file: SourceFile) -> Path:
    """Directory in which a file's module can be checked, its dependencies in the module cache.

    Raises GoassistError when it cannot be had.
    """
    return prepare(ModuleSpec(file.module, file.version), cache_dir()) if file.origin == "proxy" else Path(file.root)


def _module(files: Sequence[SourceFile]) -> _Module:
    root = module_root(files[0])
    if files[0].origin != "standard library":
        return _Module(root, ("...",))
    tops = sorted({file.path.split("/")[0] for file in files if "/" in file.path})
    return _Module(root, tuple(f"{top}/..." for top in tops))


@contextmanager
def offline() -> Iterator[None]:
    """No network, cgo or other toolchain for the Go commands that are run meanwhile."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(_OFFLINE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _judged(module: _Module, files: Sequence[SourceFile], checked: Analyzer) -> list[SourceFile]:
    found = _built_here(module, files)
    found = _formatted(module, found)
    found = _vetted(module, found)
    found = asyncio.run(_typed(module, found))
    return _checked(module, found, checked)


def _built_here(module: _Module, files: Sequence[SourceFile]) -> list[SourceFile]:
    packages = list_packages(module.root, [f"./{folder}" for folder in module.folders], export=False)
    built_files = {path for p in packages for path in (*p.go_files, *p.test_files)}
    return [
        file if module.root / file.path in built_files else file.drop("built", "for another system, or cgo")
        for file in files
    ]


def _formatted(module: _Module, files: Sequence[SourceFile]) -> list[SourceFile]:
    gofmt = shutil.which("gofmt")
    if gofmt is None:
        raise GoassistError("there is no gofmt on PATH", cure="Put Go's bin directory on PATH")
    paths = [str(module.root / file.path) for file in files if file.kept]
    told = ""
    for start in range(0, len(paths), 500):
        done = subprocess.run([gofmt, "-l", *paths[start : start + 500]], capture_output=True, text=True, check=False)
        told += done.stdout
    other = set(told.splitlines())
    return [file.drop("gofmt", "other layout") if str(module.root / file.path) in other else file for file in files]


def _vetted(module: _Module, files: Sequence[SourceFile]) -> list[SourceFile]:
    return _analyzed(module, files, vet, "vet")


def _checked(module: _Module, files: Sequence[SourceFile], checked: Analyzer) -> list[SourceFile]:
    return _analyzed(
        module, files, lambda *where: [f for f in checked(*where) if f.check.startswith(BUGS)], "staticcheck"
    )


def _analyzed(module: _Module, files: Sequence[SourceFile], analyze: Analyzer, stage: str) -> list[SourceFile]:
    """The files with what an analyzer finds in them; those of a package that it cannot read are out."""
    found: list[Finding] = []
    failed: set[str] = set()
    for folder in module.folders:
        try:
            found += analyze(module.root, folder)
        except GoassistError:
            # One package that does not type-check spoils the whole command: then one by one.
            for one in sorted({_folder(file) for file in files if file.kept and _within(file, folder)}):
                try:
                    found += analyze(module.root, one)
                except GoassistError:
                    failed.add(one)
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in found:
        by_file[finding.file].append(finding)
    cause = "package does not type-check"
    files = [file.drop(stage, cause) if _folder(file) in failed else file for file in files]
    return [_marked(file, by_file[file.path], stage) if file.path in by_file else file for file in files]


def _folder(file: SourceFile) -> str:
    return file.path.rpartition("/")[0]


def _within(file: SourceFile, folder: str) -> bool:
    return folder == "..." or file.path.startswith(folder.removesuffix("..."))


def _marked(file: SourceFile, findings: Sequence[Finding], stage: str) -> SourceFile:
    """`file`, each function that a finding lies in refused by the first of them."""
    if file.dropped:
        return file
    breaks = [at for at, byte in enumerate(file.text.encode()) if byte == 10]
    marked = []
    for function in file.functions:
        first, last = (bisect_right(breaks, at - 1) + 1 for at in (function.start, function.end))
        here = [f for f in findings if first <= f.line <= last]
        marked.append(_refused(function, f"{stage}: {here[0].check}") if here else function)
    return replace(file, functions=tuple(marked))


def _refused(function: FunctionRecord, cause: str) -> FunctionRecord:
    return function if function.dropped else replace(function, dropped=cause)


async def _typed(module: _Module, files: Sequence[SourceFile]) -> list[SourceFile]:
    service = await TypeService.start(module.root)
    try:
        return [await _typed_file(service, module, file) if file.kept else file for file in files]
    except CheckerUnavailable as error:
        raise GoassistError("the type service is not to be had", path=str(module.root)) from error
    finally:
        await service.aclose()


async def _typed_file(service: TypeService, module: _Module, file: SourceFile) -> SourceFile:
    source = file.text.encode()
    bodies = {}
    for node in functions(parse(source)):
        body = node.child_by_field_name("body")
        if body is not None:
            bodies[node.start_byte] = body.start_byte + 1, body.end_byte - 1
    marked = []
    for function in file.functions:
        if function.dropped:
            marked.append(function)
            continue
        start, end = bodies[function.start]
        (verdict,) = await service.check(
            module.root / file.path, None, start, end, [source[start:end].decode()], loading_limit_s=_LOADING_LIMIT_S
        )
        cause = ""
        if verdict.status == "unknown":
            cause = "types: cannot tell"
        elif verdict.status == "error" or not verdict.showable:
            said = [*(e.message for e in verdict.errors), *(u.message for u in verdict.unfinished if u.final)]
            cause = f"types: {said[0].split(':')[0] if said else 'error'}"
        marked.append(_refused(function, cause) if cause else function)
    return replace(file, functions=tuple(marked))


def _counts(files: Sequence[SourceFile]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for file in files:
        counts["functions"] += len(file.functions)
        if file.dropped:
            counts[f"file {file.dropped}"] += 1
            counts["functions of files that are out"] += len(file.functions)
            continue
        for function in file.functions:
            counts[function.dropped or "functions kept"] += 1
    return counts
