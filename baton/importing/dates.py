"""Times as people and spreadsheets write them: 2026/4/1, 令和8年4月1日, R8.4.1, 46113.5, with or without a time of day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from baton.importing import repairs
from baton.importing.faults import RowRefused

_ERAS = {"令和": 2018, "R": 2018, "㋿": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
_WEEKDAY = re.compile(r"\s*[(（]\s*(?:[月火水木金土日]|mon|tue|wed|thu|fri|sat|sun)[a-z曜日]*\s*[)）]", re.IGNORECASE)
_CLOCK = (
    r"(?:[\sT]*(?P<half>午前|午後|AM|PM)?\s*(?P<hour>\d{1,2})(?::|時)(?:(?P<minute>\d{1,2})分?)?"
    r"(?::?(?P<second>\d{1,2})(?:\.\d+)?秒?)?\s*(?P<after>AM|PM)?)?"
)
_ZONE = r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?$"
_DATE = re.compile(
    r"^(?P<year>\d{4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?" + _CLOCK + _ZONE,
    re.IGNORECASE,
)
_ERA = re.compile(
    r"^(?P<era>令和|平成|昭和|㋿|[RHS])\s*(?P<year>元|\d{1,2})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?"
    + _CLOCK
    + _ZONE,
    re.IGNORECASE,
)
_TOGETHER = re.compile(r"^(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})$")
_SERIAL = re.compile(r"^\d{5}(?:\.\d+)?$")
_EXCEL_BEGAN = datetime(1899, 12, 30)  # noqa: DTZ001 - of serial numbers, which have no zone; 1900 is no leap year, in Excel it is
_EARLIEST, _LATEST = 36_526, 73_050  # 2000-01-01 to 2099-12-31 as serial numbers


def moment(cell: str, zone: ZoneInfo, form: str | None = None) -> int | None:
    """Milliseconds since the epoch; None for an empty cell. A date without a time of day is its beginning in `zone`.

    form: how it is written, for `strptime`, where it is written like nothing here. Raises RowRefused `unreadable_date`.
    """
    text = _WEEKDAY.sub("", repairs.text(cell)).strip()
    if not text:
        return None
    try:
        found = datetime.strptime(text, form) if form else _read(text)  # noqa: DTZ007 - the zone comes next
        if found is not None and 1970 < found.year < 2200:
            return round((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    hint = (
        f"it is not written as `{form}`"
        if form
        else "write 2026-04-01 09:30, or say how it is written in `time: {format: …}`"
    )
    raise RowRefused("unreadable_date", f"`{text[:40]}` is no date that can be read: {hint}")


def _read(text: str) -> datetime | None:
    if _SERIAL.match(text):
        days = float(text)
        if not _EARLIEST <= days < _LATEST:
            return None
        return _EXCEL_BEGAN + timedelta(seconds=round(days * 86_400))
    found = _DATE.match(text) or _ERA.match(text) or _TOGETHER.match(text)
    if found is None:
        return None
    said = found.groupdict()
    year = 1 if said["year"] == "元" else int(said["year"])
    if era := said.get("era"):
        year += _ERAS[era.upper()]
    hour, half = int(said.get("hour") or 0), (said.get("half") or said.get("after") or "").upper()
    if half in ("午後", "PM") and hour < 12:
        hour += 12
    elif half in ("午前", "AM") and hour == 12:
        hour = 0
    minute, second = int(said.get("minute") or 0), int(said.get("second") or 0)
    made = datetime(year, int(said["month"]), int(said["day"]), hour, minute, second)  # noqa: DTZ001
    named = said.get("zone")
    if not named:
        return made
    return (
        made.replace(tzinfo=UTC)
        if named.upper() == "Z"
        else datetime.fromisoformat(f"{made.isoformat()}{_colon(named)}")
    )


def _colon(offset: str) -> str:
    return offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"


def end_of_day(at: int, zone: ZoneInfo) -> int:
    """The last millisecond of the day of `at` in `zone`."""
    day = datetime.fromtimestamp(at / 1000, zone).date() + timedelta(days=1)
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000) - 1
