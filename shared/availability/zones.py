"""What a zone's clocks show: the offsets of a year, and instants of local times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.availability.week import DAY, MINUTE

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are counted from it as well


LAST_YEAR = 9000  # calendars end with it, before the years do that can be counted with


def year_of(at: int) -> int:
    """The year in UTC; the last one for all that comes after it."""
    return (EPOCH + timedelta(milliseconds=at)).year if at < year_begins(LAST_YEAR) else LAST_YEAR


def year_begins(year: int) -> int:
    """The first instant of the year in UTC (ms)."""
    return (datetime(year, 1, 1) - EPOCH) // timedelta(milliseconds=1)  # noqa: DTZ001


def instant(local: datetime, zone: str, *, later: bool = False) -> int:
    """When the clocks of `zone` show `local`: of two such moments the earlier one, or the `later` one; where they leave it out, the
    moment at which they do."""
    info = ZoneInfo(zone)
    first, second = (round(local.replace(tzinfo=info, fold=fold).timestamp()) * 1000 for fold in (0, 1))
    if first <= second:
        return second if later else first
    return next(at for at, _ in offsets(zone, year_of(first)) if second < at <= first)


@lru_cache(maxsize=4096)
def offsets(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Since when (ms) local time is ahead of UTC by how much (ms), in the UTC year `year`, from its beginning on.

    Found by looking once a day: no zone has changed its clocks twice within one.
    """
    begin, end, info = year_begins(year), year_begins(year + 1), ZoneInfo(zone)
    found = [(begin, _offset(begin, info))]
    for day in range(begin, end, DAY):
        last = day + DAY - 1000
        if _offset(last, info) != found[-1][1]:
            found.append(_change(max(day - 1000, begin), last, info))
    return tuple(found)


def _change(before: int, after: int, info: ZoneInfo) -> tuple[int, int]:
    """The second at which the offset of `after` begins."""
    wanted = _offset(after, info)
    while after - before > 1000:
        middle = before + (after - before) // 2000 * 1000
        before, after = (before, middle) if _offset(middle, info) == wanted else (middle, after)
    return after, wanted


def _offset(at: int, info: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at // 1000, UTC).astimezone(info).utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


def day_of(date: datetime) -> int:
    """Days since the epoch."""
    return (date - EPOCH).days


def time_of_day(text: str) -> int:
    """`09:30` as ms since midnight; `24:00` is the end of the day."""
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE
