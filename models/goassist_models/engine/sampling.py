"""Chooses the next token from one row of logits, without ever sorting the whole vocabulary.

Used by the llama engine once a token and sequence; its cost counts against every token's milliseconds.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]

# Tokens less likely than the best by e^-20 are never drawn. Even 150,000 of them together would shift a log-probability
# by 0.0003 at most.
_TAIL = 20.0
_FEW = 256
# Room for a row of each thread: new arrays of half a megabyte are new pages of the system's each time, which cost more
# than all that is computed in them.
_scratch = threading.local()


def log_sum_exp(logits: Logits) -> float:
    """Return log of the sum of exponentials of `logits`."""
    best = logits.max()
    room: Logits | None = getattr(_scratch, "room", None)
    if room is None or len(room) < len(logits):
        room = _scratch.room = np.empty(len(logits), np.float32)
    weights = room[: len(logits)]
    np.subtract(logits, best, out=weights)
    np.exp(weights, out=weights)
    return float(best) + float(np.log(weights.sum(dtype=np.float64)))


def greedy(logits: Logits) -> tuple[int, float]:
    """Return the likeliest index and its log-probability."""
    index = int(logits.argmax())
    return index, float(logits[index]) - log_sum_exp(logits)


def sample(logits: Logits, temperature: float, top_p: float, rng: np.random.Generator) -> tuple[int, float]:
    """Draw an index by nucleus sampling (Holtzman et al. 2020) and return it with its log-probability.

    The log-probability is the model's own, before temperature and cut, so that candidates can be compared.
    """
    best = float(logits.max())
    likely = np.flatnonzero(logits >= best - _TAIL * temperature)
    weights = np.exp((logits[likely].astype(np.float64) - best) / temperature)
    wanted = top_p * float(weights.sum())
    if len(likely) > _FEW:
        # The nucleus is nearly always among the few heaviest: sort those alone, if they weigh enough.
        heaviest = np.argpartition(weights, -_FEW)[-_FEW:]
        if float(weights[heaviest].sum()) >= wanted:
            likely, weights = likely[heaviest], weights[heaviest]
    falling = np.argsort(-weights, kind="stable")
    order, mass = likely[falling], np.cumsum(weights[falling])
    kept = min(int(np.searchsorted(mass, wanted)) + 1, len(mass))
    drawn = min(int(np.searchsorted(mass[:kept], rng.random() * mass[kept - 1], side="right")), kept - 1)
    index = int(order[drawn])
    return index, float(logits[index]) - log_sum_exp(logits)


def choose(
    logits: Logits,
    allowed: npt.NDArray[np.int32] | None,
    temperature: float,
    top_p: float,
    rng: np.random.Generator,
) -> tuple[int, float]:
    """Choose among `allowed` ids (all when None): greedily at temperature 0, else by nucleus sampling.

    The log-probability is conditional on `allowed`.
    """
    row = logits if allowed is None else logits[allowed]
    index, logprob = greedy(row) if temperature <= 0 else sample(row, temperature, top_p, rng)
    return (index if allowed is None else int(allowed[index])), logprob
