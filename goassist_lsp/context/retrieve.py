"""What the workspace has that may help at a place: asked of the index once a function, and kept while one types there.

Implements the Retriever protocol over indexes.py. Other snippets in a prompt that has been read cost a reading of all
of it: so they are settled when the cursor comes to a function, and stay until it leaves.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goassist_index.around import Around
from goassist_index.errors import CheckerUnavailable, IndexUnavailable
from goassist_index.scan import KEYWORDS
from goassist_index.search import Snippet
from goassist_index.typefacts import TypeFacts
from goassist_lsp.types import CursorContext, DocumentSnapshot, Retrieved

log = logging.getLogger(__name__)

# Of the function: its header, the lines before the cursor and those behind it.
LINES_BEFORE = 10
LINES_AFTER = 5
MOST_SNIPPETS = 8
# How long a place that is come to anew may wait for the index. Reading a prompt there takes seconds.
LIMIT_S = 0.25
# How long the types in play may be waited for: they help to choose, and are there when the package has been loaded.
TYPES_LIMIT_S = 0.05
_CALL = re.compile(r"\b(\w+)\(")
_TYPE_NAME = re.compile(r"^[*\[\]]*((?:\w+\.)?\w+)")
# What was settled is asked for again when the cursor comes back later than this.
_SETTLED_S = 60.0
_MOST_PLACES = 32


class Search(Protocol):
    """The part of `Indexes` that is used here."""

    async def search(
        self, path: Path, query: str, k: int, known: str, around: Around
    ) -> tuple[str, Path, tuple[Snippet, ...]] | None:
        """See Indexes.search."""
        ...


class Types(Protocol):
    """The part of `TypeChecker` that is used here."""

    async def in_play(self, snapshot: DocumentSnapshot, offset: int) -> TypeFacts | None:
        """See TypeChecker.in_play."""
        ...


@dataclass(slots=True)
class _Settled:
    found: Retrieved | None
    at_s: float


class WorkspaceRetriever:
    """Settles snippets for functions. `limit_s`: how long one may be waited for. `types` say what is in play there."""

    def __init__(self, indexes: Search, types: Types | None = None, *, limit_s: float = LIMIT_S) -> None:
        self._indexes = indexes
        self._types = types
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
        around = Around(types=await self._types_in_play(context), calls=calls_before(context))
        asked = self._indexes.search(path, query_of(context), MOST_SNIPPETS, known, around)
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

    async def _types_in_play(self, context: CursorContext) -> tuple[str, ...]:
        if self._types is None:
            return ()
        asked = self._types.in_play(context.snapshot, context.offset)
        try:
            facts = await asyncio.wait_for(asyncio.shield(asked), min(self._limit_s, TYPES_LIMIT_S))
        except (TimeoutError, CheckerUnavailable) as error:
            log.info("the index is asked without types: %r", error)
            return ()
        return types_in_play(facts)


def types_in_play(facts: TypeFacts | None) -> tuple[str, ...]:
    """Their names, with the package where it is another; those of the standard library are known to everybody."""
    names = (_TYPE_NAME.match(one.name) for one in (facts.in_play if facts is not None else ()) if not one.standard)
    return tuple(dict.fromkeys(name.group(1) for name in names if name is not None))


def calls_before(context: CursorContext) -> tuple[str, ...]:
    """The functions that are called in the function up to the cursor, by name, the nearest first."""
    _, _, body = context.function_prefix.partition("\n")
    names = (match.group(1) for match in _CALL.finditer("\n".join(body.splitlines()[-LINES_BEFORE:])))
    return tuple(name for name in reversed(dict.fromkeys(names)) if name not in KEYWORDS)


def query_of(context: CursorContext) -> str:
    """The words that snippets are to fit: those of the function's header and of the lines around the cursor."""
    before, after = context.function_prefix.splitlines(), context.function_suffix.splitlines()
    return "\n".join((*before[:1], *before[1:][-LINES_BEFORE:], *after[:LINES_AFTER]))
