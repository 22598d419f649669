"""How a sequence grows by one token: chosen from its logits, taken or refused, and what ends it.

Used by the engines over llama.cpp from their worker threads, once a token and sequence.
"""

from __future__ import annotations

import numpy as np

from goassist_models.engine.base import GenerateRequest
from goassist_models.engine.sampling import Logits, choose
from goassist_models.engine.sequence import GrowingSequence
from goassist_models.engine.vocabulary import Vocabulary

DIVERSE_TEMPERATURE = 0.6  # of the generations after the first, when greedy ones are asked for
_MOST_REFUSALS = 64  # of tokens at one place; each costs a search for the next likely one


def extend(
    sequence: GrowingSequence,
    row: Logits,
    limit: int,
    request: GenerateRequest,
    vocabulary: Vocabulary,
    barred: frozenset[int] = frozenset(),
) -> None:
    """Choose `sequence`'s next token from its logits, none of `barred`, or end it; `limit` tokens behind a tie."""
    allowed = vocabulary.healing.allowed(sequence.tie) if sequence.tie else None
    if allowed is not None and not len(allowed):
        sequence.finish_reason = "stop"  # a tie that this vocabulary cannot spell on from here
        return
    token, logprob = choose(row, allowed, sequence.temperature, request.top_p, sequence.rng)
    total = float(row[token]) - logprob
    refusals = 0
    while token in barred or _refused(sequence, token, request, vocabulary):
        refusals += 1
        if refusals == 1:
            row = row.copy()
        row[token] = -np.inf
        if refusals > _MOST_REFUSALS or (allowed is not None and np.isneginf(row[allowed]).all()):
            sequence.finish_reason = "stop"  # nothing that is likely may stand here
            return
        token, _ = choose(row, allowed, sequence.temperature, request.top_p, sequence.rng)
        # Its probability among all tokens: how far the model was made to go from what it wanted counts.
        logprob = float(row[token]) - total
    sequence.refused += refusals
    if sequence.logprob + logprob < request.least_logprob:
        sequence.finish_reason = "unlikely"
        return
    if token in vocabulary.ends:
        sequence.finish_reason = "eos"
        return
    added = sequence.accept(token, vocabulary.pieces[token], logprob)
    if added and request.until is not None and request.until(sequence.text):
        sequence.finish_reason = "stop"
    elif sequence.untied_tokens >= limit:
        sequence.finish_reason = "length"


def _refused(sequence: GrowingSequence, token: int, request: GenerateRequest, vocabulary: Vocabulary) -> bool:
    if request.refuses is None or token in vocabulary.ends:
        return False
    added = sequence.would_add(vocabulary.pieces[token])
    return bool(added) and request.refuses(sequence.text, added)
