"""What can be known of leads that were not watched to the end."""

from __future__ import annotations

import random
from math import log

import pytest

from baton.quality.watching import Course, Watched, factors


def _watched(days: float, won: bool, **traits: str) -> Watched:
    return Watched(traits, days, won)


def test_the_course_is_the_sum_of_wins_by_those_still_watched() -> None:
    course = Course([_watched(1, True), _watched(2, False), _watched(3, True), _watched(4, False)])
    assert course.hazard(0.9) == 0
    assert course.hazard(1) == pytest.approx(1 / 4)
    assert course.hazard(3) == pytest.approx(1 / 4 + 1 / 2)
    assert course.hazard(90) == course.hazard(3)


def test_leads_of_whom_nobody_was_won_have_no_hazard() -> None:
    assert Course([_watched(5, False)]).hazard(5) == 0


def _made(factor: dict[str, float], leads: int, watched_for: float) -> list[Watched]:
    """Leads won at a steady rate, times the factor of their page; half of those by page `b` come from `x`, all others from `y`."""
    dice = random.Random(5)
    made = []
    for number in range(leads):
        page = "ab"[number % 2]
        origin = "x" if page == "b" and number % 4 == 1 else "y"
        until_won = -log(dice.random()) / (0.01 * factor[page])
        watched = dice.uniform(0, watched_for)
        made.append(_watched(min(until_won, watched), until_won <= watched, page=page, origin=origin))
    return made


def test_a_page_won_three_times_as_often_is_found_though_most_were_not_watched_to_the_end() -> None:
    watched = _made({"a": 3, "b": 1}, 8_000, watched_for=60)
    found = factors(watched, Course(watched), ["page", "origin"], smoothing=0.001)
    assert found["page"]["a"] / found["page"]["b"] == pytest.approx(3, rel=0.1)


def test_a_trait_is_not_counted_for_what_another_one_explains() -> None:
    watched = _made({"a": 3, "b": 1}, 8_000, watched_for=60)
    alone = factors(watched, Course(watched), ["origin"], smoothing=0.001)["origin"]
    beside = factors(watched, Course(watched), ["page", "origin"], smoothing=0.001)["origin"]
    assert alone["x"] / alone["y"] < 0.6
    assert beside["x"] / beside["y"] == pytest.approx(1, abs=0.15)


def test_smoothing_lets_few_leads_say_little() -> None:
    watched = [*_made({"a": 1, "b": 1}, 1_000, watched_for=60), _watched(1, True, page="c", origin="y")]
    course = Course(watched)
    assert factors(watched, course, ["page"], smoothing=0.001)["page"]["c"] > 20
    assert factors(watched, course, ["page"], smoothing=10)["page"]["c"] == pytest.approx(1.1, abs=0.01)
