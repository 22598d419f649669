"""The independent judge of Go text: the Go compiler itself, one package at a time, never our own type service.

`go list -export` compiles a module's dependencies once; then one file of a package is replaced and the package
is compiled alone with `go tool compile`. Packages with cgo, assembly or embedded files go through
`go build -overlay`, which gives the same answer more slowly.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_index.gotools import CommandResult, GoPackage, build_overlay, list_packages, run_go

_MESSAGE = re.compile(r"^(?:\./|\.\\)?(?P<file>[^\s:]+\.go):(?P<line>\d+)(?::(?P<col>\d+))?: (?P<text>.*)$")
# What the user's next line may cure; the compiler refuses it all the same.
_CURABLE = re.compile(r"declared and not used|imported and not used|imported as \S+ and not used|missing return$")


@dataclass(frozen=True, slots=True)
class CompilerError:
    """One message of the compiler: file name without its directory, 1-based line, byte column (0: none given)."""

    file: str
    line: int
    col: int
    message: str

    @property
    def curable(self) -> bool:
        """Whether a later line may cure it: something unused, or a return that is not written yet."""
        return _CURABLE.search(self.message) is not None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the compiler accepts the package, and its messages."""

    ok: bool
    errors: tuple[CompilerError, ...]
    output: str


class CompileJudge:
    """Judges replaced files of one module's packages.

    Files beside the replaced ones are those on disk. Thread-safe: several threads may judge at once.
    """

    def __init__(self, directory: Path, packages: tuple[GoPackage, ...]) -> None:
        self.directory = directory
        self.packages = tuple(p for p in packages if p.in_module and p.go_files)
        self._by_directory = {p.directory: p for p in self.packages}
        self._exports = {p.import_path: p.export for p in packages if p.export is not None}
        self._untouched: dict[Path, bool] = {}

    @classmethod
    def open(cls, directory: Path, patterns: tuple[str, ...] = ("./...",)) -> CompileJudge:
        """Compile the module's dependencies (once; the build cache keeps them) and be ready to judge.

        Raises GoassistError when `go list` names no package.
        """
        return cls(directory, list_packages(directory, patterns, export=True))

    def accepts_untouched(self, package: GoPackage) -> bool:
        """Whether this judge accepts the package as it is on disk; asked once a package."""
        if package.directory not in self._untouched:
            self._untouched[package.directory] = self.judge(package, {}).ok
        return self._untouched[package.directory]

    def package_of(self, path: Path) -> GoPackage:
        """Package that `path` is built into. Raises GoassistError for a file of no package."""
        package = self._by_directory.get(path.parent)
        if package is None or path not in package.go_files:
            raise GoassistError("the file belongs to no package that is built here", path=str(path))
        return package

    def judge(self, package: GoPackage, replaced: Mapping[Path, bytes]) -> Judgement:
        """Compile `package` with `replaced` in place of files on disk."""
        missing = [name for name in package.imports if name not in ("C", "unsafe") and not self._export(package, name)]
        if package.needs_build or missing or _imports_beyond(package, replaced, self._exports):
            return _judgement(build_overlay(self.directory, package.import_path, replaced))
        with tempfile.TemporaryDirectory() as scratch:
            files = [str(_copy(path, replaced, Path(scratch))) for path in package.go_files]
            config = Path(scratch) / "importcfg"
            config.write_text(self._import_config(package))
            arguments = [
                "tool",
                "compile",
                "-e",
                "-p",
                package.import_path,
                "-importcfg",
                str(config),
                "-o",
                os.devnull,
            ]
            if package.go_version:
                arguments.append(f"-lang=go{'.'.join(package.go_version.split('.')[:2])}")
            return _judgement(run_go([*arguments, *files], package.directory, timeout_s=300))

    def _export(self, package: GoPackage, name: str) -> Path | None:
        return self._exports.get(package.import_map.get(name, name))

    def _import_config(self, package: GoPackage) -> str:
        lines = [f"importmap {old}={new}" for old, new in package.import_map.items()]
        lines += [f"packagefile {name}={path}" for name, path in self._exports.items()]
        return "\n".join(lines) + "\n"


def errors_within(judgement: Judgement, file: Path, first_line: int, last_line: int) -> tuple[CompilerError, ...]:
    """Messages for lines first_line..last_line (1-based) of `file` that no later line can cure."""
    return tuple(
        error
        for error in judgement.errors
        if error.file == file.name and first_line <= error.line <= last_line and not error.curable
    )


def _copy(path: Path, replaced: Mapping[Path, bytes], scratch: Path) -> Path:
    if path not in replaced:
        return path
    copy = scratch / path.name
    copy.write_bytes(replaced[path])
    return copy


def _imports_beyond(package: GoPackage, replaced: Mapping[Path, bytes], exports: Mapping[str, Path]) -> bool:
    """Whether a replaced text may import what has no export data here (then only the build can say)."""
    for text in replaced.values():
        for match in re.finditer(rb'^\s*(?:import\s+)?(?:[\w.]+\s+)?"([^"\s]+)"\s*$', text[:20_000], re.MULTILINE):
            name = match.group(1).decode("utf-8", "replace")
            if name == "embed":
                return True
            in_list = name in package.imports or package.import_map.get(name, name) in exports
            if not in_list and name not in ("C", "unsafe"):
                return _has_import(text, match.group(1))
    return False


def _has_import(text: bytes, name: bytes) -> bool:
    head = text.split(b"\nfunc ", 1)[0]
    return b'"' + name + b'"' in head


def _judgement(result: CommandResult) -> Judgement:
    errors = []
    for line in result.output.splitlines():
        match = _MESSAGE.match(line.strip())
        if match:
            name = Path(match["file"]).name
            errors.append(CompilerError(name, int(match["line"]), int(match["col"] or 0), match["text"]))
    return Judgement(result.ok, tuple(errors), result.output)


__all__ = ["CompileJudge", "CompilerError", "Judgement", "errors_within"]
