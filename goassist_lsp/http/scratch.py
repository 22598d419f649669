"""Files of their own: a module of the server's, in which texts that belong to no workspace are type-checked.

Only the standard library can be imported there. Its directories are used again, so that nothing grows.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GO_MOD = "module goassist.local/scratch\n\ngo 1.23\n"
_MAIN = "package main"
_CLAUSE = re.compile(r"^package\s+\w+", re.MULTILINE)


class Scratch:
    """A directory of packages with one file each, as many as are in use at once."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="goassist-scratch-")).resolve()
        (self.root / "go.mod").write_text(_GO_MOD)
        self._free: list[Path] = []
        self._made = 0

    @contextmanager
    def file(self) -> Iterator[Path]:
        """The path of a file that nobody else uses meanwhile."""
        if not self._free:
            directory = self.root / f"p{self._made}"
            directory.mkdir()
            (directory / "main.go").write_text(f"{_MAIN}\n")
            self._free.append(directory / "main.go")
            self._made += 1
        path = self._free.pop()
        try:
            yield path
        finally:
            self._free.append(path)

    def close(self) -> None:
        """Remove it all."""
        shutil.rmtree(self.root, ignore_errors=True)


def as_file(text: str, path: Path) -> str:
    """What has to stand before a text to make it the file at `path`: a package clause, where it has none."""
    if _CLAUSE.search(text):
        return ""
    try:
        there = _CLAUSE.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        there = None
    return f"{there.group() if there else _MAIN}\n\n"


def end_of_clause(text: str) -> int:
    """Where a file's package clause ends; 0 where it has none."""
    found = _CLAUSE.search(text)
    return found.end() if found else 0
