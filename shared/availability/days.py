"""Days that are not as their weekday: public holidays, presets, and what a company decides."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from shared.availability.week import Span, union
from shared.availability.year import Days
from shared.availability.zones import EPOCH, day_of, time_of_day
from shared.schemas.policies.calendars import Calendar, CompanyDays, Hours, Preset

PRESETS: dict[Preset, CompanyDays] = {
    "nenmatsu_nenshi": CompanyDays(first="12-29", last="01-03"),
    "golden_week": CompanyDays(
        first="04-29", last="05-05"
    ),  # 05-06 is a holiday only in some years, and then a public one
    "kaki_kyugyo": CompanyDays(first="08-13", last="08-16"),
}


def days_of(calendar: Calendar, year: int) -> Days:
    """Of a year by local time, the days that have other hours than their weekday; days since the epoch."""
    found: dict[int, Sequence[Span]] = {}
    if calendar.holidays:
        found |= dict.fromkeys(public_holidays(calendar.holidays.country, calendar.holidays.subdivision, year), ())
    for days in (*(PRESETS[preset] for preset in calendar.presets), *calendar.days):
        found |= dict.fromkeys(_dates(days, year), spans(days.hours))
    return found


def spans(hours: Sequence[Hours]) -> tuple[Span, ...]:
    """ms since midnight."""
    return union((time_of_day(one.open), time_of_day(one.close)) for one in hours)


@lru_cache(maxsize=4096)
def public_holidays(country: str, subdivision: str | None, year: int) -> tuple[int, ...]:
    """Those of one year, with the days off that stand in for holidays on a weekend (振替休日): days since the epoch.

    They are as law says when the library was released; of years that it does not know there are none.
    """
    from holidays import country_holidays  # takes a third of a second: only for those who name a country

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of years that the library does not know
        # The years beside it as well: a day off for 1 January may be in December.
        near = country_holidays(country, subdiv=subdivision, years=(year - 1, year, year + 1))
    return tuple(sorted(day_of(datetime(day.year, day.month, day.day)) for day in near if day.year == year))  # noqa: DTZ001


def _dates(days: CompanyDays, year: int) -> Iterator[int]:
    first, last = days.first, days.last or days.first
    if len(first) == 10:
        yield from _run(first, last, year)
        return
    for begins in (year - 1, year):
        yield from _run(f"{begins}-{first}", f"{begins + (last < first)}-{last}", year)


def _run(first: str, last: str, year: int) -> Iterator[int]:
    """In a year that has no 29 February, what begins with it begins on 1 March, and what ends with it on 28 February."""
    begin, end = _number(first, "-03-01"), _number(last, "-02-28")
    yield from (day for day in range(begin, end + 1) if (EPOCH + timedelta(days=day)).year == year)


def _number(text: str, instead: str) -> int:
    try:
        return day_of(datetime.fromisoformat(text))
    except ValueError:
        return day_of(datetime.fromisoformat(text[:4] + instead))
