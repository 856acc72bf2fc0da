"""When each person of a teams policy is at work, and why one is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.availability.calendar import ALWAYS, Calendar
from shared.availability.days import days_of, spans
from shared.availability.week import DAY, Span, Week
from shared.availability.zones import instant
from shared.schemas.policies import calendars as policy
from shared.schemas.policies.teams import Rep, TeamsPolicy

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Away:
    """A person who has said at run time that they are away: from when, and until when (ms), or until they say otherwise."""

    start: int
    until: int | None = None

    def holds(self, at: int) -> bool:
        return self.start <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class NotAtWork:
    """Why somebody takes nothing now, and until when (ms): None where nobody knows, or for ever.

    why:  closed by their calendar, absent by the policy, away by their own word;  zone: theirs, to tell the time in
    """

    why: Literal["closed", "absent", "away"]
    until: int | None
    zone: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person's hours. absences: also when they would be at work"""

    zone: str
    hours: Calendar = ALWAYS
    absences: tuple[Span, ...] = ()

    def calendar(self, away: Away | None = None) -> Calendar:
        """Hours, absences and what they said at run time in one, for clocks; away without an end is away for ever."""
        if away is None:
            return self.hours
        return self.hours.without([(away.start, away.until if away.until is not None else FOREVER)])

    def not_at_work(self, at: int, away: Away | None = None) -> NotAtWork | None:
        """Why they take nothing at `at`; None where they do."""
        opens = self.hours.next_open(at)
        if away is not None and opens is not None and away.holds(opens):
            opens = self.hours.next_open(away.until) if away.until is not None else None
        if opens == at:
            return None
        if away is not None and away.holds(at):
            return NotAtWork("away", opens, self.zone)
        absent = any(start <= at < end for start, end in self.absences)
        return NotAtWork("absent" if absent else "closed", opens, self.zone)


FOREVER = 2**62


def people(teams: TeamsPolicy) -> dict[str, Person]:
    """Of each rep whose hours the policy knows; all others are always at work."""
    calendars = {calendar.id: calendar for calendar in teams.calendars}
    compiled: dict[tuple[str, str], Calendar] = {}
    found = {}
    for rep in teams.reps:
        named = calendars.get(rep.calendar or "")
        hours = ALWAYS
        if named is not None:
            key = named.id, named.zone or rep.zone
            hours = compiled[key] if key in compiled else compiled.setdefault(key, calendar_of(named, rep.zone))
        if named is not None or rep.absences:
            found[rep.id] = person_of(rep, hours)
    return found


def person_of(rep: Rep, hours: Calendar) -> Person:
    absences = periods(rep.absences, rep.zone)
    return Person(rep.zone, hours.along(periods(rep.on_call, rep.zone)).without(absences), absences)


def calendar_of(calendar: policy.Calendar, zone: str) -> Calendar:
    """The calendar by the clocks of its own zone, or else of `zone`."""
    hours = [
        (WEEKDAYS.index(day) * DAY + start, WEEKDAYS.index(day) * DAY + end)
        for block in calendar.blocks
        for day in block.days
        for start, end in spans([block])
    ]
    return Calendar.local(calendar.zone or zone, Week.of(hours), lambda year: days_of(calendar, year))


def periods(given: Sequence[policy.Period], zone: str) -> tuple[Span, ...]:
    """As instants. A day begins with the first of two moments of its midnight, and ends with the last one."""
    return tuple((_begins(period.start, zone), _ends(period.end, zone)) for period in given)


def _begins(text: str, zone: str) -> int:
    return instant(datetime.fromisoformat(text), zone)


def _ends(text: str, zone: str) -> int:
    local = datetime.fromisoformat(text)
    return instant(local if "T" in text else local + timedelta(days=1), zone, later=True)


def not_at_work(
    known: Mapping[str, Person], away: Mapping[str, Away], zones: Mapping[str, str], at: int
) -> dict[str, NotAtWork]:
    """Of all people those who take nothing at `at`. zones: of who may be away without hours of their own"""
    found = {}
    for who in sorted(known.keys() | (away.keys() & zones.keys())):
        person = known.get(who) or Person(zones[who])
        reason = person.not_at_work(at, away.get(who))
        if reason is not None:
            found[who] = reason
    return found
