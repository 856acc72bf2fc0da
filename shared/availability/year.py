"""One year of a calendar: stretches of time, each of which follows one weekly pattern, and how long all before it were open.

A year without exceptions is one stretch, or one for each change of the clocks; a holiday adds two.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.availability.week import DAY, OPEN, SHUT, Span, Week
from shared.availability.zones import offsets, year_begins

Stretch = tuple[int, Week]  # since when (ms), until the next one begins
Days = Mapping[int, Sequence[Span]]  # days since the epoch -> when that day is open, ms since its midnight


@dataclass(frozen=True, slots=True)
class Year:
    """before: open time (ms) of the year when a stretch begins;  total: of the whole year"""

    begin: int
    end: int
    starts: tuple[int, ...]
    weeks: tuple[Week, ...]
    before: tuple[int, ...]
    total: int

    @staticmethod
    def of(number: int, stretches: Sequence[Stretch]) -> Year:
        """The year `number` (UTC), of which `stretches` cover all, in order."""
        begin, end = year_begins(number), year_begins(number + 1)
        kept = [(at, week) for n, (at, week) in enumerate(stretches) if not n or week != stretches[n - 1][1]]
        ends = [*(at for at, _ in kept[1:]), end]
        before, total = [], 0
        for (start, week), stop in zip(kept, ends, strict=True):
            before.append(total)
            total += week.open_time(start, stop)
        return Year(begin, end, tuple(at for at, _ in kept), tuple(week for _, week in kept), tuple(before), total)

    def stretches(self) -> tuple[Stretch, ...]:
        return tuple(zip(self.starts, self.weeks, strict=True))

    def is_open(self, at: int) -> bool:
        return self.weeks[bisect_right(self.starts, at) - 1].next_open(at) == at

    def up_to(self, at: int) -> int:
        """Open time from the beginning of the year to `at`, which lies in it or is its end."""
        index = bisect_right(self.starts, at) - 1
        return self.before[index] + self.weeks[index].open_time(self.starts[index], at)

    def next_open(self, at: int) -> int | None:
        """The first open instant of this year that is not before `at`."""
        index = bisect_right(self.starts, at) - 1
        found = self._opens(index, at)
        if found is None:
            # The first later stretch with open time is the one before which the sum rises.
            index = bisect_right(self.before, self.before[index + 1]) - 1 if index + 1 < len(self.before) else index
            found = self._opens(index, self.starts[index]) if self.starts[index] > at else None
        return found

    def _opens(self, index: int, at: int) -> int | None:
        found = self.weeks[index].next_open(at)
        end = self.starts[index + 1] if index + 1 < len(self.starts) else self.end
        return found if found is not None and found < end else None

    def reach(self, open_time: int) -> int:
        """The first instant up to which it was open for `open_time`: from 1 ms to the total of the year."""
        index = bisect_left(self.before, open_time) - 1
        return self.weeks[index].add_open(self.starts[index], open_time - self.before[index])


def local_year(number: int, zone: str, week: Week, days: Days) -> list[Stretch]:
    """A UTC year of a weekly pattern in local time, with `days` that are otherwise."""
    found: list[Stretch] = []
    numbers, changes = sorted(days), offsets(zone, number)
    ends = [*(at for at, _ in changes[1:]), year_begins(number + 1)]
    for (start, offset), end in zip(changes, ends, strict=True):
        regular, at = week.shifted(-offset), start
        first = bisect_left(numbers, (start + offset) // DAY)
        last = bisect_left(numbers, -((end + offset) // -DAY))
        for day in numbers[first:last]:
            midnight = day * DAY - offset
            begins, ends_at = max(start, midnight), min(end, midnight + DAY)
            if at < begins:
                found.append((at, regular))
            found += _day(begins, ends_at, [(midnight + a, midnight + b) for a, b in days[day]])
            at = ends_at
        if at < end:
            found.append((at, regular))
    return found


def _day(begin: int, end: int, spans: Sequence[Span]) -> Iterator[Stretch]:
    at = begin
    for start, stop in spans:
        start, stop = max(start, begin), min(stop, end)
        if start >= stop:
            continue
        if at < start:
            yield at, SHUT
        yield start, OPEN
        at = stop
    if at < end:
        yield at, SHUT


def laid_over(below: Sequence[Stretch], end: int, spans: Sequence[Span], week: Week) -> list[Stretch]:
    """`below` with `week` instead during `spans`, which are disjoint and in order."""
    begin = below[0][0]
    within = [(max(start, begin), min(stop, end)) for start, stop in spans if start < end and stop > begin]
    bounds = sorted(
        {at for at, _ in below} | {start for start, _ in within} | {stop for _, stop in within if stop < end}
    )
    starts, covers = [at for at, _ in below], [start for start, _ in within]
    found = []
    for at in bounds:
        over = bisect_right(covers, at) - 1
        covered = over >= 0 and at < within[over][1]
        found.append((at, week if covered else below[bisect_right(starts, at) - 1][1]))
    return found


def meeting(one: Sequence[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    """Open when both are."""
    ones, others = [at for at, _ in one], [at for at, _ in other]
    return [
        (at, one[bisect_right(ones, at) - 1][1].both(other[bisect_right(others, at) - 1][1]))
        for at in sorted({*ones, *others})
    ]
