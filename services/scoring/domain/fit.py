"""What a lead is worth by what it is: of each group the best rule that holds, and no more than the cap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.scoring.domain.memory import Told
from services.scoring.domain.parts import NEVER, Part, Partial, cap_all
from services.scoring.domain.rules import Facts, Fit, RuleSet
from shared.schemas.touches import Scalar

REMEMBERED = 10_000  # leads that look different to the rules of fit

Attributes = Mapping[str, Told]


class Look(NamedTuple):
    """All of a lead that its fit depends on: two that look alike are worth the same.

    known: by attribute that a rule asks about, what is known of it (1 is not True)
    off:   rules that are not in force;  stale: rules, and what they ask about that was told too long ago for them
    """

    known: tuple[object, ...]
    off: frozenset[str] = frozenset()
    stale: frozenset[tuple[str, str]] = frozenset()


class Fitness(NamedTuple):
    """The fit from `since` on, until the `step` when a rule comes into force, ends or forgets next; ms"""

    partial: Partial
    step: int
    look: Look
    since: int = 0


def facts_of(attributes: Attributes) -> dict[str, Scalar]:
    """As conditions name them."""
    return {f"lead.{name}": told.value for name, told in attributes.items()}


def fit(attributes: Attributes, facts: Facts, rules: RuleSet, as_of: int) -> Fitness:
    """Remembered while nothing but the attributes can change it: many leads look alike to the rules, and one to itself."""
    seen = tuple([_seen(attributes.get(name), forgotten) for name, forgotten in rules.fit_attributes])
    found: Fitness | None = rules.fits.get(seen)
    if found is None or not found.since <= as_of < found.step:
        if len(rules.fits) >= REMEMBERED:
            rules.fits.clear()
        found = rules.fits[seen] = _fit(attributes, facts, rules, as_of)
    return found


def _seen(told: Told | None, forgotten: bool) -> tuple[object, ...] | None:
    """What the rules see of an attribute; when it was told, if one of them forgets it."""
    return (told.value, told.value.__class__, told.at if forgotten else None) if told else None


def _fit(attributes: Attributes, facts: Facts, rules: RuleSet, as_of: int) -> Fitness:
    told = [attributes.get(name) for name, _ in rules.fit_attributes]
    known = tuple([(one.value, one.value.__class__) if one else None for one in told])
    since, step, off, stale = 0, NEVER, set[str](), set[tuple[str, str]]()
    for rule in rules.fit:
        ends = {name: attributes[name].at + rule.expires for name in rule.attributes if name in attributes}
        for moment in (rule.begins, rule.ends, *ends.values()):
            since, step = (max(since, moment), step) if moment <= as_of else (since, min(step, moment))
        if not rule.begins <= as_of < rule.ends:
            off.add(rule.rule_id)
        stale |= {(rule.rule_id, name) for name, end in ends.items() if end <= as_of}
    look = Look(known, frozenset(off), frozenset(stale))
    return Fitness(worth(facts, look, rules), step, look, since)


def worth(facts: Facts, look: Look, rules: RuleSet, fresh: frozenset[str] = frozenset()) -> Partial:
    """fresh: attributes that are told now"""
    forgotten = {rule_id for rule_id, name in look.stale if name not in fresh}
    best: dict[str, Fit] = {}
    for rule in rules.fit:
        if rule.rule_id in look.off or rule.rule_id in forgotten:
            continue
        if (rule.slot not in best or rule.points > best[rule.slot].points) and rule.condition.holds(facts):
            best[rule.slot] = rule
    parts = [Part(rule.rule_id, rule.points, rule.points, group=rule.group, label=rule.label) for rule in best.values()]
    return cap_all(parts, rules.fit_cap)
