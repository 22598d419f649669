"""Names that may be of use in the function at the cursor and that other files declare: settled when one comes to it.

Implements the Retriever protocol over the type service and the files of the package, as retrieve.py does over the
index. Off until an evaluation says that it helps (`Stages.at_hand`).
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from goassist_index.athand import Place, at_hand
from goassist_index.errors import CheckerUnavailable
from goassist_index.typefacts import TypeFacts
from goassist_lsp.context.retrieve import Types
from goassist_lsp.types import CursorContext, Retrieved

log = logging.getLogger(__name__)

MOST_NAMES = 12
LIMIT_S = 0.25
_LINES_BEFORE = 6


class NamesAtHand:
    """Settles names for the function that the cursor is in. `limit_s`: how long the types may be waited for."""

    def __init__(self, types: Types, *, limit_s: float = LIMIT_S) -> None:
        self._types = types
        self._limit_s = limit_s
        self._settled: tuple[tuple[Path, str], Retrieved | None] | None = None

    async def retrieve(self, context: CursorContext, known: str) -> Retrieved | None:
        """Names for the function at the cursor; None outside of bodies, or where there are none.

        Raises nothing of its own: without types there are no names, and nothing is settled.
        """
        header, line_end, _ = context.function_prefix.partition("\n")
        if not context.in_function or not line_end:
            return None
        key = (context.snapshot.path, header)
        if self._settled is not None and self._settled[0] == key:
            return self._settled[1]
        asked = self._types.in_play(context.snapshot, context.offset)
        try:
            facts = await asyncio.wait_for(asyncio.shield(asked), self._limit_s)
        except (TimeoutError, CheckerUnavailable) as error:
            log.info("the prompt goes without names: %r", error)
            return None
        if facts is None:
            return None
        names = await asyncio.to_thread(chosen, context, facts, known)
        found = Retrieved("", context.snapshot.path.name, (), names) if names else None
        self._settled = (key, found)
        return found


def chosen(context: CursorContext, facts: TypeFacts, known: str, most: int = MOST_NAMES) -> tuple[str, ...]:
    """The names that speak most for themselves at a place, each as it would be written there, the best first."""
    own = context.snapshot.path
    test = own.name.endswith("_test.go")
    files = sorted(path for path in own.parent.glob("*.go") if path.name != own.name)
    others = {path: _text(path) for path in files if test or not path.name.endswith("_test.go")}
    lines = context.function_prefix.splitlines()
    asking = "\n".join((*lines[:1], *lines[1:][-_LINES_BEFORE:]))
    place = Place(context.snapshot.text, context.line_prefix, asking, known)
    return tuple(one.line for one in at_hand(place, others, facts)[:most])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # it is going, or nobody may read it: it has nothing to offer
