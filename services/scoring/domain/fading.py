"""When time alone changes what is told of a lead: the exact ms, by halving, without looking at each.

Between two moments at which a rule of fit or a schedule changes, what a touch gives only fades, and what it takes only fades too.
So at the ends of a stretch stands the least and the most that a lead can be worth within it; where both lie in one band, nothing
changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp2
from typing import NamedTuple

from services.scoring.domain.engagement import marks_of
from services.scoring.domain.parts import NEVER
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.score import Standing, asked_until, at_moment


class _Mark(NamedTuple):
    """A touch that a rule counts: `worth` is above 0, in milli-points; after `last` it gives nothing."""

    at: int
    worth: int
    half_life: int
    last: int


class _Group(NamedTuple):
    """Touches that give, and touches that take."""

    cap: int
    gains: list[_Mark]
    losses: list[_Mark]


_Sums = list[tuple[int, int]]  # by group: given, taken


class Fading:
    """The engagement of a lead while the same rules are in force. ends: after which no touch counts any more, ms"""

    def __init__(self, standing: Standing, as_of: int) -> None:
        rules = standing.rules
        groups: dict[str, _Group] = {}
        for key in {key for memory in standing.memories for key in memory.marks}:
            for rule in rules.by_key.get(key, ()):
                if not rule.begins <= as_of < rule.ends:
                    continue
                group = groups.setdefault(rule.group, _Group(max(rules.cap_of(rule.group), 0), [], []))
                (group.gains if rule.points > 0 else group.losses).extend(
                    _Mark(at, abs(rule.points), rule.half_life, at + rule.horizon)
                    for marks in marks_of(standing.memories, rule)
                    for at, event in marks
                    if at + rule.horizon >= as_of and event not in standing.condemned
                )
        self._groups = list(groups.values())
        self._cap, self._bands = max(rules.engagement_cap, 0), rules.bands
        self._known: dict[int, _Sums] = {}
        self.ends = max((mark.last + 1 for one in self._groups for mark in (*one.gains, *one.losses)), default=as_of)

    def next_change(self, first: int, last: int) -> int | None:
        """The first ms after `first`, and no later than `last`, at which the band is another than at `first`."""
        now = self._band(self._at(first), self._at(first))
        pending = [(first, last)]
        while pending:
            begin, end = pending.pop()
            before, after = self._at(begin), self._at(end)
            if self._band(after, before) == self._band(before, after):
                continue
            if end - begin == 1:
                if self._band(after, after) != now:
                    return end
                continue
            middle = (begin + end) // 2
            pending += [(middle, end), (begin, middle)]
        return None

    def total(self, moment: int) -> int:
        """Milli-points, as `engagement` has them."""
        sums = self._at(moment)
        return self._total(sums, sums)

    def _total(self, given: _Sums, taken: _Sums) -> int:
        """What is given at one moment, less what is taken at another."""
        total = 0
        for (cap, _, _), (gains, _), (_, losses) in zip(self._groups, given, taken, strict=True):
            total += min(cap, gains - losses)
        return min(self._cap, total)

    def _band(self, given: _Sums, taken: _Sums) -> int:
        """How many edges are reached."""
        total = self._total(given, taken)
        return sum([total >= edge for edge in self._bands])

    def _at(self, moment: int) -> _Sums:
        found = self._known.get(moment)
        if found is None:
            found = [(_sum(group.gains, moment), _sum(group.losses, moment)) for group in self._groups]
            self._known[moment] = found
        return found


def _sum(marks: Iterable[_Mark], moment: int) -> int:
    """As `engagement` counts: each touch rounded once."""
    total = 0
    for at, worth, half_life, last in marks:
        if moment <= last:
            total += round(worth * exp2((at - moment) / half_life)) if at < moment else worth
    return total


def next_change(standing: Standing, as_of: int) -> int | None:
    """The first ms after `as_of` at which grade or temperature is another than then; None when time alone does not change them."""
    if standing.internal:
        return None
    now = at_moment(standing, as_of).bands()
    begin = as_of
    while True:
        found = at_moment(standing, begin)
        if found.bands() != now:
            return begin
        end = _end(standing.rules, begin, found.fit.step, asked_until(standing.hand_raise, standing.rules))
        fading = Fading(standing, begin)
        if (change := fading.next_change(begin, min(end - 1, max(fading.ends, begin)))) is not None:
            return change
        if end >= NEVER:
            return None
        begin = end


def _end(rules: RuleSet, begin: int, *moments: int) -> int:
    """The first of these moments, and of those at which a rule comes into force or ends, after `begin`."""
    return min((at for at in (*moments, *rules.boundaries) if at > begin), default=NEVER)
