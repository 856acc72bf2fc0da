"""When people are at work: weekly blocks, public holidays, company days; a person's absences and times on call."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.policies.base import Label, RuleId, Strict

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Preset = Literal["nenmatsu_nenshi", "golden_week", "kaki_kyugyo"]


def _known(what: str, given: str, valid: Any) -> PydanticCustomError:
    """An error that tells the nearest valid name."""
    message = f"there is no {what} `{given}`"
    return PydanticCustomError(
        "condition", "{message}", {"message": message, "at": [], "wrong": given, "valid": list(valid)}
    )


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("calendar", "{message}", {"message": message})


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, no such path, a directory of zones
        raise _known("time zone", name, available_timezones()) from None
    return name


def _year(text: str) -> None:
    if not "1970" <= text[:4] <= "2199":
        raise _wrong("years are from 1970 to 2199")


def _day(text: str) -> str:
    """Years that leave one out have it in another: 02-29."""
    if len(text) == 10:
        _year(text)
    try:
        date.fromisoformat(text if len(text) == 10 else f"2024-{text}")
    except ValueError as error:
        raise _wrong(f"there is no such day ({error})") from None
    return text


def _moment(text: str) -> str:
    _year(text)
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong(f"there is no such day or time ({error})") from None
    return text


Zone = Annotated[str, AfterValidator(_zone)]
TimeOfDay = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Day = Annotated[str, Field(pattern=r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]
Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2})?$"), AfterValidator(_moment)]


class Hours(Strict):
    """From `open` until `close`, local time. One that crosses midnight is two: until 24:00, and from 00:00 on the next day, because
    only who writes it knows whether the second one holds when the next day is a holiday."""

    open: TimeOfDay
    close: TimeOfDay

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.close <= self.open:
            raise _wrong(
                f"{self.open}-{self.close} ends before it begins; hours across midnight are two blocks:"
                f" {self.open}-24:00, and 00:00-{self.close} on the next day"
            )
        return self


class Block(Hours):
    """Hours of some weekdays."""

    days: tuple[Weekday, ...] = Field(default=("mon", "tue", "wed", "thu", "fri"), min_length=1)


class PublicHolidays(Strict):
    """Closed on the public holidays of a country (ISO 3166), and of one of its subdivisions."""

    country: str
    subdivision: str | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        from holidays import list_supported_countries  # takes a third of a second: only for those who name a country

        supported = list_supported_countries()
        if self.country not in supported:
            raise _known("country with known holidays", self.country, supported)
        if self.subdivision is not None and self.subdivision not in supported[self.country]:
            raise _known(f"subdivision of {self.country}", self.subdivision, supported[self.country])
        return self


class CompanyDays(Strict):
    """Days that are not as their weekday: closed, or with `hours` of their own. `12-29` is of every year, `2026-12-29` of one.

    last: the last one of several; `12-29` to `01-03` goes on into the next year
    """

    first: Day
    last: Day | None = None
    hours: tuple[Hours, ...] = ()
    label: Label = Label()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last is not None and len(self.last) != len(self.first):
            raise _wrong(f"{self.first} and {self.last} are both of every year, or both of one")
        if self.last is not None and len(self.last) == 10 and self.last < self.first:
            raise _wrong(f"{self.first} to {self.last} ends before it begins")
        return self


class Calendar(Strict):
    """When those who name it are at work. Company days stand above presets, these above public holidays, and all above the blocks.

    zone: where it is not given, that of each rep who names the calendar
    """

    id: RuleId
    label: Label = Label()
    zone: Zone | None = None
    blocks: tuple[Block, ...] = ()
    holidays: PublicHolidays | None = None
    presets: tuple[Preset, ...] = Field(
        default=(),
        description="nenmatsu_nenshi: 12-29 to 01-03; golden_week: 04-29 to 05-05, with the days that bridge the holidays;"
        " kaki_kyugyo: 08-13 to 08-16",
    )
    days: tuple[CompanyDays, ...] = ()


class Period(Strict):
    """From `start` until `end`, in the zone of the rep: `2026-08-10T13:30`, or whole days, of which `end` is the last."""

    start: Moment
    end: Moment
    label: Label = Label()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        begins = self.start if "T" in self.start else f"{self.start}T00:00"
        ends = self.end if "T" in self.end else f"{self.end}T24:00"
        if ends <= begins:
            raise _wrong(f"{self.start} to {self.end} ends before it begins")
        return self
