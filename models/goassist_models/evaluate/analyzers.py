"""Analyzers of Go packages, each a function from a module's directory and a package's folder to its findings.

Part of lint.py. `go vet` is the toolchain's; staticcheck and errcheck are built once, at pinned versions, into the
cache; the idiom measures are our own (idioms.py). All look at a package's tests too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_index.gotools import CommandResult, run_go
from goassist_models.evaluate.idioms import idiom_findings

VET, STATICCHECK, ERRCHECK, IDIOMS = "go vet", "staticcheck", "errcheck", "idioms"
STATICCHECK_MODULE = "honnef.co/go/tools/cmd/staticcheck", "v0.8.2"
ERRCHECK_MODULE = "github.com/kisielk/errcheck", "v1.20.0"
# staticcheck's own default, said here so that no module's staticcheck.conf decides what is counted.
_CHECKS = "all,-SA9003,-ST1000,-ST1003,-ST1016,-ST1020,-ST1021,-ST1022"
_LIMIT_S = 600
_ERRCHECK_LINE = re.compile(r"^(?P<file>.+\.go):(?P<line>\d+):\d+:\s*(?P<text>.*)$")
_NO_WORKSPACE = {"GOWORK": "off"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the analyzer's own name for the check, file relative to the module, 1-based line."""

    check: str
    file: str
    line: int
    message: str


Analyzer = Callable[[Path, str], list[Finding]]


def available(
    cache: Path, tell: Callable[[str], None] = lambda message: None
) -> tuple[dict[str, Analyzer], dict[str, str]]:
    """All analyzers that can be had, built where they are not yet, and why the others cannot."""
    found: dict[str, Analyzer] = {VET: vet}
    missing: dict[str, str] = {}
    for name, (module, version), make in (
        (STATICCHECK, STATICCHECK_MODULE, staticcheck),
        (ERRCHECK, ERRCHECK_MODULE, errcheck),
    ):
        try:
            tell(f"building {name} {version}")
            found[name] = make(built(cache, module, version))
        except GoassistError as error:
            missing[name] = str(error)
    found[IDIOMS] = idioms
    return found, missing


def built(cache: Path, module: str, version: str) -> Path:
    """The program `module@version`, built by the user's Go into the cache on first use.

    Raises GoassistError, with the toolchain's words, when it cannot be had.
    """
    name = module.rsplit("/", 1)[-1]
    go_version = run_go(["env", "GOVERSION"], cache).stdout.strip()
    # An analyzer can read no newer Go than the one that it was built with.
    program = cache / "tools" / f"{name}@{version}-{go_version}" / name
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        done = run_go(["install", f"{module}@{version}"], Path(folder), environment={"GOBIN": folder, "GOFLAGS": ""})
        if not done.ok or not (Path(folder) / name).exists():
            raise GoassistError(
                f"it cannot be built ({_last_line(done)})",
                path=f"{module}@{version}",
                cure="Check the network (GOPROXY) and the version of Go",
            )
        (Path(folder) / name).replace(program)
    return program


def vet(root: Path, folder: str) -> list[Finding]:
    """`go vet`. Raises GoassistError when the package does not type-check, or an analyzer of it breaks down."""
    done = run_go(["vet", "-json", f"./{folder}"], root, environment=_NO_WORKSPACE, timeout_s=_LIMIT_S)
    if not done.ok:
        raise GoassistError(f"go vet failed: {_last_line(done)}")
    # Toolchains before 1.25 or so say it on standard error, behind a comment with the package's name.
    return vet_findings(done.stdout if done.stdout.strip() else done.stderr, root)


def vet_findings(output: str, root: Path) -> list[Finding]:
    """Read `go vet -json`: for each package (its tests are one more), findings by analyzer, or its error."""
    found: set[Finding] = set()
    for package in _json_values("\n".join(line for line in output.splitlines() if not line.startswith("#"))):
        for analyzers in package.values():
            for check, said in analyzers.items():
                if isinstance(said, Mapping):
                    raise GoassistError(f"go vet's {check} failed: {said.get('error', said)}")
                for one in said:
                    file, line = str(one["posn"]).rsplit(":", 2)[:2]
                    found.add(Finding(check, _relative(file, root), int(line), one["message"]))
    return _sorted(found)


def staticcheck(program: Path) -> Analyzer:
    """Findings of staticcheck, with its default checks."""

    def analyze(root: Path, folder: str) -> list[Finding]:
        done = _run([str(program), "-f", "json", "-checks", _CHECKS, f"./{folder}"], root)
        if done.status not in (0, 1):
            raise GoassistError(f"staticcheck failed: {_last_line(done)}")
        return staticcheck_findings(done.stdout, root)

    return analyze


def staticcheck_findings(output: str, root: Path) -> list[Finding]:
    """Read `staticcheck -f json`, a finding a line. Raises GoassistError when it could not compile the package."""
    found: set[Finding] = set()
    for one in _json_values(output):
        if one["code"] in ("compile", "config"):
            raise GoassistError(f"staticcheck failed: {' '.join(one['message'].split())}")
        where = one["location"]
        found.add(Finding(one["code"], _relative(where["file"], root), where["line"], one["message"]))
    return _sorted(found)


def errcheck(program: Path) -> Analyzer:
    """Findings of errcheck: errors that a call returns and nobody takes. Giving them to _ is no finding."""

    def analyze(root: Path, folder: str) -> list[Finding]:
        done = _run([str(program), "-abspath", f"./{folder}"], root)
        if done.status not in (0, 1):
            raise GoassistError(f"errcheck failed: {_last_line(done)}")
        return errcheck_findings(done.stdout, root)

    return analyze


def errcheck_findings(output: str, root: Path) -> list[Finding]:
    """Read errcheck's lines, FILE:LINE:COLUMN: and the code. Raises GoassistError for another line."""
    found: set[Finding] = set()
    for line in output.splitlines():
        match = _ERRCHECK_LINE.match(line)
        if match is None:
            raise GoassistError(f"errcheck says what is no finding: {line[:200]}")
        file = _relative(match["file"], root)
        found.add(Finding("error dropped", file, int(match["line"]), match["text"].strip()))
    return _sorted(found)


def idioms(root: Path, folder: str) -> list[Finding]:
    """The idiom measures on all Go files of a package."""
    found: set[Finding] = set()
    for path in (root / folder).glob("*.go"):
        name = path.relative_to(root).as_posix()
        test = path.name.endswith("_test.go")
        found.update(
            Finding(check, name, line, said) for check, line, said in idiom_findings(path.read_bytes(), test=test)
        )
    return _sorted(found)


def _sorted(found: set[Finding]) -> list[Finding]:
    return sorted(found, key=lambda f: (f.file, f.line, f.check, f.message))


def _relative(file: str, root: Path) -> str:
    path = (root / file).resolve()
    return path.relative_to(root.resolve()).as_posix() if path.is_relative_to(root.resolve()) else file


def _run(command: list[str], root: Path) -> CommandResult:
    environment = {**os.environ, **_NO_WORKSPACE, "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GoassistError(f"it did not run to its end ({error})", path=command[0]) from error
    return CommandResult(done.returncode, done.stdout, done.stderr)


def _last_line(done: CommandResult) -> str:
    lines = [line.strip() for line in done.output.splitlines() if line.strip() and not line.startswith("#")]
    return lines[-1][:300] if lines else f"status {done.status}, no message"


def _json_values(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    text = text.strip()
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except ValueError as error:
            raise GoassistError(f"its output is no JSON ({error}): {text[:200]}") from error
        yield value
        text = text[end:].lstrip()
