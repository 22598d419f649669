"""Joins rankings that measure in different units: by the places that things have in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from goassist_index.postings import Hit

_RANK_CONSTANT = 60


def joined(rankings: Iterable[tuple[Sequence[Hit], float]]) -> list[Hit]:
    """Several rankings (best first), each with its weight, in one; a score is the sum of weight / (60 + rank).

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods"
    (2009), where the constant is from.
    """
    scores: dict[tuple[int, int], float] = {}
    for hits, weight in rankings:
        for rank, hit in enumerate(hits, 1):
            piece = (hit.unit, hit.number)
            scores[piece] = scores.get(piece, 0.0) + weight / (_RANK_CONSTANT + rank)
    # A sort keeps the order of those that score alike: that of the first ranking.
    ordered = sorted(scores.items(), key=lambda pair: -pair[1])
    return [Hit(unit, number, score) for (unit, number), score in ordered if score > 0]
