"""What calendars promise beyond single dates: changes of clocks, what never opens, absences, and being away."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from shared.availability.calendar import ALWAYS, Calendar
from shared.availability.people import Away, NotAtWork, Person, calendar_of, not_at_work, people
from shared.availability.zones import instant
from shared.schemas.policies import TeamsPolicy
from shared.schemas.policies import calendars as policy

HOUR, DAY = 3_600_000, 86_400_000
ALL = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def calendar(zone: str = "Asia/Tokyo", *hours: tuple[str, str], **more: Any) -> Calendar:
    blocks = [{"open": opened, "close": closed, "days": ALL} for opened, closed in hours]
    return calendar_of(policy.Calendar.model_validate({"id": "c", "blocks": blocks} | more), zone)


def person(**rep: Any) -> Person:
    body = {"id": "r", "name": "R", "zone": "Asia/Tokyo", "calendar": "c"} | rep
    blocks = [{"open": "09:00", "close": "18:00"}]
    teams = {"calendars": [{"id": "c", "blocks": blocks}], "reps": [body], "pools": []}
    return people(TeamsPolicy.model_validate(teams))["r"]


def at(text: str, zone: str = "Asia/Tokyo") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 1), ("2026-03-09", 2), ("2026-11-01", 3)])
def test_a_block_over_the_change_of_the_clocks_has_its_real_length(day: str, hours: int) -> None:
    nights = calendar("America/New_York", ("01:00", "03:00"))
    midnight = at(day, "America/New_York")
    assert nights.open_time(midnight, midnight + 12 * HOUR) == hours * HOUR


def test_a_day_that_a_zone_left_out_has_no_hours() -> None:
    samoa = calendar("Pacific/Apia", ("09:00", "17:00"))
    start = at("2011-12-29", "Pacific/Apia")
    assert samoa.open_time(start, at("2012-01-01", "Pacific/Apia")) == 16 * HOUR, "the 29th and 31st: there was no 30th"
    assert samoa.next_open(start + 18 * HOUR) == at("2011-12-31T09:00", "Pacific/Apia")


def test_what_never_opens_says_so_and_does_not_search_for_ever() -> None:
    never = calendar("Asia/Tokyo")
    shut_all_year = calendar("Asia/Tokyo", ("09:00", "17:00"), days=[{"first": "01-01", "last": "12-31"}])
    for one in (never, shut_all_year):
        assert one.next_open(at("2026-06-01")) is None
        assert one.add_open(at("2026-06-01"), 1) is None
        assert one.add_open(at("2026-06-01"), 0) == at("2026-06-01")
        assert one.open_time(at("2026-06-01"), at("2036-06-01")) == 0


@pytest.mark.parametrize("year", [1970, 2100, 8999, 9000, 9999, 40_000])
def test_moments_at_the_end_of_all_years_are_no_faults(year: int) -> None:
    far = (year - 1970) * 31_556_952_000
    for one in (calendar("Asia/Tokyo", ("09:00", "17:00")), ALWAYS, ALWAYS.without([(0, 2**62)])):
        opens, due = one.next_open(far), one.add_open(far, HOUR)
        assert (opens is None) == (due is None)
        assert one.is_open(far) == (opens == far)
        assert one.open_time(far - DAY, far) in (0, 8 * HOUR, DAY)


def test_more_open_time_than_there_will_be_is_none() -> None:
    assert calendar("Asia/Tokyo", ("09:00", "09:01")).add_open(at("2026-06-01"), 400 * DAY) is None


def test_a_leap_day_that_is_named_is_skipped_in_other_years() -> None:
    closed = calendar("Asia/Tokyo", ("00:00", "24:00"), days=[{"first": "02-29"}])
    assert closed.open_time(at("2027-01-01"), at("2028-01-01")) == 365 * DAY
    assert closed.open_time(at("2028-01-01"), at("2029-01-01")) == 365 * DAY


def test_time_does_not_run_backwards() -> None:
    assert ALWAYS.open_time(at("2026-06-02"), at("2026-06-01")) == 0
    assert ALWAYS.open_time(at("2026-06-01"), at("2026-06-02")) == DAY


def test_an_absence_over_an_hour_that_comes_twice_ends_with_the_second_one() -> None:
    first, second = at("2026-11-01T01:30", "America/New_York"), at("2026-11-01T01:30", "America/New_York") + HOUR
    local = datetime(2026, 11, 1, 1, 30)  # noqa: DTZ001
    assert instant(local, "America/New_York") == first
    assert instant(local, "America/New_York", later=True) == second
    skipped = datetime(2026, 3, 8, 2, 30)  # noqa: DTZ001
    assert {instant(skipped, "America/New_York", later=later) for later in (False, True)} == {
        at("2026-03-08T03:00", "America/New_York")
    }


def test_why_somebody_is_not_at_work_and_until_when() -> None:
    rep = person(absences=[{"start": "2026-06-02T14:00", "end": "2026-06-03"}])
    assert rep.not_at_work(at("2026-06-02T13:59")) is None
    assert rep.not_at_work(at("2026-06-02T14:00")) == NotAtWork("absent", at("2026-06-04T09:00"), "Asia/Tokyo")
    assert rep.not_at_work(at("2026-06-01T18:00")) == NotAtWork("closed", at("2026-06-02T09:00"), "Asia/Tokyo")
    assert rep.not_at_work(at("2026-06-05T18:00")) == NotAtWork("closed", at("2026-06-08T09:00"), "Asia/Tokyo")


def test_who_is_on_call_is_at_work_although_the_calendar_is_closed_but_not_while_absent() -> None:
    rep = person(
        on_call=[{"start": "2026-06-06T10:00", "end": "2026-06-06T15:00"}],
        absences=[{"start": "2026-06-06T12:00", "end": "2026-06-06T13:00"}],
    )
    assert rep.hours.open_time(at("2026-06-06"), at("2026-06-07")) == 4 * HOUR
    assert rep.hours.next_open(at("2026-06-05T20:00")) == at("2026-06-06T10:00")


def test_being_away_ends_when_they_say_or_when_their_hours_begin_again() -> None:
    rep, noon = person(), at("2026-06-02T12:00")
    until_three = Away(noon, at("2026-06-02T15:00"))
    assert rep.not_at_work(noon, until_three) == NotAtWork("away", at("2026-06-02T15:00"), "Asia/Tokyo")
    assert rep.not_at_work(at("2026-06-02T15:00"), until_three) is None
    until_night = Away(noon, at("2026-06-02T23:00"))
    assert rep.not_at_work(noon, until_night) == NotAtWork("away", at("2026-06-03T09:00"), "Asia/Tokyo")
    open_ended = Away(noon)
    assert rep.not_at_work(noon, open_ended) == NotAtWork("away", None, "Asia/Tokyo")
    assert rep.not_at_work(noon - 1, open_ended) is None, "not before it begins"
    ahead = Away(at("2026-06-03T09:00"), at("2026-06-03T11:00"))
    assert rep.not_at_work(at("2026-06-02T20:00"), ahead) == NotAtWork("closed", at("2026-06-03T11:00"), "Asia/Tokyo")


@pytest.mark.parametrize("away", [Away(at("2026-06-02T12:00"), at("2026-06-02T15:00")), Away(at("2026-06-02T12:00"))])
def test_clocks_see_the_same_as_those_who_choose(away: Away) -> None:
    rep = person()
    for hour in range(96):
        now = at("2026-06-01") + hour * HOUR
        assert rep.calendar(away).is_open(now) == (rep.not_at_work(now, away) is None)


def test_who_has_no_calendar_is_always_at_work_and_may_yet_be_away() -> None:
    teams = TeamsPolicy.model_validate({"reps": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}], "pools": []})
    known, zones = people(teams), {rep.id: rep.zone for rep in teams.reps}
    assert known == {}
    found = not_at_work(known, {"a": Away(0), "b": Away(0, 10), "gone": Away(0)}, zones, 10)
    assert found == {"a": NotAtWork("away", None, "Asia/Tokyo")}


def test_a_calendar_is_by_the_clocks_of_each_rep_where_it_names_no_zone() -> None:
    body = {"calendars": [{"id": "c", "blocks": [{"open": "09:00", "close": "17:00"}]}], "pools": []}
    reps = [
        {"id": zone[:4].lower(), "name": zone, "zone": zone, "calendar": "c"}
        for zone in ("Asia/Tokyo", "Europe/Berlin")
    ]
    known = people(TeamsPolicy.model_validate(body | {"reps": reps}))
    assert known["asia"].hours.is_open(at("2026-06-02T09:00"))
    assert known["euro"].hours.next_open(at("2026-06-02T09:00")) == at("2026-06-02T09:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("model", "body", "told"),
    [
        (policy.Hours, {"open": "22:00", "close": "06:00"}, "22:00-24:00, and 00:00-06:00 on the next day"),
        (policy.Hours, {"open": "09:00", "close": "09:00"}, "ends before it begins"),
        (policy.Hours, {"open": "24:00", "close": "24:00"}, "ends before it begins"),
        (policy.Hours, {"open": "9:00", "close": "12:00"}, "pattern"),
        (policy.Period, {"start": "2026-06-02", "end": "2026-06-01"}, "ends before it begins"),
        (policy.Period, {"start": "2026-06-02T10:00", "end": "2026-06-02T10:00"}, "ends before it begins"),
        (policy.Period, {"start": "2026-02-30", "end": "2026-03-01"}, "day is out of range"),
        (policy.CompanyDays, {"first": "2026-06-02", "last": "2026-06-01"}, "ends before it begins"),
        (policy.CompanyDays, {"first": "2026-06-02", "last": "06-03"}, "both of every year"),
        (policy.CompanyDays, {"first": "13-01"}, "month must be in"),
        (policy.CompanyDays, {"first": "0000-01-01"}, "years are from 1970 to 2199"),
        (policy.Period, {"start": "2026-06-02", "end": "9999-12-31"}, "years are from 1970 to 2199"),
        (policy.PublicHolidays, {"country": "ZZ"}, "no country with known holidays `ZZ`"),
        (policy.PublicHolidays, {"country": "JP", "subdivision": "13"}, "no subdivision of JP `13`"),
        (policy.Calendar, {"id": "c", "zone": "Asia/Tokio"}, "no time zone `Asia/Tokio`"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused_with_the_reason(model: Any, body: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        model.model_validate(body)


def test_periods_may_be_of_one_day_and_years_may_wrap() -> None:
    policy.Period.model_validate({"start": "2026-06-02", "end": "2026-06-02"})
    policy.Period.model_validate({"start": "2026-06-02T13:00", "end": "2026-06-02"})
    policy.CompanyDays.model_validate({"first": "12-29", "last": "01-03"})
