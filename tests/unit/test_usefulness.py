"""Claims about goassist_models.evaluate.usefulness: what a suggestion was worth, and when two systems differ."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from goassist_models.evaluate.example import Answer, Case, Edit, Example, Scores
from goassist_models.evaluate.usefulness import READING_KEYS_A_LINE, difference, keys, usefulness

TRUTH = "if a {\n\t\treturn b\n\t}"
CASE = Case("m@0", "a.go", "block", "statements", "F", True, 10, 30, 0, 40, TRUTH)
READING = READING_KEYS_A_LINE


def example(text: str, number: int = 0, commit: int | None = None, truth: str = TRUTH) -> Example:
    """One that shows `text` at place `number`, as it is scored; "" is silence."""
    case = replace(CASE, start=number, truth=truth, module=f"m@{number if commit is None else commit}")
    right = text.strip().partition("\n")[0] == truth.partition("\n")[0]
    scores = Scores(shown=bool(text), inserted=text, first_line_exact=bool(text) and right, exact=text == truth)
    return Example(case, "s", Answer((Edit(0, 0, text),) if text else ()), scores)


def by_key(examples: Sequence[Example]) -> dict[str, Example]:
    return {e.case.key: e for e in examples}


def test_indentation_costs_no_keys() -> None:
    assert keys("\n\t\tab\n\t\t\tc d\n") == 6
    assert keys("") == 0


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("", 0.0),
        (TRUTH, 6 + 1 + 8 + 1 + 1 - 1 - 3 * READING),
        ("if c {\n\t\treturn b\n\t}", -READING),
        (
            "if a {\n\t\treturn c\n\t}",
            6 + 1 + 6 - 1 - 3 * READING - 2,
        ),  # agrees up to "return": a blank is no key at the end
        ("if a {", 6 - 1 - READING),
        (TRUTH + "\n\treturn c", 6 + 1 + 8 + 1 + 1 - 1 - 4 * READING - 1),
    ],
)
def test_the_worth_of_a_suggestion(text: str, worth: float) -> None:
    assert usefulness(example(text)) == pytest.approx(worth)


def test_a_failure_has_no_worth_and_an_unscored_example_is_refused() -> None:
    failed = replace(example(""), answer=Answer(error="it broke"))
    assert usefulness(failed) is None
    with pytest.raises(ValueError, match="scored"):
        usefulness(replace(failed, scores=None))


def test_a_system_that_is_right_more_often_is_better_and_the_other_worse() -> None:
    right, wrong = ([example(text, n) for n in range(30)] for text in (TRUTH, "x := 1"))
    told = difference(by_key(right), by_key(wrong), comparisons=7)
    assert told is not None
    assert (told.verdict, told.cases, told.differing) == ("better", 30, 30)
    assert told.mean == pytest.approx(told.low) == pytest.approx(told.high) == pytest.approx(16 - 2 * READING)
    back = difference(by_key(wrong), by_key(right), comparisons=7)
    assert back is not None and back.verdict == "worse"


def test_equal_systems_are_within_noise() -> None:
    mixed = [example(TRUTH if n % 2 else "x", n) for n in range(30)]
    told = difference(by_key(mixed), by_key(mixed))
    assert told is not None and (told.verdict, told.mean, told.differing) == ("within noise", 0.0, 0)
    swapped = [example("x" if n % 2 else TRUTH, n) for n in range(30)]
    told = difference(by_key(mixed), by_key(swapped))
    assert told is not None and told.verdict == "within noise" and told.low < 0 < told.high


def test_a_few_lucky_places_are_noise() -> None:
    same = [example("x", n) for n in range(40)]
    lucky = [example(TRUTH if n < 5 else "x", n) for n in range(40)]
    told = difference(by_key(lucky), by_key(same))
    assert told is not None and told.low > 0  # by the bootstrap alone it would be better
    assert told.verdict == "within noise"


def test_more_comparisons_make_wider_intervals() -> None:
    some = [example(TRUTH if n % 3 else "x", n) for n in range(40)]
    none = [example("x" if n % 4 else TRUTH, n) for n in range(40)]
    one, seven = (difference(by_key(some), by_key(none), count) for count in (1, 7))
    assert one is not None and seven is not None
    assert one.mean == seven.mean
    assert seven.low < one.low and one.high < seven.high


def test_places_of_one_commit_count_together() -> None:
    alone, together = (
        difference(
            by_key([example(TRUTH if n % 4 else "x", n, commit=n // size) for n in range(40)]),
            by_key([example("x" if n % 4 else TRUTH, n, commit=n // size) for n in range(40)]),
        )
        for size in (1, 4)
    )
    assert alone is not None and together is not None
    assert (together.low, together.high) == pytest.approx((together.mean, together.mean))  # every commit is alike
    assert alone.low < alone.mean < alone.high


def test_only_places_where_neither_failed_are_compared() -> None:
    ours = by_key([example(TRUTH, n) for n in range(5)])
    theirs = by_key([example("x", n) for n in range(3)])
    key = next(iter(theirs))
    theirs[key] = replace(theirs[key], answer=Answer(error="it broke"))
    told = difference(ours, theirs)
    assert told is not None and told.cases == 2
    assert difference(ours, {}) is None
