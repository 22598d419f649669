"""What the other files of a package import: what a file may well import next. generate/prompt.py shows it."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from goassist_index.header import NoPlaceForImport, read_header
from goassist_index.verdict import ImportSpec

log = logging.getLogger(__name__)

# Enough for what a package commonly imports; reading them the first time takes some milliseconds.
MOST_FILES = 48
# Imports stand at a file's beginning; a licence and a package comment come before them.
HEAD_BYTES = 16_384
_NEVER = frozenset({"C", "embed", "unsafe"})


@dataclass(slots=True)
class ImportsBeside:
    """Imports of the Go files of one directory at a time, each read again only when it changed."""

    _directory: Path | None = None
    _files: dict[str, tuple[tuple[int, int], tuple[ImportSpec, ...]]] = field(default_factory=dict)

    def of(self, path: Path) -> tuple[ImportSpec, ...]:
        """What the files beside `path` import, most often imported first; those of tests only for a test.

        Files are read as they are saved; of a directory with more than MOST_FILES the first ones by name count. What
        cannot be read counts for nothing. Imports for their effect alone are left out.
        """
        directory = path.parent
        if directory != self._directory:
            self._directory, self._files = directory, {}
        names = self._names(directory, path.name)
        self._files = {name: found for name in names if (found := self._read(directory, name)) is not None}
        counts = Counter(spec for _, specs in self._files.values() for spec in specs)
        return tuple(sorted(counts, key=lambda spec: (-counts[spec], spec.path, spec.name)))

    def _names(self, directory: Path, own: str) -> list[str]:
        tests = own.endswith("_test.go")
        try:
            names = os.listdir(directory)
        except OSError:
            return []
        others = [name for name in names if name.endswith(".go") and name != own and name[0] not in "._"]
        return sorted(name for name in others if tests or not name.endswith("_test.go"))[:MOST_FILES]

    def _read(self, directory: Path, name: str) -> tuple[tuple[int, int], tuple[ImportSpec, ...]] | None:
        try:
            status = os.stat(directory / name)
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._files.get(name)
            if known is not None and known[0] == stamp:
                return known
            with open(directory / name, "rb") as file:
                text = file.read(HEAD_BYTES).decode("utf-8", "replace")
            header = read_header(text)
        except (OSError, NoPlaceForImport) as error:
            log.debug("imports of %s do not count: %r", directory / name, error)
            return None
        lines = (line.spec for declaration in header.declarations for line in declaration.lines)
        return stamp, tuple(spec for spec in lines if spec.name not in ("_", ".") and spec.path not in _NEVER)
