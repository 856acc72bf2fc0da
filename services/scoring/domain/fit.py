"""What a lead is worth by what it is: of each group the best rule that holds, and no more than the cap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.scoring.domain.memory import Told
from services.scoring.domain.parts import MOST_SUGGESTIONS, NEVER, Part, Partial, Suggestion, cap_all
from services.scoring.domain.rules import Facts, Fit, RuleSet
from shared.schemas.conditions import All, Condition, Test
from shared.schemas.touches import Scalar

REMEMBERED = 10_000  # leads that look different to the rules of fit

Attributes = Mapping[str, Told]


class Fitness(NamedTuple):
    """The fit since a moment. step: when a rule comes into force, ends or forgets next, ms;  better: what would raise its letter"""

    partial: Partial
    step: int
    better: list[Suggestion]
    since: int = 0


def facts_of(attributes: Attributes) -> dict[str, Scalar]:
    """As conditions name them."""
    return {f"lead.{name}": told.value for name, told in attributes.items()}


def fit(attributes: Attributes, facts: Facts, rules: RuleSet, as_of: int) -> Fitness:
    """Remembered while nothing but the attributes can change it: many leads look alike to the rules, and one to itself."""
    looks = tuple([_look(attributes.get(name), forgotten) for name, forgotten in rules.fit_attributes])
    found: Fitness | None = rules.fits.get(looks)
    if found is None or not found.since <= as_of < found.step:
        if len(rules.fits) >= REMEMBERED:
            rules.fits.clear()
        found = rules.fits[looks] = _fit(attributes, facts, rules, as_of)
    return found


def _look(told: Told | None, forgotten: bool) -> tuple[object, ...] | None:
    """What the rules see of an attribute; when it was told, if one of them forgets it."""
    if told is None:
        return None
    return (told.value, told.value.__class__, told.at if forgotten else None)  # 1 is not True


def _fit(attributes: Attributes, facts: Facts, rules: RuleSet, as_of: int) -> Fitness:
    best: dict[str, Fit] = {}
    step = NEVER
    for rule in rules.fit:
        if not rules.timeless:
            expires = _expires(rule, attributes)
            step = min([step, *(moment for moment in (rule.begins, rule.ends, expires) if moment > as_of)])
            if not rule.begins <= as_of < min(rule.ends, expires):
                continue
        if rule.condition.holds(facts):
            slot = rule.group or f" {rule.rule_id}"  # a rule without a group stands alone
            if slot not in best or rule.points > best[slot].points:
                best[slot] = rule
    parts = [Part(rule.rule_id, rule.points, rule.points, group=rule.group, label=rule.label) for rule in best.values()]
    partial = cap_all(parts, rules.fit_cap)
    return Fitness(partial, step, _better(partial, facts, rules, as_of), 0 if rules.timeless else as_of)


def _expires(rule: Fit, attributes: Attributes) -> int:
    """When the first of what the rule asks about is forgotten."""
    if rule.expires == NEVER:
        return NEVER
    told = [attributes[name].at + rule.expires for name in rule.attributes if name in attributes]
    return min(told, default=NEVER)


def _better(partial: Partial, facts: Facts, rules: RuleSet, as_of: int) -> list[Suggestion]:
    """The fewest facts that reach the next letter, of those that are not known yet."""
    needed = min((edge for edge in rules.grades if edge > partial.total), default=None)
    if needed is None:
        return []
    given = {part.group or f" {part.rule_id}": part.given for part in partial.parts}
    best: dict[str, tuple[int, Fit, str]] = {}
    for rule in rules.fit:
        slot = rule.group or f" {rule.rule_id}"
        gain = rule.points - given.get(slot, 0)
        if gain > best.get(slot, (0,))[0] and rule.begins <= as_of < rule.ends:
            unknown = _unknown(rule.condition, facts)
            if unknown:
                best[slot] = gain, rule, unknown
    total = sum(given.values())
    found: list[Suggestion] = []
    for gain, rule, unknown in sorted(best.values(), key=lambda one: (-one[0], one[1].rule_id))[:MOST_SUGGESTIONS]:
        found.append(Suggestion(rule.rule_id, gain, unknown, rule.label))
        total += gain
        if min(total, rules.fit_cap) >= needed:
            return found
    return []


def _unknown(condition: Condition, facts: Facts) -> str | None:
    """The first field that would have to be known for the condition to hold; None where what is known already denies it."""
    tests: list[Condition] = list(condition.parts) if isinstance(condition, All) else [condition]
    unknown = None
    for test in tests:
        if not isinstance(test, Test):
            return None
        if test.op in ("ne", "not_in") or facts.get(test.field) is not None:
            if not test.holds(facts):
                return None
        elif test.op == "exists" and not test.value:
            return None
        else:
            unknown = unknown or test.field
    return unknown
