"""Snippets, and an index that answers with them and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from goassist_index.around import Around
from goassist_index.chunk import Kind
from goassist_index.errors import IndexUnavailable
from goassist_index.search import Snippet
from goassist_lsp.types import CursorContext, Retrieved


def snippet(
    symbol: str, text: str, kind: Kind = "function", path: str = "other.go", lines: tuple[int, int] = (1, 9)
) -> Snippet:
    return Snippet(path, symbol, kind, text, 1.0, "workspace", lines, "example.com/module")


class FakeIndexes:
    """Answers `Indexes.search`; `down`: it cannot, `slow`: it never does."""

    def __init__(self, *snippets: Snippet, root: Path | None = Path("/module"), down: bool = False, slow: bool = False):
        self.snippets, self.root, self.down, self.slow = snippets, root, down, slow
        self.queries: list[str] = []
        self.around = Around()

    async def search(
        self, path: Path, query: str, k: int, known: str, around: Around
    ) -> tuple[str, Path, tuple[Snippet, ...]] | None:
        self.queries.append(query)
        self.around = around
        if self.slow:
            await asyncio.Event().wait()
        if self.down:
            raise IndexUnavailable("the index is down")
        return None if self.root is None else (self.root.name, self.root, self.snippets[:k])


class FakeRetriever:
    """Has the same for every place; None: it fails. Implements the Retriever protocol."""

    def __init__(self, snippets: Sequence[Snippet] | None) -> None:
        self._snippets = snippets
        self.known: list[str] = []

    async def retrieve(self, context: CursorContext, known: str) -> Retrieved | None:
        self.known.append(known)
        if self._snippets is None:
            raise IndexUnavailable("the index is down")
        return Retrieved("module", "main.go", tuple(self._snippets))
