"""What the people of one company are worth together: breadth before depth. Milli-points; times in ms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import exp2, log2
from typing import NamedTuple

import msgspec

from services.scoring.domain.ledger import DAY, HALF_LIVES
from services.scoring.domain.parts import NEVER, Part, Partial, cap_all
from services.scoring.domain.rules import MILLI
from shared.schemas.policies.scoring import AccountScoring
from shared.schemas.scores import Version

MOST_PEOPLE = 2_000  # of one account; a further one is refused, and counted
MOST_MOMENTS = 10  # that one person's activity is told by: a surge is of many people, or of many days
NAMED = 5  # contributors
USUAL = 4  # periods before the present one that say what is usual
LABELS = {
    "persons": {"en": "People active lately", "ja": "最近動きのある人"},
    "roles": {"en": "Buying roles among them", "ja": "購買関与者の役割"},
    "departments": {"en": "Departments beyond the first", "ja": "2つ目以降の部署"},
    "depth": {"en": "Engagement of each", "ja": "各人の関心度"},
    "surge": {"en": "Far more going on than usual", "ja": "活動の急増"},
}


class Person(msgspec.Struct, array_like=True, gc=False):
    """What a lead last told its account. engagement: at `as_of`;  active: latest first;  gone: belongs here no more"""

    version: Version
    as_of: int
    gone: bool = False
    engagement: int = 0
    fit: str = "D"
    role: str | None = None
    department: str | None = None
    active: tuple[int, ...] = ()


People = Mapping[str, Person]  # by lead


class Contribution(NamedTuple):
    """A person, and what the account's depth owes to them."""

    lead: str
    points: int
    person: Person


@dataclass(frozen=True, slots=True)
class ScoredAccount:
    """steady_until: a moment before which time alone does not change the band"""

    as_of: int
    score: Partial
    band: int
    people: int
    active: int
    roles: list[str]
    departments: list[str]
    surging: bool
    contributors: list[Contribution]
    steady_until: int


def joined(known: Person | None, told: Person) -> Person:
    """The register of one lead: the highest version stands."""
    return told if known is None or told.version > known.version else known


def as_of(people: People) -> int:
    return max((person.as_of for person in people.values()), default=0)


def score_account(people: People, policy: AccountScoring, moment: int) -> ScoredAccount:
    here = {lead: person for lead, person in people.items() if not person.gone}
    lately = [lead for lead, person in here.items() if _is_active(person, moment, policy.active_days)]
    known = [person for person in here.values() if _is_active(person, moment, policy.memory_days)]
    roles = sorted({person.role for person in known if person.role})
    departments = sorted({person.department for person in known if person.department})
    owed = {lead: _depth(person, policy, moment) for lead, person in here.items()}
    surging = _surges(here.values(), policy, moment)
    given = {
        "persons": (len(lately), policy.person * len(lately), policy.persons),
        "roles": (len(roles), policy.role * len(roles), policy.roles),
        "departments": (len(departments) - 1, policy.department * (len(departments) - 1), policy.departments),
        "surge": (int(surging), policy.surge if surging else 0, policy.surge),
    }
    parts = [
        _part(rule, times, round(points * MILLI), cap) for rule, (times, points, cap) in given.items() if times > 0
    ]
    if deep := sum(owed.values()):
        parts.append(_part("depth", sum(points > 0 for points in owed.values()), deep, policy.depths))
    total = cap_all(parts, round(policy.cap * MILLI))
    return ScoredAccount(
        as_of=moment,
        score=total,
        band=next((band for band, least in enumerate(policy.bands, 1) if total.total >= least * MILLI), 4),
        people=len(here),
        active=len(lately),
        roles=roles,
        departments=departments,
        surging=surging,
        contributors=_contributors(here, owed),
        steady_until=_steady_until(here.values(), policy, moment, deep, total.total),
    )


def _part(rule: str, times: int, given: int, cap: float) -> Part:
    kept = min(given, round(cap * MILLI))
    return Part(rule, given, kept, times, cut=given - kept, label=LABELS[rule])


def _is_active(person: Person, moment: int, days: float) -> bool:
    return bool(person.active) and moment - person.active[0] < round(days * DAY)


def _depth(person: Person, policy: AccountScoring, moment: int) -> int:
    """What one person adds: a share of their engagement, fading, and never more than the deepest."""
    half_life = round(policy.half_life_days * DAY)
    age = max(0, moment - person.as_of)
    if age > HALF_LIVES * half_life or person.engagement <= 0:
        return 0
    return min(round(policy.deepest * MILLI), round(person.engagement * policy.depth * exp2(-age / half_life)))


def _surges(people: Collection[Person], policy: AccountScoring, moment: int) -> bool:
    """At least so many things done within the active days, and so many times as many as in each of the periods before."""
    period = round(policy.active_days * DAY)
    ages = [moment - at for person in people for at in person.active]
    now = sum(age < period for age in ages)
    before = sum(period <= age < (1 + USUAL) * period for age in ages)
    return now >= policy.surge_least and now * USUAL >= policy.surge_times * before


def _contributors(people: People, owed: Mapping[str, int]) -> list[Contribution]:
    ranked = sorted(people, key=lambda lead: (-owed[lead], -people[lead].engagement, lead))
    return [Contribution(lead, owed[lead], people[lead]) for lead in ranked[:NAMED]]


def _steady_until(people: Collection[Person], policy: AccountScoring, moment: int, deep: int, total: int) -> int:
    """The next moment at which somebody's window ends, or the depth may have faded below the next edge."""
    period, memory = round(policy.active_days * DAY), round(policy.memory_days * DAY)
    half_life = round(policy.half_life_days * DAY)
    until = NEVER
    for person in people:
        for at in person.active:
            age = max(0, moment - at)
            if age < (1 + USUAL) * period:
                until = min(until, at + (age // period + 1) * period)
        if person.active and moment - person.active[0] < memory:
            until = min(until, person.active[0] + memory)
        if person.engagement > 0 and (forgotten := person.as_of + HALF_LIVES * half_life + 1) > moment:
            until = min(until, forgotten)
    low = max((round(edge * MILLI) for edge in policy.bands if total >= edge * MILLI), default=None)
    if low is not None:
        room = total - low - len(people)  # each is rounded once
        if room <= 0:
            return moment
        if room < deep:
            until = min(until, moment + int(-half_life * log2(1 - room / deep)))
    return until


def refuses(people: People, lead: str) -> bool:
    """Whether the bound keeps this lead out."""
    return lead not in people and len(people) >= MOST_PEOPLE
