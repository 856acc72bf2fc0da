"""Leads that come to a pool by some rule, and that nobody there may take: by their language, or by the skills they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from baton.lint.boxes import ALL, boxes_of, meet, without
from baton.lint.rules import LEAD, Rule, Ruled, example
from baton.lint.space import Box, Space
from baton.lint.texts import Texts
from baton.lint.values import TooHardError, Values
from baton.policies.cross_checks import able
from baton.policies.findings import Finding, Policies
from shared.schemas import conditions
from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.policies.teams import Pool, Rep, Requirement

LANGUAGE = "lead.language"


def requirements(policies: Policies, space: Space) -> Iterator[Finding]:
    """Some lead fits what a pool asks skills for."""
    ruled = Ruled(space, LEAD)
    for index, pool in enumerate(policies.teams.pools):
        for number, one in enumerate(pool.requires):
            place = ("pools", index, "requires", number, "when")
            ruled.add("teams", place, f"{pool.id}: {', '.join(one.skills)}", one.when)
    yield from ruled.findings
    yield from ruled.dead()


def unserved(policies: Policies, ruled: Ruled, takes: Callable[[Rule], bool], leg: str) -> Iterator[Finding]:
    """Whoever comes to a pool by the rules of a leg, some member may take."""
    pools = {pool.id: pool for pool in policies.teams.pools}
    left: Sequence[Box] = ALL
    earlier: list[Rule] = []
    for rule in filter(takes, ruled.rules):
        pool = pools.get(policies.routing.rules[int(rule.place[1])].pool)
        try:
            if pool is not None and rule.boxes and able(policies.teams, pool):
                coming = meet(left, rule.boxes, ruled.space)
                yield from _of_rule(policies, pool, rule, earlier, coming, ruled.space, leg)
            left = without(left, rule.boxes or [], ruled.space)
        except TooHardError:
            return
        earlier.append(rule)


def _of_rule(
    policies: Policies, pool: Pool, rule: Rule, earlier: Sequence[Rule], coming: Sequence[Box], space: Space, leg: str
) -> Iterator[Finding]:
    members = able(policies.teams, pool)
    for rep in members:
        coming = without(coming, _taken_by(rep, pool, space), space)

    def proves(facts: Mapping[str, Any]) -> bool:
        first = rule.condition.holds(facts) and not any(other.condition.holds(facts) for other in earlier)
        return first and not any(_may_take(rep, pool, facts) for rep in members)

    lead = example(coming, space, proves)
    if lead is None:
        return
    asked = dict.fromkeys(skill for one in pool.requires if _holds(one, lead) for skill in one.skills)
    language = lead.get(LANGUAGE) if pool.match_language else None
    if language is not None and not any(_speaks(rep, language) for rep in members):
        what, what_ja, code = f"in `{language}`", f"`{language}`", "language-nobody-speaks"
        why, why_ja = "which nobody there speaks", "話せる担当者がいません"
    else:
        skills = ", ".join(f"`{skill}`" for skill in asked)
        spoken, spoken_ja = (f" and `{language}`", f"と`{language}`") if language is not None else ("", "")
        what, what_ja, code = f"that ask for {skills}{spoken}", f"{skills}{spoken_ja}を要する", "skill-nobody-has"
        why, why_ja = "which nobody there has together", "すべてを備えた担当者がいません"
    en = f"rule `{rule.id}` brings pool `{pool.id}` leads {what} on leg `{leg}`, {why}: they would wait for ever"
    ja = f"規則`{rule.id}`はレグ`{leg}`で{what_ja}のリードをプール`{pool.id}`に渡しますが、{why_ja}"
    yield Finding("routing", (*rule.place[:-1], "pool"), en, code, ja, lead)


def _taken_by(rep: Rep, pool: Pool, space: Space) -> Sequence[Box]:
    """Leads that the rep may take."""
    found: Sequence[Box] = ALL
    for one in pool.requires:
        if _lacks(rep, one):
            condition = conditions.parse(one.when, ROUTING_FIELDS)
            found = meet(found, boxes_of(condition, space, holds=False), space)
    if pool.match_language:
        spoken = Texts(frozenset(language.casefold() for language in rep.languages))
        found = meet(found, [{LANGUAGE: Values(absent=True, texts=spoken)}], space)
    return found


def _may_take(rep: Rep, pool: Pool, facts: Mapping[str, Any]) -> bool:
    language = facts.get(LANGUAGE) if pool.match_language else None
    return (language is None or _speaks(rep, language)) and not any(
        _lacks(rep, one) and _holds(one, facts) for one in pool.requires
    )


def _speaks(rep: Rep, language: str) -> bool:
    return language.casefold() in {spoken.casefold() for spoken in rep.languages}


def _lacks(rep: Rep, one: Requirement) -> bool:
    return not {skill.casefold() for skill in one.skills} <= {skill.casefold() for skill in rep.skills}


def _holds(one: Requirement, facts: Mapping[str, Any]) -> bool:
    return conditions.parse(one.when, ROUTING_FIELDS).holds(facts)
