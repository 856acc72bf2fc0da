"""What the results of calls mean, without a database."""

from __future__ import annotations

import pytest

from services.handoff.activities.calls import DAY, Logged, attempts, is_unreachable, next_call
from services.handoff.activities.cursors import place, written
from shared.availability.calendar import ALWAYS
from shared.kit.problems import Problem
from shared.schemas.policies.sla import Unreachable

RULE = Unreachable()


def unanswered(*days):
    return [Logged(day * DAY, "call_attempted", "no_answer") for day in days]


def test_six_attempts_over_ten_days_and_not_sooner_or_fewer():
    assert is_unreachable(unanswered(0, 1, 2, 3, 4, 10), RULE)
    assert not is_unreachable(unanswered(0, 1, 2, 3, 4, 9.999), RULE)
    assert not is_unreachable(unanswered(0, 1, 2, 3, 10), RULE)
    assert not is_unreachable(unanswered(0, 1, 2, 3, 4, 10), None)
    assert not is_unreachable([], RULE)


@pytest.mark.parametrize(
    "answer",
    [
        Logged(5 * DAY, "call_connected", None),
        Logged(5 * DAY, "email_replied", None),
        Logged(5 * DAY, "phone_inbound", None),
        Logged(5 * DAY, "call_attempted", "call_back"),
    ],
)
def test_whoever_answered_in_between_can_be_reached(answer):
    tried = unanswered(0, 1, 2, 3, 4, 10)
    assert attempts([*tried, answer]) == [10 * DAY]
    assert not is_unreachable([*tried, answer], RULE)


def test_what_we_do_otherwise_is_neither_an_attempt_nor_an_answer():
    mail = Logged(5 * DAY, "email_sent_by_rep", None)
    assert is_unreachable([mail, *reversed(unanswered(0, 1, 2, 3, 4, 10))], RULE)


def test_the_next_call_is_a_day_later_for_who_is_always_at_work():
    assert next_call(7, ALWAYS) == 7 + DAY


def test_a_cursor_is_read_as_it_was_written_whatever_the_name():
    for name in ("a", "架電 1", "x" * 200, "a.b=c"):
        assert place(written(12, name)) == (12, name)
    for bad in ("", "12", "12.", "12.%", "x.YQ==", "12.YQ", "12.AA==", "12.gA=="):
        with pytest.raises(Problem):
            place(bad)
