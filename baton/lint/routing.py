"""Which leads routing rules take: rules that take none, leads that none takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from baton.lint import universe
from baton.lint.pools import requirements, unserved
from baton.lint.rules import LEAD, Rule, Ruled, example
from baton.lint.values import TooHardError
from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from shared.schemas.policies.routing import RoutingRule

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
    yield from _regions(policies, ruled)


def _of_leg(policies: Policies, leg: str) -> Callable[[Rule], bool]:
    """Rules of a leg that always count: what is scheduled takes nothing from the others, and nobody may rely on it."""

    def takes(rule: Rule) -> bool:
        found = policies.routing.rules[int(rule.place[1])]
        return leg in found.legs and not found.scheduled

    return takes


def _regions(policies: Policies, base: Ruled) -> Iterator[Finding]:
    """In every region each rule of its own takes some leads, and every lead is taken."""
    regions = Ruled(base.space, LEAD)
    for index, overlay in enumerate(policies.routing.overlays):
        regions.add("routing", ("overlays", index, "when"), overlay.id, overlay.when)
        ruled, legs = Ruled(base.space, LEAD), dict[Place, RoutingRule]()
        own = {rule.id: ("overlays", index, "rules", n, "when") for n, rule in enumerate(overlay.rules)}
        places = {rule.id: ("rules", n, "when") for n, rule in enumerate(policies.routing.rules)} | own
        for rule in overlay.over(policies.routing.rules):
            place: Place = places[rule.id]
            legs[place] = rule
            whole = {"all": [overlay.when, rule.when]} if rule.id in own else rule.when
            ruled.add("routing", place, rule.id, whole)
        yield from ruled.findings
        yield from (one for one in ruled.dead() if one.place[:1] == ("overlays",) and one.code == "dead-rule")
        elsewhere = ("overlays", index, "when")
        ruled.add("routing", elsewhere, overlay.id, {"not": overlay.when})
        for leg in LEGS:

            def takes(rule: Rule, leg: str = leg, legs: dict[Place, RoutingRule] = legs) -> bool:
                found = legs.get(rule.place)
                return found is None or (leg in found.legs and not found.scheduled)

            yield from _untaken(ruled, takes, leg, ("overlays", index), overlay.id)
    yield from regions.findings
    yield from regions.dead()
    yield from regions.shadowed(lambda _: True)


def _untaken(
    ruled: Ruled, takes: Callable[[Rule], bool], leg: str, place: Place = ("rules",), region: str | None = None
) -> Iterator[Finding]:
    rules = [rule for rule in ruled.rules if takes(rule)]
    try:
        left = ruled.left(takes)
    except TooHardError:
        left = None
    if left is None:
        en = f"whether the rules take all leads of leg `{leg}` was not found out: they are too many"
        yield Finding(
            "routing", place, en, "check-skipped", f"レグ`{leg}`に漏れがないかは、規則が多すぎて確認していません"
        )
    elif left:
        lead = example(left, ruled.space, lambda facts: not any(rule.condition.holds(facts) for rule in rules))
        where = f" of region `{region}`" if region else ""
        en = f"a lead{where} that fits no rule of leg `{leg}` would wait for ever; end with a rule of `when: {{}}`"
        ja = f"レグ`{leg}`のどの規則にも当てはまらないリードは待ち続けます。最後に `when: {{}}` の規則を置いてください"
        yield Finding("routing", place, en, "no-catch-all", ja, lead)


ROUTING_CHECKS: tuple[Check, ...] = (_rules,)
