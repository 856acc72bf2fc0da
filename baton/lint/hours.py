"""Pools against the calendars of their people: whether anybody is ever at work, and for how long nobody is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

from baton.policies.cross_checks import able
from baton.policies.findings import Check, Finding, Policies
from shared.availability.calendar import Calendar
from shared.availability.people import people
from shared.schemas.policies.sla import LeadClass
from shared.schemas.policies.teams import Rep

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
AHEAD = 366 * DAY  # every holiday of a year
MOST_WAYS = 20  # calendars of one pool that are looked at; the more there are, the less often is nobody at work


def _open(policies: Policies) -> Iterator[Finding]:
    """Somebody is at work some time, and before what has been promised has passed."""
    hours = people(policies.teams)
    now = round(policies.now.timestamp() * SECOND)
    for index, pool in enumerate(policies.teams.pools):
        members = able(policies.teams, pool)
        if not members or any(rep.id not in hours for rep in members):
            continue  # nobody can serve it, which another check tells; or somebody always is at work
        calendars = list(dict.fromkeys(hours[rep.id].hours for rep in members))
        if all(calendar.next_open(now) is None for calendar in calendars):
            en = f"none of the people of pool `{pool.id}` is ever at work again: its leads will wait"
            ja = f"プール`{pool.id}`の担当者は今後だれも稼働しません: リードは待ち続けます"
            yield Finding("teams", ("pools", index), en, "pool-never-open", ja)
        elif len(calendars) <= MOST_WAYS and (closed := longest_closed(calendars, now, now + AHEAD)):
            yield from _promises(policies, index, members[0], closed)


def longest_closed(calendars: Sequence[Calendar], start: int, end: int) -> tuple[int, int] | None:
    """The first of the longest times between `start` and `end` (ms) during which all calendars are closed."""
    longest: tuple[int, int] | None = None
    at = start
    while at < end:
        opens = min([end, *(found for one in calendars if (found := one.next_open(at)) is not None)])
        if opens > at and (longest is None or opens - at > longest[1] - longest[0]):
            longest = at, opens
        at = opens
        while at < end and (still := [one for one in calendars if one.is_open(at)]):
            at = max(_closes(one, at, end) for one in still)
    return longest


def _closes(calendar: Calendar, at: int, end: int) -> int:
    """When the calendar, which is open at `at`, closes; `end` where that is later."""
    step = HOUR
    while at + step < end and calendar.open_time(at, at + step) == step:
        step *= 2
    low, high = step // 2 if step > HOUR else 0, step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if calendar.open_time(at, at + middle) == middle else (low, middle)
    return min(at + (high if calendar.open_time(at, at + high) == high else low), end)


def _promises(policies: Policies, index: int, member: Rep, closed: tuple[int, int]) -> Iterator[Finding]:
    pool = policies.teams.pools[index]
    classes = [*policies.sla.classes, policies.sla.default]
    short = [one for one in classes if _over_while_closed(one) * SECOND < closed[1] - closed[0]]
    if short:
        zone = ZoneInfo(member.zone)
        begins, ends = (datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone) for at in closed)
        span = f"{begins:%Y-%m-%d %H:%M} – {ends:%Y-%m-%d %H:%M} {member.zone}"
        hours = f"{(closed[1] - closed[0]) / HOUR:g}"
        names = ", ".join(f"`{one.id}`" for one in short)
        en = f"pool `{pool.id}` is closed for {hours} h ({span}), longer than leads may take to be accepted: {names}"
        ja = f"プール`{pool.id}`は{hours}時間閉まり({span})、次の区分の受領期限より長くなります: {names}"
        yield Finding("teams", ("pools", index), en, "sla-while-closed", ja)


def _over_while_closed(lead_class: LeadClass) -> float:
    """Seconds of plain time until an offer of this class is over although nobody is at work."""
    if lead_class.time == "plain":
        return lead_class.accept
    return inf if lead_class.at_most is None else lead_class.at_most


def _counted(policies: Policies) -> Iterator[Finding]:
    """The holder's time is counted where holders have hours."""
    if people(policies.teams):
        return
    classes = [(("classes", n), one) for n, one in enumerate(policies.sla.classes)]
    for place, one in [*classes, (("default",), policies.sla.default)]:
        if one.time == "business":
            en = f"leads `{one.id}` count their holder's time at work, and no rep has a calendar or absences: all time counts"
            ja = f"区分`{one.id}`は担当者の稼働時間で数えますが、カレンダーのある担当者がいないため、すべての時間を数えます"
            yield Finding("sla", (*place, "time"), en, "business-without-hours", ja)


HOURS_CHECKS: tuple[Check, ...] = (_open, _counted)
