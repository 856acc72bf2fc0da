"""A lead without a budget this year is called again in time for the next one, by the customer's calendar."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.handoff.domain.next_year import before_next_year
from shared.schemas.policies import Label
from shared.schemas.policies.routing import DeclineReason

TOKYO = ZoneInfo("Asia/Tokyo")


def millis(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=TOKYO).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "ends_with", "months", "expected"),
    [
        ("2026-11-20T12:00", 3, 3, "2027-01-01"),  # the year begins in April
        ("2027-01-01T00:00", 3, 3, "2027-04-01"),  # three months before is now: when it begins
        ("2027-03-31T23:59", 3, 3, "2027-04-01"),
        ("2027-04-01T00:00", 3, 3, "2028-01-01"),
        ("2026-11-20T12:00", 12, 3, "2027-01-01"),  # October is past
        ("2026-08-20T12:00", 12, 3, "2026-10-01"),
        ("2026-11-20T12:00", 1, 2, "2026-12-01"),
        ("2026-11-20T12:00", 9, 0, "2027-10-01"),
    ],
)
def test_it_is_so_many_months_before_the_customers_year_begins(
    now: str, ends_with: int, months: int, expected: str
) -> None:
    assert before_next_year(millis(now), months, ends_with, "Asia/Tokyo") == millis(expected)


@given(now=st.integers(0, 4_000_000_000_000), ends_with=st.integers(1, 12), months=st.integers(0, 11))
def test_it_is_always_ahead_and_within_a_year(now: int, ends_with: int, months: int) -> None:
    at = before_next_year(now, months, ends_with, "Asia/Tokyo")
    assert now < at <= now + 366 * 86_400_000
    assert datetime.fromtimestamp(at / 1000, TOKYO).day == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"effect": "reroute"},
        {"effect": "on_hold", "cool_off_days": 30},
        {"effect": "on_hold", "before_fiscal_year": 12},
    ],
)
def test_a_reason_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeclineReason.model_validate(
            {"code": "no_budget", "kind": "recycle", "label": Label(en="x"), "before_fiscal_year": 3} | wrong
        )
