"""What touches are worth at a moment: Σ over groups of min(cap, Σ points · 2^(-age / half-life)), no more than the cap of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import exp2, fsum, log, log2
from typing import NamedTuple

from services.scoring.domain.ledger import HALF_LIVES, Bucket, Marks, count, joined, moments, read
from services.scoring.domain.memory import Memory
from services.scoring.domain.parts import NEVER, Part, Partial, cap_all, cap_group
from services.scoring.domain.rules import Behaviour, RuleSet

NOBODY: Set[bytes] = frozenset()
ROUND = 1.5 * 2**52  # x + ROUND - ROUND is round(x), half to even, of all that points can be; and several times as fast
SMALL = 2 ** (HALF_LIVES - 1)  # milli-points; of more, some are left until the end
PACE = 10**15  # of what fades within a ms: sums of whole numbers are the same in any order


class Fading(NamedTuple):
    """What fades, in whole: milli-points above 0 and those below;  pace: of half-lives, Σ points · PACE / half-life"""

    points: int = 0
    pace: int = 0

    def lasts(self, room: int, half_life: int) -> int:
        """ms that it takes to lose more than `room`, at the earliest. half_life: the shortest of all"""
        if room >= self.points:
            return NEVER
        if room <= 0:
            return 0
        # It loses no more than all would by the shortest half-life; nor than it would if it went on at the pace of now.
        return int(max(-half_life * log2(1 - room / self.points), room * PACE / (self.pace * log(2))))


NOTHING = Fading()


@dataclass(slots=True)
class Engagement:
    """The engagement at `as_of`, and what says how soon it can change by time alone.

    gains, losses:  milli-points of each group above 0, and below, before its cap
    rising:         what the gains are worth by a quarter of their half-lives;  usual: what they would be of a steady stream
    marks:          how many touches count;  half_life: the shortest of theirs, ms;  step: when the first stops to count at once
    """

    partial: Partial
    gains: dict[str, int]
    losses: dict[str, int]
    gaining: Fading = NOTHING
    losing: Fading = NOTHING
    rising: int = 0
    usual: int = 0
    marks: int = 0
    half_life: int = NEVER
    step: int = NEVER

    @property
    def total(self) -> int:
        return self.partial.total

    def trend(self) -> str:
        """Whether what was done lately outweighs what was done before: `rising` where the gains, by a quarter of their half-lives,
        are worth more than half as much again as they would be of a steady stream of touches; `falling` where less than half."""
        if 2 * self.rising > 3 * self.usual:
            return "rising"
        return "falling" if 2 * self.rising < self.usual else "steady"

    def steady_for(self, low: int, high: int) -> int:
        """ms during which decay alone cannot take the total below `low` or up to `high`: a bound, not the moment itself."""
        slack = self.marks  # each touch is rounded once, by half a milli-point at most, then and now
        return min(
            self.gaining.lasts(self.total - low - slack, self.half_life),
            self.losing.lasts(high - self.total - slack - 1, self.half_life),
        )


def engagement(memories: Sequence[Memory], rules: RuleSet, as_of: int, condemned: Set[bytes] = NOBODY) -> Engagement:
    """Condemned events hold their places and count nothing."""
    found = Engagement(Partial(0, []), {}, {})
    groups: dict[str, list[Part]] = {}
    for key in memories[0].marks if len(memories) == 1 else {key for memory in memories for key in memory.marks}:
        for rule in rules.by_key.get(key, ()):
            if rule.begins <= as_of < rule.ends:
                part = _given(rule, times_of(memories, rule, as_of, condemned), as_of, found)
                if part is not None:
                    groups.setdefault(rule.group, []).append(part)
    parts: list[Part] = []
    for group, members in groups.items():
        cap_group(members, rules.cap_of(group))
        parts += members
    found.partial = cap_all(parts, rules.engagement_cap)
    return found


def net(gains: Mapping[str, int], losses: Mapping[str, int]) -> dict[str, int]:
    """By group."""
    return {group: gains.get(group, 0) - losses.get(group, 0) for group in gains.keys() | losses.keys()}


def capped(groups: Mapping[str, int], rules: RuleSet) -> int:
    """What groups of so many points are worth together."""
    total = sum([min(points, max(rules.cap_of(group), 0)) for group, points in groups.items()])
    return min(total, max(rules.engagement_cap, 0))


def _given(rule: Behaviour, times: list[int], as_of: int, found: Engagement) -> Part | None:
    """What touches at these times give; None where that is nothing."""
    if not times:
        return None
    worth, half_life, last = rule.points, rule.half_life, max(times)
    ages = times if last <= as_of else [min(at, as_of) for at in times]
    points = [worth * exp2((at - as_of) / half_life) + ROUND - ROUND for at in ages]
    if abs(worth) <= SMALL and 0.0 in points:
        times = [at for at, left in zip(times, points, strict=True) if left]
        points = [left for left in points if left]
        if not times:
            return None
        last = max(times)
    first, given, group = min(times), int(sum(points)), rule.group
    found.marks += len(times)
    if half_life < found.half_life:
        found.half_life = half_life
    if first + rule.horizon < found.step:
        found.step = first + rule.horizon + 1
    if worth > 0:
        found.gains[group] = found.gains.get(group, 0) + given
        found.gaining = Fading(found.gaining.points + given, found.gaining.pace - -given * PACE // half_life)
        found.rising += round(fsum([left * left * left * left for left in points]) / worth**3)
        found.usual += round(given * rule.usual)
    else:
        found.losses[group] = found.losses.get(group, 0) - given
        found.losing = Fading(found.losing.points - given, found.losing.pace - given * PACE // half_life)
    return Part(rule.rule_id, given, given, len(times), first, last, 0, 0, group, rule.label)


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
