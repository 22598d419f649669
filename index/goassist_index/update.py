"""Brings a stored index up to date with a workspace: all of it, or the folder of one saved file.

Reads by the rules of fileset.py, cuts with chunk.py and writes to store.py, one folder a transaction: a pass that is
cancelled or killed has done whole folders, and the next one goes on from there. What a file's size and times say is
unchanged is not read; what has been seen before, by digest, is not cut again.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

from goassist_index.chunk import Outline, TypeDeclaration, digest_of, outline_of, package_pieces
from goassist_index.errors import IndexCorrupt
from goassist_index.fileset import FileSet, Found, LeftOut, Stat, read
from goassist_index.postings import encode
from goassist_index.secrets import mask
from goassist_index.store import FileRow, Store

# A file written within this time of being read may be written again without its times changing.
_RACY_NS = 2_000_000_000
_NO_STAT = Stat(0, 0, 0, 0)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a pass came to.

    `files` are indexed, `chunks` what they and their packages gave; `read` were opened in this pass, and `made` of
    these had content not seen before. `left_out` names each file or directory that is not indexed and why. `disk_bytes`
    is the size of the index. `finished` is False when the pass was cancelled: what was done stays, and the next pass
    goes on.
    """

    files: int
    chunks: int
    read: int
    made: int
    left_out: tuple[LeftOut, ...]
    seconds: float
    disk_bytes: int
    finished: bool

    @property
    def reasons(self) -> dict[str, int]:
        """How many were left out for each reason, the commonest first."""
        return dict(Counter(left.reason for left in self.left_out).most_common())


def update_workspace(
    store: Store,
    root: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Summary:
    """Make the index agree with the Go files below `root`.

    `progress(done, total, path)` is called for each folder, counting files. `cancelled()` is asked between folders.
    What turns out to be damaged is made anew (`store.rebuilt` says so). Raises IndexUnavailable when another process
    is writing it or the disk refuses.
    """
    try:
        return _update(store, root, progress or (lambda done, total, path: None), cancelled or (lambda: False))
    except IndexCorrupt:
        store.rebuild()
        return _update(store, root, progress or (lambda done, total, path: None), cancelled or (lambda: False))


def _update(store: Store, root: Path, report: Progress, stop: Callable[[], bool]) -> Summary:
    begun = time.monotonic()
    files = FileSet(root)
    left_out: list[LeftOut] = []
    folders: dict[str, list[Found]] = {}
    for seen in files.walk():
        if isinstance(seen, LeftOut):
            left_out.append(seen)
        else:
            folders.setdefault(_folder_of(seen.path), []).append(seen)
    total, done = sum(map(len, folders.values())), 0
    pass_ = _Pass(store, root)
    with store.locked():
        known: dict[str, dict[str, FileRow]] = {}
        for row in store.files().values():
            known.setdefault(_folder_of(row.path), {})[row.path] = row
        for folder, found in folders.items():
            if stop():
                break
            report(done, total, folder or ".")
            rows = pass_.folder(folder, found, known.get(folder, {}))
            left_out.extend(LeftOut(row.path, row.reason) for row in rows if row.reason)
            done += len(found)
        else:
            for folder in known.keys() - folders.keys():
                pass_.folder(folder, (), known[folder])
            with store.transaction():
                store.sweep()
            report(total, total, "")
    indexed, chunks, disk_bytes = store.counts()
    seconds = time.monotonic() - begun
    finished = done == total
    return Summary(indexed, chunks, pass_.read, pass_.made, tuple(left_out), seconds, disk_bytes, finished)


def update_file(store: Store, root: Path, path: Path) -> bool:
    """Make the index agree with one file below `root` that was saved, made or removed; and with its folder.

    Returns whether anything changed. Raises as `update_workspace` does, and IndexCorrupt: that one mends it.
    """
    files = FileSet(root)
    try:
        folder = Path(os.path.abspath(path)).relative_to(root).parent
    except ValueError:
        return False
    name = "" if folder == Path() else folder.as_posix()
    try:
        listed = sorted(entry for entry in os.listdir(root / folder) if entry.endswith(".go"))
    except OSError:
        listed = []
    found = [seen for entry in listed if (seen := files.found(root / folder / entry)) is not None]
    pass_ = _Pass(store, root)
    with store.locked():
        before = store.version()
        pass_.folder(name, found, store.files(name))
        return store.version() != before


class _Pass:
    """One pass over folders, counting what it does."""

    def __init__(self, store: Store, root: Path) -> None:
        self.store = store
        self.root = root
        self.read = 0
        self.made = 0

    def folder(self, folder: str, found: Sequence[Found], known: dict[str, FileRow]) -> list[FileRow]:
        """Bring one folder up to date, in one transaction; the rows of its files as they are then."""
        current = {row.path: row for row in (self._unchanged(seen, known.get(seen.path)) for seen in found) if row}
        gone = known.keys() - {seen.path for seen in found}
        if len(current) == len(found) and not gone:
            return list(current.values())
        with self.store.transaction():
            self.store.drop_files(gone)
            for seen in found:
                if seen.path not in current:
                    row = self._file(seen)
                    current[seen.path] = row
                    self.store.put_file(row, folder)
            self.store.put_packages(folder, self._packages(current.values()))
        return list(current.values())

    def _unchanged(self, seen: Found, row: FileRow | None) -> FileRow | None:
        """What is stored of a file, if that is still so."""
        if row is None or row.package != seen.package:
            return None
        try:
            stat = Stat.of(os.stat(self.root / seen.path))
        except OSError:
            return None
        return row if stat == row.stat else None

    def _file(self, seen: Found) -> FileRow:
        now = time.time_ns()
        source = read(self.root / seen.path)
        self.read += 1
        stat = source.stat or _NO_STAT
        if max(stat.mtime_ns, stat.ctime_ns) > now - _RACY_NS:
            stat = replace(stat, inode=0)  # equal to no file's: it is read again next time
        if source.reason is not None:
            return FileRow(seen.path, seen.package, None, source.reason, stat)
        return FileRow(seen.path, seen.package, self._content_unit(source.data), "", stat)

    def _content_unit(self, data: bytes) -> int:
        key = f"content {digest_of(data)}"
        unit = self.store.unit_for(key)
        if unit is None:
            self.made += 1
            outline = outline_of(mask(data.decode()).encode())
            pieces = [("", piece) for piece in outline.functions]
            unit = self.store.add_unit(key, pieces, encode(outline.functions), pack(outline))
        return unit

    def _packages(self, rows: Iterable[FileRow]) -> list[tuple[str, str, int]]:
        """The packages that the indexed files of a folder make up: (name, import path, unit)."""
        by_name: dict[str, list[tuple[str, Outline, str]]] = {}
        packages = {}
        for row in sorted(rows, key=lambda row: row.path):
            if row.unit is None:
                continue
            key, packed = self.store.key_and_outline(row.unit)
            try:
                outline = unpack(packed)
            except (ValueError, TypeError, zlib.error) as error:
                raise IndexCorrupt("the index is damaged (an outline)", path=str(self.store.path)) from error
            by_name.setdefault(outline.package_name, []).append((row.path.rpartition("/")[2], outline, key))
            packages[outline.package_name] = row.package
        return [(name, packages[name], self._package_unit(packages[name], name, by_name[name])) for name in by_name]

    def _package_unit(self, package: str, name: str, files: Sequence[tuple[str, Outline, str]]) -> int:
        made_of = json.dumps([package, name, [(file, key) for file, _, key in files]])
        key = f"package {digest_of(made_of.encode())}"
        unit = self.store.unit_for(key)
        if unit is None:
            pieces = package_pieces(package, [(file, outline) for file, outline, _ in files])
            unit = self.store.add_unit(key, pieces, encode([piece for _, piece in pieces]))
        return unit


def pack(outline: Outline) -> bytes:
    """An outline as bytes, without its functions: they are stored as pieces."""
    values = asdict(replace(outline, functions=()))
    values["types"] = [astuple(declaration) for declaration in outline.types]
    return zlib.compress(json.dumps(values).encode(), 1)


def unpack(data: bytes) -> Outline:
    """What `pack` made. Raises ValueError, TypeError or zlib.error for other bytes."""
    values = json.loads(zlib.decompress(data))
    types = tuple(
        TypeDeclaration(name, (first, last), text, head) for name, (first, last), text, head in values["types"]
    )
    return Outline(
        package_name=values["package_name"],
        doc=values["doc"],
        clause_line=values["clause_line"],
        imports=tuple(values["imports"]),
        exported=tuple(values["exported"]),
        types=types,
        methods=tuple((receiver, signature) for receiver, signature in values["methods"]),
        functions=(),
    )


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]
