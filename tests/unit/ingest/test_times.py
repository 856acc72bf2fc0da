"""When it happened, whatever the sender's clock says. All in ms."""

from __future__ import annotations

import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.domain.times import QUANTUM, read_time, settle

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-04-01T09:30:00.123Z", 1_775_035_800_123),
        ("2026-04-01T09:30:00.123456+00:00", 1_775_035_800_123),
        ("2026-04-01T18:30:00+09:00", 1_775_035_800_000),
        ("2026-04-01T09:30:00", 1_775_035_800_000),
        (1_775_035_800, 1_775_035_800_000),
        (1_775_035_800_123, 1_775_035_800_123),
        ("1775035800", 1_775_035_800_000),
        (" 1775035800.123 ", 1_775_035_800_123),
        ("1712012312345", 1_712_012_312_345),  # not the 23rd of January 1712
        ("20260401", 1_775_001_600_000),
        (None, None),
        ("", None),
    ],
)
def test_a_time_is_read_as_senders_write_it(said, expected):
    assert read_time(said) == expected


@pytest.mark.parametrize(
    "said", ["yesterday", "2026-13-40", True, [], {}, float("inf"), "９９", 1e300, -1e300, 2**63, 253_402_300_800_000]
)
def test_what_is_no_time_is_refused(said):
    with pytest.raises(Refused) as refused:
        read_time(said)
    assert refused.value.code == "bad_time"


def test_a_network_delay_moves_no_time(now):
    assert settle(now - HOUR, now - 4 * MINUTE, now) == (now - HOUR, "kept")


def test_a_clock_that_is_an_hour_fast_is_shifted_by_an_hour(now):
    at, clock = settle(now + HOUR - MINUTE, now + HOUR, now)
    assert (at, clock) == (now - MINUTE, "shifted")


def test_two_tries_of_one_batch_are_shifted_alike(now):
    first = settle(now - DAY - 7000, now - DAY, now)
    second = settle(now - DAY - 7000, now - DAY + 2000, now + 5000)
    assert first == second
    assert now - QUANTUM - 7000 < first[0] <= now - 7000


def test_a_sender_whose_clock_was_never_set_is_put_right_by_what_it_says_of_now(now):
    at, clock = settle(1000, 5000, now)
    assert clock == "shifted"
    assert now - QUANTUM - 4000 < at <= now - 4000


def test_nothing_happens_after_it_was_received(now):
    assert settle(4_070_908_800_000, None, now) == (now, "clamped")
    assert settle(now + MINUTE, now + MINUTE, now) == (now, "clamped")


def test_an_event_without_a_time_happened_when_it_was_received(now):
    assert settle(None, now - DAY, now) == (now, "absent")


def test_nothing_happened_before_the_year_2000(now):
    with pytest.raises(Refused) as refused:
        settle(0, None, now)
    assert refused.value.code == "bad_time"
