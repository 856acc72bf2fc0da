"""What touches are worth at a moment: Σ over groups of min(cap, Σ points · 2^(-age / half-life)), no more than the cap of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import exp2, fsum, log, log2

from services.scoring.domain.ledger import HALF_LIVES, Bucket, Marks, count, joined, moments, read
from services.scoring.domain.memory import Memory
from services.scoring.domain.parts import NEVER, Part, Partial, cap_all, cap_group
from services.scoring.domain.rules import Behaviour, RuleSet

NOBODY: Set[bytes] = frozenset()
ROUND = 1.5 * 2**52  # x + ROUND - ROUND is round(x), half to even, of all that points can be; and several times as fast
PACE, LN2 = 10**15, log(2)  # in whole numbers sums are the same in any order
SMALL = 2 ** (HALF_LIVES - 1)  # milli-points; of more, some are left until the end


@dataclass(slots=True)
class Engagement:
    """The engagement at `as_of`, and what says how soon it can change by time alone.

    groups:         milli-points of each group before its cap;  marks: how many touches count
    gains, losses:  milli-points above 0 in whole, and those below;  gaining, losing: Σ of these by their half-lives, in PACE
    lately, usual:  what the gains are worth by a quarter of their half-lives, and what they would be of a steady stream of touches
    half_life:      the shortest of those that count, ms;  step: when the first touch stops to count at once
    """

    partial: Partial
    groups: dict[str, int]
    marks: int = 0
    gains: int = 0
    losses: int = 0
    gaining: int = 0
    losing: int = 0
    lately: int = 0
    usual: int = 0
    half_life: int = NEVER
    step: int = NEVER

    @property
    def total(self) -> int:
        return self.partial.total

    def trend(self) -> str:
        """Whether what was done lately outweighs what was done before: `rising` where the gains, by a quarter of their half-lives,
        are worth more than half as much again as they would be of a steady stream of touches; `falling` where less than half."""
        if 2 * self.lately > 3 * self.usual:
            return "rising"
        return "falling" if 2 * self.lately < self.usual else "steady"

    def steady_for(self, low: int, high: int) -> int:
        """ms during which decay alone cannot take the total below `low` or up to `high`: a bound, not the moment itself."""
        slack = self.marks  # each touch is rounded by half a milli-point at most, then and now
        return min(
            self._lasts(self.gains, self.gaining, self.total - low - slack),
            self._lasts(self.losses, self.losing, high - self.total - slack - 1),
        )

    def _lasts(self, points: int, pace: int, room: int) -> int:
        """ms that it takes what fades to lose more than `room`, at the earliest."""
        if not points or room >= points:
            return NEVER
        if room <= 0:
            return 0
        # It loses no more than all would by the shortest half-life; nor than it would if it went on at the pace of now.
        return int(max(-self.half_life * log2(1 - room / points), room * PACE / (pace * LN2)))


def engagement(memories: Sequence[Memory], rules: RuleSet, as_of: int, condemned: Set[bytes] = NOBODY) -> Engagement:
    """Condemned events hold their places and count nothing. In one go: this is what a score costs most for."""
    found = Engagement(Partial(0, []), {})
    parts: list[Part] = []
    for key in memories[0].marks if len(memories) == 1 else {key for memory in memories for key in memory.marks}:
        for rule in rules.by_key.get(key, ()):
            if not rule.begins <= as_of < rule.ends or not (times := times_of(memories, rule, as_of, condemned)):
                continue
            worth, half_life, last = rule.points, rule.half_life, max(times)
            ages = times if last <= as_of else [min(at, as_of) for at in times]
            points = [worth * exp2((at - as_of) / half_life) + ROUND - ROUND for at in ages]
            if -SMALL <= worth <= SMALL:
                times = [at for at, left in zip(times, points, strict=True) if left]
                if not times:
                    continue
                points = [left for left in points if left]
            first, given, group = min(times), int(sum(points)), rule.group
            found.marks += len(times)
            found.groups[group] = found.groups.get(group, 0) + given
            if half_life < found.half_life:
                found.half_life = half_life
            if first + rule.horizon < found.step:
                found.step = first + rule.horizon + 1
            if given > 0:
                found.gains += given
                found.gaining -= -given * PACE // half_life
                found.lately += round(fsum([left * left * left * left for left in points]) / worth**3)
                found.usual += round(given * rule.usual)
            else:
                found.losses -= given
                found.losing -= given * PACE // half_life
            parts.append(Part(rule.rule_id, given, given, len(times), first, last, 0, 0, group, rule.label))
    for group, given in found.groups.items():
        if given > rules.cap_of(group):
            cap_group([part for part in parts if part.group == group], rules.cap_of(group))
    found.partial = cap_all(parts, rules.engagement_cap)
    return found


def times_of(memories: Sequence[Memory], rule: Behaviour, as_of: int, condemned: Set[bytes]) -> list[int]:
    """When the touches happened that count for the rule, its limit applied over all identities together."""
    held = [buckets for memory in memories if (buckets := memory.marks.get(rule.key))]
    if not held:
        return []
    slots = held[0] if len(held) == 1 else _union(rule.limit, held)
    oldest, marks = as_of - rule.horizon, b"".join(slots.values())
    if condemned:
        return [at for at, event in read(marks) if at >= oldest and event not in condemned]
    return [at for (at,) in moments(marks) if at >= oldest]


def _union(limit: int, held: Iterable[Mapping[Bucket, Marks]]) -> Mapping[Bucket, Marks]:
    union: dict[Bucket, Marks] = {}
    for buckets in held:
        for bucket, marks in buckets.items():
            union[bucket] = joined(limit, union[bucket], marks) if bucket in union else marks
    return union


def used(memories: Sequence[Memory], rule: Behaviour, bucket: Bucket) -> int:
    """How many places of the rule's bucket are taken."""
    held = [{bucket: marks} for memory in memories if (marks := memory.marks.get(rule.key, {}).get(bucket))]
    return sum(map(count, _union(rule.limit, held).values()))
