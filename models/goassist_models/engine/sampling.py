"""Chooses the next token from one row of logits, without ever sorting the whole vocabulary.

Used by the llama engine once a token and sequence; its cost counts against every token's milliseconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]

# Tokens e^-16 times as likely as the best one do not matter to any top-p in use.
_TAIL = 16.0


def log_sum_exp(logits: Logits) -> float:
    """Return log of the sum of exponentials of `logits`, computed from the largest down."""
    best = float(logits.max())
    return best + float(np.log(np.exp(logits - best).sum(dtype=np.float64)))


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
    order = likely[np.argsort(-logits[likely], kind="stable")]
    weights = np.exp((logits[order].astype(np.float64) - best) / temperature)
    mass = np.cumsum(weights)
    kept = int(np.searchsorted(mass, top_p * mass[-1])) + 1
    drawn = min(int(np.searchsorted(mass[:kept], rng.random() * mass[kept - 1], side="right")), kept - 1)
    index = int(order[drawn])
    return index, float(logits[index]) - log_sum_exp(logits)


def choose(
    logits: Logits,
    allowed: npt.NDArray[np.intp] | None,
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
