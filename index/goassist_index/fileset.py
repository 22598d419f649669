"""Which Go files of a workspace are read into the index, and why the others are not.

`FileSet` walks with the rules, `read` opens one file; update.py joins the two. Every file that is not read has a
reason in words, which `goassist-lsp index` counts and `index --explain` tells.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from goassist_index import syntax
from goassist_index.ignore import IgnoreRules
from goassist_index.secrets import is_secret_file

# Beyond what people write by hand.
MAX_FILE_BYTES = 1_000_000
_READ_TRIES = 3
_LEFT_OUT_DIRECTORIES = {
    "vendor": "vendored code (its modules are read at the version in use)",
    "testdata": "testdata: Go builds nothing in it",
    "node_modules": "node_modules: no Go packages of this workspace",
}
_MODULE_LINE = re.compile(r"^\s*module\s+(?:\"([^\"]+)\"|(\S+))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file, or a directory with all in it, that is not read: `path` from the root with slashes, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A Go file that may be read: `path` from the root with slashes, the import path of its directory."""

    path: str
    package: str


@dataclass(frozen=True, slots=True)
class Stat:
    """What changes when a file does: size in bytes, times in nanoseconds, inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, seen: os.stat_result) -> Stat:
        """From the operating system's answer."""
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes and the state it was in when they were read, or the reason that they are not to be used."""

    data: bytes
    stat: Stat | None
    reason: str | None


class FileSet:
    """The Go files below `root`, by rule: what Go itself passes over, ignore files, names of credentials."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ignore = IgnoreRules(root)

    def walk(self) -> Iterator[Found | LeftOut]:
        """Every Go file, and every file or directory that is left out, directories in order.

        Links to directories are not followed, as by Go, so that no loop can be entered. Never raises: what cannot be
        listed is left out.
        """
        stack = [("", self._package_above())]
        while stack:
            relative, package = stack.pop()
            folder = self.root / relative if relative else self.root
            try:
                with os.scandir(folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                yield LeftOut(relative or ".", f"cannot be listed ({error.strerror})")
                continue
            package = _module_of(folder) or package
            deeper: list[tuple[str, str]] = []
            for entry in listed:
                path = f"{relative}/{entry.name}" if relative else entry.name
                if _is_directory(entry):
                    reason = self.directory_reason(path)
                    if reason is None:
                        deeper.append((path, f"{package}/{entry.name}" if package else entry.name))
                    elif reason:
                        yield LeftOut(path, reason)
                elif entry.name.endswith(".go"):
                    reason = self.file_reason(path)
                    yield Found(path, package or ".") if reason is None else LeftOut(path, reason)
            stack.extend(reversed(deeper))

    def _package_above(self) -> str:
        """The import path of the root itself, when its module begins further up."""
        for count, parent in enumerate(self.root.parents):
            module = _module_of(parent)
            if module is not None:
                return "/".join((module, *self.root.parts[-count - 1 :]))
        return ""

    def directory_reason(self, path: str) -> str | None:
        """Why a directory is not gone into: None when it is, "" when that goes without saying (.git and the like)."""
        name = path.rpartition("/")[2]
        if name.startswith("."):
            return ""
        if name in _LEFT_OUT_DIRECTORIES:
            return _LEFT_OUT_DIRECTORIES[name]
        if name.startswith("_"):
            return "its name begins with an underscore: Go passes over it"
        if (self.root / path).is_symlink():
            return "a link to a directory: Go does not follow it"
        by = self._ignore.match(path, directory=True)
        return f"ignored by {self._shown(by)}" if by is not None else None

    def file_reason(self, path: str) -> str | None:
        """Why a Go file is not opened, or None when it is."""
        name = path.rpartition("/")[2]
        if name.startswith(("_", ".")):
            return f"its name begins with {name[0]!r}: Go passes over it"
        if is_secret_file(name):
            return "a name that files with credentials have"
        by = self._ignore.match(path, directory=False)
        return f"ignored by {self._shown(by)}" if by is not None else None

    def explain(self, path: Path) -> str | None:
        """Why the file at `path` is not in the index, by all rules; None when nothing keeps it out.

        What the walk would not come to is judged by the outermost directory that it does not go into.
        """
        try:
            relative = _absolute(path).relative_to(self.root).as_posix()
        except ValueError:
            return f"it lies outside of {self.root}"
        for parent in reversed(PurePosixPath(relative).parents[:-1]):
            reason = self.directory_reason(parent.as_posix())
            if reason is not None:
                return f"{parent}: {reason or 'its name begins with a dot: Go passes over it'}"
        if not relative.endswith(".go"):
            return "no Go file"
        return self.file_reason(relative) or read(self.root / relative).reason

    def found(self, path: Path) -> Found | None:
        """The file as the walk would give it, or None when a rule keeps it out; it need not exist on disk."""
        try:
            relative = _absolute(path).relative_to(self.root).as_posix()
        except ValueError:
            return None
        parents = [parent.as_posix() for parent in reversed(PurePosixPath(relative).parents[:-1])]
        if not relative.endswith(".go") or any(self.directory_reason(parent) is not None for parent in parents):
            return None
        if self.file_reason(relative) is not None:
            return None
        package = _module_of(self.root) or self._package_above()
        for parent in parents:
            name = parent.rpartition("/")[2]
            package = _module_of(self.root / parent) or (f"{package}/{name}" if package else name)
        return Found(relative, package or ".")

    def _shown(self, place: str) -> str:
        try:
            return Path(place).relative_to(self.root).as_posix()
        except ValueError:
            return place


def read(path: Path) -> Source:
    """One file's bytes, or why there are none. Never raises.

    Neither waits for a pipe, nor reads more than MAX_FILE_BYTES, nor takes a half-written state: a file that changes at
    each of three tries is left out until it comes to rest.
    """
    seen: Stat | None = None
    try:
        for _ in range(_READ_TRIES):
            # Not blocking: a named pipe could be waited for forever.
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            with open(descriptor, "rb") as file:
                before = os.fstat(descriptor)
                seen = Stat.of(before)
                if not stat.S_ISREG(before.st_mode):
                    return Source(b"", seen, "no regular file")
                if before.st_size > MAX_FILE_BYTES:
                    return Source(b"", seen, f"larger than {MAX_FILE_BYTES:,} bytes")
                data = file.read(MAX_FILE_BYTES + 1)
                if Stat.of(os.fstat(descriptor)) == seen and len(data) == seen.size:
                    return Source(data, seen, content_reason(data))
    except OSError as error:
        why = "a link that leads round in a circle" if error.errno == errno.ELOOP else f"{error.strerror}".lower()
        return Source(b"", seen, f"cannot be read ({why})")
    return Source(b"", None, "changes while it is read")


def content_reason(data: bytes) -> str | None:
    """Why a file's content is not indexed: generated, or no text; None when it is."""
    if len(data) > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES:,} bytes"
    if b"\0" in data:
        return "no text (it holds NUL bytes)"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start})"
    if syntax.is_generated(data):
        return "generated (Code generated … DO NOT EDIT.)"
    return None


def _absolute(path: Path) -> Path:
    """Absolute, with `..` taken out but links kept: the file's own place counts, not where it leads."""
    return Path(os.path.abspath(path))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _module_of(folder: Path) -> str | None:
    """The module path that a go.mod in `folder` gives, or None."""
    try:
        with (folder / "go.mod").open(encoding="utf-8", errors="replace") as file:
            match = _MODULE_LINE.search(file.read(100_000))
    except OSError:
        return None
    return (match.group(1) or match.group(2)) if match else None
