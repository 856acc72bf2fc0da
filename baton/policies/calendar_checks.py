"""Calendars: reps name ones that exist, hours do not overlap, and every calendar opens at some time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from baton.policies.problems import suggest
from shared.availability.people import WEEKDAYS, calendar_of
from shared.schemas.policies.calendars import Calendar, Hours


def _named(policies: Policies) -> Iterator[Finding]:
    """Reps name calendars that exist, and every calendar is somebody's."""
    known = [calendar.id for calendar in policies.teams.calendars]
    for index, rep in enumerate(policies.teams.reps):
        if rep.calendar is not None and rep.calendar not in known:
            message = f"rep `{rep.id}` names calendar `{rep.calendar}`, which `calendars` does not have."
            yield Finding(
                "teams", ("reps", index, "calendar"), message + suggest(rep.calendar, known), code="unknown-calendar"
            )
    named = {rep.calendar for rep in policies.teams.reps}
    for index, name in enumerate(known):
        if name not in named:
            yield Finding(
                "teams", ("calendars", index), f"calendar `{name}` is named by no rep", code="unused-calendar"
            )


def _overlaps(policies: Policies) -> Iterator[Finding]:
    """No two blocks of a weekday share time, nor hours of a company day: one of them is not what was meant."""
    for index, calendar in enumerate(policies.teams.calendars):
        for number, block in enumerate(calendar.blocks):
            for day in (day for day in WEEKDAYS if day in block.days):
                earlier = [one for one in calendar.blocks[:number] if day in one.days]
                if other := _shared(block, earlier):
                    message = f"{block.open}-{block.close} overlaps {other.open}-{other.close} on {day}"
                    yield Finding("teams", ("calendars", index, "blocks", number), message, code="hours-overlap")
                    break
        for number, days in enumerate(calendar.days):
            for nth, hours in enumerate(days.hours):
                if other := _shared(hours, days.hours[:nth]):
                    message = f"{hours.open}-{hours.close} overlaps {other.open}-{other.close}"
                    place: Place = ("calendars", index, "days", number, "hours", nth)
                    yield Finding("teams", place, message, code="hours-overlap")


def _shared(hours: Hours, earlier: Sequence[Hours]) -> Hours | None:
    return next((one for one in earlier if one.open < hours.close and hours.open < one.close), None)


def _opens(policies: Policies) -> Iterator[Finding]:
    """Every calendar opens, from now on."""
    now = round(policies.now.timestamp() * 1000)
    for index, calendar in enumerate(policies.teams.calendars):
        if calendar_of(calendar, calendar.zone or "UTC").next_open(now) is None:
            message = f"calendar `{calendar.id}` never opens: " + _why(calendar)
            yield Finding("teams", ("calendars", index), message, code="calendar-never-opens")


def _why(calendar: Calendar) -> str:
    if not calendar.blocks:
        return "it has no blocks"
    return "holidays, presets and company days leave nothing of its blocks"


CALENDAR_CHECKS: tuple[Check, ...] = (_named, _overlaps, _opens)
