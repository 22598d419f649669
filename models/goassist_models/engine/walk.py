"""What a walk over all tokens of a loaded model finds, and its copy in the cache: walking takes a second at each start.

Used by vocabulary.py. The copy is of one file and one build of the native library; one that is damaged is made anew.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import zipfile
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError

_log = logging.getLogger(__name__)
_PIECE_BYTES = 512
_FORMAT = 1
_MOST_KEPT = 8  # two to three megabytes each

TokenIds = npt.NDArray[np.int32]


class Pieces(Sequence[bytes]):
    """Byte strings behind each other in one: a tenth of the memory of as many objects. `ends[0]` is 0."""

    def __init__(self, ends: array[int], joined: bytes) -> None:
        self.ends, self.joined = ends, joined

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> Self:
        """These, one by one."""
        ends, joined = array("I", (0,)), bytearray()
        for piece in pieces:
            joined += piece
            ends.append(len(joined))
        return cls(ends, bytes(joined))

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes]:
        """The piece at `at`, which is not counted from the end."""
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(f"{at} of {len(self)} pieces")
        return self.joined[self.ends[at] : self.ends[at + 1]]


@dataclass(frozen=True, slots=True)
class Walk:
    """By id: the tokens' bytes, llama_token_attr and whether one ends a generation; and their ids, sorted by bytes."""

    pieces: Pieces
    attributes: npt.NDArray[np.int32]
    ends: npt.NDArray[np.bool_]
    order: TokenIds


def walk(library: Any, vocab: Any, key: str | None = None) -> Walk:
    """What the vocabulary `vocab` of the module `library` holds; from the cache where it was kept by this `key`."""
    size = int(library.llama_vocab_n_tokens(vocab))
    file = _kept_file(key) if key is not None else None
    found = _read(file, size) if file is not None else None
    if found is None:
        found = _walked(library, vocab, size)
        if file is not None:
            _keep(file, found)
    return found


def _walked(library: Any, vocab: Any, size: int) -> Walk:
    buffer = ctypes.create_string_buffer(_PIECE_BYTES)
    pieces = Pieces.of(_piece(library, vocab, token, buffer) for token in range(size))
    attributes = np.fromiter((library.llama_vocab_get_attr(vocab, token) for token in range(size)), np.int32, size)
    ends = np.fromiter((library.llama_vocab_is_eog(vocab, token) for token in range(size)), np.bool_, size)
    return Walk(pieces, attributes, ends, sorted_ids(pieces))


def sorted_ids(pieces: Sequence[bytes]) -> TokenIds:
    """Ids of all tokens that have bytes, in the order of those."""
    text = (token for token, piece in enumerate(pieces) if piece)
    return np.array(sorted(text, key=pieces.__getitem__), dtype=np.int32)


def _piece(library: Any, vocab: Any, token: int, buffer: ctypes.Array[ctypes.c_char]) -> bytes:
    length = library.llama_token_to_piece(vocab, token, buffer, _PIECE_BYTES, 0, False)
    if length >= 0:
        return buffer.raw[:length]
    longer = ctypes.create_string_buffer(-length)
    length = library.llama_token_to_piece(vocab, token, longer, -length, 0, False)
    return longer.raw[:length]


def _kept_file(key: str) -> Path | None:
    name = hashlib.sha256(f"{_FORMAT} {key}".encode()).hexdigest()[:32]
    try:
        directory = cache_dir() / "vocabularies"
        directory.mkdir(exist_ok=True)
    except (OSError, ConfigError):
        return None
    return directory / f"{name}.npz"


def _read(file: Path, size: int) -> Walk | None:
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as kept:
            bounds, joined = kept["bounds"], kept["joined"]
            found = Walk(
                Pieces(array("I", bounds.astype(np.uint32).tobytes()), joined.tobytes()),
                kept["attributes"].astype(np.int32),
                kept["ends"].astype(np.bool_),
                kept["order"].astype(np.int32),
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.info("a kept vocabulary cannot be read and is made anew: %r", error)
        return None
    whole = len(found.pieces) == len(found.attributes) == len(found.ends) == size and bounds[-1] == len(joined)
    return found if whole and len(found.order) == np.count_nonzero(np.diff(bounds)) else None


def _keep(file: Path, found: Walk) -> None:
    """Write it down; a cache that cannot be written only costs the next start its walk again."""
    fresh = file.with_suffix(f".{os.getpid()}")
    try:
        with fresh.open("wb") as sink:
            np.savez(
                sink,
                bounds=np.array(found.pieces.ends, dtype=np.uint32),
                joined=np.frombuffer(found.pieces.joined, dtype=np.uint8),
                attributes=found.attributes,
                ends=found.ends,
                order=found.order,
            )
        fresh.replace(file)
        kept = sorted(file.parent.glob("*.npz"), key=lambda one: one.stat().st_mtime_ns)
        for old in kept[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        _log.info("the vocabulary is not kept: %s", error)
        fresh.unlink(missing_ok=True)
