"""Marks: which exist, how long they are kept, and the bounds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain import ledger
from services.scoring.domain.ledger import (
    DAY,
    MOST_CAMPAIGN_MARKS,
    MOST_MARKS,
    Ledger,
    absorb,
    bucket_of,
    count,
    event_of,
    horizon_of,
    joined,
    key_parts,
    marked,
    moments,
    read,
    record,
    rule_key,
    tidy,
)

WHEN = {"touch.type": {"eq": "page_viewed"}}
DAILY = rule_key(WHEN, 3, "1d", 49 * DAY, 0)
WEEKLY = rule_key(WHEN, 2, "7d", 400 * DAY, 0)
ONCE = rule_key(WHEN, 1, "once", 49 * DAY, 0)
MAIL = rule_key(WHEN, 2, "campaign", 49 * DAY, 0)
JST = 9 * 3_600_000
T0 = 20_000 * DAY

Told = tuple[str, int, str]  # rule key, moment, name of the event and of its campaign


def ledger_of(marks: list[Told]) -> Ledger:
    found: Ledger = {}
    for key, at, name in marks:
        record(found, key, bucket_of(key_parts(key), at, name), marked([(at, event_of(name))]))
    return found


def size(found: Ledger, *keys: str) -> int:
    return sum(count(marks) for key in keys or found for marks in found.get(key, {}).values())


def test_the_earliest_few_of_a_bucket_are_kept_however_they_arrive() -> None:
    marks = [(DAILY, T0 + n, f"event-{n}") for n in (5, 1, 4, 2, 3)]
    assert ledger_of(marks) == {DAILY: {20_000: marked((T0 + n, event_of(f"event-{n}")) for n in (1, 2, 3))}}


def test_marks_are_read_as_they_were_written_the_earliest_first() -> None:
    told = [(T0 + 2, event_of("b")), (T0, event_of("c")), (T0 + 2, event_of("a")), (T0, event_of("c"))]
    assert list(read(marked(told))) == sorted(set(told))
    assert [at for (at,) in moments(marked(told))] == [T0, T0 + 2, T0 + 2]
    assert count(marked(told)) == 3


def test_the_same_mark_told_again_changes_nothing() -> None:
    once = ledger_of([(DAILY, T0, "a"), (DAILY, T0 + 1, "b")])
    assert ledger_of([(DAILY, T0, "a"), (DAILY, T0 + 1, "b"), (DAILY, T0, "a"), (DAILY, T0 + 1, "b")]) == once


def test_events_sort_as_their_ids_do() -> None:
    ids = [
        "ffffffff-0000-5000-8000-000000000001",
        "00000000-0000-5000-8000-00000000000f",
        "a0b1c2d3-0000-5000-8000-000000000000",
    ]
    assert sorted(ids, key=event_of) == sorted(ids)
    assert len({event_of("x" * 36), event_of("event-1"), event_of("event-2"), event_of("")}) == 4


def test_days_begin_at_the_tenants_midnight() -> None:
    japan = key_parts(rule_key(WHEN, 1, "1d", 7 * DAY, JST))
    assert bucket_of(japan, T0 + 15 * 3_600_000, "") == bucket_of(japan, T0 + 15 * 3_600_000 - 1, "") + 1  # type: ignore[operator]


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
    assert horizon_of(30 * DAY, 10 * DAY) == 10 * DAY
    assert horizon_of(1 * DAY, 10 * DAY) == 7 * DAY


@pytest.mark.parametrize("key", ["nonsense", "a.1.2.3", "a.1.2.3.4.5", "a.b.1.1.0", "a.0.1.1.0", "a.1.1.-2.0"])
def test_what_is_no_rule_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        key_parts(key)


# --- what is forgotten ----------------------------------------------------------------------------------------------------


def test_a_day_is_forgotten_when_it_counts_for_nothing_for_ever_and_not_before() -> None:
    horizon = key_parts(DAILY).horizon
    last = (DAILY, T0 + DAY - 1, "the last ms of the day")
    kept, gone = ledger_of([last]), ledger_of([last])
    tidy(kept, T0 + DAY + horizon - 1)
    tidy(gone, T0 + DAY + horizon)
    assert kept == ledger_of([last])
    assert gone == {}


def test_within_a_day_nothing_is_looked_at_twice() -> None:
    late = T0 + 500 * DAY
    again = ledger_of([(DAILY, T0, "old")])
    tidy(again, late + 5, before=late)
    assert again == ledger_of([(DAILY, T0, "old")])
    tidy(again, late + DAY, before=late)
    assert again == {}


def test_a_rule_that_counts_once_and_a_campaign_never_forget_that_they_did() -> None:
    told = [(ONCE, T0, "first"), (MAIL, T0, "spring")]
    found = ledger_of(told)
    tidy(found, T0 + 5_000 * DAY)
    assert found == ledger_of(told)


# --- bounds ---------------------------------------------------------------------------------------------------------------


def test_past_the_bound_those_are_refused_that_are_forgotten_first() -> None:
    days = [(DAILY, T0 + day * DAY + n, f"{day}-{n}") for day in range(MOST_MARKS // 3 + 10) for n in range(3)]
    found = ledger_of([*days, (ONCE, T0, "once"), (WEEKLY, T0, "counts longest")])
    assert tidy(found, T0) == len(days) + 2 - 2_000
    assert size(found) == MOST_MARKS
    assert (size(found, ONCE), size(found, WEEKLY)) == (1, 1)
    assert min(found[DAILY]) == 20_000 + MOST_MARKS // 3 + 10 - (MOST_MARKS - 2) // 3  # type: ignore[operator]


def test_campaigns_have_a_bound_of_their_own() -> None:
    mails = [(MAIL, T0, f"mail-{n:05}") for n in range(MOST_CAMPAIGN_MARKS + 7)]
    found = ledger_of([*mails, (DAILY, T0, "page")])
    assert tidy(found, T0) == 7
    assert size(found, DAILY) == 1
    assert max(found[MAIL]) == f"mail-{MOST_CAMPAIGN_MARKS - 1:05}"


def test_a_bound_is_of_marks_not_of_campaigns() -> None:
    many = MOST_CAMPAIGN_MARKS // 2 + 5
    found: Ledger = {
        MAIL: {f"mail-{n:05}": marked([(T0, event_of(f"{n}")), (T0 + 1, event_of(f"{n}"))]) for n in range(many)}
    }
    assert tidy(found, T0) == 10
    assert size(found) == MOST_CAMPAIGN_MARKS


KEYS = [DAILY, WEEKLY, ONCE, MAIL, rule_key(WHEN, 3, "2d", 20 * DAY, JST), rule_key({}, 1, "once", 49 * DAY, 0)]


@given(st.integers(0, 2**32), st.sampled_from([15, 40]), st.sampled_from([5, 12]))
def test_what_is_kept_depends_neither_on_the_order_nor_on_when_it_was_tidied(seed: int, most: int, mails: int) -> None:
    """Bounds, forgetting and limits together: a join of everything that was ever told."""
    rng = Random(seed)
    marks = [(rng.choice(KEYS), T0 + rng.randrange(100 * 24) * DAY // 24, f"e{rng.randrange(60)}") for _ in range(150)]
    known_at = T0 + rng.randrange(60, 140) * DAY
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger, "MOST_MARKS", most)
        patched.setattr(ledger, "MOST_CAMPAIGN_MARKS", mails)
        together = ledger_of(marks)
        tidy(together, known_at)
        rng.shuffle(marks)
        apart: Ledger = {}
        tidied = 0
        while marks:
            some, marks = marks[:20], marks[20:]
            absorb(apart, ledger_of(some))
            if rng.random() < 0.7:
                moment = min(known_at, max(tidied, max(at for _, at, _ in some)))
                tidy(apart, moment, before=rng.choice((-1, tidied)))
                tidied = moment
            if rng.random() < 0.3:  # another worker had a part of it, and bounds of its own
                elsewhere = ledger_of(rng.sample(some, len(some) // 2))
                tidy(elsewhere, tidied)
                absorb(apart, elsewhere)
        tidy(apart, known_at)
    assert apart == together


@given(st.integers(0, 2**32))
def test_joining_is_idempotent_commutative_and_associative(seed: int) -> None:
    rng = Random(seed)
    one, two, three = (
        marked([(rng.randrange(5), event_of(str(rng.randrange(3)))) for _ in range(3)]) for _ in range(3)
    )
    for limit in (1, 2, 5):
        one, two, three = (joined(limit, marks, b"") for marks in (one, two, three))
        assert joined(limit, one, one) == one
        assert joined(limit, one, two) == joined(limit, two, one)
        assert joined(limit, joined(limit, one, two), three) == joined(limit, one, joined(limit, two, three))
