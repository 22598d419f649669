"""What the workspace has that may help at a place: asked of the index once a function, and kept while one types there.

Implements the Retriever protocol over indexes.py. Other snippets in a prompt that has been read cost a reading of all
of it: so they are settled when the cursor comes to a function, and stay until it leaves.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goassist_index.errors import IndexUnavailable
from goassist_index.search import Snippet
from goassist_lsp.types import CursorContext, Retrieved

# Of the function: its header, the lines before the cursor and those behind it.
LINES_BEFORE = 10
LINES_AFTER = 5
MOST_SNIPPETS = 8
# How long a place that is come to anew may wait for the index. Reading a prompt there takes seconds.
LIMIT_S = 0.25
# What was settled is asked for again when the cursor comes back later than this.
_SETTLED_S = 60.0
_MOST_PLACES = 32


class Search(Protocol):
    """The part of `Indexes` that is used here."""

    async def search(self, path: Path, query: str, k: int, known: str) -> tuple[str, Path, tuple[Snippet, ...]] | None:
        """See Indexes.search."""
        ...


@dataclass(slots=True)
class _Settled:
    found: Retrieved | None
    at_s: float


class WorkspaceRetriever:
    """Settles snippets for functions. `limit_s`: how long one may be waited for."""

    def __init__(self, indexes: Search, *, limit_s: float = LIMIT_S) -> None:
        self._indexes = indexes
        self._limit_s = limit_s
        self._settled: OrderedDict[tuple[Path, str], _Settled] = OrderedDict()
        self._last: tuple[Path, str] | None = None

    async def retrieve(self, context: CursorContext, known: str) -> Retrieved | None:
        """What helps in the function at the cursor and is not in `known`; None outside of bodies, or where nothing is.

        Raises IndexUnavailable when the index does not answer, or not in time; nothing is settled then.
        """
        header, line_end, _ = context.function_prefix.partition("\n")
        if not context.in_function or not line_end:
            return None
        key = (context.snapshot.path, header)
        settled = self._settled.get(key)
        if settled is not None and (key == self._last or time.monotonic() - settled.at_s < _SETTLED_S):
            self._last = key
            return settled.found
        found = await self._asked(context, known)
        self._last = key
        self._settled[key] = _Settled(found, time.monotonic())
        self._settled.move_to_end(key)
        while len(self._settled) > _MOST_PLACES:
            self._settled.popitem(last=False)
        return found

    async def _asked(self, context: CursorContext, known: str) -> Retrieved | None:
        path = context.snapshot.path
        asked = self._indexes.search(path, query_of(context), MOST_SNIPPETS, known)
        try:
            answer = await asyncio.wait_for(asked, self._limit_s)
        except TimeoutError:
            raise IndexUnavailable("the index does not answer in time", path=str(path)) from None
        if answer is None:
            return None
        name, root, snippets = answer
        own = (path.parent.resolve() / path.name).relative_to(root).as_posix()
        line = context.prefix.count("\n") + 1
        # The function that is written is in the prompt, or was left out of it for want of room.
        telling = tuple(s for s in snippets if not (s.path == own and s.lines[0] <= line <= s.lines[1]))
        return Retrieved(name, own, telling) if telling else None


def query_of(context: CursorContext) -> str:
    """The words that snippets are to fit: those of the function's header and of the lines around the cursor."""
    before, after = context.function_prefix.splitlines(), context.function_suffix.splitlines()
    return "\n".join((*before[:1], *before[1:][-LINES_BEFORE:], *after[:LINES_AFTER]))
