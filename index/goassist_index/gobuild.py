"""Builds the Go type service with the user's own Go, once, into the cache.

typeservice.py calls it before it starts a process; nothing is downloaded and no workspace code is built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import CheckerUnavailable

SOURCE_DIR = Path(__file__).parent / "gotypes"
BUILD_LIMIT_S = 600.0
_GO_CURE = "Install Go 1.23 or later (https://go.dev/dl) and put it on PATH"


def go_command() -> str:
    """Path of the user's `go`. Raises CheckerUnavailable when there is none on PATH."""
    found = shutil.which("go")
    if found is None:
        raise CheckerUnavailable("there is no Go toolchain on PATH", cure=_GO_CURE)
    return found


def _environment() -> dict[str, str]:
    """The user's environment without what would change this build or reach the network."""
    kept = {k: v for k, v in os.environ.items() if k not in ("GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GOEXPERIMENT")}
    return kept | {
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOFLAGS": "",
        "GOWORK": "off",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
    }


def _run(arguments: list[str], *, cwd: Path, limit_s: float) -> str:
    try:
        done = subprocess.run(
            arguments, cwd=cwd, env=_environment(), capture_output=True, text=True, timeout=limit_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckerUnavailable(
            f"`{' '.join(arguments[:2])}` could not be run ({error})", path=arguments[0], cure=_GO_CURE
        ) from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise CheckerUnavailable(
            f"`{' '.join(arguments[:2])}` failed: {' / '.join(lines[:4])}",
            path=str(cwd),
            cure="Check that `go version` says 1.23 or later and that the disk is not full",
        )
    return done.stdout


def _sources() -> list[Path]:
    files = [p for p in sorted(SOURCE_DIR.iterdir()) if p.suffix == ".go" or p.name == "go.mod"]
    return [p for p in files if not p.name.endswith("_test.go")]


def service_key(go: str) -> str:
    """What a binary's name depends on: the sources and the toolchain, as 20 hex digits."""
    digest = hashlib.sha256(_run([go, "version"], cwd=SOURCE_DIR, limit_s=30.0).encode())
    for path in _sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def build_type_service(cache: Path | None = None) -> Path:
    """Path of the service's binary for this Go toolchain, built when the cache does not have it yet.

    `cache` is the cache directory (default: `cachedir.cache_dir()`). Two builders at once are safe: each builds
    beside the final name and moves its binary there in one step. Raises CheckerUnavailable.
    """
    go = go_command()
    suffix = ".exe" if os.name == "nt" else ""
    folder = (cache or cache_dir()) / "typeservice"
    binary = folder / f"gotypes-{service_key(go)}{suffix}"
    if binary.exists():
        return binary
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as work:
            # Built from a copy: an installed package's folder may be read-only or lie inside another module.
            source = Path(work) / "gotypes"
            source.mkdir()
            for path in _sources():
                shutil.copyfile(path, source / path.name)
            made = Path(work) / binary.name
            _run([go, "build", "-trimpath", "-buildvcs=false", "-o", str(made), "."], cwd=source, limit_s=BUILD_LIMIT_S)
            os.replace(made, binary)
    except OSError as error:
        raise CheckerUnavailable(
            f"the type service cannot be written to the cache ({error.strerror or error})",
            path=str(folder),
            cure="Free some disk space, or set GOASSIST_CACHE_DIR to a directory you can write to",
        ) from error
    _drop_others(folder, binary)
    return binary


def _drop_others(folder: Path, keep: Path) -> None:
    """Remove binaries of older versions, but the newest two: another server may be about to start one."""
    binaries = [p for p in folder.glob("gotypes-*") if p != keep]
    binaries.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for path in binaries[2:]:
        path.unlink(missing_ok=True)
