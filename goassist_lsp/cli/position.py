"""Reads `file.go:LINE:COL` and the file it names. Positions are 1-based, columns in bytes, as Go prints them."""

from __future__ import annotations

from pathlib import Path

from goassist_index.errors import SourceError
from goassist_lsp.types import DocumentSnapshot


def read_position(text: str) -> tuple[DocumentSnapshot, int]:
    """Snapshot of the named file and the position as a code-point offset.

    Raises SourceError when the text is no position, the file cannot be read or the position lies past its end.
    """
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or not parts[1].isdigit() or not parts[2].isdigit():
        raise SourceError("not a position", path=text, cure="Write FILE:LINE:COL, for example main.go:12:5")
    snapshot = read_snapshot(Path(parts[0]))
    return snapshot, offset_of(snapshot, int(parts[1]), int(parts[2]))


def read_snapshot(path: Path) -> DocumentSnapshot:
    """The file as a snapshot. Raises SourceError when it cannot be read or is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", path=str(path), cure="Check the path") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"is not UTF-8 (byte {error.start})", path=str(path), cure="Go source is UTF-8: convert the file"
        ) from error
    resolved = path.resolve()
    return DocumentSnapshot(uri=resolved.as_uri(), path=resolved, version=None, text=text)


def offset_of(snapshot: DocumentSnapshot, line: int, col: int) -> int:
    """Code-point offset of a 1-based line and byte column. Raises SourceError past the end."""
    lines = snapshot.text.split("\n")
    where = f"{snapshot.path}:{line}:{col}"
    if not 1 <= line <= len(lines):
        raise SourceError(
            f"line {line} does not exist", path=where, cure=f"The file has {len(lines)} lines: give one of them"
        )
    row = lines[line - 1].encode()
    if not 1 <= col <= len(row) + 1:
        raise SourceError(
            f"column {col} does not exist", path=where, cure=f"The line has {len(row)} bytes: give 1 to {len(row) + 1}"
        )
    try:
        within = len(row[: col - 1].decode())
    except UnicodeDecodeError as error:
        raise SourceError("column lies inside a character", path=where, cure="Columns count bytes") from error
    return sum(len(text) + 1 for text in lines[: line - 1]) + within


def offset_of_byte(snapshot: DocumentSnapshot, offset: int) -> int:
    """Code-point offset of a byte offset. Raises SourceError past the end or inside a character."""
    data = snapshot.text.encode()
    where = str(snapshot.path)
    if not 0 <= offset <= len(data):
        raise SourceError(f"offset {offset} does not exist", path=where, cure=f"The file has {len(data)} bytes")
    try:
        return len(data[:offset].decode())
    except UnicodeDecodeError as error:
        raise SourceError(f"offset {offset} lies inside a character", path=where, cure="Offsets count bytes") from error
