"""Figures with their uncertainty: shares, means and percentiles with 95 % intervals, and paired comparisons.

Every function takes plain sequences, one value a hole, and gives the same result each time. Intervals are percentile
bootstraps over holes (Efron & Tibshirani, An Introduction to the Bootstrap, chapter 13); holes are taken for
independent of each other, which holes of one module are not quite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from goassist_models.evaluate.metrics import percentile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES = 4_000
CONFIDENCE = 0.95
_SEED = 20_261
# A resampled share of few holes, or of holes that all came out alike, cannot say how little is known.
_EXACT_BELOW = 20
_CELLS_AT_ONCE = 4_000_000

Verdict = Literal["better", "worse", "within noise"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure from `n` holes, and its 95 % interval [low, high], in the unit of the values."""

    value: float
    low: float
    high: float
    n: int

    def as_json(self) -> dict[str, float | int]:
        """All four as a JSON object."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True, slots=True)
class Paired:
    """Two systems on the same `n` holes: mean of the first less that of the second, with its 95 % interval.

    `gained` holes are higher with the first, `lost` with the second; `p` is the exact McNemar test's of those two
    counts (two-sided; a sign test where the values are no yes and no).
    """

    difference: float
    low: float
    high: float
    n: int
    gained: int
    lost: int
    p: float

    @property
    def verdict(self) -> Verdict:
        """Within noise when the interval includes zero, or the test cannot tell the two apart at 5 %.

        Few differing holes can leave zero outside a bootstrap interval by themselves: then the exact test decides.
        """
        if self.low <= 0 <= self.high or self.p > 1 - CONFIDENCE:
            return "within noise"
        return "better" if self.difference > 0 else "worse"

    def sentence(self, first: str, second: str, measure: str) -> str:
        """The comparison in words."""
        told = (
            f"{measure}: {first} alone {self.gained} times, {second} alone {self.lost} times of {self.n}, difference "
            f"{100 * self.difference:+.1f} points [{100 * self.low:+.1f}, {100 * self.high:+.1f}], p {p_text(self.p)}"
        )
        return f"{told}: {f'{first} is {self.verdict}' if self.verdict != 'within noise' else self.verdict}."

    def as_json(self) -> dict[str, float | int | str]:
        """All of it, with the verdict, as a JSON object."""
        return {
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "gained": self.gained,
            "lost": self.lost,
            "p": self.p,
            "verdict": self.verdict,
        }


def share(outcomes: Sequence[bool]) -> Estimate | None:
    """Share of true outcomes, 0 to 1; None for no outcomes.

    The interval is the exact binomial one (Clopper & Pearson 1934) below 20 holes and where all came out alike.
    """
    import numpy as np

    n, hits = len(outcomes), sum(map(bool, outcomes))
    if n == 0:
        return None
    if n < _EXACT_BELOW or hits in (0, n):
        from scipy.stats import binomtest

        exact = binomtest(hits, n).proportion_ci(CONFIDENCE, method="exact")
        return Estimate(hits / n, float(exact.low), float(exact.high), n)
    # Drawing n holes with replacement and counting the hits is drawing from this binomial distribution.
    drawn = np.random.default_rng(_SEED).binomial(n, hits / n, RESAMPLES) / n
    return Estimate(hits / n, *_interval(drawn), n)


def mean(values: Sequence[float]) -> Estimate | None:
    """Mean with its interval; None for no values."""
    if not values:
        return None
    return Estimate(sum(values) / len(values), *_bootstrap(values, lambda drawn: drawn.mean(axis=1)), len(values))


def quantile(values: Sequence[float], percent: float) -> Estimate | None:
    """The smallest value that at least `percent` per cent do not exceed, with its interval; None for no values."""
    import numpy as np

    value = percentile(values, percent)
    if value is None:
        return None
    interval = _bootstrap(values, lambda drawn: np.percentile(drawn, percent, axis=1, method="inverted_cdf"))
    return Estimate(value, *interval, len(values))


def median(values: Sequence[float]) -> Estimate | None:
    """The 50th percentile with its interval; None for no values."""
    return quantile(values, 50)


def paired(first: Sequence[float], second: Sequence[float]) -> Paired | None:
    """Compare two systems' values (or yes and no) at the same holes, in the same order; None for no holes.

    Raises ValueError when the lengths differ.
    """
    from scipy.stats import binomtest

    differences = [float(a) - float(b) for a, b in zip(first, second, strict=True)]
    if not differences:
        return None
    gained, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    interval = _bootstrap(differences, lambda drawn: drawn.mean(axis=1))
    return Paired(sum(differences) / len(differences), *interval, len(differences), gained, lost, p)


def p_text(p: float) -> str:
    """A p value as a reader wants it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _bootstrap(values: Sequence[float], statistic: Callable[[Floats], Any]) -> tuple[float, float]:
    """Interval of `statistic`, which maps (resamples, n) to (resamples,)."""
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(_SEED)
    rows = max(1, _CELLS_AT_ONCE // len(data))
    found = [
        statistic(data[random.integers(0, len(data), (min(rows, RESAMPLES - done), len(data)))])
        for done in range(0, RESAMPLES, rows)
    ]
    return _interval(np.concatenate(found))


def _interval(drawn: Floats) -> tuple[float, float]:
    import numpy as np

    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
