"""Who takes a ripe lead: the first rule that holds names a pool, its members are eligible or not with a stated reason, and the
fair rule chooses among the eligible."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from services.router.domain.caps import Taken, caps_reached
from services.router.domain.facts import Facts
from services.router.domain.fairness import Balance, PoolState, choose, give, shares
from services.router.domain.gate import Leg
from services.router.domain.playbook import Playbook
from shared.availability.people import NotAtWork
from shared.schemas.conditions import All, AnyOf, Condition, Not, Test
from shared.schemas.policies.teams import Pool, Preference, Rep

Exclusion = Literal[
    "unknown_rep",
    "not_in_pool",
    "left",
    "inactive",
    "language",
    "skill",
    "earlier_holder",
    "closed",
    "absent",
    "away",
    "at_capacity",
    "daily_cap",
    "weekly_cap",
]
Parked = Literal[
    "no_policy",
    "no_rule",
    "no_pool",
    "at_capacity",
    "cap_reached",
    "not_at_work",
    "inactive",
    "language",
    "skill",
    "all_declined",
    "no_eligible_member",
    "dispatch",
    "claim",
]
TIMED: tuple[Exclusion, ...] = ("closed", "absent", "away")
NOBODY: Mapping[str, NotAtWork] = MappingProxyType({})
CAPPED: tuple[Exclusion, ...] = ("daily_cap", "weekly_cap")
FULL: tuple[Exclusion, ...] = ("at_capacity", *CAPPED)
Way = Literal["fair", "sticky", "least_loaded", "best_fit", "dispatched", "claimed", "manual"]
BY_PERSON: tuple[Way, ...] = ("dispatched", "claimed", "manual")  # it was nobody's turn: somebody chose
Stuck = Literal["earlier_cycle", "account"]
FAIR: tuple[str, ...] = ("fair", "sticky")  # strategies of pools whose balances P7 promises
UNTAKEN: Mapping[str, Taken] = MappingProxyType({})
PASSING: tuple[Exclusion, ...] = (*TIMED, *FULL)  # what ends without a new policy or a new score


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was looked at. why_not: the tests of its condition that did not hold;  region: whose overlay it is of, if any"""

    rule_id: str
    result: Literal["matched", "other_leg", "no_match", "out_of_season"]
    pool: str
    why_not: tuple[str, ...] = ()
    region: str | None = None


def match(playbook: Playbook, leg: Leg, facts: Facts, day: date | None = None) -> tuple[Tried, ...]:
    """The rules of the lead's region in order, up to the first that holds; it is the last one, if its result is `matched`. day:
    today, where rules may be scheduled"""
    tried: list[Tried] = []
    for entry in playbook.rules_for(facts):
        rule = entry.rule
        if leg not in rule.legs:
            tried.append(Tried(rule.id, "other_leg", rule.pool, region=entry.region))
        elif day is not None and not rule.counts_on(day):
            span = f"counts from {rule.valid_from or '…'} until {rule.valid_until or '…'}"
            tried.append(Tried(rule.id, "out_of_season", rule.pool, (span,), entry.region))
        elif entry.condition.holds(facts):
            tried.append(Tried(rule.id, "matched", rule.pool, region=entry.region))
            break
        else:
            tried.append(Tried(rule.id, "no_match", rule.pool, unmet(entry.condition, facts), entry.region))
    return tuple(tried)


def unmet(condition: Condition, facts: Facts) -> tuple[str, ...]:
    """The tests that would have to turn out otherwise for `condition` to hold, in words."""
    if condition.holds(facts):
        return ()
    if isinstance(condition, Test):
        actual = facts.get(condition.field)
        return (f"{condition.field} is {_shown(actual)}, not {condition.op} {_shown(condition.value)}",)
    if isinstance(condition, Not):
        return tuple(f"{name} is {_shown(facts.get(name))}" for name in sorted(condition.part.fields()))
    assert isinstance(condition, All | AnyOf)
    return tuple(words for part in condition.parts for words in unmet(part, facts))


def _shown(value: object) -> str:
    if value is None:
        return "not known"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of the pool as the decision saw it: eligible, or excluded and why. `due` and `share` are exact, as text.

    not_at_work: until when they are closed, absent or away, where they are
    taken:       what they were given in their day and week, where they have a cap, which per_day and per_week say
    lacks:       skills that the pool asks for and they do not have
    points:      what the pool's preferences give them
    """

    rep_id: str
    name: str
    open_leads: int
    capacity: int
    weight: int = 0
    due: str = "0"
    share: str = "0"
    excluded: tuple[Exclusion, ...] = ()
    not_at_work: NotAtWork | None = None
    taken: Taken | None = None
    per_day: int | None = None
    per_week: int | None = None
    lacks: tuple[str, ...] = ()
    points: int = 0


@dataclass(frozen=True, slots=True)
class Before:
    """A rep whom a sticky pool asks first, because of what they have had."""

    rep_id: str
    why: Stuck


@dataclass(frozen=True, slots=True)
class Assigned:
    """Who takes the lead, or why nobody does.

    way:           what decided among the eligible;  stuck: why a sticky pool asked that one first

    waiting_for:   reps whom nothing but their capacity, their caps or their hours keep from taking it
    waiting_until: when the first of them is at work again, or begins another day or week (ms)
    pool:          the pool's balances afterwards; what they were where nobody was chosen
    """

    candidates: tuple[Candidate, ...]
    pool: PoolState
    rep: Rep | None = None
    parked: Parked | None = None
    waiting_for: tuple[str, ...] = ()
    waiting_until: int | None = None
    way: Way = "fair"
    stuck: Stuck | None = None


def assign_from(
    pool: Pool,
    state: PoolState,
    reps: Mapping[str, Rep],
    loads: Mapping[str, int],
    language: str | None,
    holders: Collection[str],
    out: Mapping[str, NotAtWork] = NOBODY,
    *,
    skills: Collection[str] = (),
    taken: Mapping[str, Taken] = UNTAKEN,
    prefers: Collection[Preference] = (),
    before: Collection[Before] = (),
    left: Collection[str] = (),
) -> Assigned:
    """Choose from `pool` for a lead in `language` that `holders` have had before.

    loads: open leads per rep;  out: who is not at work;  skills: all that a member must have;  taken: leads of those with caps
    prefers: what gives points for this lead;  before: whom a sticky pool asks first, the first of them first
    left: reps who have left, and get nothing any more
    """
    weights = {balance.rep_id: balance for balance in state.balances}
    members: list[Candidate] = []
    for member in pool.members:
        rep, balance = reps.get(member.rep), weights.get(member.rep)
        if rep is None:
            members.append(_candidate(member.rep, balance, loads, out))
            continue
        candidate = replace(
            _candidate(rep.id, balance, loads, out),
            name=rep.name,
            capacity=rep.capacity,
            taken=taken.get(rep.id),
            per_day=rep.per_day,
            per_week=rep.per_week,
            lacks=lacking(rep, skills),
            points=points(rep, prefers, language),
        )
        why = exclusions(pool, rep, candidate, language, holders, present=balance is not None)
        if rep.id in left:
            why = ("left",)
        members.append(replace(candidate, excluded=why))
    eligible = [one for one in members if not one.excluded]
    if not eligible:
        waiting = [one for one in members if set(one.excluded) <= set(PASSING)]
        free = [at for one in waiting if (at := _free_at(one)) is not None]
        names = tuple(one.rep_id for one in waiting)
        return Assigned(tuple(members), state, None, _nobody(members), names, min(free, default=None))
    stuck = _stuck(before, eligible) if pool.strategy == "sticky" else None
    way: Way = "fair" if pool.strategy == "sticky" and not stuck else pool.strategy
    first = [one for one in eligible if one.rep_id == stuck.rep_id] if stuck else peers(eligible, way)
    chosen = choose(state.balances, {one.rep_id for one in first})
    assert chosen is not None
    sharing = {one.rep_id for one in (first if stuck else eligible)}
    share = shares([weights[rep_id] for rep_id in sharing])
    candidates = tuple(replace(one, share=str(share.get(one.rep_id, Fraction(0)))) for one in members)
    balances = give(state.balances, sharing, chosen.rep_id)
    after = PoolState(state.pool_id, state.policy_sequence, state.joined, balances)
    return Assigned(candidates, after, reps[chosen.rep_id], way=way, stuck=stuck.why if stuck else None)


def peers(eligible: Collection[Candidate], way: Way) -> list[Candidate]:
    """Those of `eligible` among whom nothing but the fair turn decides."""
    if way == "least_loaded":
        least = min(load(one) for one in eligible)
        return [one for one in eligible if load(one) == least]
    if way == "best_fit":
        most = max(one.points for one in eligible)
        return [one for one in eligible if one.points == most]
    return list(eligible)


def load(candidate: Candidate) -> Fraction:
    """Open leads for their weight."""
    return Fraction(candidate.open_leads, candidate.weight)


def due_after(candidate: Candidate, chosen: str | None, way: Way) -> Fraction:
    """What the pool owes a member after the lead: their part of it more, a whole lead less for who got it by turns."""
    due = Fraction(candidate.due)
    if way in BY_PERSON or chosen is None:
        return due  # it was nobody's turn
    return due + Fraction(candidate.share) - (candidate.rep_id == chosen)


def points(rep: Rep, prefers: Collection[Preference], language: str | None) -> int:
    """What `prefers` gives to `rep` for a lead in `language`."""
    speaks = language is not None and language.casefold() in {spoken.casefold() for spoken in rep.languages}
    return sum(
        one.points
        for one in prefers
        if not lacking(rep, one.skills) and rep.level >= (one.level or 1) and (speaks or not one.language)
    )


def _stuck(before: Collection[Before], eligible: Collection[Candidate]) -> Before | None:
    able = {one.rep_id for one in eligible}
    return next((one for one in before if one.rep_id in able), None)


def _candidate(
    rep_id: str, balance: Balance | None, loads: Mapping[str, int], out: Mapping[str, NotAtWork]
) -> Candidate:
    """A member of whom nothing but the balance is known."""
    return Candidate(
        rep_id,
        rep_id,
        loads.get(rep_id, 0),
        0,
        balance.weight if balance else 0,
        str(balance.due) if balance else "0",
        excluded=("unknown_rep",),
        not_at_work=out.get(rep_id),
    )


def lacking(rep: Rep, skills: Collection[str]) -> tuple[str, ...]:
    """Those of `skills` that `rep` does not have."""
    has = {skill.casefold() for skill in rep.skills}
    return tuple(skill for skill in skills if skill.casefold() not in has)


def exclusions(
    pool: Pool,
    rep: Rep,
    candidate: Candidate,
    language: str | None,
    holders: Collection[str],
    *,
    present: bool,
) -> tuple[Exclusion, ...]:
    """All that keeps `rep` from taking the lead; nothing where it is eligible. present: it has a balance in the pool."""
    timed: tuple[Exclusion, ...] = (candidate.not_at_work.why,) if candidate.not_at_work else ()
    speaks = {spoken.casefold() for spoken in rep.languages}
    reasons: list[tuple[bool, Exclusion]] = [
        (not present, "not_in_pool"),
        (not rep.active, "inactive"),
        (bool(pool.match_language and language and language.casefold() not in speaks), "language"),
        (bool(candidate.lacks), "skill"),
        (rep.id in holders, "earlier_holder"),
        *((True, why) for why in timed),
        (candidate.open_leads >= rep.capacity, "at_capacity"),
        *((True, why) for why in caps_reached(rep, candidate.taken)),
    ]
    return tuple(reason for holds, reason in reasons if holds)


def _free_at(candidate: Candidate) -> int | None:
    """When nothing but what nobody can know keeps the member from the lead any more (ms): at work again, and with another day or
    week before them; None where nothing of it has a time."""
    ends = []
    if candidate.not_at_work:
        if candidate.not_at_work.until is None:
            return None
        ends.append(candidate.not_at_work.until)
    if 0 in (candidate.per_day, candidate.per_week):
        return None
    if candidate.taken:
        ends += [candidate.taken.day_ends] * ("daily_cap" in candidate.excluded)
        ends += [candidate.taken.week_ends] * ("weekly_cap" in candidate.excluded)
    return max(ends, default=None)


def _nobody(candidates: Collection[Candidate]) -> Parked:
    """Why nobody takes it: what is nearest to being freed, of the members whom one thing alone keeps from it; that they are not at
    work, or have had their leads of the day, as well tells nothing of those who could not take it anyhow."""
    excluded = [one.excluded for one in candidates]
    if ("at_capacity",) in excluded:
        return "at_capacity"
    if any(set(reasons) <= set(FULL) for reasons in excluded):
        return "cap_reached"
    if any(set(reasons) <= set(PASSING) for reasons in excluded):
        return "not_at_work"
    lasting = [tuple(why for why in reasons if why not in (*TIMED, *CAPPED)) for reasons in excluded]
    alone = {reasons[0] for reasons in lasting if len(reasons) == 1}
    first: tuple[tuple[Exclusion, Parked], ...] = (
        ("inactive", "inactive"),
        ("left", "inactive"),
        ("language", "language"),
        ("skill", "skill"),
        ("earlier_holder", "all_declined"),
    )
    return next((parked for why, parked in first if why in alone), "no_eligible_member")
