"""When time alone changes what is told of a lead: the exact ms, by halving, without looking at each.

Between two moments at which a rule of fit or a schedule changes, what a touch gives only fades, and what it takes only fades too.
So at the ends of a stretch stands the least and the most that a lead can be worth within it; where both lie in one band, nothing
changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp2
from typing import NamedTuple

from services.scoring.domain.engagement import ROUND, times_of
from services.scoring.domain.parts import NEVER
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.score import Standing, asked_until, at_moment

MOST_LOOKS = 300  # at what a lead is worth, before the search is put off


class Change(NamedTuple):
    """at: ms;  certain: something changes then. Else nothing does before, and whether it does then is to be looked at again"""

    at: int
    certain: bool = True


class _Touches(NamedTuple):
    """Those that a rule counts: when they happened, and what each is worth then, in milli-points above 0."""

    times: Sequence[float]
    worth: int
    half_life: int
    horizon: int


class _Group(NamedTuple):
    """Touches that give, and touches that take."""

    cap: int
    gains: list[_Touches]
    losses: list[_Touches]


_Sums = list[tuple[int, int]]  # by group: given, taken


class Fading:
    """The engagement of a lead while the same rules are in force. ends: after which no touch counts any more, ms"""

    def __init__(self, standing: Standing, as_of: int) -> None:
        rules = standing.rules
        groups: dict[str, _Group] = {}
        for key in {key for memory in standing.memories for key in memory.marks}:
            for rule in rules.by_key.get(key, ()):
                if rule.begins <= as_of < rule.ends:
                    group = groups.setdefault(rule.group, _Group(max(rules.cap_of(rule.group), 0), [], []))
                    times = times_of(standing.memories, rule, as_of, standing.condemned)
                    touches = _Touches(times, abs(rule.points), rule.half_life, rule.horizon)
                    (group.gains if rule.points > 0 else group.losses).append(touches)
        self._groups = list(groups.values())
        self._cap, self._bands = max(rules.engagement_cap, 0), rules.bands
        self._known: dict[int, _Sums] = {}
        every = [touches for one in self._groups for touches in (*one.gains, *one.losses) if touches.times]
        self.ends = max((int(touches.times[-1]) + touches.horizon + 1 for touches in every), default=as_of)

    def next_change(self, first: int, last: int) -> Change | None:
        """The first ms after `first`, and no later than `last`, at which the band is another than at `first`.

        Where an engagement stays at an edge for long, because some points fall as fast as others rise, the search is put off.
        """
        now = self._band(self._at(first), self._at(first))
        pending = [(first, last)]
        while pending:
            begin, end = pending.pop()
            before, after = self._at(begin), self._at(end)
            if self._band(after, before) == self._band(before, after):
                continue
            if end - begin == 1:
                if self._band(after, after) != now:
                    return Change(end)
                continue
            if len(self._known) > MOST_LOOKS:
                return Change(begin + 1, certain=False)
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


def _sum(rules: Iterable[_Touches], moment: int) -> int:
    """As `engagement` counts: each touch rounded once."""
    total = 0.0
    for times, worth, half_life, horizon in rules:
        oldest = moment - horizon
        ages = [at - moment if at < moment else 0 for at in times if at >= oldest]
        total += sum([worth * exp2(age / half_life) + ROUND - ROUND for age in ages])
    return int(total)


def next_change(standing: Standing, as_of: int) -> Change | None:
    """The first ms after `as_of` at which grade or temperature is another than then; None when time alone does not change them."""
    if standing.internal:
        return None
    now = at_moment(standing, as_of).bands()
    begin = as_of
    while True:
        found = at_moment(standing, begin)
        if found.bands() != now:
            return Change(begin)
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
