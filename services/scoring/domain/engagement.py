"""What touches are worth at a moment: Σ over groups of min(cap, Σ points · 2^(-age / half-life)), no more than the cap of all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import exp2, fsum, log, log2
from operator import mul

from services.scoring.domain.ledger import HALF_LIVES, Bucket, Marks, count, joined, read
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
    parts: list[Part] = []
    groups: dict[str, int] = {}
    marks = gains = losses = gaining = losing = lately = usual = 0
    shortest = step = NEVER
    now, by_key = float(as_of), rules.by_key
    alone = memories[0] if len(memories) == 1 and not condemned else None
    for key in memories[0].marks if len(memories) == 1 else {key for memory in memories for key in memory.marks}:
        for rule in by_key.get(key, ()):
            if not rule.begins <= as_of < rule.ends:
                continue
            times = times_of(memories, rule, as_of, condemned) if alone is None else _since(alone, rule, now)
            if not times:
                continue
            first, last, half_life = times[0], times[-1], rule.half_life
            worth, pace = float(rule.points), float(half_life)
            ages = times if last <= now else [min(at, now) for at in times]
            points = [worth * exp2((at - now) / pace) + ROUND - ROUND for at in ages]
            if -SMALL <= worth <= SMALL:
                times = [at for at, left in zip(times, points, strict=True) if left]
                if not times:
                    continue
                points = [left for left in points if left]
                first, last = times[0], times[-1]
            count, given, group = len(times), int(sum(points)), rule.group
            marks += count
            groups[group] = groups.get(group, 0) + given
            shortest = min(shortest, half_life)
            step = min(step, int(first) + rule.horizon + 1)
            if given > 0:
                gains += given
                gaining -= -given * PACE // half_life
                squares = list(map(mul, points, points))  # faster than a fourth power of each
                lately += round(fsum(map(mul, squares, squares)) / worth**3)
                usual += round(given * rule.usual)
            else:
                losses -= given
                losing -= given * PACE // half_life
            parts.append(Part(rule.rule_id, given, given, count, int(first), int(last), 0, 0, group, rule.label))
    for group, given in groups.items():
        if given > rules.cap_of(group):
            cap_group([part for part in parts if part.group == group], rules.cap_of(group))
    partial = cap_all(parts, rules.engagement_cap)
    return Engagement(partial, groups, marks, gains, losses, gaining, losing, lately, usual, shortest, step)


def _since(memory: Memory, rule: Behaviour, now: float) -> Sequence[float]:
    """When the touches of one memory happened that count."""
    times = memory.moments(rule.key).all if memory.marks[rule.key] else ()
    return times if not times or times[0] >= now - rule.horizon else times[bisect_left(times, now - rule.horizon) :]


def times_of(memories: Sequence[Memory], rule: Behaviour, as_of: int, condemned: Set[bytes]) -> Sequence[float]:
    """When the touches happened that count for the rule, its limit applied over all identities together; the earliest first."""
    holding = [memory for memory in memories if memory.marks.get(rule.key)]
    if not holding:
        return []
    if len(holding) == 1 and not condemned:
        return _since(holding[0], rule, as_of)
    oldest = as_of - rule.horizon
    marks = b"".join(_union(rule.limit, [memory.marks[rule.key] for memory in holding]).values())
    return sorted([float(at) for at, event in read(marks) if at >= oldest and event not in condemned])


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
