"""Marks: which exist, how long they are kept, and the bounds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.ledger import (
    DAY,
    MOST_MARKS,
    Ledger,
    Mark,
    absorb,
    bucket_of,
    event_of,
    horizon_of,
    key_parts,
    record,
    rule_key,
    tidy,
)

WHEN = {"touch.type": {"eq": "page_viewed"}}
DAILY = rule_key(WHEN, 3, "1d", 49 * DAY, 0)
ONCE = rule_key(WHEN, 1, "once", 49 * DAY, 0)
MAIL = rule_key(WHEN, 2, "campaign", 49 * DAY, 0)
JST = 9 * 3_600_000
T0 = 20_000 * DAY


def ledger_of(marks: list[tuple[str, int, str]]) -> Ledger:
    ledger: Ledger = {}
    for key, at, name in marks:
        record(ledger, key, bucket_of(key_parts(key), at, name), Mark(at, event_of(name)))
    return ledger


def test_the_earliest_few_of_a_bucket_are_kept_however_they_arrive() -> None:
    marks = [(DAILY, T0 + n, f"event-{n}") for n in (5, 1, 4, 2, 3)]
    assert ledger_of(marks) == {DAILY: {20_000: tuple(Mark(T0 + n, event_of(f"event-{n}")) for n in (1, 2, 3))}}


def test_days_begin_at_the_tenants_midnight() -> None:
    japan = key_parts(rule_key(WHEN, 1, "1d", 7 * DAY, JST))
    assert bucket_of(japan, T0 + 15 * 3_600_000, "") == bucket_of(japan, T0 + 14 * 3_600_000, "") + 1


def test_a_rule_key_names_all_that_decides_which_marks_exist_and_nothing_else() -> None:
    assert rule_key(WHEN, 3, "1d", 49 * DAY, 0) == DAILY
    assert rule_key(WHEN, 3, "1d", 91 * DAY, 0) != DAILY
    assert rule_key(WHEN, 3, "1d", 90 * DAY, 0) == rule_key(WHEN, 3, "1d", 31 * DAY, 0) == DAILY, "within one horizon"
    assert rule_key(WHEN, 3, "1d", 30 * DAY, 0) != DAILY
    assert rule_key(WHEN, 2, "1d", 49 * DAY, 0) != DAILY
    assert rule_key(WHEN, 3, "2d", 49 * DAY, 0) != DAILY
    assert rule_key(WHEN, 3, "1d", 49 * DAY, JST) != DAILY
    assert rule_key({"touch.type": {"eq": "x"}}, 3, "1d", 49 * DAY, 0) != DAILY
    assert rule_key(WHEN, 1, "once", 49 * DAY, JST) == ONCE, "a zone only moves days"


def test_no_touch_counts_longer_than_the_topics_are_kept() -> None:
    assert horizon_of(7 * DAY) == 49 * DAY
    assert horizon_of(300 * DAY) == 400 * DAY


def test_a_day_is_forgotten_when_it_counts_for_nothing_for_ever() -> None:
    ledger = ledger_of([(DAILY, T0 + day * DAY, f"day-{day}") for day in range(50)])
    kept_from = key_parts(DAILY).horizon // DAY
    assert tidy(ledger, T0 + 100 * DAY) == 0
    assert min(ledger[DAILY]) == 20_000 + 100 - kept_from  # type: ignore[operator]


def test_a_rule_that_counts_once_never_forgets_that_it_did() -> None:
    ledger = ledger_of([(ONCE, T0, "first"), *((DAILY, T0 + day * DAY, str(day)) for day in range(50))])
    tidy(ledger, T0 + 5_000 * DAY)
    assert ledger[ONCE] == {0: (Mark(T0, event_of("first")),)}


def test_past_the_bound_campaigns_and_then_the_oldest_days_are_refused_and_counted() -> None:
    days = [(DAILY, T0 + day * DAY + n, f"{day}-{n}") for day in range(80) for n in range(3)]
    mails = [(MAIL, T0, f"mail-{n}") for n in range(MOST_MARKS)]
    ledger = ledger_of(days + mails)
    assert tidy(ledger, T0) == len(days)
    assert sum(map(len, ledger[DAILY].values())) == len(days)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_what_the_bound_refuses_does_not_depend_on_the_order(seed: int) -> None:
    rng = Random(seed)
    marks = [(rng.choice([DAILY, ONCE, MAIL]), T0 + rng.randrange(800) * DAY // 4, f"e{n}") for n in range(3_000)]
    together = ledger_of(marks)
    rng.shuffle(marks)
    apart = ledger_of(marks[:2_000])
    tidy(apart, T0)
    for mark in marks[2_000:]:
        absorb(apart, ledger_of([mark]))
    tidy(together, T0)
    tidy(apart, T0)
    assert apart == together


def test_what_is_no_rule_key_is_refused() -> None:
    with pytest.raises(ValueError):
        key_parts("nonsense")
