"""Small numbers for reports: percentiles and shares. Used by the bench verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Share:
    """How many of how many; add outcomes one by one."""

    hits: int = 0
    total: int = 0

    def add(self, hit: bool) -> None:
        """Count one outcome."""
        self.total += 1
        self.hits += hit

    @property
    def percent(self) -> float | None:
        """Hits in percent, or None when nothing was counted."""
        return 100.0 * self.hits / self.total if self.total else None

    def __str__(self) -> str:
        return f"{self.hits}/{self.total}" + (f" {self.percent:.1f} %" if self.total else "")

    def as_json(self) -> dict[str, float | int | None]:
        """Hits, total and percent as a JSON object."""
        return {"right": self.hits, "of": self.total, "percent": self.percent}


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least `percent` per cent of `values` do not exceed; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[min(len(ordered), int(rank)) - 1]


def median(values: Sequence[float]) -> float | None:
    """The 50th percentile; None for no values."""
    return percentile(values, 50)
