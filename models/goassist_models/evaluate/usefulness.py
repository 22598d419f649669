"""What a suggestion was worth to the person who saw it, in keys, and whether one system is worth more than another.

`eval history` recommends by it. Keys are characters that need not be typed. What does not type by itself costs what
`eval typing` takes it to cost: 300 ms of reading a line at 180 ms a key, one key to accept, one to delete a wrong line.

- Nothing shown: 0.
- First line wrong: the reading of that line is lost.
- First line right: the characters that agree with the truth from its beginning, less the key that accepts, the
  reading of every line shown, and a key for each line from the first difference on, which has to be deleted.

Not in it: waiting (times stand beside it), and what a wrong suggestion does that is accepted unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goassist_models.evaluate.example import Example

ACCEPT_KEYS = 1.0
DELETE_KEYS_A_LINE = 1.0
READING_KEYS_A_LINE = 300 / 180
FEWEST_CASES = 20
_ERROR_RATE = 0.05
_RESAMPLES = 10_000
_SEED = 20_262

Verdict = Literal["better", "worse", "within noise"]


def keys(text: str) -> int:
    """Keys that typing this text takes, blanks at both ends aside; an editor indents by itself."""
    lines = text.strip().splitlines()
    return sum(len(line.strip()) for line in lines) + max(0, len(lines) - 1)


def usefulness(example: Example) -> float | None:
    """Keys that the answer saved, below 0 where it cost more than it saved; None when the system failed.

    Raises ValueError for an Example that has not been scored.
    """
    from rapidfuzz.distance import Prefix

    answer, scores = example.answer, example.scores
    if answer is None or scores is None:
        raise ValueError("only a scored example has a worth")
    if answer.error:
        return None
    if not scores.shown:
        return 0.0
    if not scores.first_line_exact:
        return -READING_KEYS_A_LINE
    shown, truth = scores.inserted.strip(), example.case.truth.strip()
    agreed = truth[: Prefix.similarity(shown, truth)]
    wrong_lines = len(shown[len(agreed) :].strip().splitlines())
    cost = ACCEPT_KEYS + READING_KEYS_A_LINE * len(shown.splitlines()) + DELETE_KEYS_A_LINE * wrong_lines
    return keys(agreed) - cost


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean worth of one system less that of another at the same `cases` places, in keys a place.

    [low, high] is a bootstrap interval over commits, whose holes are not independent of each other; `differing` places
    are worth more with the one than with the other. `comparisons`: how many such intervals hold together at 95 %.
    """

    mean: float
    low: float
    high: float
    cases: int
    differing: int
    comparisons: int

    @property
    def verdict(self) -> Verdict:
        """Within noise when the interval includes zero, or so few places differ that no exact test could tell."""
        if self.low <= 0 <= self.high or 2 * 0.5**self.differing > _ERROR_RATE / self.comparisons:
            return "within noise"
        return "better" if self.mean > 0 else "worse"


def difference(first: Mapping[str, Example], second: Mapping[str, Example], comparisons: int = 1) -> Difference | None:
    """Compare two systems at the places where neither failed; examples by the case's key. None: there is no such place.

    `comparisons`: how many systems are compared with the second. The best of several looks better than it is: each
    interval is widened so that all of them hold together (Bonferroni). Same examples, same interval.
    """
    import numpy as np

    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    differing = 0
    for key in first.keys() & second.keys():
        ours, theirs = usefulness(first[key]), usefulness(second[key])
        if ours is None or theirs is None:
            continue
        commit = first[key].case.module
        sums[commit] = sums.get(commit, 0.0) + ours - theirs
        counts[commit] = counts.get(commit, 0) + 1
        differing += ours != theirs
    if not counts:
        return None
    commits = sorted(counts)
    of_sums, of_counts = np.array([sums[c] for c in commits]), np.array([counts[c] for c in commits])
    drawn = np.random.default_rng(_SEED).integers(0, len(commits), (_RESAMPLES, len(commits)))
    means = of_sums[drawn].sum(axis=1) / of_counts[drawn].sum(axis=1)
    tail = 100 * _ERROR_RATE / comparisons / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    cases = int(of_counts.sum())
    return Difference(float(of_sums.sum() / cases), float(low), float(high), cases, differing, comparisons)
