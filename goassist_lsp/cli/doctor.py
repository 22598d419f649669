"""`doctor`: what the main job needs, one line each, with what to do where something is missing."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError, ModelError
from goassist_index.workspace import module_problem

State = Literal["ok", "warning", "failure"]
MARKS = {"ok": "✓", "warning": "!", "failure": "✗"}
OLDEST_GO = (1, 23)
FREE_DISK_BYTES = 2_000_000_000
# Key-value cells, compute buffers, the Python process and the type service, beside the model file.
EXTRA_MEMORY_BYTES = 900_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it stands, what was seen, what to do ("" when nothing)."""

    name: str
    state: State
    seen: str
    cure: str = ""


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("doctor", help="check what the assistant needs on this machine, and say what to do")
    verb.add_argument("directory", nargs="?", default=".", help="the Go workspace to look at")
    verb.add_argument(
        "--fix", action="store_true", help="build the native library anew for this CPU if it does not run here"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON value")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when nothing keeps the assistant from working, else 1."""
    looks: tuple[Callable[[], Finding], ...] = (
        look_at_go,
        look_at_model,
        lambda: look_at_build(fix=args.fix),
        look_at_gpu,
        look_at_cache,
        look_at_memory,
        look_at_threads,
        lambda: look_at_workspace(Path(args.directory)),
    )
    findings = []
    for look in looks:
        finding = look()
        findings.append(finding)
        if not args.json:
            print_finding(finding)
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return 1 if any(finding.state == "failure" for finding in findings) else 0


def print_finding(finding: Finding) -> None:
    """One line, and the cure below it."""
    print(f"{MARKS[finding.state]} {finding.name:<10} {finding.seen}")
    if finding.cure:
        print(f"  {'':<10} -> {finding.cure}")


def look_at_go() -> Finding:
    """Whether a Go toolchain is on PATH and new enough for the type service."""
    go = shutil.which("go")
    cure = f"install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or later and put it on PATH"
    if go is None:
        return Finding("go", "failure", "no go command on PATH", cure)
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    version = answer.stdout.strip().removeprefix("go")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if answer.returncode != 0 or len(numbers) < 2:
        return Finding("go", "failure", f"{go} does not answer: {answer.stderr.strip()[:120]}", cure)
    if numbers < OLDEST_GO:
        return Finding("go", "failure", f"{version} at {go} is too old", cure)
    return Finding("go", "ok", f"{version} at {go}")


def look_at_model() -> Finding:
    """Whether the model that would be used is there and whole by size and header."""
    from goassist_models.registry import resolve

    try:
        model = resolve()
    except GoassistError as error:
        return Finding("model", "failure", error.what + (f" ({error.path})" if error.path else ""), error.cure or "")
    return Finding("model", "ok", f"{model.name}, {model.path.stat().st_size / 1e6:.0f} MB at {model.path}")


def look_at_build(*, fix: bool) -> Finding:
    """Whether the native library runs on this CPU, tried in a child process; `fix` builds it anew if not.

    Raises ModelError when the build itself fails.
    """
    from goassist_models import native

    state = native.check_build()
    if state.problem is not None and fix:
        state = native.rebuild(lambda line: print(line, file=sys.stderr))
    if state.problem is not None:
        return Finding("build", "failure", state.problem.what, state.problem.cure or "")
    return Finding("build", "ok", f"{native.PACKAGE} {state.version}, runs on this CPU ({state.features_key})")


def look_at_gpu() -> Finding:
    """Whether the native library was built for a graphics processor, and for the one that the machine shows."""
    from goassist_models import gpu

    shown = gpu.shown()
    try:
        build = gpu.built()
    except ModelError as error:
        return Finding("gpu", "warning", error.what, "see to `build` first")
    if build.gpus:
        names = ", ".join(f"{device.description} ({device.name})" for device in build.gpus)
        return Finding("gpu", "ok", f"the native library offloads to {names}")
    if not shown:
        return Finding("gpu", "ok", "none is shown here: the model runs on the processor")
    names = ", ".join(dict.fromkeys(one.name for one in shown))
    why = "finds none that it can use" if build.offloads else "was built without support for it"
    cure = f"to use it: {gpu.build_command(shown[0].backend)}"
    return Finding("gpu", "warning", f"{names} is here, but the native library {why}", cure)


def look_at_cache() -> Finding:
    """Whether the cache directory can be written and has room."""
    folder = cache_dir()
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        cure = "give yourself write permission there, or set GOASSIST_CACHE_DIR"
        return Finding("cache", "failure", f"{folder} cannot be written: {error.strerror}", cure)
    free = shutil.disk_usage(folder).free
    seen = f"{folder}, {free / 1e9:.1f} GB free"
    if free < FREE_DISK_BYTES:
        return Finding("cache", "warning", seen, "free some space, or set GOASSIST_CACHE_DIR to a larger disk")
    return Finding("cache", "ok", seen)


def look_at_memory() -> Finding:
    """Whether the model fits into the memory that is free now."""
    import psutil

    from goassist_models.registry import resolve

    available = psutil.virtual_memory().available
    try:
        needed = resolve().path.stat().st_size + EXTRA_MEMORY_BYTES
    except GoassistError:
        needed = EXTRA_MEMORY_BYTES
    seen = f"{available / 1e9:.1f} GB available, about {needed / 1e9:.1f} GB needed"
    if available < needed:
        return Finding("memory", "warning", seen, "close other programs, or choose a smaller model")
    return Finding("memory", "ok", seen)


def look_at_threads() -> Finding:
    """How many cores may be used, and whether they are wanted by others now."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    seen = f"{cores} cores usable, load {load:.1f}"
    if cores < 2:
        return Finding("threads", "warning", seen, "suggestions will be slow on one core: give the process another")
    if load > cores:
        return Finding("threads", "warning", seen, "other programs want the cores: suggestions come late while they do")
    return Finding("threads", "ok", seen)


def look_at_workspace(directory: Path) -> Finding:
    """Whether the type service loads the packages of a Go file in this directory, if it holds any."""
    if not directory.is_dir():
        return Finding("workspace", "failure", f"{directory} is no directory", "name a directory with Go code")
    try:
        problem = module_problem(directory.resolve())
    except GoassistError as error:
        return Finding("workspace", "failure", error.what, error.cure or "")
    if problem is not None:
        return Finding("workspace", "warning", f"{problem.path}: {problem.what}", problem.cure or "")
    file = next(go_files(directory), None)
    if file is None:
        return Finding("workspace", "ok", f"no Go files in {directory.resolve()}: nothing to look at")
    try:
        status, seen = asyncio.run(_try_types(file))
    except GoassistError as error:
        return Finding("workspace", "failure", error.what, error.cure or "")
    cure = "" if status == "ok" else "run `go build` in its folder: what Go says there keeps the package from loading"
    return Finding("workspace", status, seen, cure)


def go_files(directory: Path) -> Iterator[Path]:
    """Go files here or one level below, tests and generated trees left out, shortest path first."""
    for pattern in ("*.go", "*/*.go"):
        yield from (path for path in sorted(directory.glob(pattern)) if not path.name.endswith("_test.go"))


async def _try_types(file: Path) -> tuple[State, str]:
    from goassist_lsp.check.typecheck import TypeChecker
    from goassist_lsp.cli.position import read_snapshot

    snapshot = read_snapshot(file)
    checker = TypeChecker()
    try:
        end = len(snapshot.text)
        (verdict,) = await checker.check(snapshot, end, end, ("\n",))
    finally:
        await checker.close()
    if verdict.status == "unknown":
        return "warning", f"{file} cannot be checked: {verdict.reason}"
    return "ok", f"{file} and its package are loaded"
