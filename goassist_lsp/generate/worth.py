"""When a suggestion is not worth its showing: the model is not sure enough of it. Used by the pipeline.

The chance that a text is to the letter what the author writes next is, by the model, the product of its tokens'
probabilities. A generation ends as soon as that falls below the least that the user wants to be shown.
"""

from __future__ import annotations

import math

from goassist_lsp.types import Pace

# How long an answer may take where all of the least chance is asked for.
_QUICK_S = 0.15
# By the user's word, while one types and at rest. Set on development bodies (models/LOG.md). At rest one has the time
# to look: a least chance of 0.1 takes away what is shown at 39 of 129 places, at 10 with the first line right.
_LEAST_CHANCE = {"eager": (0.25, 0.0), "balanced": (0.6, 0.0), "quiet": (0.75, 0.4)}


def least_logprob(eagerness: str, pace: Pace | None) -> float:
    """Natural log of the least chance with which a text is shown, -inf for any. No pace: it was asked for by hand."""
    typing = pace is not None and pace.typing
    least = _LEAST_CHANCE[eagerness][0 if typing else 1]
    if pace is not None and typing:
        # Who types slowly has time to look at more.
        least *= min(1.0, _QUICK_S / pace.patience_s)
    return math.log(least) if least > 0 else -math.inf
