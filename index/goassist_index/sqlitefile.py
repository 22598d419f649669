"""What our SQLite files have in common: how they are opened and made, what their errors are called, what is damage.

store.py keeps pieces in such a file, vectors.py their embeddings.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goassist_index.errors import IndexCorrupt, IndexUnavailable

BUSY_TIMEOUT_S = 5.0
# Why a file cannot be used: there is none, its content cannot be, it is of another kind, version or content.
Problem = Literal["", "damaged", "other"]
_DAMAGED_CURE = "Run `goassist-lsp index`: it is made anew"


def connect(path: Path) -> sqlite3.Connection:
    """Open the file in autocommit; the threads of one process may hand the connection on."""
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=64
    )


@dataclass(frozen=True, slots=True)
class FileKind:
    """What tells files of one kind and version from all others, and the statements that make one.

    Its schema has a table `meta` of keys and values.
    """

    application_id: int
    version: int
    schema: str

    def open(self, path: Path, usable: Callable[[Mapping[str, str]], bool]) -> sqlite3.Connection | Problem:
        """Open what is there, when it is of this kind and `usable` by its `meta`.

        Else why it cannot be used. Raises sqlite3.OperationalError when the disk refuses, or another process has it.
        """
        if not path.exists():
            return ""
        database = connect(path)
        try:
            database.execute("PRAGMA synchronous=NORMAL")
            application, version = (
                database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if (application, version) == (self.application_id, self.version) and usable(
                dict(database.execute("SELECT key, value FROM meta"))
            ):
                return database
        except (sqlite3.DatabaseError, KeyError) as error:
            database.close()
            if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
                raise
            return "damaged"
        database.close()
        return "other" if application else ""

    def make(self, path: Path, meta: Mapping[str, str]) -> sqlite3.Connection:
        """A new, empty file in place of whatever is there, which its owner alone may read.

        Processes that have the old one open go on with it.
        """
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        # Made first, so that no moment passes in which others may read it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        database = connect(path)
        # Where the file system knows no shared memory SQLite stays with its other journal; both survive a kill.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        with all_or_nothing(database):
            for statement in self.schema.split(";"):
                database.execute(statement)
            database.executemany("INSERT INTO meta VALUES(?, ?)", meta.items())
            database.execute(f"PRAGMA application_id={self.application_id}")
            database.execute(f"PRAGMA user_version={self.version}")
        return database


def damaged(what: str, path: Path) -> IndexCorrupt:
    """The error for a file whose content cannot be: `what` is wrong with it."""
    return IndexCorrupt(f"the index is damaged ({what})", path=str(path), cure=_DAMAGED_CURE)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into errors that name the place and the cure."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise damaged(str(error), path) from error
        cure = "Free some space and give yourself write permission there, or set GOASSIST_CACHE_DIR"
        raise IndexUnavailable(f"the index cannot be used ({error})", path=str(path), cure=cure) from error
    except OSError as error:
        cure = "Give yourself write permission there, or set GOASSIST_CACHE_DIR"
        words = error.strerror or str(error)
        raise IndexUnavailable(f"the index cannot be used ({words})", path=str(path.parent), cure=cure) from error


@contextlib.contextmanager
def all_or_nothing(database: sqlite3.Connection) -> Iterator[None]:
    """What is written within is written as a whole, or not at all."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, not the disk, its rights or another process."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the kind of error. Generic ones say that a table or column is not there.
    kinds = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
    return code is not None and code & 0xFF in kinds
