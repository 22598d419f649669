"""One sequence being generated: its bytes as they come, healed bytes taken off, whole characters only.

Used by the llama engine, one for each of a request's n generations. Beside it, what scoring a given text comes to.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goassist_models.engine.base import FinishReason, Generation, GenerationTimings, Step
from goassist_models.engine.sampling import Logits


@dataclass(frozen=True, slots=True)
class ScoredText:
    """What a text cost a model: `nats` (minus the natural log of its probability), its `tokens` and its `bytes`.

    `tokens` are those decoded, healed ones too; `bytes` are the text's own, in UTF-8.
    """

    nats: float
    tokens: int
    bytes: int


def token_logprob(row: Logits, token: int, allowed: npt.NDArray[np.int32] | None) -> float:
    """Natural log of `token`'s probability, normalised over `allowed` ids (all when None), in double precision.

    As what choose() reports, without its shortcut: nothing of the tail is left out.
    """
    values = (row if allowed is None else row[allowed]).astype(np.float64)
    best = values.max()
    return float(row[token] - best - np.log(np.exp(values - best).sum()))


class GrowingSequence:
    """The state of one generation; `tie` are healed bytes that its tokens must spell before text begins."""

    def __init__(self, sequence_id: int, tie: bytes, temperature: float, seed: int) -> None:
        self.sequence_id = sequence_id
        self.tie = tie
        self.temperature = temperature
        self.rng = np.random.default_rng(seed)
        self.tokens: list[int] = []
        self.untied_tokens = 0
        self.text = ""
        self.finish_reason: FinishReason | None = None
        self.refused = 0
        self.logprob = 0.0
        self._steps: list[Step] = []
        # A token may end inside a character: the decoder holds its first bytes back until the rest comes.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def accept(self, token: int, piece: bytes, logprob: float) -> bool:
        """Take a chosen token; return whether text was added: not while tie or character is unfinished."""
        self.tokens.append(token)
        self.logprob += logprob
        added = self._take(piece)
        self._steps.append(Step(token, logprob, len(self.text)))
        return added

    def would_add(self, piece: bytes) -> str:
        """Return the text that a token's bytes would add; "" while they spell the tie, or no whole characters."""
        try:
            return piece[len(self.tie) :].decode("utf-8")
        except UnicodeDecodeError:
            return ""

    def _take(self, piece: bytes) -> bool:
        if self.tie:
            piece, self.tie = piece[len(self.tie) :], self.tie[len(piece) :]
        try:
            added = self._decoder.decode(piece)
        except UnicodeDecodeError:
            self.finish_reason = "stop"  # not text any more: what came before still is
            return False
        self.text += added
        self.untied_tokens += not self.tie
        return bool(added)

    def generation(self, timings: GenerationTimings) -> Generation:
        """Return what was generated; a sequence that nobody finished counts as cancelled."""
        count = len(self.tokens)
        return Generation(
            text=self.text,
            finish_reason=self.finish_reason or "cancelled",
            tokens=count,
            mean_logprob=self.logprob / count if count else 0.0,
            timings=timings,
            steps=tuple(self._steps),
            refused=self.refused,
        )
