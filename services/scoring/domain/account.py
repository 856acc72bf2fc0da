"""What the people of one company are worth together: breadth before depth. Milli-points; times in ms."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import ceil, exp2, log2
from typing import NamedTuple

from services.scoring.domain.ledger import DAY
from services.scoring.domain.parts import NEVER, Part, Partial, cap_all
from services.scoring.domain.people import Crowd, People, Person
from services.scoring.domain.rules import milli
from shared.schemas.policies.scoring import AccountScoring

MOST_DEEP = 100  # people whose engagement adds depth: those who have most of it
NAMED = 5  # contributors
USUAL = 4  # periods before the present one that say what is usual
LABELS = {
    "persons": {"en": "People active lately", "ja": "最近動きのある人"},
    "roles": {"en": "Buying roles among them", "ja": "購買関与者の役割"},
    "departments": {"en": "Departments beyond the first", "ja": "2つ目以降の部署"},
    "depth": {"en": "Engagement of each", "ja": "各人の関心度"},
    "surge": {"en": "Far more going on than usual", "ja": "活動の急増"},
}


class Contribution(NamedTuple):
    """A person, and what the account's depth owes to them."""

    lead: str
    points: int
    person: Person


@dataclass(frozen=True, slots=True)
class ScoredAccount:
    """owed: to each of those who add depth, who has most of it first
    steady_until: a moment before which time alone does not change the band, cheap to find; `next_change` is exact
    """

    as_of: int
    score: Partial
    band: int
    people: int
    active: int
    roles: list[str]
    departments: list[str]
    surging: bool
    owed: list[Contribution]
    steady_until: int

    @property
    def contributors(self) -> list[Contribution]:
        return self.owed[:NAMED]


class Periods(NamedTuple):
    """A policy's days, in ms, of which none is nothing. active: of breadth and of a surge;  memory: of roles and departments;
    half_life: of depth"""

    active: int
    memory: int
    half_life: int

    @property
    def usual(self) -> int:
        """As far back as a surge looks."""
        return (1 + USUAL) * self.active


def periods_of(policy: AccountScoring) -> Periods:
    days = (policy.active_days, policy.memory_days, policy.half_life_days)
    return Periods(*(max(1, round(each * DAY)) for each in days))


def score_account(people: People, policy: AccountScoring, moment: int) -> ScoredAccount:
    periods = periods_of(policy)
    crowd = people.crowd(periods.half_life)
    breadth = _breadth(crowd, policy, periods, moment)
    owed = _depth(crowd, people, policy, moment)
    surging = _surges(crowd, policy, periods, moment, moment).surely
    parts = [*breadth.parts]
    if deep := sum(one.points for one in owed):
        parts.append(_part("depth", sum(one.points > 0 for one in owed), deep, policy.depths))
    if surging and policy.surge:
        parts.append(_part("surge", 1, milli(policy.surge), policy.surge))
    kept = sum([part.kept for part in parts])
    total = cap_all(parts, milli(policy.cap))
    return ScoredAccount(
        as_of=moment,
        score=total,
        band=_band(total.total, policy),
        people=crowd.here,
        active=breadth.active,
        roles=breadth.roles,
        departments=breadth.departments,
        surging=surging,
        owed=owed,
        steady_until=_steady_until(crowd, policy, periods, moment, kept, deep),
    )


def next_change(people: People, policy: AccountScoring, moment: int) -> int | None:
    """The first ms after `moment` at which time alone has changed the band; None when it never does.

    By halving: a stretch is passed over where the least and the most that the account can be worth within it lie in the same band.
    """
    periods = periods_of(policy)
    crowd = people.crowd(periods.half_life)
    now = score_account(people, policy, moment).band
    pending = [(moment + 1, _ends(crowd, policy, periods))]
    while pending:
        first, last = pending.pop()
        if first > last:
            continue
        least, most = _range(crowd, people, policy, periods, first, last)
        if _band(least, policy) == _band(most, policy):
            if _band(most, policy) != now:
                return first
            continue
        middle = (first + last) // 2
        pending += [(middle + 1, last), (first, middle)]
    return None


class _Breadth(NamedTuple):
    active: int
    roles: list[str]
    departments: list[str]
    parts: list[Part]


class _Surge(NamedTuple):
    """Within a stretch of time: whether there is a surge at some moment of it, and whether at each."""

    perhaps: bool
    surely: bool


def _breadth(crowd: Crowd, policy: AccountScoring, periods: Periods, moment: int) -> _Breadth:
    """People, roles and departments: by time alone they only become fewer."""
    active = _since(crowd.latest, moment - periods.active)
    known_since = moment - periods.memory
    roles = sorted(role for role, latest in crowd.roles.items() if latest[-1] > known_since)
    departments = sorted(name for name, latest in crowd.departments.items() if latest[-1] > known_since)
    given = (
        ("persons", active, policy.person, policy.persons),
        ("roles", len(roles), policy.role, policy.roles),
        ("departments", len(departments) - 1, policy.department, policy.departments),
    )
    parts = [_part(rule, times, milli(each) * times, most) for rule, times, each, most in given if times > 0 and each]
    return _Breadth(active, roles, departments, parts)


def _depth(crowd: Crowd, people: People, policy: AccountScoring, moment: int) -> list[Contribution]:
    """A share of the engagement of each, fading, and of nobody more than the deepest; who has most of it first."""
    deepest = milli(policy.deepest)
    found = []
    for _, lead in reversed(crowd.deep[-MOST_DEEP:]):
        person = people[lead]
        share = policy.depth * exp2(min(0, person.as_of - moment) / crowd.half_life)
        found.append(Contribution(lead, min(deepest, round(person.engagement * share)), person))
    return found


def _surges(crowd: Crowd, policy: AccountScoring, periods: Periods, first: int, last: int) -> _Surge:
    """At least so many days on which somebody was active, and so many times as many as in each of the periods before.

    Between `first` and `last`: what is going on becomes less; what was before is no less than what is before at both.
    """
    active, usual = periods.active, periods.usual
    most_now, least_now = (_since(crowd.moments, at - active) for at in (first, last))
    least_before = max(0, _since(crowd.moments, last - usual) - _since(crowd.moments, first - active))
    most_before = _since(crowd.moments, first - usual) - _since(crowd.moments, last - active)
    return _Surge(_is_surge(policy, most_now, least_before), _is_surge(policy, least_now, most_before))


def _is_surge(policy: AccountScoring, now: int, before: int) -> bool:
    return now >= policy.surge_least and now * USUAL >= policy.surge_times * before


def _range(
    crowd: Crowd, people: People, policy: AccountScoring, periods: Periods, first: int, last: int
) -> tuple[int, int]:
    """No more and no less than this is the account worth at any moment from `first` to `last`; exact where they are one."""
    surge, cap = _surges(crowd, policy, periods, first, last), milli(policy.cap)

    def worth(moment: int, surging: bool) -> int:
        kept = sum(part.kept for part in _breadth(crowd, policy, periods, moment).parts)
        kept += min(milli(policy.depths), sum(one.points for one in _depth(crowd, people, policy, moment)))
        return min(cap, kept + (milli(policy.surge) if surging else 0))

    return worth(last, surge.surely), worth(first, surge.perhaps)


def _ends(crowd: Crowd, policy: AccountScoring, periods: Periods) -> int:
    """From when on nothing changes any more."""
    ends = crowd.latest[-1] + max(periods.memory, periods.usual) if crowd.latest else 0
    if crowd.deep and policy.depth > 0:
        ends = max(ends, ceil((crowd.deep[-1][0] + log2(policy.depth) + 2) * crowd.half_life))
    return min(ends, NEVER)


def _steady_until(crowd: Crowd, policy: AccountScoring, periods: Periods, moment: int, kept: int, deep: int) -> int:
    """The next moment at which somebody's window ends, or the depth may have faded past the next edge.

    kept: of all parts before the cap of all;  deep: given for depth, before its cap
    """
    total = min(kept, milli(policy.cap))
    low = max([edge for edge in map(milli, policy.bands) if total >= edge], default=-NEVER)
    rises = bool(policy.surge) and _since(crowd.moments, moment - periods.active) >= policy.surge_least
    if low <= 0 and not rises:
        return NEVER
    ends = [
        _next(crowd.latest, moment, periods.active),
        _next(crowd.latest, moment, periods.memory),
        _next(crowd.moments, moment, periods.active),
        _next(crowd.moments, moment, periods.usual),
    ]
    slack = min(len(crowd.deep), MOST_DEEP)  # each is rounded once, now and then
    room = kept - low + max(0, deep - milli(policy.depths)) - slack
    if room < deep:
        ends.append(moment + int(-crowd.half_life * log2(1 - room / deep)) if room > 0 else moment)
    return min(ends)


def _band(total: int, policy: AccountScoring) -> int:
    return next((band for band, least in enumerate(policy.bands, 1) if total >= milli(least)), 4)


def _part(rule: str, times: int, given: int, most: float) -> Part:
    kept = min(given, milli(most))
    return Part(rule, given, kept, times, cut=given - kept, label=LABELS[rule])


def _since(moments: list[int], start: int) -> int:
    """How many of the sorted moments lie after `start`."""
    return len(moments) - bisect_right(moments, start)


def _next(moments: list[int], moment: int, period: int) -> int:
    """When the first of those that lie less than a period back does so no more."""
    place = bisect_right(moments, moment - period)
    return moments[place] + period if place < len(moments) else NEVER
