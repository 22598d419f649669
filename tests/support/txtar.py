"""Reads and writes txtar archives: a comment, then files behind `-- name --` lines (Go's golang.org/x/tools/txtar)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MARKER = re.compile(r"^-- (.+?) --$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Archive:
    """`comment` before the first file; `files` by name, in order, each text with its final newline."""

    comment: str
    files: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.files[name]


def parse(text: str) -> Archive:
    """The archive in `text`. Raises ValueError for a name that comes twice."""
    markers = list(_MARKER.finditer(text))
    files: dict[str, str] = {}
    for marker, following in zip(markers, [*markers[1:], None], strict=True):
        name = marker.group(1).strip()
        if name in files:
            raise ValueError(f"{name} comes twice")
        files[name] = text[marker.end() + 1 : following.start() if following else len(text)]
    return Archive(text[: markers[0].start()] if markers else text, files)


def render(archive: Archive) -> str:
    """The archive as text; each file ends in a newline."""
    parts = [archive.comment]
    for name, content in archive.files.items():
        parts.append(f"-- {name} --\n{content}" + ("" if content.endswith("\n") or not content else "\n"))
    return "".join(parts)


def read(path: Path) -> Archive:
    return parse(path.read_text(encoding="utf-8"))
