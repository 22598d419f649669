"""A run on disk: what was asked of whom, with which versions, and one JSON line an Example, appended as it is made.

A run that was stopped goes on where it stood; `rewrite` replaces a system's examples when they are scored anew.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cattrs
import psutil

from goassist_index.errors import GoassistError
from goassist_index.gotools import run_go
from goassist_models.evaluate.example import Example

_HEADER = "run.json"
_CONVERTER = cattrs.Converter(forbid_extra_keys=True)
_PACKAGES = ("goassist-lsp", "llama-cpp-python", "numpy", "pygls", "tree-sitter", "tree-sitter-go")


@dataclass(frozen=True, slots=True)
class Run:
    """One run's directory. `header` says what it is about: task, arguments, machine, versions, systems."""

    directory: Path
    header: Mapping[str, Any]

    @classmethod
    def open(cls, directory: Path, task: str, arguments: Mapping[str, Any]) -> Run:
        """Begin a run, or go on with the one that is there.

        Raises GoassistError when the directory holds a run of something else, or a damaged one.
        """
        path = directory / _HEADER
        if path.exists():
            run = cls.read(directory)
            if run.header["task"] != task or run.header["arguments"] != json.loads(json.dumps(arguments)):
                raise GoassistError(
                    "the directory holds a run with other arguments",
                    path=str(directory),
                    cure="Give the same arguments to go on with it, or another --out",
                )
            return run
        header = {"task": task, "arguments": dict(arguments), "machine": machine(), "versions": versions()}
        directory.mkdir(parents=True, exist_ok=True)
        run = cls(directory, {**header, "systems": {}})
        _write(path, json.dumps(run.header, indent=2) + "\n")
        return run

    @classmethod
    def read(cls, directory: Path) -> Run:
        """Open what is there. Raises GoassistError when it is no run."""
        path = directory / _HEADER
        try:
            header = json.loads(path.read_text(encoding="utf-8"))
            return cls(directory, {**header, "task": header["task"], "arguments": header["arguments"]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GoassistError(
                "there is no evaluation run in it", path=str(path), cure="Name a run's --out"
            ) from error

    def describe(self, system: str, about: Mapping[str, str]) -> Run:
        """Record what a system is (model, versions, settings)."""
        return self.note(systems={**self.header["systems"], system: dict(about)})

    def note(self, **facts: object) -> Run:
        """Record further facts in the header, in place of earlier ones of the same name."""
        run = Run(self.directory, {**self.header, **facts})
        _write(self.directory / _HEADER, json.dumps(run.header, indent=2) + "\n")
        return run

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems that have been described, in order."""
        return tuple(self.header["systems"])

    def path(self, system: str) -> Path:
        """File of a system's examples."""
        return self.directory / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', system)}.jsonl"

    def examples(self, system: str) -> list[Example]:
        """What is there of a system, in the order of asking; a half-written last line is as if it were not there.

        Raises GoassistError for a line that is no Example.
        """
        path = self.path(system)
        return [_read(line, path, number) for number, line in enumerate(self.lines(system), 1)]

    def append(self, example: Example) -> None:
        """Add one Example, whole or not at all."""
        self.append_line(example.system, _line(example))

    def lines(self, system: str) -> list[str]:
        """The JSON lines that are there of a system, whole ones only: for tasks whose records are no Examples."""
        path = self.path(system)
        if not path.exists():
            return []
        # Not splitlines: a text may hold what Unicode calls a line separator. A last line may end within a character.
        return [line.decode() for line in path.read_bytes().split(b"\n")[:-1]]

    def append_line(self, system: str, line: str) -> None:
        """Add one JSON line, whole or not at all."""
        path = self.path(system)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # the last run was stopped within a line
                    text = path.read_bytes()
                    file.truncate(text.rfind(b"\n") + 1)
            file.write((line + "\n").encode())

    def rewrite(self, system: str, examples: Iterable[Example]) -> None:
        """Replace all examples of a system at once."""
        _write(self.path(system), "".join(_line(example) + "\n" for example in examples))


def _line(example: Example) -> str:
    return json.dumps(_CONVERTER.unstructure(example), ensure_ascii=False)


def _read(line: str, path: Path, number: int) -> Example:
    try:
        return _CONVERTER.structure(json.loads(line), Example)
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise GoassistError(
            f"line {number} is no Example ({type(error).__name__})",
            path=str(path),
            cure="Delete the file: its cases are then asked again",
        ) from error


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(f".{os.getpid()}.new")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=True),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    go = run_go(["env", "GOVERSION"], Path.cwd())
    found["go"] = go.stdout.strip() if go.ok else "not found"
    commit = _commit()
    return {**found, **({"commit": commit} if commit else {})}


def _commit() -> str:
    """This checkout's commit, "" for an installed package."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
