"""Claims about goassist_index.postings: it ranks as the formula says, however its units came and went."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.chunk import Piece
from goassist_index.postings import FIELD_WEIGHTS, K1, B, Ranking, encode

WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "omega"]), max_size=6).map(" ".join)
PIECES = st.builds(
    lambda name, head, body: Piece("function", name, "", "pkg", (1, 1), head + body, len(head)), WORDS, WORDS, WORDS
)
UNITS = st.lists(st.lists(PIECES, max_size=4), max_size=6)


def fields(piece: Piece) -> tuple[list[str], ...]:
    name, text = f"{piece.symbol} {piece.package_name}", piece.text
    return tuple(part.split() for part in (name, text[: piece.head_chars], text[piece.head_chars :]))


def by_the_formula(units: dict[int, list[Piece]], query: list[str]) -> dict[tuple[int, int], float]:
    """BM25 as the paper writes it, word by word."""
    pieces = {(unit, n): fields(piece) for unit, listed in units.items() for n, piece in enumerate(listed)}
    scores: Counter[tuple[int, int]] = Counter()
    for field, weight in enumerate(FIELD_WEIGHTS):
        mean = sum(len(parts[field]) for parts in pieces.values()) / max(len(pieces), 1) or 1
        for word in set(query):
            holding = sum(word in parts[field] for parts in pieces.values())
            idf = math.log(1 + (len(pieces) - holding + 0.5) / (holding + 0.5))
            for key, parts in pieces.items():
                count = parts[field].count(word)
                norm = K1 * (1 - B + B * len(parts[field]) / mean)
                scores[key] += weight * idf * count * (K1 + 1) / (count + norm)
    return {key: score for key, score in scores.items() if score > 0}


def ranked(units: dict[int, list[Piece]]) -> Ranking:
    ranking = Ranking()
    for unit, pieces in units.items():
        ranking.add(unit, str(unit), len(pieces), encode(pieces))
    return ranking


def scores(ranking: Ranking, query: list[str]) -> dict[tuple[int, int], float]:
    return {(hit.unit, hit.number): hit.score for hit in ranking.best(query, 100)}


# A word that is the end of one field and the beginning of the next would be joined: blanks part them.
@given(UNITS, WORDS)
def test_scores_are_those_of_the_formula(listed: list[list[Piece]], query: str) -> None:
    units = dict(enumerate(listed))
    expected = by_the_formula(units, query.split())
    assert scores(ranked(units), query.split()) == pytest.approx(expected)


@given(UNITS, UNITS, st.sets(st.integers(0, 8)), WORDS)
def test_units_that_came_and_went_leave_no_trace(
    first: list[list[Piece]], second: list[list[Piece]], gone: set[int], query: str
) -> None:
    ranking = ranked(dict(enumerate(first)))
    ranking.best(query.split(), 3)  # what came so far is now the large segment
    for unit, pieces in enumerate(second, 3):
        ranking.add(unit, str(unit), len(pieces), encode(pieces))
        ranking.best(query.split(), 3)
    for unit in gone:
        ranking.remove(unit)
    left = {**dict(enumerate(first)), **dict(enumerate(second, 3))}
    left = {unit: pieces for unit, pieces in left.items() if unit not in gone}
    assert scores(ranking, query.split()) == scores(ranked(left), query.split())
    assert set(ranking.units) == left.keys()
    assert len(ranking) == sum(map(len, left.values()))


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    pieces = [Piece("function", "f", "", "p", (1, 1), "alpha " * n + "beta " * (9 - n), 0) for n in range(10)]
    hits = ranked({7: pieces}).best(["alpha"], 3)
    assert [(hit.unit, hit.number) for hit in hits] == [(7, 9), (7, 8), (7, 7)]
    assert hits[0].score > hits[1].score > hits[2].score


def test_those_that_score_alike_stand_in_the_order_of_their_keys_whatever_their_numbers() -> None:
    pieces = [Piece("function", "f", "", "p", (1, 1), "alpha", 0)]
    found = []
    for numbers in (range(20), range(19, -1, -1)):
        ranking = Ranking()
        for key, unit in enumerate(numbers):
            ranking.add(unit, f"content {key}", 1, encode(pieces))
        found.append([numbers.index(hit.unit) for hit in ranking.best(["alpha"], 5)])
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_nothing_is_found_for_no_words_and_in_no_units() -> None:
    assert Ranking().best(["alpha"], 5) == []
    assert ranked({1: [Piece("function", "f", "", "p", (1, 1), "alpha", 0)]}).best([], 5) == []


def test_damaged_postings_are_refused() -> None:
    blob = encode([Piece("function", "f", "", "p", (1, 1), "alpha", 0)])
    with pytest.raises(ValueError, match="buffer size"):
        Ranking().add(1, "1", 1, blob[:-3])
    with pytest.raises(ValueError, match="not there"):
        Ranking().add(1, "1", 0, blob)
