"""Reads a GGUF file's header in plain Python: metadata, vocabulary texts, and how long the file must be.

Stands before the native library, which may crash on a damaged file: what fails here is a clear ModelError.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from goassist_index.errors import ModelError

MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_MAX_DIMS = 4
_DEFAULT_ALIGNMENT = 32
_EMBEDDINGS, _OUTPUT = b"token_embd.weight", b"output.weight"

# ggml type -> (elements in a block, bytes of a block); others are left out of the length check.
_BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a GGUF file says of itself. `metadata` holds scalars and strings; arrays only as their lengths.

    `tokens` are the vocabulary's texts by id, as stored (byte-level models store mapped characters).
    `needed_bytes` is the least length the file must have for its tensors to be whole. `embeddings` is where the rows
    of tokens begin and end in the file, in bytes; None where they are the output's matrix too, which is read whole.
    """

    path: Path
    size_bytes: int
    needed_bytes: int
    tensor_count: int
    metadata: Mapping[str, object]
    tokens: tuple[bytes, ...] = field(repr=False, default=())
    embeddings: tuple[int, int] | None = None

    def integer(self, key: str) -> int | None:
        """Return the metadata value at `key` when it is an integer."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def string(self, key: str) -> str | None:
        """Return the metadata value at `key` when it is a string."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None


class _Cursor:
    """A position in the mapped file that refuses to run past its end."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path, self.at, self.end = data, path, 0, len(data)

    def fail(self, what: str) -> ModelError:
        return ModelError(what, path=str(self.path), cure="Fetch it again with `goassist-lsp model pull`")

    def scalar(self, code: str) -> int | float | bool:
        size = struct.calcsize(code)
        if self.at + size > self.end:
            raise self.fail("the model file is truncated inside its header")
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += size
        return value  # type: ignore[no-any-return]

    def count(self, code: str) -> int:
        """A count or length: each thing counted takes at least one byte, so it cannot exceed what is left."""
        value = int(self.scalar(code))
        if value > self.end:
            raise self.fail("the model file's header holds an impossible length; the file is damaged")
        return value

    def string(self) -> bytes:
        length = self.count("Q")
        start, self.at = self.at, self.at + length
        if self.at > self.end:
            raise self.fail("the model file is truncated inside its header")
        return self.data[start : self.at]

    def strings(self, count: int, keep: bool) -> list[bytes]:
        """Walk over as many strings, hundreds of thousands in a vocabulary; those that are to be kept, else none."""
        found: list[bytes] = []
        data, at, end, length_at = self.data, self.at, self.end, _LENGTH.unpack_from
        for _ in range(count):
            start = at + _LENGTH.size
            at = start + length_at(data, at)[0] if start <= end else start
            if at > end:
                raise self.fail("the model file is truncated inside its header")
            if keep:
                found.append(data[start:at])
        self.at = at
        return found


def _array(cursor: _Cursor, keep_strings: bool) -> tuple[int, tuple[bytes, ...]]:
    """Read or skip an array: (its length, its strings when they are to be kept)."""
    kind = int(cursor.scalar("I"))
    length = cursor.count("Q")
    if kind == _STRING:
        return length, tuple(cursor.strings(length, keep_strings))
    if kind == _ARRAY:
        for _ in range(length):
            _array(cursor, keep_strings=False)
        return length, ()
    if kind not in _SCALARS:
        raise cursor.fail(f"the model file's header holds an unknown value type {kind}; the file is damaged")
    cursor.at += length * struct.calcsize(_SCALARS[kind])
    if cursor.at > cursor.end:
        raise cursor.fail("the model file is truncated inside its header")
    return length, ()


def _metadata(cursor: _Cursor, count: int) -> tuple[dict[str, object], tuple[bytes, ...]]:
    """Read all key-value pairs: (metadata, vocabulary texts)."""
    metadata: dict[str, object] = {}
    tokens: tuple[bytes, ...] = ()
    for _ in range(count):
        key = cursor.string().decode("utf-8", "replace")
        kind = int(cursor.scalar("I"))
        if kind == _STRING:
            metadata[key] = cursor.string().decode("utf-8", "replace")
        elif kind == _ARRAY:
            is_vocabulary = key == "tokenizer.ggml.tokens"
            length, strings = _array(cursor, keep_strings=is_vocabulary)
            metadata[key] = length
            if is_vocabulary:
                tokens = strings
        elif kind in _SCALARS:
            metadata[key] = cursor.scalar(_SCALARS[kind])
        else:
            raise cursor.fail(f"the model file's header holds an unknown value type {kind}; the file is damaged")
    return metadata, tokens


def _tensors(cursor: _Cursor, count: int) -> dict[bytes, tuple[int, int]]:
    """Read the tensor table: where each begins and ends, in bytes from where tensor data begins."""
    found = {}
    for _ in range(count):
        name = cursor.string()
        n_dims = int(cursor.scalar("I"))
        if n_dims > _MAX_DIMS:
            raise cursor.fail("the model file's tensor table is damaged")
        elements = 1
        for _ in range(n_dims):
            elements *= int(cursor.scalar("Q"))
        kind, offset = int(cursor.scalar("I")), int(cursor.scalar("Q"))
        per_block, block_bytes = _BLOCKS.get(kind, (1, 0))
        found[name] = offset, offset + -(-elements // per_block) * block_bytes
    return found


def read_header(path: Path) -> GGUFHeader:
    """Read and check the header of the GGUF file at `path`, its tensor data's length included.

    Raises ModelError for a file that is absent, unreadable, not GGUF, truncated or damaged in its header.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start != MAGIC:
                what = "the file is empty" if not start else "the file is not a GGUF model (wrong magic bytes)"
                raise ModelError(what, path=str(path), cure="Name a GGUF file or a model of `goassist-lsp model list`")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(data, path)
    except FileNotFoundError as error:
        raise ModelError(
            "there is no such model file",
            path=str(path),
            cure="Check the path, or fetch a model with `goassist-lsp model pull`",
        ) from error
    except PermissionError as error:
        raise ModelError(
            "no permission to read the model file",
            path=str(path),
            cure="Make the file readable for this user",
        ) from error
    except IsADirectoryError as error:
        raise ModelError("this is a directory", path=str(path), cure="Name the GGUF file inside it") from error
    except OSError as error:
        raise ModelError(
            f"the model file cannot be read ({error.strerror or error})",
            path=str(path),
            cure="Check the disk",
        ) from error


def _parse(data: mmap.mmap, path: Path) -> GGUFHeader:
    cursor = _Cursor(data, path)
    cursor.at = len(MAGIC)
    version = int(cursor.scalar("I"))
    if version not in (2, 3):
        raise ModelError(
            f"GGUF version {version} is not one this program can read",
            path=str(path),
            cure="Convert the model with a current llama.cpp",
        )
    tensor_count, pair_count = cursor.count("Q"), cursor.count("Q")
    metadata, tokens = _metadata(cursor, pair_count)
    tensors = _tensors(cursor, tensor_count)
    alignment = metadata.get("general.alignment")
    step = alignment if isinstance(alignment, int) and alignment > 0 else _DEFAULT_ALIGNMENT
    data_start = -(-cursor.at // step) * step
    tensor_end = max((end for _, end in tensors.values()), default=0)
    needed = data_start + tensor_end if tensor_end else cursor.at
    if needed > len(data):
        raise ModelError(
            f"the model file is truncated: it has {len(data):,} bytes and its tensors need {needed:,}",
            path=str(path),
            cure="Fetch it again with `goassist-lsp model pull`",
        )
    rows = tensors.get(_EMBEDDINGS) if _OUTPUT in tensors else None
    embeddings = (data_start + rows[0], data_start + rows[1]) if rows else None
    return GGUFHeader(path, len(data), needed, tensor_count, MappingProxyType(metadata), tokens, embeddings)
