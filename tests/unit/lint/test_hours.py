"""The longest time that nobody of a pool is at work is what asking minute by minute says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from baton.lint import lint
from baton.lint.hours import longest_closed
from shared.availability.calendar import ALWAYS, Calendar
from shared.availability.people import calendar_of
from shared.schemas.policies import calendars as policy

MINUTE = 60_000
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
START = round(datetime(2026, 3, 20, 3, 30, tzinfo=UTC).timestamp()) * 1000
END = START + 16 * 24 * 60 * MINUTE  # the clocks of Berlin change within


def office(zone: str, *blocks: tuple[str, str, list[str]]) -> Calendar:
    written = [{"open": begins, "close": ends, "days": days} for begins, ends, days in blocks]
    return calendar_of(policy.Calendar.model_validate({"id": "office", "blocks": written}), zone)


WORK = ["mon", "tue", "wed", "thu", "fri"]
TOKYO = office("Asia/Tokyo", ("09:00", "12:00", WORK), ("13:00", "18:00", WORK))
BERLIN = office("Europe/Berlin", ("08:30", "17:00", WORK))
SUNDAY = office("Asia/Tokyo", ("00:00", "24:00", ["sun"]))
HOLIDAY = TOKYO.without([(START + 2 * 24 * 60 * MINUTE, START + 9 * 24 * 60 * MINUTE)])


@pytest.mark.parametrize(
    "calendars",
    [[TOKYO], [TOKYO, BERLIN], [TOKYO, BERLIN, SUNDAY], [HOLIDAY], [HOLIDAY, SUNDAY], [SUNDAY]],
    ids=["one", "two", "three", "holiday", "holiday and sundays", "sundays"],
)
def test_the_longest_closed_time_is_the_longest_run_of_closed_minutes(calendars: list[Calendar]) -> None:
    longest, run = (0, START), 0
    for at in range(START, END, MINUTE):
        run = 0 if any(calendar.is_open(at) for calendar in calendars) else run + MINUTE
        if run > longest[0]:
            longest = run, at + MINUTE
    found = longest_closed(calendars, START, END)
    assert found is not None
    assert (found[1] - found[0], found[1]) == longest


def test_who_is_always_at_work_leaves_no_closed_time() -> None:
    assert longest_closed([TOKYO, ALWAYS], START, END) is None


@pytest.mark.parametrize(
    ("more", "told"), [("", True), (", time: business", False), (", time: business, at_most: 90000", True)]
)
def test_an_offer_in_business_time_outlives_a_closed_pool_unless_it_is_limited(base, edit, more, told) -> None:
    edit("sla", "accept: 14400,", f"accept: 14400{more},")
    edit(
        "teams", "name: Ken, manager: sato, languages: [ja]}\n", f"name: Ken, manager: sato, languages: [ja], {OFFICE}"
    )
    [found] = [problem for problem in lint(base, NOW) if problem.code == "sla-while-closed"]
    assert ("`score`" in found.message) == told


OFFICE = "calendar: office}\ncalendars: [{id: office, blocks: [{open: '09:00', close: '18:00'}]}]\n"
