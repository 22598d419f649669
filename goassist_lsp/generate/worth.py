"""When a suggestion is not worth its showing: the model is not sure enough of it. Used by the pipeline.

The chance that a text is to the letter what the author writes next is, by the model, the product of its tokens'
probabilities. A generation ends as soon as that falls below the least that the user wants to be shown.
"""

from __future__ import annotations

import math

# By the user's word, while one types and at rest. Set on development bodies (models/LOG.md).
_LEAST_CHANCE = {"eager": (0.05, 0.0), "balanced": (0.25, 0.0), "quiet": (0.5, 0.25)}


def least_logprob(eagerness: str, *, typing: bool) -> float:
    """Natural log of the least chance with which a text is shown, -inf for any."""
    least = _LEAST_CHANCE[eagerness][0 if typing else 1]
    return math.log(least) if least > 0 else -math.inf
