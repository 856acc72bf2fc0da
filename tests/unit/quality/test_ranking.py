"""Figures of a ranking, on rankings whose figures are known."""

from __future__ import annotations

import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.quality.ranking import (
    Judged,
    Step,
    auc,
    bootstrap,
    brier,
    captured,
    lift,
    percentile,
    precision,
    rate,
    steps,
    wilson,
    won_among,
)

PERFECT = [Judged(score, won) for score, won in ((4, True), (3, True), (2, False), (1, False))]


def test_leads_of_one_score_are_one_step_and_the_best_comes_first() -> None:
    assert steps([Judged(1, False), Judged(5, True), Judged(1, True)]) == [Step(1, 1), Step(2, 1)]


def test_the_auc_of_a_perfect_ranking_is_one_of_its_reverse_zero_and_of_one_score_for_all_a_half() -> None:
    assert auc(steps(PERFECT)) == 1
    assert auc(steps([Judged(-each.score, each.won) for each in PERFECT])) == 0
    assert auc(steps([Judged(7, each.won) for each in PERFECT])) == 0.5


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40))
def test_the_auc_is_the_share_of_pairs_in_the_right_order_and_a_tie_is_half(made: list[tuple[int, bool]]) -> None:
    judged = [Judged(score, won) for score, won in made]
    pairs = [(a.score, b.score) for a in judged for b in judged if a.won and not b.won]
    if not pairs:
        with pytest.raises(ValueError, match="some of both"):
            auc(steps(judged))
        return
    assert auc(steps(judged)) == pytest.approx(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))


def test_two_bell_curves_one_and_a_half_widths_apart_have_the_auc_that_theory_gives() -> None:
    dice = random.Random(3)
    judged = [Judged(dice.gauss(1.5 if won else 0, 1), won) for won in [True] * 3_000 + [False] * 3_000]
    assert auc(steps(judged)) == pytest.approx(NormalDist().cdf(1.5 / 2**0.5), abs=0.01)


def test_of_leads_of_one_score_the_best_tenth_holds_as_many_won_as_lots_would_give() -> None:
    by_score = [Step(5, 4), Step(15, 3), Step(80, 3)]
    assert won_among(by_score, 0.1) == pytest.approx(4 + 3 * 5 / 15)
    assert precision(by_score) == pytest.approx(0.5)
    assert rate(by_score) == pytest.approx(0.1)
    assert lift(by_score) == pytest.approx(5)
    assert captured(by_score, 0.2) == pytest.approx(0.7)
    assert (captured(by_score, 0), captured(by_score, 1)) == (0, 1)


def test_where_nobody_was_won_there_is_no_lift() -> None:
    with pytest.raises(ValueError, match="nobody was won"):
        lift([Step(10, 0)])


def test_the_brier_score_is_the_mean_squared_error() -> None:
    assert brier([(0.8, True), (0.3, False)]) == pytest.approx((0.2**2 + 0.3**2) / 2)
    with pytest.raises(ValueError, match="no forecast"):
        brier([])


def test_wilsons_interval_is_that_of_the_textbook_and_stays_within_zero_and_one() -> None:
    found = wilson(10, 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.0552, 0.1744), abs=1e-4)
    assert wilson(0, 5).low == 0
    assert wilson(5, 5).high == 1


def test_percentiles_are_linear_between_neighbours() -> None:
    assert percentile([40.0, 10.0, 30.0, 20.0], 0.5) == 25
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_the_bootstrap_of_a_share_agrees_with_theory_and_says_the_same_twice() -> None:
    judged = [Judged(number % 10, number % 5 == 0) for number in range(1_000)]
    found = bootstrap(judged, {"rate": rate}, rounds=1_000)["rate"]
    assert found.value == 0.2
    spread = 1.96 * (0.2 * 0.8 / 1_000) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.2 - spread, 0.2 + spread), abs=0.004)
    assert bootstrap(judged, {"rate": rate}, rounds=1_000)["rate"] == found


def test_each_sample_of_the_bootstrap_holds_some_of_both_kinds() -> None:
    judged = [Judged(1, True), *(Judged(0, False) for _ in range(5))]
    assert bootstrap(judged, {"auc": auc}, rounds=200)["auc"].high == 1
    with pytest.raises(ValueError, match="some of both"):
        bootstrap([Judged(1, False)], {"rate": rate}, rounds=1)
