"""What touches are worth at a moment: Σ over groups of min(cap, Σ points · 2^(-age / half-life)), no more than the cap of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from math import exp2, log2

from services.scoring.domain.ledger import Bucket, Marks, joined
from services.scoring.domain.memory import Memory
from services.scoring.domain.parts import NEVER, Part, Partial, cap_all, cap_group
from services.scoring.domain.rules import Behaviour, RuleSet

NOBODY: Set[bytes] = frozenset()


@dataclass(slots=True)
class Engagement:
    """The engagement at `as_of`, and what says how soon it can change by time alone.

    groups:              milli-points of each group before its cap
    gains, losses:       sums of what is above and below 0, before caps;  marks: how many touches count
    half_life:           the shortest of those that count, ms;  step: when the first of them stops to count at once
    fast, slow:          what the gains are worth by a quarter of their half-lives, and by these
    """

    partial: Partial
    groups: dict[str, int]
    gains: int = 0
    losses: int = 0
    marks: int = 0
    half_life: int = NEVER
    step: int = NEVER
    fast: int = 0

    @property
    def slow(self) -> int:
        return self.gains

    @property
    def total(self) -> int:
        return self.partial.total

    def trend(self) -> str:
        """A steady stream of touches is worth a quarter by a quarter of its half-life; more than that was done lately, or less."""
        index = 4 * self.fast / self.slow if self.slow > 0 else 1.0
        return "rising" if index > 1.5 else "falling" if index < 0.5 else "steady"

    def steady_for(self, low: int, high: int) -> int:
        """ms during which decay alone cannot take the total below `low` or up to `high`: a bound, not the moment itself."""
        slack = self.marks  # each touch is rounded once, by half a milli-point at most, then and now
        return min(
            self._fading(self.gains, self.total - low - slack), self._fading(self.losses, high - self.total - slack - 1)
        )

    def _fading(self, fades: int, room: int) -> int:
        """How long a sum that fades takes to lose more than `room`, at the earliest."""
        if room >= fades:
            return NEVER
        return int(-self.half_life * log2(1 - room / fades)) if room > 0 else 0


def engagement(memories: Sequence[Memory], rules: RuleSet, as_of: int, condemned: Set[bytes] = NOBODY) -> Engagement:
    """Condemned events hold their places and count nothing."""
    found = Engagement(Partial(0, []), {})
    groups: dict[str, list[Part]] = {}
    for key in memories[0].marks if len(memories) == 1 else {key for memory in memories for key in memory.marks}:
        for rule in rules.by_key.get(key, ()):
            if rule.begins <= as_of < rule.ends:
                part = _given(rule, marks_of(memories, rule), as_of, condemned, found)
                if part is not None:
                    groups.setdefault(rule.group, []).append(part)
    parts: list[Part] = []
    for group, members in groups.items():
        found.groups[group] = sum([part.given for part in members])
        cap_group(members, rules.cap_of(group))
        parts += members
    found.partial = cap_all(parts, rules.engagement_cap)
    return found


def _given(
    rule: Behaviour, slots: Iterable[Marks], as_of: int, condemned: Set[bytes], found: Engagement
) -> Part | None:
    """None where no touch gives anything."""
    worth, half_life, oldest = rule.points, rule.half_life, as_of - rule.horizon
    times = given = fast = last = 0
    first = NEVER
    for marks in slots:
        for at, event in marks:
            if at < oldest or (condemned and event in condemned):
                continue
            share = exp2((at - as_of) / half_life) if at < as_of else 1.0
            points = round(worth * share)
            if points:
                times += 1
                given += points
                fast += round(points * share * share * share)
                if at < first:
                    first = at
                if at > last:
                    last = at
    if not times:
        return None
    found.marks += times
    if half_life < found.half_life:
        found.half_life = half_life
    if first + rule.horizon < found.step:
        found.step = first + rule.horizon + 1
    if worth > 0:
        found.gains += given
        found.fast += fast
    else:
        found.losses -= given
    return Part(rule.rule_id, given, given, times, first, last, group=rule.group, label=rule.label)


def marks_of(memories: Sequence[Memory], rule: Behaviour) -> Iterable[Marks]:
    """The rule's marks by bucket, its limit applied over all identities together."""
    held = [buckets for memory in memories if (buckets := memory.marks.get(rule.key))]
    if len(held) <= 1:
        return held[0].values() if held else ()
    union: dict[Bucket, Marks] = {}
    for buckets in held:
        for bucket, marks in buckets.items():
            union[bucket] = joined(rule.limit, union[bucket], marks) if bucket in union else marks
    return union.values()


def used(memories: Sequence[Memory], rule: Behaviour, bucket: Bucket) -> int:
    """How many places of the rule's bucket are taken."""
    marks = {mark for memory in memories for mark in memory.marks.get(rule.key, {}).get(bucket, ())}
    return min(rule.limit, len(marks))
