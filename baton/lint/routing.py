"""Which leads routing rules take: rules that take none, leads that none takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from baton.lint import universe
from baton.lint.pools import requirements, unserved
from baton.lint.rules import LEAD, Rule, Ruled, example
from baton.lint.values import TooHardError
from baton.policies.findings import Check, Finding, Policies

LEGS = ("is", "fs")


def _rules(policies: Policies) -> Iterator[Finding]:
    """Every rule takes some leads, and every lead is taken."""
    ruled = Ruled(universe.leads(policies), LEAD)
    for index, rule in enumerate(policies.routing.rules):
        ruled.add("routing", ("rules", index, "when"), rule.id, rule.when)
    yield from ruled.findings
    yield from ruled.dead()
    yield from requirements(policies, ruled.space)
    for leg in LEGS:
        takes = _of_leg(policies, leg)
        yield from ruled.shadowed(takes, leg)
        yield from _untaken(ruled, takes, leg)
        yield from unserved(policies, ruled, takes, leg)


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


ROUTING_CHECKS: tuple[Check, ...] = (_rules,)
