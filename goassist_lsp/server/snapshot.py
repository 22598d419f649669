"""Open documents, and the frozen snapshots of them that the pipeline works on.

A snapshot is taken before a handler's first await; its version tells a late answer from a current one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from lsprotocol.types import TextDocumentContentChangeEvent, TextDocumentContentChangePartial
from pygls.uris import to_fs_path, uri_scheme

from goassist_lsp.server.positions import Encoding, LineIndex
from goassist_lsp.types import DocumentSnapshot


@dataclass(frozen=True)
class Document:
    """One version of an open document. Frozen: a change makes a new one. `version` is the client's."""

    uri: str
    version: int | None
    text: str
    encoding: Encoding

    @cached_property
    def lines(self) -> LineIndex:
        """Positions in this version."""
        return LineIndex(self.text, self.encoding)

    @cached_property
    def skip_reason(self) -> str | None:
        """Why this document is none of ours, or None when it is a Go file on disk (or about to be)."""
        if uri_scheme(self.uri) != "file":
            return f"not a file: {self.uri.partition(':')[0]} document"
        return None if self.path.suffix == ".go" else "not a Go file"

    @cached_property
    def path(self) -> Path:
        """The file's path; for a document that is no file, its address as one."""
        return path_of(self.uri) or Path(self.uri)

    def changed(self, changes: Iterable[TextDocumentContentChangeEvent], version: int | None) -> Document:
        """The document after `changes`, each applied to what the one before it left."""
        document = self
        for change in changes:
            text = change.text
            if isinstance(change, TextDocumentContentChangePartial):
                start = document.lines.offset_at(change.range.start)
                end = max(start, document.lines.offset_at(change.range.end))
                text = document.text[:start] + text + document.text[end:]
            document = replace(document, text=text)
        return replace(document, version=version)


class Documents:
    """What the client has open, by address. Addresses that differ only in their quoting are one document."""

    def __init__(self) -> None:
        self.encoding: Encoding = "utf-16"
        self._open: dict[str, Document] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(tuple(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def open(self, uri: str, version: int | None, text: str) -> Document:
        """Take a document up; one that was open already is replaced."""
        document = Document(uri, version, text, self.encoding)
        self._open[unquote(uri)] = document
        return document

    def change(
        self, uri: str, version: int | None, changes: Iterable[TextDocumentContentChangeEvent]
    ) -> Document | None:
        """Apply a change; None when the document is not open."""
        document = self.get(uri)
        if document is None:
            return None
        document = self._open[unquote(uri)] = document.changed(changes, version)
        return document

    def close(self, uri: str) -> Document | None:
        """Let a document go; None when it was not open."""
        return self._open.pop(unquote(uri), None)

    def get(self, uri: str) -> Document | None:
        """The current version of an open document."""
        return self._open.get(unquote(uri))

    def is_current(self, document: Document) -> bool:
        """Whether nothing has happened to the document since this version of it was taken."""
        return self.get(document.uri) is document


def take(document: Document) -> DocumentSnapshot:
    """The pipeline's view of a document's version."""
    return DocumentSnapshot(document.uri, document.path, document.version, document.text)


def path_of(uri: str) -> Path | None:
    """The path of a file: address, None for any other scheme."""
    path = to_fs_path(uri)
    return Path(path) if path else None
