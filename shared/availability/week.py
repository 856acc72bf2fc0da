"""A pattern that repeats every week, measured in closed form: whole weeks by multiplication, the rest by bisection."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
WEEK = 7 * DAY
MONDAY = 3 * DAY  # the epoch was a Thursday: so much later after the beginning of a week

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Week:
    """Open spans of a week that begins on Monday at 00:00 UTC: disjoint, in order.

    before: how long it has been open in a week when a span begins;  total: in a whole week (ms)
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]
    total: int

    @staticmethod
    def of(spans: Iterable[Span]) -> Week:
        """Spans of ms since Monday 00:00, which may overlap, touch, and lie in the weeks beside this one."""
        return _week(union(piece for start, end in spans for piece in _into_week(start, end)))

    def shifted(self, by: int) -> Week:
        """The same hours so many ms later (or, below 0, earlier)."""
        return _shifted(self, by)

    def both(self, other: Week) -> Week:
        """Open when both are."""
        return _both(self, other)

    def spans(self) -> tuple[Span, ...]:
        return tuple(zip(self.starts, self.ends, strict=True))

    def open_time(self, start: int, end: int) -> int:
        return self._up_to(end) - self._up_to(start)

    def next_open(self, at: int) -> int | None:
        """The first open instant that is not before `at`; None for a week that is never open."""
        if not self.total:
            return None
        phase = (at + MONDAY) % WEEK
        index = bisect_right(self.ends, phase)
        if index == len(self.ends):
            return at - phase + WEEK + self.starts[0]
        return at - phase + max(phase, self.starts[index])

    def add_open(self, start: int, duration: int) -> int:
        """The first instant at which it has been open for `duration` (1 ms or more) since `start`; of a week that opens."""
        weeks, rest = divmod(self._up_to(start) + duration - 1, self.total)
        index = bisect_left(self.before, rest + 1) - 1
        return weeks * WEEK - MONDAY + self.starts[index] + rest + 1 - self.before[index]

    def _up_to(self, at: int) -> int:
        weeks, phase = divmod(at + MONDAY, WEEK)
        index = bisect_right(self.starts, phase) - 1
        within = self.before[index] + min(phase, self.ends[index]) - self.starts[index] if index >= 0 else 0
        return weeks * self.total + within


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time as disjoint spans in order, empty ones left out."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _week(spans: tuple[Span, ...]) -> Week:
    before, total = [], 0
    for start, end in spans:
        before.append(total)
        total += end - start
    return Week(tuple(start for start, _ in spans), tuple(end for _, end in spans), tuple(before), total)


def _into_week(start: int, end: int) -> Iterable[Span]:
    if end - start >= WEEK:
        yield 0, WEEK
        return
    start, end = start % WEEK, start % WEEK + end - start
    yield start, min(end, WEEK)
    yield 0, end - WEEK


@lru_cache(maxsize=4096)
def _shifted(week: Week, by: int) -> Week:
    return Week.of((start + by, end + by) for start, end in week.spans())


@lru_cache(maxsize=4096)
def _both(one: Week, other: Week) -> Week:
    return Week.of((max(a, c), min(b, d)) for a, b in one.spans() for c, d in other.spans() if max(a, c) < min(b, d))


OPEN, SHUT = Week.of([(0, WEEK)]), Week.of([])
