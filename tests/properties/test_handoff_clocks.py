"""Clocks in the holder's time are what counting ten minutes after ten minutes comes to, whatever changes while they run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.handoff.domain.clocks import start_clocks
from services.handoff.domain.terms import Hours, Terms
from shared.schemas.policies import calendars as policy

TICK = 600_000  # everything here begins and ends on one
HOUR = 3_600_000
DAY = 24 * HOUR
AHEAD = 150 * DAY  # beyond it nothing opens: who is away has not said until when
SHARES = (50, 80)
ZONES = {"Asia/Tokyo": "JP", "America/New_York": "US", "Europe/London": "GB", "Australia/Lord_Howe": "AU"}
FROM = {  # a few days before something: of each a stretch of two weeks from which the scenario begins
    "golden week": datetime(2026, 4, 24, tzinfo=UTC),
    "year end": datetime(2026, 12, 22, tzinfo=UTC),
    "clocks go forward in New York": datetime(2027, 3, 6, tzinfo=UTC),
    "clocks go back in London": datetime(2026, 10, 19, tzinfo=UTC),
    "clocks go forward by half an hour on Lord Howe": datetime(2026, 9, 26, tzinfo=UTC),
}
PRESET_DAYS = {
    (4, 29),
    (4, 30),
    (5, 1),
    (5, 2),
    (5, 3),
    (5, 4),
    (5, 5),
    (12, 29),
    (12, 30),
    (12, 31),
    (1, 1),
    (1, 2),
    (1, 3),
}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")


@cache
def public(country):
    return frozenset(holidays.country_holidays(country, years=range(2026, 2029)))


@cache
def at_work(zone, night, at):
    """By the clock on the wall: weekdays 9:00-12:00 and 13:00-18:00, or 0:00-8:00 for who works at night; no holidays."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    day: date = local.date()
    if local.weekday() > 4 or (day.month, day.day) in PRESET_DAYS or day in public(ZONES[zone]):
        return False
    minute = local.hour * 60 + local.minute
    return minute < 480 if night else 540 <= minute < 720 or 780 <= minute < 1080


class Way:
    """Terms as the policy has them, and as whoever counts on their fingers does."""

    def __init__(self, zone, night, hours_promised, absent, away, plain):
        self.zone, self.night, self.absent, self.away, self.plain = zone, night, absent, away, plain
        self.promised = hours_promised * HOUR
        blocks = [("00:00", "08:00")] if night else [("09:00", "12:00"), ("13:00", "18:00")]
        calendar = policy.Calendar(
            id="office",
            blocks=tuple(policy.Block(open=a, close=b, days=WEEKDAYS) for a, b in blocks),
            holidays=policy.PublicHolidays(country=ZONES[zone]),
            presets=("golden_week", "nenmatsu_nenshi"),
        )
        absences = () if absent is None else (policy.Period(start=absent[0].isoformat(), end=absent[1].isoformat()),)
        self.terms = Terms(
            accept=hours_promised * 3600,
            first_touch=hours_promised * 3600,
            remind=SHARES,
            hours=None if plain else Hours(zone=zone, calendar=calendar, absences=absences, away=away),
        )

    def counts(self, at):
        if self.plain:
            return True
        if self.away and self.away[0] <= at and (self.away[1] is None or at < self.away[1]):
            return False
        day = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(self.zone)).date()
        if self.absent and self.absent[0] <= day <= self.absent[1]:
            return False
        return at_work(self.zone, self.night, at)


def simulated(start, changes, head_from):
    """(what, when) happens, one tick after another. changes: since when each way holds, or the clock stands until when"""
    told, happened, way, coming = set(), [], changes[0][1], list(changes[1:])
    head = elapsed = sum(TICK for at in range(head_from, start, TICK) if way.counts(at))
    since = at = stands = start
    while True:  # for each change
        promised, counted = max(way.promised, head + way.promised), elapsed  # as long to touch the lead as to accept it
        plain = not reached(way, stands, promised - counted)
        while True:  # for each tick
            if counted >= promised and at >= stands:
                return [*happened, ("due", at)]
            for share in SHARES:
                if elapsed < promised * share // 100 <= counted < promised and share not in told:
                    happened, told = [*happened, (share, at)], told | {s for s in SHARES if s <= share}
            if coming and coming[0][0] == at:
                break
            counted += TICK if at >= stands and (plain or way.counts(at)) else 0
            at += TICK
        new = coming.pop(0)[1]
        other = new if isinstance(new, Way) else way
        elapsed += sum(TICK for t in range(max(since, stands), at, TICK) if way.counts(t) and other.counts(t))
        if isinstance(new, Way):
            since, way, stands = at, new, max(at, stands)
        else:
            since, stands = at, max(at, new)


def reached(way, start, missing):
    at = start
    while missing > 0 and at < start + AHEAD:
        missing -= TICK if way.counts(at) else 0
        at += TICK
    return missing <= 0


def by_the_clock(start, changes, head_from):
    """The same of the clock itself, looked at when something is to happen and no sooner than that; and a tick before, when nothing
    does."""
    clock = start_clocks(
        changes[0][1].terms,
        assignment=1,
        rep_id="sato",
        lead_class="c",
        to_accept=False,
        qualifying_at=head_from,
        now=start,
    )[0]
    happened, coming = [], list(changes[1:])
    while True:
        at = min([clock.due_at, *(when for _, when in clock.reminders), *(when for when, _ in coming)])
        assert clock.reminder(at - 1) is None
        assert not clock.is_due(at - 1)
        if clock.is_due(at):
            return [*happened, ("due", at)]
        if reminder := clock.reminder(at):
            # Shares end within a tick; who counts by ticks sees it at the end of one.
            happened, clock = [*happened, (reminder[0], -(-reminder[1] // TICK) * TICK)], clock.told(reminder)
        while coming and coming[0][0] == at:
            new = coming.pop(0)[1]
            if isinstance(new, Way):
                clock = clock.under(new.terms, at)
                assert clock.under(new.terms, at + DAY) is clock, "once is enough"
            else:
                clock = clock.standing(at, new) if new > at else clock.counts(at)
            if clock.is_due(at):
                return [*happened, ("due", at)]


@st.composite
def scenarios(draw):
    begins = round(FROM[draw(st.sampled_from(sorted(FROM)))].timestamp() * 1000)
    ticks = st.integers(0, 14 * DAY // TICK)
    start = begins + draw(ticks) * TICK
    zone = draw(st.sampled_from(sorted(ZONES)))

    def way(at):
        away_from = at + draw(st.integers(-60, 300)) * TICK
        length = draw(st.sampled_from([6, 60, 600, None]))
        first = datetime.fromtimestamp(at / 1000, UTC).date() + timedelta(days=draw(st.integers(-3, 5)))
        return Way(
            zone,
            draw(st.booleans()),
            draw(st.sampled_from([1, 4, 10, 25])),
            draw(st.sampled_from([None, None, (first, first + timedelta(days=2))])),
            draw(st.sampled_from([None, None, (away_from, length and away_from + length * TICK)])),
            draw(st.integers(0, 9)) == 0,
        )

    moves = sorted({start + n * TICK for n in draw(st.lists(st.integers(0, 5 * DAY // TICK), max_size=3))})
    head_from = start - draw(st.integers(0, 300)) * TICK
    ways = [(start, way(start)), *((at, way(at)) for at in moves)]
    # A change to what holds already is none.
    changes = [ways[0], *(new for old, new in pairwise(ways) if old[1].terms != new[1].terms)]
    at = start
    for _ in range(draw(st.integers(0, 2))):
        at += draw(st.integers(0, 100)) * TICK
        until = at + draw(st.sampled_from([1, 20, 200, 500])) * TICK
        changes.append((at, until))  # a pause, which ends by itself
        if draw(st.booleans()):
            at += draw(st.integers(1, (until - at) // TICK)) * TICK
            changes.append((at, 0))  # or sooner
        else:
            at = until
    return start, [changes[0], *sorted(changes[1:], key=lambda change: change[0])], head_from


@given(scenarios())
def test_a_clock_is_due_and_reminds_when_counting_says_so_and_never_early(scenario):
    assert by_the_clock(*scenario) == simulated(*scenario)


@pytest.mark.parametrize(
    ("begins", "hours", "due"),
    [
        ("2026-04-28T17:00", 4, "2026-05-07T12:00"),  # the day before Golden Week; 5-06 is a public holiday that year
        ("2026-12-28T16:00", 8, "2027-01-04T16:00"),  # the last day of work
        ("2026-05-22T17:30", 1, "2026-05-25T09:30"),  # a Friday
    ],
)
def test_known_days_of_japan(begins, hours, due):
    start = round(datetime.fromisoformat(begins).replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)
    way = Way("Asia/Tokyo", False, hours, None, None, False)
    found = dict(by_the_clock(start, [(start, way)], start))["due"]
    assert datetime.fromtimestamp(found / 1000, ZoneInfo("Asia/Tokyo")).isoformat()[:16] == due
