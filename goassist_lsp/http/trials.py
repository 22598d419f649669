"""Tests of a workspace with an answer in place: compiled in a copy of it, run in the sandbox. Only where allowed.

Compiling runs no code of the workspace: no cgo, no generators, no tool of its own, nothing downloaded. What keeps the
tests from this machine, and what does not, stands in goassist_models/evaluate/sandbox.py; beside that, neither the
compiler's memory is bounded (its time is), nor can a test's word be trusted where the answer itself wants to cheat.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_index.gotools import run_go
from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.pieces import TestRun
from goassist_models.evaluate.sandbox import Limits, Outcome, run

_BINARY = "goassist.test"
# Nobody debugs what is run once: half of the linking is left out.
_COMPILE = ("test", "-c", "-vet=off", "-ldflags=-s -w", "-o", _BINARY, ".")
# GOENV: the user's own settings may name a tool to run instead of the compiler.
_CLOSED = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOENV": "off", "GOPROXY": "off", "GOSUMDB": "off"}
_COMPILING_LIMIT_S = 120.0
_MOST_FILES = 20_000
_MOST_BYTES = 256 * 2**20
_MOST_PATTERN = 200
_DETAIL_CHARS = 1_500
_RAN = re.compile(r"^--- (?:PASS|FAIL|SKIP): (\S+)", re.MULTILINE)
_NONE_RAN = "testing: warning: no tests to run"


@dataclass(frozen=True, slots=True)
class Trials:
    """Runs tests, `at_once` at most, each within `limits`."""

    limits: Limits
    gate: asyncio.Semaphore

    @classmethod
    def allowed(cls, wall_s: float, at_once: int = 1) -> Trials:
        """For a server that may run tests, so many seconds each."""
        return cls(Limits(wall_s=wall_s, cpu_s=int(2 * wall_s) + 1), asyncio.Semaphore(at_once))

    async def run(self, root: Path, path: Path, text: str, pattern: str) -> TestRun:
        """What the tests of that name say with `text` in place of the file at `path`, below `root`.

        Raises ApiError for a workspace that cannot be tried, GoassistError when the sandbox fails.
        """
        if len(pattern) > _MOST_PATTERN or "\0" in pattern or not pattern.strip():
            raise ApiError(400, f"a pattern has 1 to {_MOST_PATTERN} characters", param="test_pattern")
        async with self.gate:
            return await asyncio.to_thread(_tried, root, path, text, pattern, self.limits)


def _tried(root: Path, path: Path, text: str, pattern: str, limits: Limits) -> TestRun:
    _hold_inside(root, path.parent)
    within = path.parent.relative_to(root)
    with tempfile.TemporaryDirectory(prefix="goassist-trial-") as scratch:
        copy = Path(scratch) / "copy"
        _copy(root, copy)
        (copy / path.relative_to(root)).write_text(text, encoding="utf-8")
        package = copy / within
        built = run_go(_COMPILE, package, timeout_s=_COMPILING_LIMIT_S, environment=_CLOSED, nice=5)
        if not built.ok:
            return TestRun("failed", detail=_shortened(built.output, copy))
        if not (package / _BINARY).is_file():
            return TestRun("none", detail="the package has no tests")
        command = [_BINARY, f"-test.run={pattern}", "-test.v", "-test.count=1"]
        outcome = run(command, copy, limits, within=str(within))
    return _outcome(outcome, limits)


def _outcome(outcome: Outcome, limits: Limits) -> TestRun:
    ran = _RAN.findall(outcome.output)
    if outcome.ok and outcome.output.rstrip().endswith("PASS") and ran:
        return TestRun("passed", ran)
    if outcome.ok and _NONE_RAN in outcome.output:
        return TestRun("none", detail="no test has such a name")
    stopped = {"wall clock": f"ended after {limits.wall_s:g} s", "output": "ended: it said too much", "": ""}
    detail = "\n".join(part for part in (outcome.output.strip()[-_DETAIL_CHARS:], stopped[outcome.stopped]) if part)
    return TestRun("failed", ran, detail=detail or f"exit status {outcome.status}")


def _shortened(output: str, copy: Path) -> str:
    return output.replace(f"{copy}{os.sep}", "").strip()[:_DETAIL_CHARS]


def _hold_inside(root: Path, package: Path) -> None:
    """Raises ApiError where a go.mod or go.work that counts for `package` has code from elsewhere compiled in.

    Those are the nearest above it, and the modules that a go.work names; all above it are looked at.
    """
    above = [place for place in (package, *package.parents) if place.is_relative_to(root)]
    used = [path for place in above for path in _held(root, place / "go.work", "work")]
    for place in dict.fromkeys((*above, *used)):
        _held(root, place / "go.mod", "mod")


def _held(root: Path, file: Path, verb: str) -> list[Path]:
    """Directories that a go.work uses. Raises ApiError where the file names any outside of the workspace."""
    if not file.is_file():
        return []
    name = file.relative_to(root)
    read = run_go([verb, "edit", "-json", file.name], file.parent, timeout_s=_COMPILING_LIMIT_S, environment=_CLOSED)
    try:
        told = json.loads(read.stdout)
    except ValueError:
        raise ApiError(400, f"{name} cannot be read: {read.output.strip()[:200]}", param="workspace") from None
    replaced = [entry["New"] for entry in told.get("Replace") or ()]
    used = [entry.get("DiskPath", "") for entry in told.get("Use") or ()]
    for path in [new["Path"] for new in replaced if not new.get("Version")] + used:
        if not (file.parent / path).resolve().is_relative_to(root):
            said = f"{name} leads out of the workspace ({path}): its tests are not run"
            raise ApiError(400, said, code="outside_workspace", param="workspace")
    return [(file.parent / path).resolve() for path in used]


def _copy(root: Path, to: Path) -> None:
    """Copy a workspace's own files. Links are left out: they may lead anywhere."""
    files = size = 0
    for directory, names, found in os.walk(root):
        here = Path(directory)
        names[:] = [name for name in names if name != ".git" and not (here / name).is_symlink()]
        there = to / here.relative_to(root)
        there.mkdir(mode=0o755)
        for name in found:
            path = here / name
            if path.is_symlink() or not path.is_file():
                continue
            files, size = files + 1, size + path.stat().st_size
            if files > _MOST_FILES or size > _MOST_BYTES:
                limit = f"{_MOST_FILES:,} files or {_MOST_BYTES // 2**20} MiB"
                raise GoassistError(f"the workspace has more than {limit}: its tests are not run", path=root.name)
            shutil.copyfile(path, there / name)
            # The sandbox has another user.
            (there / name).chmod(0o755 if os.access(path, os.X_OK) else 0o644)
