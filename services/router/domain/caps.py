"""Caps: how many leads a rep is given at most in a day and a week of their own zone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from shared.availability.zones import instant
from shared.schemas.policies.teams import Rep


class Periods(NamedTuple):
    """A day and a week, from Monday on, by the clocks of one zone: each from its beginning to the next one's (ms)."""

    day: int
    day_ends: int
    week: int
    week_ends: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Leads that a rep was given in the day and the week of a decision, and when these end (ms), by the clocks of `zone`."""

    day: int
    week: int
    day_ends: int
    week_ends: int
    zone: str

    def more(self) -> Taken:
        """With one lead more."""
        return replace(self, day=self.day + 1, week=self.week + 1)


def periods(zone: str, at: int) -> Periods:
    """Day and week of `at` (ms) in `zone`. A day begins with the first of two moments of its midnight."""
    local = datetime.fromtimestamp(at // 1000, ZoneInfo(zone))
    today = datetime(local.year, local.month, local.day)  # noqa: DTZ001 - `instant` takes local times
    monday = today - timedelta(days=today.weekday())
    day, day_ends, week, week_ends = (
        instant(begin, zone) for begin in (today, today + timedelta(days=1), monday, monday + timedelta(days=7))
    )
    return Periods(day, day_ends, week, week_ends)


def caps_reached(rep: Rep, taken: Taken | None) -> tuple[Literal["daily_cap", "weekly_cap"], ...]:
    """The caps that `rep` has reached."""
    found: list[Literal["daily_cap", "weekly_cap"]] = []
    if taken is not None and rep.per_day is not None and taken.day >= rep.per_day:
        found.append("daily_cap")
    if taken is not None and rep.per_week is not None and taken.week >= rep.per_week:
        found.append("weekly_cap")
    return tuple(found)


def capped(rep: Rep) -> bool:
    return rep.per_day is not None or rep.per_week is not None
