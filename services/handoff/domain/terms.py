"""The terms of a promise to one lead, held by one rep: how long, and in whose time. A clock keeps the terms it was counted by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Literal, Self
from zoneinfo import ZoneInfo

from shared.availability.calendar import ALWAYS, Calendar
from shared.availability.people import Away, Person, calendar_of, person_of
from shared.availability.zones import instant
from shared.schemas import ids
from shared.schemas.policies import SlaPolicy, TeamsPolicy
from shared.schemas.policies import calendars as policy
from shared.schemas.policies.base import Strict
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.schemas.policies.sla import LeadClass
from shared.schemas.policies.teams import Rep

SECOND = 1000
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(8000, 1, 1)  # which calendars and ms can tell
ClockKind = Literal["accept", "first_touch", "qualify", "next_step", "stage_rot"]
Doing = Literal["remind", "tell_manager", "tell_their_manager", "take_back"]


def class_of(sla: SlaPolicy, lead_class: str) -> LeadClass:
    """The promise to leads of this class; a class that the policy does not name has the default one."""
    return next((known for known in sla.classes if known.id == lead_class), sla.default)


class Hours(Strict):
    """When the holder is at work, as the teams policy said and they themselves. away: from when, until when (ms)"""

    zone: str
    calendar: policy.Calendar | None = None
    absences: tuple[policy.Period, ...] = ()
    on_call: tuple[policy.Period, ...] = ()
    away: tuple[int, int | None] | None = None


class Terms(Strict):
    """What a clock of one holder goes by; equal ones have one `basis`. Seconds and shares are those of the class of the lead.

    hours: of the holder; None where time passes for everybody alike
    """

    accept: int
    first_touch: int
    qualify: int | None = None
    untouched: Literal["take_back", "tell_manager"] = "take_back"
    due_date: bool = False
    at_most: int | None = None
    remind: tuple[int, ...] = ()
    escalate: tuple[tuple[int, Doing], ...] = ()
    hours: Hours | None = None

    @classmethod
    def of(cls, lead_class: LeadClass, hours: Hours | None) -> Self:
        return cls(
            accept=lead_class.accept,
            first_touch=lead_class.first_touch,
            qualify=lead_class.qualify,
            untouched=lead_class.untouched,
            due_date=lead_class.due_date,
            at_most=lead_class.at_most,
            remind=lead_class.remind,
            escalate=tuple((step.at, step.do) for step in lead_class.escalate),
            hours=hours if lead_class.time == "business" else None,
        )

    def basis(self) -> str:
        """A name for just these terms, the same in every process."""
        return _basis(self)

    def calendar(self) -> Calendar:
        """Open while the clock counts."""
        return _calendar(self.hours) if self.hours else ALWAYS

    def doing(self, share: int) -> Doing:
        """What happens when so many percent of the time have passed."""
        return dict(self.escalate).get(share, "remind")

    def shares(self) -> tuple[int, ...]:
        """At which something happens before and after the breach, in order."""
        return tuple(sorted({*self.remind, *(share for share, _ in self.escalate)}))

    def text(self) -> str:
        """As it is stored. What is as always is left out, so that terms of before a new field came remain the same."""
        return self.model_dump_json(exclude_defaults=True)

    def closing(self, due_at: int) -> int:
        """`due_at`, or with due dates the end of work of the holder on that day of theirs."""
        if not self.due_date or self.hours is None:
            return due_at
        zone = self.hours.zone
        midnight = _midnight(_day(due_at - 1, zone) + timedelta(days=1), zone)
        calendar = self.calendar()
        closes = calendar.add_open(due_at, calendar.open_time(due_at, midnight))
        return due_at if closes is None else closes

    def promised(self, kind: ClockKind, head: int) -> int | None:
        """How much counted time (ms) the clock has in all. head: what had been counted before the offer, which the rep could not
        help: they have as long as they have to accept, however late the lead was routed. None where nothing is, or a day"""
        if kind in ("next_step", "stage_rot"):
            return None
        if kind == "qualify":
            return self.qualify and self.qualify * SECOND
        if kind == "accept":
            return self.accept * SECOND
        return max(self.first_touch * SECOND, head + self.accept * SECOND)


@dataclass(frozen=True, slots=True)
class Promises:
    """What a tenant promises to its leads now. away: reps who have said so, whenever;  pipeline: None where there are no deals"""

    sla: SlaPolicy
    teams: TeamsPolicy | None = None
    away: Mapping[str, Away] = field(default_factory=dict)
    pipeline: PipelinePolicy | None = None

    def keeps(self, kind: ClockKind, deal_type: str, stage: str | None) -> bool:
        """Whether deals of this type have such a clock in this stage."""
        kept = self.sla.deals
        if kept is None or kind == "next_step":
            return kept is not None and kept.next_step
        if self.pipeline is None:
            return kept.stage_rot
        pipeline = self.pipeline.of(deal_type)
        found = pipeline.find(stage or "") if pipeline else None
        return kept.stage_rot and found is not None and found.rot is not None

    def terms(self, rep_id: str, lead_class: str) -> Terms:
        """Those of a lead of this class that this rep holds. A rep who is not in the policy is always at work."""
        promise = class_of(self.sla, lead_class)
        return Terms.of(promise, None if promise.time == "plain" else self._hours(rep_id))

    def closes(self, rep_id: str, day: date, since: int = 0) -> int:
        """When this rep's work ends on that day (ms); where they are not at work on it, or it ends before `since`, on the next day
        on which they are and it does not."""
        days = self._days(rep_id, max(day, self.day_of(rep_id, since - 1)))
        return next(ends for _, ends in days if ends >= since)

    def working_day(self, rep_id: str, after: int, days: int, since: int = 0) -> date:
        """The day that is so many of this rep's working days after the day of that moment (ms), of those that end at `since` or
        later."""
        found = self._days(rep_id, self._after(rep_id, after))
        return next(islice((day for day, ends in found if ends >= since), days - 1, None))

    def held_day(self, rep_id: str, began: int, day: date, since: int, until: int) -> date:
        """The day by which as many working days will have passed as by `day`, where those after the day of `began` (ms) that end at
        `since` or later count only if they end at `until` or later; `until` may be the earlier one of the two."""
        left = 0
        for found, ends in self._days(rep_id, self._after(rep_id, began)):
            left += ends >= since
            if found >= day and left:
                break
        return self.working_day(rep_id, began, left, until)

    def day_of(self, rep_id: str, at: int) -> date:
        """The day of that moment (ms) where the rep is."""
        return _day(at, self._calendar(rep_id)[1])

    def _after(self, rep_id: str, at: int) -> date:
        return self.day_of(rep_id, at) + timedelta(days=1)

    def _days(self, rep_id: str, first: date) -> Iterator[tuple[date, int]]:
        """This rep's working days from `first` on, with when work ends on each (ms); of who is never at work again, all days."""
        calendar, zone = self._calendar(rep_id)
        day = min(max(first, FIRST_DAY), LAST_DAY)
        while True:
            opens = calendar.next_open(_midnight(day, zone))
            day = day if opens is None else _day(opens, zone)
            ends = _midnight(day + timedelta(days=1), zone)
            yield day, (opens and calendar.add_open(opens, calendar.open_time(opens, ends))) or ends
            day += timedelta(days=1)

    def _calendar(self, rep_id: str) -> tuple[Calendar, str]:
        hours = self._hours(rep_id)
        return (_calendar(hours), hours.zone) if hours else (ALWAYS, "UTC")

    def _hours(self, rep_id: str) -> Hours | None:
        """None for who is always at work, nobody knows where."""
        rep = next((rep for rep in self.teams.reps if rep.id == rep_id), None) if self.teams else None
        away = self.away.get(rep_id)
        if self.teams is None or (rep is None and away is None):
            return None
        rep = rep or Rep(id=rep_id, name=rep_id)
        named = next((calendar for calendar in self.teams.calendars if calendar.id == rep.calendar), None)
        return Hours(
            zone=rep.zone,
            calendar=named,
            absences=rep.absences,
            on_call=rep.on_call,
            away=(away.start, away.until) if away else None,
        )


def _day(at: int, zone: str) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date()


def _midnight(day: date, zone: str) -> int:
    """With which `day` begins there."""
    return instant(datetime.combine(day, time()), zone)


@lru_cache(maxsize=16_384)
def _basis(terms: Terms) -> str:
    return ids.derived_id("terms", terms.text())


@lru_cache(maxsize=16_384)
def _calendar(hours: Hours) -> Calendar:
    named = _named(hours.calendar, hours.calendar.zone or hours.zone) if hours.calendar else ALWAYS
    rep = Rep(id="holder", name="", zone=hours.zone, absences=hours.absences, on_call=hours.on_call)
    person: Person = person_of(rep, named)
    return person.calendar(Away(*hours.away) if hours.away else None)


@lru_cache(maxsize=1024)
def shared(one: Hours | None, other: Hours | None) -> Calendar:
    """Open when both are at work."""
    if one is None or one == other:
        return _calendar(other) if other else ALWAYS
    return _calendar(one).within(_calendar(other)) if other else _calendar(one)


@lru_cache(maxsize=1024)
def _named(calendar: policy.Calendar, zone: str) -> Calendar:
    """Shared by all who name it: its years are compiled once."""
    return calendar_of(calendar, zone)
