"""Which leads routing rules take: rules that take none, leads that none takes, and leads whose language nobody in a pool speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from baton.lint import universe
from baton.lint.boxes import ALL, meet, without
from baton.lint.rules import LEAD, Rule, Ruled, example
from baton.lint.space import Box
from baton.lint.texts import Texts
from baton.lint.values import TooHardError, Values
from baton.policies.findings import Check, Finding, Policies
from shared.schemas.policies.teams import Pool

LEGS = ("is", "fs")


def _rules(policies: Policies) -> Iterator[Finding]:
    """Every rule takes some leads, and every lead is taken."""
    ruled = Ruled(universe.leads(policies), LEAD)
    for index, rule in enumerate(policies.routing.rules):
        ruled.add("routing", ("rules", index, "when"), rule.id, rule.when)
    yield from ruled.findings
    yield from ruled.dead()
    for leg in LEGS:
        takes = _of_leg(policies, leg)
        yield from ruled.shadowed(takes, leg)
        yield from _untaken(ruled, takes, leg)
        yield from _languages(policies, ruled, takes, leg)


def _of_leg(policies: Policies, leg: str) -> Callable[[Rule], bool]:
    return lambda rule: leg in policies.routing.rules[int(rule.place[1])].legs


def _untaken(ruled: Ruled, takes: Callable[[Rule], bool], leg: str) -> Iterator[Finding]:
    rules = [rule for rule in ruled.rules if takes(rule)]
    try:
        left = ruled.left(takes)
    except TooHardError:
        left = None
    if left is None:
        en = f"whether the rules take all leads of leg `{leg}` was not found out: they are too many"
        yield Finding(
            "routing", ("rules",), en, "check-skipped", f"レグ`{leg}`に漏れがないかは、規則が多すぎて確認していません"
        )
    elif left:
        lead = example(left, ruled.space, lambda facts: not any(rule.condition.holds(facts) for rule in rules))
        en = f"a lead that fits no rule of leg `{leg}` would wait for ever; end with a rule of `when: {{}}`"
        ja = f"レグ`{leg}`のどの規則にも当てはまらないリードは待ち続けます。最後に `when: {{}}` の規則を置いてください"
        yield Finding("routing", ("rules",), en, "no-catch-all", ja, lead)


def _languages(policies: Policies, ruled: Ruled, takes: Callable[[Rule], bool], leg: str) -> Iterator[Finding]:
    """Of pools whose members have to speak the lead's language, every language that comes is spoken."""
    pools = {pool.id: pool for pool in policies.teams.pools}
    left: Sequence[Box] = ALL
    for rule in filter(takes, ruled.rules):
        pool = pools.get(policies.routing.rules[int(rule.place[1])].pool)
        try:
            if pool is not None and pool.match_language:
                yield from _unspoken(policies, ruled, rule, pool, meet(left, rule.boxes or [], ruled.space), leg)
            left = without(left, rule.boxes or [], ruled.space)
        except TooHardError:
            return


def _unspoken(
    policies: Policies, ruled: Ruled, rule: Rule, pool: Pool, boxes: Sequence[Box], leg: str
) -> Iterator[Finding]:
    members = {member.rep for member in pool.members}
    able = [rep for rep in policies.teams.reps if rep.id in members and rep.active and rep.capacity]
    spoken = frozenset(language.casefold() for rep in able for language in rep.languages)
    others: list[Box] = [{"lead.language": Values(texts=Texts(spoken, others=True))}]
    found = meet(boxes, others, ruled.space)
    if not found or not able:
        return

    def proves(facts: object) -> bool:
        return (
            isinstance(facts, dict)
            and rule.condition.holds(facts)
            and str(facts.get("lead.language", "")).casefold() not in {"", *spoken}
        )

    lead = example(found, ruled.space, proves)
    if lead is None:
        return
    language = lead["lead.language"]
    en = (
        f"rule `{rule.id}` brings pool `{pool.id}` leads in `{language}` on leg `{leg}`, which nobody there speaks:"
        " they would wait for ever"
    )
    ja = f"規則`{rule.id}`はレグ`{leg}`で`{language}`のリードをプール`{pool.id}`に渡しますが、話せる担当者がいません"
    yield Finding("routing", (*rule.place[:-1], "pool"), en, "language-nobody-speaks", ja, lead)


ROUTING_CHECKS: tuple[Check, ...] = (_rules,)
