"""The index on disk: one SQLite file a workspace, in a folder of the cache directory that its owner alone can read.

A unit holds the pieces and postings of one file's content, or of one package's files together, under a digest of what
it was made of; files and packages point to units. So a branch switch makes only what is new, and a file that comes
back finds its unit. update.py writes, search.py reads; any number of processes may do either, one writes at a time.
Killed at any moment, SQLite's log (write-ahead) leaves the last whole transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.cachedir import cache_dir
from goassist_index.chunk import CHUNKS_VERSION, DIGEST_BYTES, Piece
from goassist_index.errors import IndexBusy, IndexUnavailable
from goassist_index.fileset import Stat
from goassist_index.postings import POSTINGS_VERSION
from goassist_index.secrets import SECRETS_VERSION
from goassist_index.sqlitefile import FileKind, all_or_nothing, damaged, told
from goassist_index.words import WORDS_VERSION

if TYPE_CHECKING:
    from filelock import FileLock

# Everything that stored content follows from beside the source itself.
CONTENT_VERSION = f"{CHUNKS_VERSION}.{POSTINGS_VERSION}.{SECRETS_VERSION}.{WORDS_VERSION}"
# In the folder of a store whose pieces are embedded too; see vectors.py.
VECTORS_FILE = "vectors.sqlite"
_LOCK_TIMEOUT_S = 10.0
_PIECE_BITS = 16
# Units that nothing points to any more are kept for a switch back, up to as many pieces as live ones and this.
_SPARE_PIECES = 5000

_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE units(
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, pieces INTEGER NOT NULL, postings BLOB NOT NULL,
  checksum INTEGER NOT NULL, outline BLOB NOT NULL, digests BLOB NOT NULL);
CREATE TABLE pieces(
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, symbol TEXT NOT NULL, receiver TEXT NOT NULL, package_name TEXT NOT NULL,
  first_line INTEGER NOT NULL, last_line INTEGER NOT NULL, head_chars INTEGER NOT NULL, file TEXT NOT NULL,
  text TEXT NOT NULL);
CREATE TABLE files(
  path TEXT PRIMARY KEY, folder TEXT NOT NULL, package TEXT NOT NULL, unit INTEGER, reason TEXT NOT NULL,
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE packages(
  folder TEXT NOT NULL, name TEXT NOT NULL, package TEXT NOT NULL, unit INTEGER NOT NULL,
  PRIMARY KEY(folder, name)) WITHOUT ROWID;
CREATE INDEX files_by_folder ON files(folder);
CREATE INDEX files_by_unit ON files(unit);
CREATE INDEX packages_by_unit ON packages(unit);
"""
_FILE = FileKind(application_id=0x60A55157, version=2, schema=_SCHEMA)


@dataclass(frozen=True, slots=True)
class FileRow:
    """What is stored of one file: its unit, or why it has none ("" when it has)."""

    path: str
    package: str
    unit: int | None
    reason: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class Version:
    """A value that changes whenever what is stored does: the file's own name, others' changes, one's own."""

    generation: str
    others: int
    own: int


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """A piece with the place it is found at: `path` from the root with slashes, `package` the import path."""

    path: str
    package: str
    piece: Piece


def store_folder(root: Path) -> Path:
    """The folder of the index of the workspace at `root`, below the cache directory. Nothing is made yet."""
    resolved = root.resolve()
    name = hashlib.blake2b(os.fsencode(resolved), digest_size=8).hexdigest()
    return cache_dir() / "index" / f"{resolved.name or 'root'}-{name}"


class Store:
    """An open index. Methods raise IndexUnavailable when the disk refuses, IndexCorrupt when it holds damaged data.

    `rebuilt`: why what was there before was thrown away on opening, "" when it was not. One thread at a time.
    """

    def __init__(self, folder: Path, *, lock_timeout_s: float = _LOCK_TIMEOUT_S) -> None:
        """Open the index in `folder`, made when there is none, and anew when it is damaged or of another version."""
        self.folder = folder
        self.path = folder / "index.sqlite"
        self.rebuilt = ""
        self._lock: FileLock | None = None
        self._lock_timeout_s = lock_timeout_s
        with self._told():
            for made in (folder.parent, folder):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            problem = self._connect()
            if problem is not None:
                with self.locked():
                    # Another process may have been quicker.
                    problem = self._connect()
                    if problem is not None:
                        self.rebuilt = problem
                        self._make()

    def _connect(self) -> str | None:
        """Open what is there; the reason, in words, that it cannot be used ("" when there is nothing)."""
        if not self.path.exists():
            return ""
        self._inode = self.path.stat().st_ino
        found = _FILE.open(self.path, lambda meta: bool(meta["generation"]) and meta["content"] == CONTENT_VERSION)
        if isinstance(found, str):
            return "of another version" if found == "other" else found
        self._db = found
        self.generation = found.execute("SELECT value FROM meta WHERE key='generation'").fetchone()[0]
        return None

    def _make(self) -> None:
        """A new, empty index in place of whatever is there."""
        self.generation = os.urandom(8).hex()
        self._db = _FILE.make(self.path, {"generation": self.generation, "content": CONTENT_VERSION})
        self._inode = self.path.stat().st_ino

    def reopen_if_replaced(self) -> None:
        """Turn to the file that another process has put in place of the one that is open."""
        with self._told():
            if not self.path.exists() or self.path.stat().st_ino != self._inode:
                self.close()
                if self._connect() is not None:
                    raise IndexUnavailable("the index is being made anew by another process", path=str(self.path))

    def rebuild(self) -> None:
        """Throw all away, for it is damaged, and begin anew, under the lock."""
        with self._told(), self.locked():
            self.close()
            self._make()
            self.rebuilt = "damaged"

    def close(self) -> None:
        """Close the file; may be called twice."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one process that writes. The operating system lets go of it when a process dies.

        Raises IndexBusy when another one still has it after the time given for that.
        """
        # Whoever only reads starts without it.
        from filelock import FileLock, Timeout

        if self._lock is None:
            self._lock = FileLock(self.folder / "lock", timeout=self._lock_timeout_s)
        lock = self._lock
        try:
            lock.acquire()
        except Timeout:
            raise IndexBusy(
                "another process is writing this index", path=str(self.folder), cure="Wait for it, or end it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written within."""
        with self._told(), all_or_nothing(self._db):
            yield

    def _told(self) -> contextlib.AbstractContextManager[None]:
        return told(self.path)

    # What is there.

    def version(self) -> Version:
        """Changes whenever what is stored does, by whichever process."""
        with self._told():
            others = self._db.execute("PRAGMA data_version").fetchone()[0]
        return Version(self.generation, others, self._db.total_changes)

    def files(self, folder: str | None = None) -> dict[str, FileRow]:
        """Stored files by path, all or those of one folder ("" for the root)."""
        where, arguments = ("", ()) if folder is None else (" WHERE folder=?", (folder,))
        columns = "path, package, unit, reason, size, mtime_ns, ctime_ns, inode"
        with self._told():
            rows = self._db.execute(f"SELECT {columns} FROM files{where}", arguments).fetchall()
        return {row[0]: FileRow(row[0], row[1], row[2], row[3], Stat(*row[4:])) for row in rows}

    def packages(self, folder: str) -> dict[str, tuple[str, int]]:
        """Import path and unit of the packages of a folder, by name."""
        with self._told():
            rows = self._db.execute("SELECT name, package, unit FROM packages WHERE folder=?", (folder,)).fetchall()
        return {name: (package, unit) for name, package, unit in rows}

    def packages_in(self, folders: Iterable[str]) -> dict[str, int]:
        """Units of the packages whose folder is one of these, by folder."""
        wanted = set(folders)
        with self._told():
            rows = self._db.execute("SELECT folder, unit FROM packages").fetchall()
        return {folder: unit for folder, unit in rows if folder in wanted}

    def note(self, key: str) -> str:
        """A text stored beside the index under a name; "" when there is none."""
        with self._told():
            row = self._db.execute("SELECT value FROM meta WHERE key=?", (f"note {key}",)).fetchone()
        return str(row[0]) if row else ""

    def live_units(self) -> set[int]:
        """The units that files and packages point to."""
        query = "SELECT unit FROM files WHERE unit IS NOT NULL UNION SELECT unit FROM packages"
        with self._told():
            return {unit for (unit,) in self._db.execute(query)}

    def postings(self, units: Iterable[int]) -> Iterator[tuple[int, str, int, bytes]]:
        """(unit, its key, number of pieces, postings) of these units. Raises IndexCorrupt when one is damaged."""
        for unit in units:
            with self._told():
                query = "SELECT key, pieces, postings, checksum FROM units WHERE id=?"
                row = self._db.execute(query, (unit,)).fetchone()
            if row is None:
                continue  # swept by another process since
            if zlib.crc32(row[2]) != row[3]:
                raise damaged("a checksum is wrong", self.path)
            yield unit, row[0], row[1], row[2]

    def digests(self, units: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """(unit, the digests of its pieces, DIGEST_BYTES each) of these units. Raises IndexCorrupt."""
        for unit in units:
            with self._told():
                row = self._db.execute("SELECT pieces, digests FROM units WHERE id=?", (unit,)).fetchone()
            if row is None:
                continue  # swept by another process since
            if len(row[1]) != row[0] * DIGEST_BYTES:
                raise damaged("a digest is missing", self.path)
            yield unit, row[1]

    def folders(self) -> dict[int, str]:
        """A folder that each unit is used in, of those that are used."""
        query = "SELECT unit, folder FROM files WHERE unit IS NOT NULL UNION SELECT unit, folder FROM packages"
        with self._told():
            return dict(self._db.execute(query))

    def piece(self, unit: int, number: int) -> StoredPiece | None:
        """One piece and the first place it stands at; None when nothing points to it any more."""
        with self._told():
            row = self._db.execute("SELECT * FROM pieces WHERE id=?", (unit << _PIECE_BITS | number,)).fetchone()
            if row is None:
                return None
            _, kind, symbol, receiver, package_name, first, last, head, file, text = row
            query = "SELECT folder, package FROM packages WHERE unit=? ORDER BY folder LIMIT 1"
            if not file:
                query = "SELECT path, package FROM files WHERE unit=? ORDER BY path LIMIT 1"
            place = self._db.execute(query, (unit,)).fetchone()
        if place is None:
            return None
        path = f"{place[0]}/{file}".lstrip("/") if file else place[0]
        return StoredPiece(path, place[1], Piece(kind, symbol, receiver, package_name, (first, last), text, head))

    def unit_for(self, key: str) -> int | None:
        """The unit made of what `key` names, if it is there."""
        with self._told():
            row = self._db.execute("SELECT id FROM units WHERE key=?", (key,)).fetchone()
        return row[0] if row else None

    def key_and_outline(self, unit: int) -> tuple[str, bytes]:
        """What a unit was made of, and the outline stored with it. Raises IndexCorrupt when there is no such unit."""
        with self._told():
            row = self._db.execute("SELECT key, outline FROM units WHERE id=?", (unit,)).fetchone()
        if row is None:
            raise damaged("a unit is missing", self.path)
        return row[0], row[1]

    def counts(self) -> tuple[int, int, int]:
        """(indexed files, their pieces and those of packages, bytes on disk)."""
        with self._told():
            files = self._db.execute("SELECT count(*) FROM files WHERE unit IS NOT NULL").fetchone()[0]
            live = "SELECT unit FROM files WHERE unit IS NOT NULL UNION SELECT unit FROM packages"
            pieces = self._db.execute(f"SELECT coalesce(sum(pieces), 0) FROM units WHERE id IN ({live})").fetchone()[0]
            disk = sum(part.stat().st_size for part in self.folder.iterdir() if part.name.startswith(self.path.name))
        return files, pieces, disk

    # Changes, within `locked` and `transaction`.

    def add_unit(self, key: str, pieces: Sequence[tuple[str, Piece]], postings: bytes, outline: bytes = b"") -> int:
        """Store a unit; the file names of its pieces are "" where the unit is a file itself. Returns its number."""
        insert = "INSERT INTO units(key, pieces, postings, checksum, outline, digests) VALUES(?, ?, ?, ?, ?, ?)"
        pieces = pieces[: 1 << _PIECE_BITS]
        digests = b"".join(bytes.fromhex(piece.digest) for _, piece in pieces)
        values = (key, len(pieces), postings, zlib.crc32(postings), outline, digests)
        unit = self._db.execute(insert, values).lastrowid
        assert unit is not None
        rows = (
            (
                unit << _PIECE_BITS | number,
                p.kind,
                p.symbol,
                p.receiver,
                p.package_name,
                *p.lines,
                p.head_chars,
                file,
                p.text,
            )
            for number, (file, p) in enumerate(pieces)
        )
        self._db.executemany("INSERT INTO pieces VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return unit

    def put_file(self, row: FileRow, folder: str) -> None:
        """Store a file's state in place of what was known of it."""
        s = row.stat
        values = (row.path, folder, row.package, row.unit, row.reason, s.size, s.mtime_ns, s.ctime_ns, s.inode)
        self._db.execute("INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def drop_files(self, paths: Iterable[str]) -> None:
        """Forget files."""
        self._db.executemany("DELETE FROM files WHERE path=?", ((path,) for path in paths))

    def put_packages(self, folder: str, packages: Iterable[tuple[str, str, int]]) -> None:
        """Store (name, import path, unit) of the packages of a folder, in place of those before."""
        self._db.execute("DELETE FROM packages WHERE folder=?", (folder,))
        rows = ((folder, name, package, unit) for name, package, unit in packages)
        self._db.executemany("INSERT INTO packages VALUES(?, ?, ?, ?)", rows)

    def put_note(self, key: str, value: str) -> None:
        """Store a text under a name."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (f"note {key}", value))

    def sweep(self) -> None:
        """Throw away the oldest units that nothing points to, beyond what is kept for a switch back."""
        live = self.live_units()
        rows = self._db.execute("SELECT id, pieces FROM units ORDER BY id DESC").fetchall()
        spare = _SPARE_PIECES + sum(pieces for unit, pieces in rows if unit in live)
        for unit, pieces in rows:
            if unit in live:
                continue
            spare -= pieces
            if spare < 0:
                first = unit << _PIECE_BITS
                self._db.execute("DELETE FROM pieces WHERE id BETWEEN ? AND ?", (first, first + (1 << _PIECE_BITS) - 1))
                self._db.execute("DELETE FROM units WHERE id=?", (unit,))
