"""When a lead that has no budget this year is to be called again. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.qualification.assessing import fiscal_year_end


def before_next_year(now: int, months: int, ends_with: int, zone: str) -> int:
    """The midnight (ms) so many months before the customer's next fiscal year begins; where that is past, when it begins.

    ends_with: the month with which their years end
    """
    begins = fiscal_year_end(now, ends_with, zone)
    year = datetime.fromtimestamp(begins / 1000, ZoneInfo(zone))
    before = year.year * 12 + year.month - 1 - months
    early = round(datetime(before // 12, before % 12 + 1, 1, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    return early if early > now else begins
