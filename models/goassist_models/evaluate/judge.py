"""The independent judge of Go text: the Go compiler itself, one package at a time, never our own type service.

`go list -export` compiles a module's dependencies once; then one file of a package is replaced and the package
is compiled alone with `go tool compile` (after `go tool cgo` where it needs that). Where the replaced text
imports something that was not compiled before, `go build -overlay` says the same more slowly. A `_test.go` file is
compiled as `go test` would, without linking.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_index.gotools import (
    CommandResult,
    GoPackage,
    build_overlay,
    build_tests_overlay,
    list_packages,
    run_go,
)
from goassist_models.evaluate.needed import imported

# Before the place `go list` says that it cannot load the test package when its syntax is wrong.
_MESSAGE = re.compile(r"^(?:go: [^:]+: )?(?P<file>[^:]+\.go):(?P<line>\d+)(?::(?P<col>\d+))?: (?P<text>.*)$")
# Judging goes on beside generation, which must not be slowed down by it.
_NICE = 10
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

    def __init__(self, directory: Path, packages: tuple[GoPackage, ...], exports: Mapping[str, Path]) -> None:
        self.directory = directory
        self.packages = tuple(p for p in packages if p.in_module and (p.go_files or p.cgo_files))
        self._by_directory = {p.directory: p for p in self.packages}
        self._exports = exports
        self._untouched: dict[Path, bool] = {}
        self._tests_untouched: dict[Path, bool] = {}

    @classmethod
    def open(cls, directory: Path, patterns: tuple[str, ...] = ("./...",)) -> CompileJudge:
        """Compile the module's dependencies (once; the build cache keeps them) and be ready to judge.

        Raises GoassistError when `go list` names no package.
        """
        packages = list_packages(directory, patterns, export=False)
        own = {p.import_path for p in packages if p.in_module}
        imported = {p.import_map.get(name, name) for p in packages if p.in_module for name in p.imports}
        if any(p.cgo_files for p in packages if p.in_module):
            imported |= {"runtime/cgo", "syscall"}  # what the generated half imports
        # Only what is imported is built: a package that nobody imports may take a C compiler minutes.
        wanted = sorted(imported - {"C", "unsafe"})
        built = list_packages(directory, wanted, export=True) if wanted else ()
        exports = {p.import_path: p for p in built}
        packages = tuple(p for p in packages if p.import_path in own)
        return cls(directory, packages, {n: p.export for n, p in exports.items() if p.export is not None})

    def accepts_untouched(self, package: GoPackage) -> bool:
        """Whether this judge accepts the package as it is on disk; asked once a package."""
        if package.directory not in self._untouched:
            self._untouched[package.directory] = self.judge(package, {}).ok
        return self._untouched[package.directory]

    def accepts_untouched_tests(self, package: GoPackage) -> bool:
        """Whether the package's tests compile as they are on disk; asked once a package."""
        if package.directory not in self._tests_untouched:
            self._tests_untouched[package.directory] = self.build_tests(package, {}).ok
        return self._tests_untouched[package.directory]

    def package_of(self, path: Path) -> GoPackage:
        """Package that `path` is built or tested with. Raises GoassistError for a file of no package."""
        package = self._by_directory.get(path.parent)
        if package is None or path not in (*package.go_files, *package.cgo_files, *package.test_files):
            raise GoassistError("the file belongs to no package that is built here", path=str(path))
        return package

    def judge(self, package: GoPackage, replaced: Mapping[Path, bytes]) -> Judgement:
        """Compile `package` with `replaced` in place of files on disk, its tests too when one of them is replaced."""
        names = {*package.imports, *(name for text in replaced.values() for name in _imports(text))}
        if any(map(is_test, replaced)) or not all(self._has_export(package, name) for name in names):
            return self.build(package, replaced)
        with tempfile.TemporaryDirectory() as scratch:
            return self._compile(package, replaced, Path(scratch))

    def build(self, package: GoPackage, replaced: Mapping[Path, bytes]) -> Judgement:
        """`go build -overlay` of the package and whatever it needs: slower than `judge`, and the last word.

        `go build` does not look at `_test.go` files: when one is replaced, this is `build_tests`.
        """
        if any(map(is_test, replaced)):
            return self.build_tests(package, replaced)
        return _judgement(build_overlay(self.directory, package.import_path, replaced, nice=_NICE))

    def build_tests(self, package: GoPackage, replaced: Mapping[Path, bytes]) -> Judgement:
        """Compile the package, its tests and its external tests as `go test` would. Nothing is linked or run."""
        return _judgement(build_tests_overlay(self.directory, package.import_path, replaced, nice=_NICE))

    def _compile(self, package: GoPackage, replaced: Mapping[Path, bytes], scratch: Path) -> Judgement:
        files = [_copy(path, replaced, scratch) for path in package.go_files]
        if package.cgo_files:
            sources = [_copy(path, replaced, scratch) for path in package.cgo_files]
            generated = scratch / "cgo"
            # Generates the Go half only; no C is compiled. Line numbers stay those of the sources.
            arguments = ["tool", "cgo", "-objdir", str(generated), "-importpath", package.import_path, "--"]
            done = run_go([*arguments, "-I", str(package.directory), *map(str, sources)], package.directory, nice=_NICE)
            if not done.ok:
                return _judgement(done)
            files += [generated / "_cgo_gotypes.go", *(generated / f"{p.stem}.cgo1.go" for p in sources)]
        config = scratch / "importcfg"
        config.write_text(self._import_config(package))
        # Never the null device: the compiler removes its output when it fails, and root may do that there.
        arguments = ["tool", "compile", "-e", "-p", package.import_path, "-importcfg", str(config)]
        arguments += ["-o", str(scratch / "package.o")]
        if package.embeds:
            embedded = scratch / "embedcfg"
            names = {file: str(package.directory / file) for found in package.embeds.values() for file in found}
            embedded.write_text(json.dumps({"Patterns": dict(package.embeds), "Files": names}))
            arguments += ["-embedcfg", str(embedded)]
        if package.go_version:
            arguments.append(f"-lang=go{'.'.join(package.go_version.split('.')[:2])}")
        return _judgement(run_go([*arguments, *map(str, files)], package.directory, timeout_s=300, nice=_NICE))

    def _has_export(self, package: GoPackage, name: str) -> bool:
        return name in ("C", "unsafe") or package.import_map.get(name, name) in self._exports

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


def is_test(path: Path) -> bool:
    """Whether a file is compiled with its package's tests only."""
    return path.name.endswith("_test.go")


def _copy(path: Path, replaced: Mapping[Path, bytes], scratch: Path) -> Path:
    if path not in replaced:
        return path
    copy = scratch / path.name
    copy.write_bytes(replaced[path])
    return copy


def _imports(text: bytes) -> frozenset[str]:
    return imported(text[: max(text.find(b"\nfunc "), 0) or len(text)])


def _judgement(result: CommandResult) -> Judgement:
    errors = []
    for line in result.output.splitlines():
        match = _MESSAGE.match(line.strip())
        if match:
            name = Path(match["file"]).name
            errors.append(CompilerError(name, int(match["line"]), int(match["col"] or 0), match["text"]))
    return Judgement(result.ok, tuple(errors), result.output)
