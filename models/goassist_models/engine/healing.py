"""Token healing: which tokens may come next while decoding is held to bytes that were already typed.

Used by the llama engine: the prompt's last word is taken back and its bytes become the tie, so that a word
cut in two by the cursor is continued as the model would have written it (after guidance's "token healing").
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from goassist_models.engine.walk import TokenIds, sorted_ids

_CACHED_TIES = 64


class HealTable:
    """All of a vocabulary's text tokens sorted by their bytes, to find those that agree with a tie.

    `pieces` are the tokens' bytes by id; ids in `barred` (special tokens) and empty pieces never agree. `order`: the
    others' ids in the order of their bytes, where that is known.
    """

    def __init__(self, pieces: Sequence[bytes], barred: frozenset[int], order: TokenIds | None = None) -> None:
        order = sorted_ids(pieces) if order is None else order
        self._pieces = pieces
        self._ids = order[~np.isin(order, np.fromiter(barred, np.int32, len(barred)))]
        self._cache: dict[bytes, TokenIds] = {}

    def allowed(self, tie: bytes) -> TokenIds:
        """Ids of tokens whose bytes start with `tie` or are a prefix of it; empty when nothing agrees."""
        found = self._cache.get(tie)
        if found is None:
            if len(self._cache) >= _CACHED_TIES:
                self._cache.clear()
            found = self._cache[tie] = self._find(tie)
        return found

    def _find(self, tie: bytes) -> TokenIds:
        ids, piece = self._ids, self._pieces.__getitem__
        parts = []
        for length in range(1, len(tie)):
            part = tie[:length]
            low = bisect_left(ids, part, key=piece)
            parts.append(ids[low : bisect_right(ids, part, lo=low, key=piece)])
        low = bisect_left(ids, tie, key=piece)
        end = _successor(tie)
        high = len(ids) if end is None else bisect_left(ids, end, lo=low, key=piece)
        parts.append(ids[low:high])
        return np.concatenate(parts)


def _successor(data: bytes) -> bytes | None:
    """Return the least byte string above everything that starts with `data`, or None when there is none."""
    stripped = data.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None
