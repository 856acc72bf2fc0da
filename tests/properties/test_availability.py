"""Availability in closed form is what counting minutes comes to: two years, ten zones, calendars of all kinds."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
import pytest

from shared.availability.calendar import Calendar
from shared.availability.people import calendar_of, people
from shared.availability.week import MINUTE
from shared.schemas.policies import TeamsPolicy
from shared.schemas.policies import calendars as policy

# Where clocks change by half an hour, at midnight, for a month of fasting, or leave out a whole day; and the country.
ZONES = {
    "Asia/Tokyo": (2026, "JP"),
    "America/New_York": (2026, "US"),
    "Europe/London": (2027, "GB"),
    "Australia/Lord_Howe": (2026, "AU"),
    "America/Sao_Paulo": (2017, "BR"),
    "Asia/Kolkata": (2026, "IN"),
    "Africa/Casablanca": (2026, "MA"),
    "Pacific/Apia": (2011, None),
    "Asia/Kathmandu": (2026, None),
    "America/St_Johns": (2027, "CA"),
}
SLOT = (
    30  # minutes; no clock has changed within one since these zones have been counted from UTC in quarters of an hour
)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRESETS = {
    "nenmatsu_nenshi": {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)},
    "golden_week": {(4, 29), (4, 30), (5, 1), (5, 2), (5, 3), (5, 4), (5, 5)},
    "kaki_kyugyo": {(8, 13), (8, 14), (8, 15), (8, 16)},
}


@dataclass(frozen=True)
class Walls:
    """What the clocks of a zone show in each half hour of two years: minutes of local time since midnight of the 31st before."""

    first: int  # ms since the epoch
    local: date  # of which the midnight is counted from
    shows: tuple[int, ...]

    def begins(self, minute: int) -> int:
        """The first minute of which the clock shows `minute` or more."""
        slot = next(n for n, shown in enumerate(self.shows) if shown + SLOT > minute)
        return slot * SLOT + max(0, minute - self.shows[slot])

    def ends(self, minute: int) -> int:
        """The one after the last minute of which the clock shows less."""
        slot = next(n for n in reversed(range(len(self.shows))) if self.shows[n] < minute)
        return slot * SLOT + min(SLOT, minute - self.shows[slot])


@cache
def walls(zone: str, year: int) -> Walls:
    begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 2, 1, 1, tzinfo=UTC)
    info, local, shows = ZoneInfo(zone), date(year - 1, 12, 31), []
    while begin < end:
        now = begin.astimezone(info)
        shows.append((now.date() - local).days * 1440 + now.hour * 60 + now.minute)
        begin += timedelta(minutes=SLOT)
    return Walls(round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000), local, tuple(shows))


class Simulator:
    """Every minute of two years, open or not, as a byte."""

    def __init__(self, body: dict, zone: str, year: int) -> None:
        shown = walls(zone, year)
        self.first = shown.first
        byday = [self._day(body, shown.local + timedelta(days=n)) for n in range(734)]
        local = b"".join(byday)
        self.minutes = bytearray(b"".join(local[wall : wall + SLOT] for wall in shown.shows))
        for kind, value in (("on_call", 1), ("absences", 0)):
            for period in body[kind]:
                start, end = (
                    shown.begins(wall_of(period["start"], shown, 0)),
                    shown.ends(wall_of(period["end"], shown, 1)),
                )
                self.minutes[start:end] = bytes([value]) * (end - start)

    @staticmethod
    @cache
    def _hours(hours: tuple[tuple[str, str], ...]) -> bytes:
        day = bytearray(1440)
        for opened, closed in hours:
            a, b = (int(text[:2]) * 60 + int(text[3:]) for text in (opened, closed))
            day[a:b] = b"\1" * (b - a)
        return bytes(day)

    def _day(self, body: dict, day: date) -> bytes:
        for days in reversed(body["days"]):
            first, last = days["first"], days.get("last", days["first"])
            text = day.isoformat() if len(first) == 10 else day.isoformat()[5:]
            if first <= text <= last if first <= last else text >= first or text <= last:
                return self._hours(tuple((one["open"], one["close"]) for one in days["hours"]))
        if any((day.month, day.day) in PRESETS[preset] for preset in body["presets"]):
            return bytes(1440)
        if body["country"] and day in public(body["country"]):
            return bytes(1440)
        blocks = [one for one in body["blocks"] if WEEKDAYS[day.weekday()] in one["days"]]
        return self._hours(tuple((one["open"], one["close"]) for one in blocks))

    def open_time(self, start: int, end: int) -> int:
        whole = self.minutes.count(1, start // MINUTE, end // MINUTE) * MINUTE
        return whole + self._part(end) - self._part(start)

    def _part(self, at: int) -> int:
        return at % MINUTE if at % MINUTE and self.minutes[at // MINUTE] else 0

    def next_open(self, at: int) -> int | None:
        found = self.minutes.find(1, at // MINUTE)
        return None if found < 0 else max(at, found * MINUTE)


@cache
def public(country: str) -> set[date]:
    return set(holidays.country_holidays(country, years=range(2010, 2030)))


def wall_of(text: str, shown: Walls, whole_day: int) -> int:
    local = datetime.fromisoformat(text)
    minutes = (local.date() - shown.local).days * 1440 + local.hour * 60 + local.minute
    return minutes + (0 if "T" in text else whole_day * 1440)


def clock(rng: random.Random, least: int, most: int) -> int:
    """A time of day as minutes; often a round one, and often one at which clocks change."""
    return min(
        most, max(least, rng.choice((rng.randint(least, most), rng.randint(0, 48) * 30, rng.randint(0, 12) * 15)))
    )


def hours_of(rng: random.Random) -> dict[str, str]:
    start = clock(rng, 0, 1439)
    end = clock(rng, start + 1, 1440)
    return {"open": f"{start // 60:02}:{start % 60:02}", "close": f"{end // 60:02}:{end % 60:02}"}


def calendar_body(rng: random.Random, year: int, country: str | None) -> dict:
    blocks = [
        hours_of(rng) | {"days": rng.sample(WEEKDAYS, rng.randint(1, 7))} for _ in range(rng.choice((0, 1, 2, 2, 3, 6)))
    ]
    return {
        "blocks": blocks,
        "country": country if rng.random() < 0.7 else None,
        "presets": rng.sample(tuple(PRESETS), rng.choice((0, 0, 1, 3))),
        "days": [days_of(rng, year) for _ in range(rng.choice((0, 1, 5, 20)))],
        "absences": [period_of(rng, year) for _ in range(rng.choice((0, 1, 4)))],
        "on_call": [period_of(rng, year) for _ in range(rng.choice((0, 1, 4)))],
    }


def days_of(rng: random.Random, year: int) -> dict:
    first = date(year, 1, 1) + timedelta(days=rng.randint(0, 729))
    last = first + timedelta(days=rng.choice((0, 0, 1, 6)))
    cut = rng.choice((0, 5))
    hours = [hours_of(rng) for _ in range(rng.choice((0, 0, 1, 2)))]
    return {"first": first.isoformat()[cut:], "last": last.isoformat()[cut:], "hours": hours}


def period_of(rng: random.Random, year: int) -> dict[str, str]:
    start = datetime(year, 1, 2) + timedelta(minutes=rng.randint(0, 726 * 1440))  # noqa: DTZ001
    end = start + timedelta(minutes=rng.choice((1, rng.randint(1, 600), rng.randint(1, 20 * 1440))))
    end = min(end, datetime(year + 1, 12, 30))  # noqa: DTZ001
    if rng.random() < 0.3 or end <= start:
        return {"start": start.date().isoformat(), "end": max(start, end).date().isoformat()}
    return {"start": start.isoformat(timespec="minutes"), "end": end.isoformat(timespec="minutes")}


def compiled(body: dict, zone: str) -> Calendar:
    calendar = {"id": "c", "blocks": body["blocks"], "presets": body["presets"], "days": body["days"]}
    calendar |= {"holidays": {"country": body["country"]}} if body["country"] else {}
    rep = {"id": "r", "name": "R", "zone": zone, "calendar": "c"}
    rep |= {"absences": body["absences"], "on_call": body["on_call"]}
    return people(TeamsPolicy.model_validate({"calendars": [calendar], "reps": [rep], "pools": []}))["r"].hours


def instants(rng: random.Random, simulator: Simulator, zone: str, year: int) -> list[int]:
    """ms since the beginning: anywhere, where something opens or closes, and around the changes of the clocks."""
    length = len(simulator.minutes)
    some = [rng.randrange(length * MINUTE) for _ in range(20)]
    edges = []
    for _ in range(20):
        at = simulator.minutes.find(rng.choice((b"\0\1", b"\1\0")), rng.randrange(length))
        edges.append((at + 1) * MINUTE + rng.choice((-1, 0, 1)))
    shows = walls(zone, year).shows
    changes = [n * SLOT for n in range(1, len(shows)) if shows[n] != shows[n - 1] + SLOT]
    around = [(at + rng.randint(-200, 200)) * MINUTE for at in changes]
    return [at for at in (*some, *edges, *around) if 0 <= at < length * MINUTE]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("zone", ZONES)
def test_closed_form_agrees_with_counting_minutes(zone: str, seed: int) -> None:
    rng = random.Random(f"{zone}/{seed}")
    year, country = ZONES[zone]
    body = calendar_body(rng, year, country)
    simulator, calendar = Simulator(body, zone, year), compiled(body, zone)
    first, length = simulator.first, len(simulator.minutes) * MINUTE
    seen = instants(rng, simulator, zone, year)
    for at in seen:
        expected = simulator.next_open(at)
        assert calendar.is_open(first + at) == (expected == at), (body, at)
        found = calendar.next_open(first + at)
        if expected is not None:
            assert found == first + expected, (body, at)
        else:
            assert found is None or found >= first + length, (body, at)
    for start, end in zip(seen, reversed(seen), strict=True):
        start, end = sorted((start, end))
        lasted = simulator.open_time(start, end)
        assert calendar.open_time(first + start, first + end) == lasted, (body, start, end)
        reached = calendar.add_open(first + start, lasted)
        if lasted:
            assert reached is not None
            assert reached <= first + end
            assert simulator.open_time(start, reached - first) == lasted, (body, start, lasted)
            assert simulator.open_time(start, reached - first - 1) == lasted - 1, "and no earlier instant does"


@pytest.mark.parametrize("seed", range(6))
def test_the_hours_of_two_people_meet_where_both_are_open(seed: int) -> None:
    rng = random.Random(seed)
    (one, (year, country)), (other, _) = rng.sample([item for item in ZONES.items() if item[1][0] == 2026], 2)
    bodies = calendar_body(rng, year, country), calendar_body(rng, year, None)
    mine, theirs = (Simulator(body, zone, year) for body, zone in zip(bodies, (one, other), strict=True))
    calendar = compiled(bodies[0], one).within(compiled(bodies[1], other))
    for minute, pair in enumerate(zip(mine.minutes, theirs.minutes, strict=True)):
        mine.minutes[minute] = all(pair)
    seen = instants(rng, mine, one, year)
    for at in seen:
        expected = mine.next_open(at)
        found = calendar.next_open(mine.first + at)
        assert found == mine.first + expected if expected is not None else True
    for start, end in itertools.pairwise(seen):
        start, end = sorted((start, end))
        assert calendar.open_time(mine.first + start, mine.first + end) == mine.open_time(start, end)


def test_a_calendar_of_contact_hours_has_a_zone_of_its_own() -> None:
    window = policy.Calendar.model_validate(
        {"id": "contact", "zone": "Asia/Tokyo", "blocks": [{"open": "09:00", "close": "12:00"}]}
    )
    assert calendar_of(window, "Europe/London").is_open(
        round(datetime(2026, 6, 1, 10, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)
    )
