"""What rules can give at most: of behaviour by caps and limits, of fit by rules that can hold for one lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from baton.lint.boxes import ALL, meet
from baton.lint.space import Box, Space
from baton.lint.values import TooHardError
from shared.schemas.policies import BehaviourRule, FitRule
from shared.schemas.policies.scoring import Engagement

MOST_TRIALS = 2_000  # combinations of rules of fit
Slot = Sequence[
    tuple[float, Sequence[Box]]
]  # points and where they are given, the most first; of one slot the best counts


def most_engagement(policy: Engagement, rules: Iterable[BehaviourRule]) -> float:
    """Points that no lead has more of, however much it does."""
    groups: dict[str, float] = {}
    for rule in rules:
        if rule.points > 0:
            groups[rule.group] = groups.get(rule.group, 0) + most_of(rule)
    caps = {group: max(policy.groups.get(group, policy.cap), 0) for group in groups}
    return min(max(policy.cap, 0), sum(min(points, caps[group]) for group, points in groups.items()))


def most_of(rule: BehaviourRule) -> float:
    """Points of one rule: all touches of this bucket now, all of the one before a moment ago, and so on, half-life by half-life."""
    at_once = rule.points * rule.limit
    if rule.per == "once":
        return at_once
    if rule.per in ("campaign", "cycle"):
        return inf
    kept = 2 ** (-float(rule.per[:-1]) / rule.half_life_days)
    return at_once * (1 + 1 / (1 - kept))


def most_fit(rules: Iterable[FitRule], where: Mapping[str, Sequence[Box]], space: Space, enough: float) -> float | None:
    """Points of fit that some lead can have, or `enough` where it can have as many; None where that is too hard to say.

    where: of each rule, by its id;  enough: with which the search may end
    """
    slots: dict[str, list[tuple[float, Sequence[Box]]]] = {}
    for rule in rules:
        if rule.points > 0 and where[rule.id]:
            slot = f"group {rule.group}" if rule.group else f"rule {rule.id}"
            slots.setdefault(slot, []).append((rule.points, where[rule.id]))
    ordered: list[Slot] = [sorted(slot, key=lambda one: -one[0]) for slot in slots.values()]
    ordered.sort(key=lambda slot: -slot[0][0])
    try:
        return _Search(ordered, space, enough).found
    except TooHardError:
        return None


class _Search:
    """The best of all combinations of one rule per slot that one lead can fit."""

    def __init__(self, slots: Sequence[Slot], space: Space, enough: float) -> None:
        self._slots, self._space, self._enough = slots, space, enough
        self._rest = [sum(slot[0][0] for slot in slots[index:]) for index in range(len(slots) + 1)]
        self._trials = 0
        self.found = 0.0
        self._try(0, 0.0, ALL)

    def _try(self, index: int, points: float, boxes: Sequence[Box]) -> None:
        self.found = max(self.found, points)
        if index == len(self._slots):
            return
        for more, where in self._slots[index]:
            if self.found >= self._enough or points + more + self._rest[index + 1] <= self.found:
                break
            self._trials += 1
            if self._trials > MOST_TRIALS:
                raise TooHardError(f"more than {MOST_TRIALS} combinations")
            both = meet(boxes, where, self._space)
            if both:
                self._try(index + 1, points + more, both)
        if self.found < self._enough and points + self._rest[index + 1] > self.found:
            self._try(index + 1, points, boxes)
