"""A score: grade, temperature, hand-raise, and what is told beside points."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring.domain.score import band_of, grade, score
from tests.unit.scoring.leads import LEAD, NOW, link, page, rules, scored, state_of, touch

DAY = 86_400_000


def test_grades_begin_at_their_least_points() -> None:
    under = rules().base
    assert grade(70_000, 60_000, under) == "A1"
    assert grade(69_999, 59_999, under) == "B2"
    assert grade(-1, -1, under) == "D4"
    assert [band_of(points, under) for points in (60_000, 59_999, 10_000, 9_999, -5)] == [1, 2, 3, 4, 4]


# --- hot, warm, cold ------------------------------------------------------------------------------------------------------


def temperature(*told: Any, moment: int = 0, **how: Any) -> str:
    under = rules([page(20, limit=3)], engagement={"groups": {"web": 99}}, temperature=how)
    return scored(under, *told, moment=moment).temperature


def test_a_band_makes_hot_warm_or_cold() -> None:
    pages = [touch(n, at=NOW - n) for n in range(3)]
    assert temperature(*pages) == "hot"
    assert temperature(*pages[:1]) == "warm"
    assert temperature(touch(1, type="other")) == "cold"
    assert temperature(*pages[:1], hot=3) == "hot"
    assert temperature(touch(1, type="other"), warm=4) == "warm"


def test_who_asked_to_be_contacted_is_hot_for_as_long_as_the_policy_says() -> None:
    asked = touch(1, type="contact_requested")
    assert temperature(asked, hand_raise_days=2) == "hot"
    assert temperature(asked, hand_raise_days=2, moment=NOW + 2 * DAY - 1) == "hot"
    assert temperature(asked, hand_raise_days=2, moment=NOW + 2 * DAY) == "cold"
    assert temperature(asked, hand_raise_days=0) == "cold"


def test_who_asked_long_ago_and_is_heard_of_only_now_is_cold() -> None:
    assert temperature(touch(1, type="contact_requested", at=NOW - 8 * DAY)) == "cold"


def test_who_asked_a_little_after_the_moment_looked_at_is_hot() -> None:
    assert temperature(touch(1, type="contact_requested", at=NOW + 5)) == "hot"


# --- hand-raises ----------------------------------------------------------------------------------------------------------


def test_of_several_hand_raises_the_latest_is_told() -> None:
    under = rules([page()], hand_raises=["contact_requested", "demo_requested"])
    told = [
        touch(1, type="contact_requested"),
        touch(2, "phone", at=NOW + 1, type="demo_requested"),
        touch(3, at=NOW + 2, type="quote_requested"),
        link("phone", LEAD, 1, "anonymous"),
    ]
    found = scored(under, *told).hand_raise
    assert found is not None
    assert (found.type, found.raised.event_id) == ("demo_requested", "event-2")


# --- beside points --------------------------------------------------------------------------------------------------------


def test_a_lead_is_a_test_while_all_its_touches_are() -> None:
    under = rules()
    assert scored(under, touch(1, is_test=True)).is_test
    assert not scored(under, touch(1, is_test=True), touch(2)).is_test
    linked = [touch(1, is_test=True), link("phone", LEAD, 1, "anonymous")]
    assert not scored(under, *linked, touch(2, "phone")).is_test
    assert scored(under, *linked).is_test


def test_the_twenty_latest_touches_of_all_identities_are_told_latest_first() -> None:
    told = [touch(n, ["ann", "phone"][n % 2], at=NOW + n) for n in range(45)]
    found = scored(rules(), *told, link("phone", LEAD, 1, "anonymous"))
    assert [one.event_id for one in found.touches] == [f"event-{n}" for n in range(44, 24, -1)]


def test_where_the_first_and_the_last_touch_came_from_is_told() -> None:
    told = [touch(n, ["ann", "phone"][n % 2], at=NOW + n, source_id=f"source-{n}") for n in (3, 0, 5, 2)]
    found = scored(rules(), *told, link("phone", LEAD, 1, "anonymous"))
    assert (found.first_source, found.last_source) == ("source-0", "source-5")


def test_of_each_question_and_source_the_latest_answer_is_told() -> None:
    told = [
        touch(1, evidence={"N1": "none"}, source_id="crm"),
        touch(2, at=NOW + 1, evidence={"N1": "stated"}, source_id="crm"),
        touch(3, at=NOW - 1, evidence={"N1": "none", "T1": "now"}, source_id="form"),
    ]
    answers = [(one.criterion, one.source_id, one.told.value) for one in scored(rules(), *told).evidence]
    assert answers == [("N1", "crm", "stated"), ("N1", "form", "none"), ("T1", "form", "now")]


@pytest.mark.parametrize("moment", [0, NOW - DAY, NOW + DAY])
def test_a_score_is_of_the_latest_that_is_known_or_later(moment: int) -> None:
    under = rules([page()])
    state = state_of(under, touch(1), touch(2, at=NOW - DAY, received_at=NOW - DAY))
    assert score(state, LEAD, under, moment).as_of == max(NOW, moment)


def test_a_touch_that_two_identities_tell_is_told_once_as_it_was_first_received() -> None:
    for receipts in ((NOW, NOW + 5), (NOW + 5, NOW)):
        twice = [touch(1, who, received_at=at) for who, at in zip(("ann", "bob"), receipts, strict=True)]
        assert [one.received_at for one in scored(rules(), *twice, link("bob", LEAD, 1)).touches] == [NOW]
