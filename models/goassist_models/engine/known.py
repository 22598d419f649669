"""The logits behind the last positions of one text: what was asked of the model once is not asked again.

Who types a word that is healed asks with the same tokens at each key, and is answered with the same ones for as long as
what the model says there agrees. Used by context.py for its sequence 0.
"""

from __future__ import annotations

import numpy as np

from goassist_models.engine.sampling import Logits

# Rows, of 0.6 MB each where the vocabulary is large. Of 815 tokens that were said again while bodies were typed 811 had
# been said among the last 16 (models/LOG.md).
MOST_KNOWN = 16


class KnownLogits:
    """Rows by position: the logits behind the token there. The one unused for longest makes room."""

    def __init__(self, vocabulary_size: int) -> None:
        self._free: list[Logits] = list(np.empty((MOST_KNOWN, vocabulary_size), np.float32))
        # By position, the latest used at the end.
        self._rows: dict[int, Logits] = {}

    def get(self, position: int) -> Logits | None:
        """The logits behind the token at `position`, if they are known; valid until MOST_KNOWN others were put."""
        row = self._rows.pop(position, None)
        if row is not None:
            self._rows[position] = row
        return row

    def put(self, position: int, logits: Logits) -> Logits:
        """Copy what is behind the token at `position`; returns the copy."""
        row = self._rows.pop(position, None)
        if row is None:
            row = self._free.pop() if self._free else self._rows.pop(next(iter(self._rows)))
        row[:] = logits
        self._rows[position] = row
        return row

    def cut(self, length: int) -> None:
        """Forget what is behind tokens from position `length` on: others are going to stand there."""
        for position in [position for position in self._rows if position >= length]:
            self._free.append(self._rows.pop(position))
