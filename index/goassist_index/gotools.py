"""Runners for the user's own Go toolchain: module downloads, package lists, builds with overlays.

Serves evaluation (an independent judge) and the look at a workspace's module files. Only `download_*` may reach the
network; the type service never comes here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError, GoassistError

_LIST_FIELDS = (
    "ImportPath,Dir,Name,Export,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,EmbedPatterns,EmbedFiles,ImportMap,Imports,"
    "DepOnly,Module"
)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit status and outputs of one command; `output` is what it said on standard error and output together."""

    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.status == 0

    @property
    def output(self) -> str:
        """Standard error, then standard output."""
        return self.stderr + self.stdout


@dataclass(frozen=True, slots=True)
class GoPackage:
    """One package as `go list` names it. Files are absolute paths; `export` is None where nothing was built.

    `go_files` are those of this build without cgo, `cgo_files` those with it; `embeds` are patterns of
    go:embed and the files that each of them names, relative to the directory. `test_files` are the `_test.go` files
    of this build, those in the package and those of its external test package (`<name>_test`).
    """

    import_path: str
    directory: Path
    name: str
    go_files: tuple[Path, ...]
    cgo_files: tuple[Path, ...]
    embeds: Mapping[str, tuple[str, ...]]
    export: Path | None
    imports: tuple[str, ...]
    import_map: Mapping[str, str]
    in_module: bool
    go_version: str
    test_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageOrigin:
    """Where an imported package comes from: its name, and its module (none for the standard library).

    `main`: the module that was asked about. `version` is "" for it and for a module that a directory replaces; `time`
    is when that version was made (RFC 3339), "" where the module cache does not know.
    """

    import_path: str
    name: str
    module: str
    version: str
    time: str
    main: bool


def go_binary() -> str:
    """Path of the `go` command. Raises ConfigError when there is none."""
    found = shutil.which("go")
    if found is None:
        raise ConfigError(
            "no Go toolchain is on PATH", cure="Install Go (https://go.dev/dl) and put its bin directory on PATH"
        )
    return found


def run_go(
    arguments: Sequence[str],
    directory: Path,
    *,
    timeout_s: float = 600,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    nice: int = 0,
) -> CommandResult:
    """Run `go ARGUMENTS` in `directory`. A timeout is a result with status -1, not an error.

    `nice` is added to its niceness, where the system knows that (a `nice` command on PATH).
    """
    command = [go_binary(), *arguments]
    if nice and (nicer := shutil.which("nice")) is not None:
        command = [nicer, "-n", str(nice), *command]
    env = {**os.environ, "GOTOOLCHAIN": "local", **(environment or {})}
    try:
        done = subprocess.run(
            command, cwd=directory, env=env, input=stdin, capture_output=True, text=True, errors="replace",
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return CommandResult(-1, "", f"go {' '.join(arguments[:2])}: gave up after {timeout_s:.0f} s\n")
    return CommandResult(done.returncode, done.stdout, done.stderr)


def download_module(module: str, version: str) -> Path:
    """Directory of a module in the user's module cache, fetched when it is not there (read-only files).

    Raises GoassistError with the tool's own words when it cannot be had.
    """
    with tempfile.TemporaryDirectory() as outside:  # not inside a module: its go.mod must not decide
        result = run_go(["mod", "download", "-json", f"{module}@{version}"], Path(outside))
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        answer = {}
    if answer.get("Error") or "Dir" not in answer:
        words = str(answer.get("Error") or result.stderr.strip() or "no answer")
        raise GoassistError(
            f"the module cannot be downloaded ({words.splitlines()[-1]})",
            path=f"{module}@{version}",
            cure="Check its name, its version and the network (GOPROXY)",
        )
    return Path(answer["Dir"])


def download_dependencies(directory: Path) -> CommandResult:
    """Fetch what the module in `directory` depends on into the user's module cache."""
    return run_go(["mod", "download"], directory, environment={"GOWORK": "off"})


def list_packages(
    directory: Path, patterns: Iterable[str], *, export: bool, timeout_s: float = 1800
) -> tuple[GoPackage, ...]:
    """Packages and their dependencies as `go list -e -deps` names them. `export` compiles what is not built yet.

    Raises GoassistError when the tool lists nothing at all.
    """
    arguments = ["list", "-e", "-deps", f"-json={_LIST_FIELDS}", *(["-export"] if export else []), *patterns]
    result = run_go(arguments, directory, environment={"GOWORK": "off"}, timeout_s=timeout_s)
    packages = tuple(_package(value) for value in json_values(result.stdout))
    if not packages:
        raise GoassistError(
            f"go list names no package ({result.stderr.strip()[-300:] or 'no message'})", path=str(directory)
        )
    return packages


def package_origins(directory: Path) -> dict[str, PackageOrigin]:
    """Every package that the module in `directory` imports, its tests too, by import path. Nothing is compiled.

    Raises GoassistError when the tool lists nothing at all.
    """
    arguments = ["list", "-e", "-deps", "-test", "-json=ImportPath,Name,Module", "./..."]
    result = run_go(arguments, directory, environment={"GOWORK": "off"})
    found = {}
    for value in json_values(result.stdout):
        module = value.get("Module") or {}
        used = module.get("Replace") or module
        found[value["ImportPath"]] = PackageOrigin(
            import_path=value["ImportPath"],
            name=value.get("Name", ""),
            module=module.get("Path", ""),
            version=used.get("Version", ""),
            time=used.get("Time", ""),
            main=bool(module.get("Main")),
        )
    if not found:
        words = result.stderr.strip()[-300:] or "no message"
        raise GoassistError(f"go list names no package ({words})", path=str(directory))
    return found


def build_overlay(
    directory: Path, package: str, overlay: Mapping[Path, bytes], *, timeout_s: float = 300, nice: int = 0
) -> CommandResult:
    """`go build -overlay` of one package, with `overlay` in place of files on disk. Nothing is written there."""
    # A library's build is type-checked and compiled, and its result thrown away.
    return _run_overlaid(["build", "-o", os.devnull], directory, package, overlay, timeout_s=timeout_s, nice=nice)


def build_tests_overlay(
    directory: Path, package: str, overlay: Mapping[Path, bytes], *, timeout_s: float = 300, nice: int = 0
) -> CommandResult:
    """Compile a package with its `_test.go` files and its external tests, with `overlay` in place of files on disk.

    `go list -export -test` compiles what `go test` would and links nothing; it fails with the compiler's messages.
    """
    command = ["list", "-export", "-test", '-f={{""}}']
    return _run_overlaid(command, directory, package, overlay, timeout_s=timeout_s, nice=nice)


def _run_overlaid(
    command: Sequence[str], directory: Path, package: str, overlay: Mapping[Path, bytes], *, timeout_s: float, nice: int
) -> CommandResult:
    with tempfile.TemporaryDirectory() as scratch:
        replace: dict[str, str] = {}
        for number, (path, text) in enumerate(overlay.items()):
            copy = Path(scratch) / str(number) / path.name  # messages name the copy
            copy.parent.mkdir()
            copy.write_bytes(text)
            replace[str(path)] = str(copy)
        listing = Path(scratch) / "overlay.json"
        listing.write_text(json.dumps({"Replace": replace}))
        arguments = [*command, "-gcflags=-e", f"-overlay={listing}", package]
        return run_go(arguments, directory, environment={"GOWORK": "off"}, timeout_s=timeout_s, nice=nice)


def json_values(text: str) -> Iterable[dict[str, Any]]:
    """The JSON values that stand one behind the other in what `go list -json` prints."""
    decoder = json.JSONDecoder()
    at = 0
    while (at := _skip_space(text, at)) < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _package(value: dict[str, Any]) -> GoPackage:
    directory = Path(value.get("Dir", ""))
    module = value.get("Module") or {}
    embedded = tuple(value.get("EmbedFiles", ()))
    return GoPackage(
        import_path=value["ImportPath"],
        directory=directory,
        name=value.get("Name", ""),
        go_files=tuple(directory / name for name in value.get("GoFiles", ())),
        cgo_files=tuple(directory / name for name in value.get("CgoFiles", ())),
        embeds={p: tuple(f for f in embedded if _embeds(p, f)) for p in value.get("EmbedPatterns", ())},
        export=Path(value["Export"]) if value.get("Export") else None,
        imports=tuple(value.get("Imports", ())),
        import_map=value.get("ImportMap") or {},
        in_module=bool(module.get("Main")) and not value.get("DepOnly", False),
        go_version=str(module.get("GoVersion", "")),
        test_files=tuple(directory / n for n in (*value.get("TestGoFiles", ()), *value.get("XTestGoFiles", ()))),
    )


def _embeds(pattern: str, file: str) -> bool:
    pattern = pattern.removeprefix("all:")
    return pattern == "." or fnmatch(file, pattern) or fnmatch(file, f"{pattern}/*")
