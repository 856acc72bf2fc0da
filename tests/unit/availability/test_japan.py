"""Working days in Japan, by dates that everybody can look up."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.availability.calendar import Calendar
from shared.availability.days import public_holidays
from shared.availability.people import calendar_of
from shared.availability.zones import EPOCH, day_of
from shared.schemas.policies import calendars as policy

TOKYO = ZoneInfo("Asia/Tokyo")
HOUR = 3_600_000
BLOCKS = [{"open": "09:00", "close": "12:00"}, {"open": "13:00", "close": "18:00"}]


def tokyo(**more: Any) -> Calendar:
    body = {"id": "tokyo", "blocks": BLOCKS, "holidays": {"country": "JP"}} | more
    return calendar_of(policy.Calendar.model_validate(body), "Asia/Tokyo")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=TOKYO).timestamp() * 1000)


def shown(instant: int | None) -> str | None:
    return datetime.fromtimestamp(instant / 1000, TOKYO).strftime("%m-%d %H:%M") if instant is not None else None


def test_the_holidays_of_2026_with_the_day_off_for_a_sunday_and_the_day_between_two() -> None:
    days = [(EPOCH - datetime(1970, 1, 1)).days + day for day in public_holidays("JP", None, 2026)]  # noqa: DTZ001
    expected = (
        "01-01 01-12 02-11 02-23 03-20 04-29 05-03 05-04 05-05 05-06 07-20 08-11 09-21 09-22 09-23 10-12 11-03 11-23"
    )
    assert days == [day_of(datetime.fromisoformat(f"2026-{day}")) for day in expected.split()]


@pytest.mark.parametrize(
    ("asked", "opens"),
    [
        ("2026-05-01T17:59", "05-01 17:59"),
        ("2026-05-01T18:00", "05-07 09:00"),  # 3 May was a Sunday: 6 May is 振替休日
        ("2026-09-18T18:00", "09-24 09:00"),  # 敬老の日, a day between two holidays, 秋分の日
        ("2026-11-20T18:00", "11-24 09:00"),  # 勤労感謝の日
        ("2026-12-28T18:00", "12-29 09:00"),  # the law knows no holidays then
        ("2026-12-31T18:00", "01-04 09:00"),  # but New Year's Day, and 2 January 2027 is a Saturday
        ("2026-06-10T12:30", "06-10 13:00"),
    ],
)
def test_it_opens_on_the_next_working_day(asked: str, opens: str) -> None:
    assert shown(tokyo().next_open(at(asked))) == opens


@pytest.mark.parametrize(
    ("preset", "asked", "opens"),
    [
        ("nenmatsu_nenshi", "2026-12-28T18:00", "01-04 09:00"),
        ("nenmatsu_nenshi", "2026-01-01T10:00", "01-05 09:00"),
        ("golden_week", "2026-04-28T18:00", "05-07 09:00"),
        ("kaki_kyugyo", "2026-08-12T18:00", "08-17 09:00"),
    ],
)
def test_presets_close_what_no_law_does(preset: str, asked: str, opens: str) -> None:
    calendar = tokyo(presets=[preset])
    assert shown(calendar.next_open(at(asked))) == opens
    assert shown(tokyo().next_open(at(asked))) != opens


def test_a_company_may_work_on_a_holiday_or_close_on_a_day_of_its_own() -> None:
    calendar = tokyo(
        presets=["kaki_kyugyo"],
        days=[
            {"first": "10-01", "label": {"ja": "創立記念日"}},
            {"first": "2026-08-13", "hours": [{"open": "10:00", "close": "11:00"}]},
            {"first": "2026-11-23", "hours": [{"open": "10:00", "close": "15:00"}]},
        ],
    )
    assert shown(calendar.next_open(at("2026-11-20T18:00"))) == "11-23 10:00"
    assert shown(calendar.next_open(at("2026-08-12T18:00"))) == "08-13 10:00"
    assert shown(calendar.next_open(at("2026-09-30T18:00"))) == "10-02 09:00"
    assert shown(calendar.next_open(at("2027-09-30T18:00"))) == "10-04 09:00", "every year, and 1 October is a Friday"


def test_open_time_is_that_of_the_working_days_between() -> None:
    calendar = tokyo()
    # 2026 has 247 working days: 261 from Monday to Friday, 18 holidays less the 4 on a weekend or in place of one.
    weekdays = sum(
        datetime.fromtimestamp((at("2026-01-01") + n * 24 * HOUR) / 1000, TOKYO).weekday() < 5 for n in range(365)
    )
    off = [EPOCH.toordinal() + day for day in public_holidays("JP", None, 2026)]
    closed = sum(datetime.fromordinal(day).weekday() < 5 for day in off)
    assert calendar.open_time(at("2026-01-01"), at("2027-01-01")) == (weekdays - closed) * 8 * HOUR
    assert calendar.open_time(at("2026-11-20T17:00"), at("2026-11-24T10:00")) == 2 * HOUR


def test_a_promise_of_eight_working_hours_made_on_friday_evening_is_due_after_the_holiday() -> None:
    calendar = tokyo()
    assert shown(calendar.add_open(at("2026-11-20T17:00"), 8 * HOUR)) == "11-24 17:00"
    assert shown(calendar.add_open(at("2026-11-20T17:00"), HOUR)) == "11-20 18:00", "not when it opens again"
    assert shown(calendar.add_open(at("2026-11-21T10:00"), 0)) == "11-21 10:00"
