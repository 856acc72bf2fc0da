"""What would raise the fit: the fewest facts that are not known, and would reach the next better letter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from services.scoring.domain.fit import REMEMBERED, Look, worth
from services.scoring.domain.parts import MOST_SUGGESTIONS, Partial, Suggestion
from services.scoring.domain.rules import Facts, RuleSet
from shared.schemas.catalogue import FIT_FIELDS
from shared.schemas.conditions import All, AnyOf, Condition, Not
from shared.schemas.touches import Scalar

MOST_TRIALS = 300  # of values together; where that does not do, nothing is said
SOMETHING: dict[type, Scalar] = {str: "other", int: 1, bool: True}  # any value, where no rule asks for a certain one


def by_facts(partial: Partial, look: Look, facts: Facts, rules: RuleSet) -> list[Suggestion]:
    """None where there is no better letter, or none in reach. Remembered by what the lead looks like.

    What was told too long ago for a rule is as good as not known. Facts that decide by which region's rules a lead is judged, or
    whether it is one of ourselves, are not among those that one asks for.
    """
    found: list[Suggestion] | None = rules.missing.get(look)
    if found is None:
        if len(rules.missing) >= REMEMBERED:
            rules.missing.clear()
        found = rules.missing[look] = _Search(partial, look, facts, rules).fewest()
    return found


class _Search:
    """Subsets of the unknown facts, the smallest and most promising first, each with the values that rules ask for."""

    def __init__(self, partial: Partial, look: Look, facts: Facts, rules: RuleSet) -> None:
        self.partial, self.look, self.facts, self.rules = partial, look, facts, rules
        self.given = {part.group or f" {part.rule_id}": part.given for part in partial.parts}
        self.trials = 0

    def fewest(self) -> list[Suggestion]:
        needed = min((edge for edge in self.rules.grades if edge > self.partial.total), default=None)
        if needed is None or needed > self.rules.fit_cap:
            return []
        stale = {name for _, name in self.look.stale}
        unknown = [
            name
            for name, _ in self.rules.fit_attributes
            if name not in self.rules.deciding and (name in stale or self.facts.get(f"lead.{name}") is None)
        ]
        values = {name: self._values(name) for name in unknown}
        short = needed - sum(self.given.values())
        for many in range(1, MOST_SUGGESTIONS + 1):
            promising = [
                (-most, names) for names in combinations(unknown, many) if (most := self._most(names)) >= short
            ]
            for _, names in sorted(promising):
                for chosen in product(*(values[name] for name in names)):
                    if self.trials >= MOST_TRIALS:
                        return []
                    if self._told(names, chosen).total >= needed:
                        return self._suggested(names, chosen)
        return []

    def _most(self, names: Sequence[str]) -> int:
        """More than these facts cannot bring: of each group the best of the rules that ask about them."""
        best: dict[str, int] = {}
        for name in names:
            for slot, points in self.rules.asked[name].items():
                best[slot] = max(best.get(slot, 0), points)
        return sum([max(points - self.given.get(slot, 0), 0) for slot, points in best.items()])

    def _values(self, name: str) -> list[Scalar]:
        """That the rules of this fact name, and any other; those first that bring most by themselves."""
        field = f"lead.{name}"
        asked = {value for rule in self.rules.fit for value in _named(rule.condition, field)} | {
            SOMETHING[FIT_FIELDS[field]]
        }
        return sorted(asked, key=lambda value: (-self._told([name], [value]).total, str(value)))

    def _told(self, names: Sequence[str], values: Sequence[Scalar]) -> Partial:
        self.trials += 1
        told = {f"lead.{name}": value for name, value in zip(names, values, strict=True)}
        return worth({**self.facts, **told}, self.look, self.rules, frozenset(names))

    def _suggested(self, names: Sequence[str], values: Sequence[Scalar]) -> list[Suggestion]:
        """One after the other, with what each brings when it comes, those first that bring most by themselves."""
        alone = {name: self._told([name], [value]).total for name, value in zip(names, values, strict=True)}
        order = sorted(zip(names, values, strict=True), key=lambda fact: (-alone[fact[0]], fact[0]))
        steps = [self.partial] + [self._told(*zip(*order[:many], strict=True)) for many in range(1, len(order) + 1)]
        return [
            self._suggestion(name, steps[place], steps[place + 1], steps[-1]) for place, (name, _) in enumerate(order)
        ]

    def _suggestion(self, name: str, before: Partial, after: Partial, last: Partial) -> Suggestion:
        """Named by the rule that the fact brings, at once or with those that follow, or that it ends."""
        asking = {rule.rule_id for rule in self.rules.fit if name in rule.attributes}
        known = {part.rule_id for part in before.parts}
        parts = [
            *(part for part in (*after.parts, *last.parts) if part.rule_id in asking - known),
            *(part for part in before.parts if part.rule_id in asking),
        ]
        return Suggestion(parts[0].rule_id, after.total - before.total, f"lead.{name}", parts[0].label)


def _named(condition: Condition, field: str) -> Iterator[Scalar]:
    """Values of the field by which one of the condition's tests holds, or does not."""
    if isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from _named(part, field)
    elif isinstance(condition, Not):
        yield from _named(condition.part, field)
    elif condition.field == field and condition.op in ("gte", "gt", "lte", "lt"):
        yield from (condition.value - 1, condition.value, condition.value + 1)
    elif condition.field == field and condition.op != "exists":
        yield from condition.value if isinstance(condition.value, tuple) else [condition.value]
