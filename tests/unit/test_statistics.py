"""Claims about goassist_models.evaluate.report.statistics, against values known from elsewhere."""

import random

import pytest

from goassist_models.evaluate.report.statistics import Estimate, mean, median, p_text, paired, quantile, share


def test_a_share_is_counted_and_its_interval_is_near_the_normal_one() -> None:
    found = share([True] * 40 + [False] * 120)
    assert found is not None
    assert (found.value, found.n) == (0.25, 160)
    # 1.96 standard errors of a quarter of 160 are 0.067.
    assert found.low == pytest.approx(0.25 - 0.067, abs=0.008)
    assert found.high == pytest.approx(0.25 + 0.067, abs=0.008)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (3, 10, 0.0667, 0.6525), (0, 160, 0.0, 0.0228)],
)
def test_few_holes_or_holes_all_alike_get_the_exact_interval(hits: int, n: int, low: float, high: float) -> None:
    # Clopper-Pearson; for 0 of n its upper end is 1 - 0.025 ** (1 / n).
    found = share([True] * hits + [False] * (n - hits))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((hits / n, low, high), abs=1e-4)


def test_nothing_counted_is_no_figure() -> None:
    assert (share([]), mean([]), median([]), quantile([], 90), paired([], [])) == (None,) * 5


def test_figures_are_the_same_each_time() -> None:
    values = [random.Random(3).gauss(100, 20) for _ in range(80)]
    assert mean(values) == mean(values)
    assert quantile(values, 90) == quantile(values, 90)
    assert share([v > 100 for v in values]) == share([v > 100 for v in values])


def test_a_mean_s_interval_is_near_the_normal_one() -> None:
    values = [float(v) for v in range(1, 101)]
    found = mean(values)
    assert found is not None
    # The standard error of 1..100 is 28.87 / 10.
    assert (found.value, found.low, found.high) == pytest.approx((50.5, 50.5 - 5.66, 50.5 + 5.66), abs=0.4)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(v) for v in range(1, 11)]
    assert [e.value for e in (median(values), quantile(values, 90), quantile(values, 91)) if e] == [5.0, 9.0, 10.0]
    found = median(values)
    assert found is not None
    assert {found.low, found.high} <= set(values)
    assert found.low < 5 < found.high


def test_the_median_s_interval_agrees_with_that_of_order_statistics() -> None:
    # For n = 100 the 95 % interval of the median runs from the 40th to the 61st value.
    found = median([float(v) for v in range(1, 101)])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((40.5, 60.5), abs=1.01)


def test_one_value_is_its_own_interval() -> None:
    assert mean([7.0]) == median([7.0]) == Estimate(7.0, 7.0, 7.0, 1)


def pairs(both: int, first: int, second: int, neither: int) -> tuple[list[bool], list[bool]]:
    ours = [True] * both + [True] * first + [False] * second + [False] * neither
    return ours, [True] * both + [False] * first + [True] * second + [False] * neither


def test_mcnemar_s_exact_test_of_18_against_2() -> None:
    found = paired(*pairs(11, 18, 2, 39))
    assert found is not None
    # 2 (C(20,0) + C(20,1) + C(20,2)) / 2 ** 20
    assert found.p == pytest.approx(422 / 1_048_576)
    assert (found.gained, found.lost, found.n, found.verdict) == (18, 2, 70, "better")
    assert found.difference == pytest.approx(16 / 70)
    assert 0 < found.low < found.difference < found.high


def test_mcnemar_s_exact_test_of_10_against_6_is_noise() -> None:
    found = paired(*pairs(20, 10, 6, 24))
    assert found is not None
    assert found.p == pytest.approx(0.454498, abs=1e-6)
    assert found.low < 0 < found.high
    assert found.verdict == "within noise"
    assert found.sentence("joined", "plain", "first line right") == (
        "first line right: joined alone 10 times, plain alone 6 times of 60, difference "
        f"+6.7 points [{100 * found.low:+.1f}, {100 * found.high:+.1f}], p 0.454: within noise."
    )


def test_the_comparison_turned_round_says_the_opposite() -> None:
    ours, theirs = pairs(11, 18, 2, 39)
    one, other = paired(ours, theirs), paired(theirs, ours)
    assert one is not None and other is not None
    assert (one.difference, one.p, one.gained) == (-other.difference, other.p, other.lost)
    assert other.verdict == "worse"
    assert other.sentence("plain", "joined", "right").endswith("p < 0.001: plain is worse.")


def test_a_system_is_no_better_than_itself() -> None:
    found = paired(*pairs(5, 0, 0, 5))
    assert found is not None
    assert (found.difference, found.low, found.high, found.p, found.verdict) == (0, 0, 0, 1, "within noise")


def test_four_gained_of_ten_are_noise_though_their_interval_leaves_zero_out() -> None:
    found = paired(*pairs(0, 4, 0, 6))
    assert found is not None
    assert found.low > 0
    assert (found.p, found.verdict) == (0.125, "within noise")


def test_numbers_are_compared_pair_by_pair() -> None:
    base = [float(v) for v in range(100)]
    found = paired([v + 1 + v % 2 for v in base], base)
    assert found is not None
    assert found.difference == pytest.approx(1.5)
    assert found.high - found.low < 0.3
    assert found.verdict == "better"


def test_systems_with_different_holes_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([True, False], [True])


def test_large_samples_are_resampled_in_parts() -> None:
    values = [float(v % 100) for v in range(20_000)]
    found = mean(values)
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * 28.87 / 20_000**0.5, rel=0.1)


def test_p_values_are_told_shortly() -> None:
    assert [p_text(p) for p in (0.0004, 0.0421, 1.0)] == ["< 0.001", "0.042", "1.000"]
