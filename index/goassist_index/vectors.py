"""The vectors of everything that was ever embedded for a workspace, by what was embedded: nothing is embedded twice.

One SQLite file beside the index. dense.py builds what is searched from it; a batch that was embedded is kept at once,
whatever becomes of the rest. Vectors are numbered by the digest of their piece (`number_of`), so that the same content
has the same number in all files, branches and times.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from goassist_index.chunk import DIGEST_BYTES
from goassist_index.embed import Matrix
from goassist_index.sqlitefile import FileKind, all_or_nothing, damaged, told
from goassist_index.store import VECTORS_FILE

Numbers = NDArray[np.int64]

_CHECKSUM_BYTES = 4
# Vectors of what is gone are kept for a switch back, up to as many as there are living ones and this.
_SPARE = 5000
_AT_ONCE = 500

_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE vectors(number INTEGER PRIMARY KEY, vector BLOB NOT NULL);
"""
_FILE = FileKind(application_id=0x60A55158, version=1, schema=_SCHEMA)


def numbers_of(digests: bytes) -> Numbers:
    """The numbers of pieces from their digests, one behind the other.

    63 bits of each: of a million pieces two share a number once in twenty million workspaces.
    """
    halves = np.frombuffer(digests, dtype="<i8").reshape(-1, DIGEST_BYTES // 8)[:, 0]
    return (halves & np.int64(0x7FFF_FFFF_FFFF_FFFF)).astype(np.int64)


class Vectors:
    """An open file of vectors of one space. `rebuilt`: why what was there was thrown away, "" when it was not.

    Methods raise IndexUnavailable when the disk refuses, IndexCorrupt when a vector is damaged. One thread at a time;
    several processes may read and write.
    """

    def __init__(self, folder: Path, space: str, dimensions: int) -> None:
        """Open the file in `folder`, which is there; made anew when it is damaged or of another space or version."""
        self.path = folder / VECTORS_FILE
        self.dimensions = dimensions
        self.rebuilt = ""
        self._space = f"{space} {dimensions}"
        with told(self.path), FileLock(folder / "vectors.lock", mode=0o600):
            problem = self._connect()
            if problem is not None:
                self.rebuilt = problem
                self._make()

    def _connect(self) -> str | None:
        """Open what is there; the reason that it cannot be used, "" when there is nothing."""
        found = _FILE.open(self.path, lambda meta: meta.get("space") == self._space)
        if isinstance(found, str):
            return "of another model or version" if found == "other" else found
        self._db = found
        return None

    def _make(self) -> None:
        self._db = _FILE.make(self.path, {"space": self._space})

    def close(self) -> None:
        """Close the file; may be called twice."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def rebuild(self) -> None:
        """Throw all away, for it is damaged, and begin anew."""
        with told(self.path):
            self.close()
            self._make()
            self.rebuilt = "damaged"

    def numbers(self) -> Numbers:
        """The numbers of all vectors, ascending."""
        with told(self.path):
            rows = self._db.execute("SELECT number FROM vectors ORDER BY number").fetchall()
        return np.array([number for (number,) in rows], dtype=np.int64)

    def get(self, numbers: Sequence[int] | Numbers) -> tuple[Numbers, Matrix]:
        """Those of these that are there, and their vectors. Raises IndexCorrupt when one is damaged."""
        found: list[int] = []
        blobs: list[bytes] = []
        with told(self.path):
            for start in range(0, len(numbers), _AT_ONCE):
                some = [int(number) for number in numbers[start : start + _AT_ONCE]]
                query = f"SELECT number, vector FROM vectors WHERE number IN ({','.join('?' * len(some))})"
                for number, blob in self._db.execute(query, some):
                    found.append(number)
                    blobs.append(self._checked(blob))
        matrix = np.frombuffer(b"".join(blobs), dtype=np.float16).reshape(-1, self.dimensions)
        return np.array(found, dtype=np.int64), matrix.astype(np.float32)

    def put(self, numbers: Sequence[int], vectors: Matrix) -> None:
        """Keep vectors, as 16-bit floats."""
        rows = []
        for number, row in zip(numbers, vectors.astype(np.float16), strict=True):
            data = row.tobytes()
            rows.append((number, zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little") + data))
        with told(self.path), all_or_nothing(self._db):
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES(?, ?)", rows)

    def sweep(self, living: Iterable[int]) -> None:
        """Throw away vectors of what is gone, beyond what is kept for a switch back."""
        alive = set(living)
        gone = [int(number) for number in self.numbers() if int(number) not in alive]
        spare = _SPARE + len(alive)
        with told(self.path), all_or_nothing(self._db):
            self._db.executemany("DELETE FROM vectors WHERE number=?", ((number,) for number in gone[spare:]))

    def _checked(self, blob: bytes) -> bytes:
        checksum, data = blob[:_CHECKSUM_BYTES], blob[_CHECKSUM_BYTES:]
        if zlib.crc32(data) != int.from_bytes(checksum, "little") or len(data) != 2 * self.dimensions:
            raise damaged("a vector", self.path)
        return data
