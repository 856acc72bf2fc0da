"""What becomes of a delivery and its endpoint after a try."""

from __future__ import annotations

import pytest

from services.handoff.outbound.post import Answer, Outcome
from services.handoff.outbound.schedule import DELAYS, Verdict, judge

NOW = 1_700_000_000_000
HOUR = 3_600_000


def judged(outcome: Outcome = "refused", **given: object) -> Verdict:
    answer = Answer(outcome, retry_after=given.pop("retry_after", None))  # type: ignore[arg-type]
    usual = {"message_id": "m", "tries": 1, "failures": 0, "nothing_since": True, "now": NOW}
    return judge(answer, **(usual | given))  # type: ignore[arg-type]


def test_the_schedule_is_that_of_the_specification_and_a_tenth_more_at_most() -> None:
    elapsed, times = 0, []
    for tries in range(1, 10):
        due_at = judged(tries=tries).due_at
        assert due_at is not None
        assert DELAYS[tries - 1] <= due_at - NOW <= DELAYS[tries - 1] * 1.1
        elapsed += DELAYS[tries - 1]
        times.append(elapsed // 1000)
    assert times == [5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105]
    assert judged(tries=10).state == "failed"


def test_messages_that_failed_together_do_not_come_again_together() -> None:
    assert len({judged(message_id=str(n), tries=3).due_at for n in range(20)}) > 10


def test_410_disables_at_once_and_the_message_waits() -> None:
    assert judged("gone") == Verdict("pending", NOW, 1, 0, "gone")


def test_an_endpoint_that_got_nothing_for_a_whole_schedule_is_disabled() -> None:
    assert judged(tries=10).disable == "failing"
    assert judged(tries=10, nothing_since=False).disable is None


def test_retry_after_is_heeded_within_bounds() -> None:
    verdict = judged("throttled", retry_after=900)
    assert verdict.due_at == NOW + 900_000 == verdict.paused_until
    forever = judged("throttled", retry_after=10**9)
    assert (forever.due_at, forever.paused_until) == (NOW + 24 * HOUR, NOW + HOUR)


@pytest.mark.parametrize(("failures", "paused"), [(0, 0), (1, 0), (2, 8_000), (5, 60_000), (5000, 60_000)])
def test_an_endpoint_that_fails_again_and_again_is_paused_a_minute_at_most(failures: int, paused: int) -> None:
    assert judged(failures=failures).paused_until - NOW == paused


def test_success_forgets_the_failures() -> None:
    assert judged("delivered", failures=7) == Verdict("delivered", None, 0, 0)
