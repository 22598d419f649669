"""The modules that cases are made from: the pinned list, and working copies of modules under the cache.

Copies are writable and lie at `<cache>/bench/modules/<module>@<version>`; the user's module cache stays as it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.gotools import download_dependencies, download_module


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """One module to make cases from: a pinned or named version, or (version "") a directory of the user's own.

    `split` is the half of the list that it belongs to ("dev", "test" or "": none), `older` a version before
    mid-2024 ("" when there is none that old: all of it is new).
    """

    path: str
    version: str
    verdicts: bool = False
    split: str = ""
    older: str = ""

    @property
    def name(self) -> str:
        """MODULE@VERSION, or the directory."""
        return f"{self.path}@{self.version}" if self.version else self.path


def pinned_modules() -> tuple[ModuleSpec, ...]:
    """Return the pinned list in modules.toml, in its order."""
    table = tomllib.loads(files(__package__).joinpath("modules.toml").read_text(encoding="utf-8"))
    return tuple(ModuleSpec(**row) for row in table["module"])


def named_module(argument: str) -> ModuleSpec:
    """Read MODULE@VERSION, the path of a pinned module, or a directory.

    Raises ConfigError for anything else.
    """
    if "@" in argument and not Path(argument).is_dir():
        path, version = argument.rsplit("@", 1)
        known = next((spec for spec in pinned_modules() if spec.name == argument), None)
        return known or ModuleSpec(path, version)
    if Path(argument).is_dir():
        return ModuleSpec(str(Path(argument).resolve()), "")
    for spec in pinned_modules():
        if spec.path == argument:
            return spec
    raise ConfigError("neither MODULE@VERSION nor a directory", path=argument, cure="Name it as go get does")


def prepare(spec: ModuleSpec, cache: Path) -> Path:
    """Directory with the module's files, writable, its dependencies in the module cache.

    A user's own directory is given back as it is. Raises GoassistError when the module cannot be had.
    """
    if not spec.version:
        if not (Path(spec.path) / "go.mod").is_file():
            raise GoassistError("no go.mod in it", path=spec.path, cure="Name the directory of a module")
        directory = Path(spec.path)
    else:
        directory = cache / "bench" / "modules" / spec.name
        if not directory.is_dir():
            _copy_writable(download_module(spec.path, spec.version), directory)
    result = download_dependencies(directory)
    if not result.ok:
        raise GoassistError(
            f"its dependencies cannot be downloaded ({result.output.strip()[-200:]})",
            path=spec.name,
            cure="Check the network (GOPROXY)",
        )
    return directory


def _copy_writable(source: Path, target: Path) -> None:
    """Copy without the module cache's read-only modes; the name appears only when all of it is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        for folder, _, _ in os.walk(copy):
            os.chmod(folder, 0o755)
        try:
            copy.rename(target)
        except OSError:
            if not target.is_dir():  # another process was quicker: its copy is as good
                raise
