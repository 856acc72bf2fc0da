"""The cut in time: nothing that came later may be known before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from baton.quality.olist import cut, decided, known, was_won
from baton.replay.olist import Lead

START = datetime(2018, 1, 1, tzinfo=UTC)


def _lead(day: float, won_on: float | None = None) -> Lead:
    """A lead of the `day`th day, won on another day of the same calendar."""
    won = START + timedelta(days=won_on) if won_on is not None else None
    return Lead(f"{day}-{won_on}", START + timedelta(days=day), "page", "origin", won)


def test_leads_of_the_day_of_the_cut_come_after_it() -> None:
    halves = cut([_lead(day) for day in (0, 1, 2, 3, 4, 5, 6, 6, 6, 6)], share=0.7)
    assert halves.day == START + timedelta(days=6)
    assert (len(halves.before), len(halves.after)) == (6, 4)


def test_a_lead_is_won_in_time_within_ninety_days_or_before_its_first_contact() -> None:
    assert was_won(_lead(5, 95))
    assert not was_won(_lead(5, 95.1))
    assert was_won(_lead(5, 3))
    assert not was_won(_lead(5))


def test_what_was_won_after_the_cut_is_not_known_on_its_day() -> None:
    leads = [_lead(0, 0), _lead(10, 12), _lead(20, 45), _lead(30), *(_lead(40) for _ in range(2))]
    halves = cut(leads, share=0.67)
    assert halves.day == START + timedelta(days=40)
    assert [(each.days, each.won) for each in known(halves)] == [(0, True), (2, True), (20, False), (10, False)]


def test_a_lead_is_watched_for_ninety_days_at_most() -> None:
    halves = cut([_lead(0, 0), _lead(0), _lead(1, 150), _lead(200), _lead(200)], share=0.7)
    assert [(each.days, each.won) for each in known(halves)] == [(0, True), (90, False), (90, False)]


def test_leads_from_before_the_first_deal_on_record_teach_nothing() -> None:
    halves = cut([_lead(0), _lead(5), _lead(9, 8), _lead(12), _lead(20), _lead(20)], share=0.7)
    assert len(known(halves)) == 2
    with pytest.raises(ValueError, match="no lead was won"):
        known(cut([_lead(0), _lead(1, 30), _lead(20), _lead(20)], share=0.5))


def test_later_leads_that_nobody_watched_for_ninety_days_are_judged_only_when_won() -> None:
    leads = [_lead(0, 1), _lead(0), _lead(10), _lead(31), _lead(31, 40), _lead(31, 100)]
    halves = cut(leads, share=0.34)
    assert halves.observed_until == START + timedelta(days=100)
    assert [lead.mql_id for lead in decided(halves)] == ["10-None", "31-40", "31-100"]
