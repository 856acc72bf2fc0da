"""A calendar: when somebody is at work, next at work, and how much time at work lies between two instants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from shared.availability.week import OPEN, SHUT, Span, Week, union
from shared.availability.year import Days, Stretch, Year, laid_over, local_year, meeting
from shared.availability.zones import LAST_YEAR, year_begins, year_of

# What does not open within so many years never does. Leap years are at most eight apart, and weekdays fall on the same dates
# again after 28 years at most, but for a century that has no leap day.
HORIZON = 30


class Calendar:
    """Never changes; a year is compiled when it is first asked for, and kept.

    Costs do not grow with the days between two instants: a year is a few stretches, and a whole year is one number.
    """

    __slots__ = ("_law", "_years")

    def __init__(self, law: Callable[[int], Sequence[Stretch]]) -> None:
        """law: the stretches of a UTC year, from its beginning to its end"""
        self._law = law
        self._years: dict[int, Year] = {}

    @staticmethod
    def local(zone: str, week: Week, days: Callable[[int], Days] = lambda _: {}) -> Calendar:
        """`week` by the clocks of `zone` (IANA). days: of a year, those that have other hours than their weekday

        Raises ValueError or KeyError, when it is first asked, for a zone that does not exist.
        """

        def law(year: int) -> list[Stretch]:
            # The year has begun, or has not ended, where clocks are ahead or behind.
            near = {**days(year - 1), **days(year), **days(year + 1)}
            return local_year(year, zone, week, near)

        return Calendar(law)

    def is_open(self, at: int) -> bool:
        year = year_of(at)
        return year < LAST_YEAR and self._year(year).is_open(at)

    def next_open(self, at: int) -> int | None:
        """The first open instant that is not before `at`; None where it never opens again (within 30 years)."""
        first = year_of(at)
        for number in range(first, min(first + HORIZON, LAST_YEAR)):
            year = self._year(number)
            found = year.next_open(max(at, year.begin)) if year.total else None
            if found is not None:
                return found
        return None

    def open_time(self, start: int, end: int) -> int:
        """Open ms from `start` to `end`; 0 where that is no time."""
        end = min(end, year_begins(LAST_YEAR) - 1)
        if end <= start:
            return 0
        first, last = year_of(start), year_of(end)
        between = sum(self._year(number).total for number in range(first, last))
        return between + self._year(last).up_to(end) - self._year(first).up_to(start)

    def add_open(self, start: int, duration: int) -> int | None:
        """The first instant at which `duration` (ms) of open time has passed since `start`, which is `start` itself for none;
        None where so much is never reached (within 30 years)."""
        if duration <= 0:
            return start
        first = year_of(start)
        missing = duration + (self._year(first).up_to(start) if first < LAST_YEAR else 0)
        for number in range(first, min(first + HORIZON, LAST_YEAR)):
            year = self._year(number)
            if missing <= year.total:
                return year.reach(missing)
            missing -= year.total
        return None

    def without(self, spans: Iterable[Span]) -> Calendar:
        """Closed during `spans` of instants, whatever else holds: absences."""
        return self._over(spans, SHUT)

    def along(self, spans: Iterable[Span]) -> Calendar:
        """Open during `spans` of instants although closed otherwise: on call."""
        return self._over(spans, OPEN)

    def within(self, other: Calendar) -> Calendar:
        """Open when both are: a rep's hours within the hours in which a customer may be called."""
        return Calendar(lambda year: meeting(self._year(year).stretches(), other._year(year).stretches()))

    def _over(self, spans: Iterable[Span], week: Week) -> Calendar:
        laid = union(spans)
        if not laid:
            return self
        return Calendar(lambda year: laid_over(self._year(year).stretches(), year_begins(year + 1), laid, week))

    def _year(self, number: int) -> Year:
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = Year.of(number, self._law(number))
        return year


ALWAYS = Calendar(lambda year: [(year_begins(year), OPEN)])
