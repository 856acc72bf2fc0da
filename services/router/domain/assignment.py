"""Who takes a ripe lead: the first rule that holds names a pool, its members are eligible or not with a stated reason, and the
fair rule chooses among the eligible."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from services.router.domain.facts import Facts
from services.router.domain.fairness import PoolState, assign, shares
from services.router.domain.gate import Leg
from services.router.domain.playbook import Playbook
from shared.availability.people import NotAtWork
from shared.schemas.conditions import All, AnyOf, Condition, Not, Test
from shared.schemas.policies.teams import Pool, Rep

Exclusion = Literal[
    "unknown_rep", "not_in_pool", "inactive", "at_capacity", "language", "earlier_holder", "closed", "absent", "away"
]
Parked = Literal[
    "no_policy",
    "no_rule",
    "no_pool",
    "at_capacity",
    "not_at_work",
    "inactive",
    "language",
    "all_declined",
    "no_eligible_member",
]
TIMED: tuple[Exclusion, ...] = ("closed", "absent", "away")
NOBODY: Mapping[str, NotAtWork] = MappingProxyType({})
PASSING: tuple[Exclusion, ...] = (*TIMED, "at_capacity")  # what ends without a new policy or a new score


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was looked at. why_not: the tests of its condition that did not hold."""

    rule_id: str
    result: Literal["matched", "other_leg", "no_match"]
    pool: str
    why_not: tuple[str, ...] = ()


def match(playbook: Playbook, leg: Leg, facts: Facts) -> tuple[Tried, ...]:
    """The rules in order, up to the first that holds; it is the last one, if its result is `matched`."""
    tried = []
    for entry in playbook.rules:
        rule = entry.rule
        if leg not in rule.legs:
            tried.append(Tried(rule.id, "other_leg", rule.pool))
        elif entry.condition.holds(facts):
            tried.append(Tried(rule.id, "matched", rule.pool))
            break
        else:
            tried.append(Tried(rule.id, "no_match", rule.pool, unmet(entry.condition, facts)))
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


@dataclass(frozen=True, slots=True)
class Assigned:
    """Who takes the lead, or why nobody does.

    waiting_for:   reps whom nothing but their capacity or their hours keep from taking it
    waiting_until: when the first of them is at work again (ms)
    pool:          the pool's balances afterwards; what they were where nobody was chosen
    """

    candidates: tuple[Candidate, ...]
    pool: PoolState
    rep: Rep | None = None
    parked: Parked | None = None
    waiting_for: tuple[str, ...] = ()
    waiting_until: int | None = None


def assign_from(
    pool: Pool,
    state: PoolState,
    reps: Mapping[str, Rep],
    loads: Mapping[str, int],
    language: str | None,
    holders: Collection[str],
    out: Mapping[str, NotAtWork] = NOBODY,
) -> Assigned:
    """Choose from `pool` for a lead in `language` that `holders` have had before. loads: open leads per rep; out: who is not at
    work"""
    weights = {balance.rep_id: balance for balance in state.balances}
    excluded: dict[str, tuple[Exclusion, ...]] = {}
    for member in pool.members:
        rep = reps.get(member.rep)
        excluded[member.rep] = (
            exclusions(pool, rep, loads, language, holders, out.get(member.rep), present=member.rep in weights)
            if rep
            else ("unknown_rep",)
        )
    eligible = [rep_id for rep_id, reasons in excluded.items() if not reasons]
    share = shares([weights[rep_id] for rep_id in eligible]) if eligible else {}
    candidates = tuple(
        Candidate(
            rep_id,
            reps[rep_id].name if rep_id in reps else rep_id,
            loads.get(rep_id, 0),
            reps[rep_id].capacity if rep_id in reps else 0,
            weights[rep_id].weight if rep_id in weights else 0,
            str(weights[rep_id].due) if rep_id in weights else "0",
            str(share.get(rep_id, Fraction(0))),
            reasons,
            out.get(rep_id),
        )
        for rep_id, reasons in excluded.items()
    )
    chosen, balances = assign(state.balances, eligible)
    if chosen is None:
        waiting_for = tuple(rep_id for rep_id, reasons in excluded.items() if set(reasons) <= set(PASSING))
        known = [until for rep_id in waiting_for if rep_id in out and (until := out[rep_id].until) is not None]
        return Assigned(candidates, state, None, _nobody(excluded), waiting_for, min(known, default=None))
    after = PoolState(state.pool_id, state.policy_sequence, state.joined, balances)
    return Assigned(candidates, after, reps[chosen.rep_id])


def exclusions(
    pool: Pool,
    rep: Rep,
    loads: Mapping[str, int],
    language: str | None,
    holders: Collection[str],
    out: NotAtWork | None,
    *,
    present: bool,
) -> tuple[Exclusion, ...]:
    """All that keeps `rep` from taking the lead; nothing where it is eligible. present: it has a balance in the pool."""
    timed: tuple[Exclusion, ...] = (out.why,) if out else ()
    speaks = {spoken.casefold() for spoken in rep.languages}
    reasons: list[tuple[bool, Exclusion]] = [
        (not present, "not_in_pool"),
        (not rep.active, "inactive"),
        (bool(pool.match_language and language and language.casefold() not in speaks), "language"),
        (rep.id in holders, "earlier_holder"),
        *((True, why) for why in timed),
        (loads.get(rep.id, 0) >= rep.capacity, "at_capacity"),
    ]
    return tuple(reason for holds, reason in reasons if holds)


def _nobody(excluded: Mapping[str, tuple[Exclusion, ...]]) -> Parked:
    """Why nobody takes it: what is nearest to being freed, of the members whom one thing alone keeps from it; that they are not at
    work as well tells nothing of those who could not take it anyhow."""
    untimed = [tuple(why for why in reasons if why not in TIMED) for reasons in excluded.values()]
    if ("at_capacity",) in excluded.values():
        return "at_capacity"
    if any(not set(reasons) - set(PASSING) for reasons in excluded.values()):
        return "not_at_work"
    alone = {reasons[0] for reasons in untimed if len(reasons) == 1}
    if "inactive" in alone:
        return "inactive"
    if "language" in alone:
        return "language"
    return "all_declined" if "earlier_holder" in alone else "no_eligible_member"
