"""What becomes of a delivery and of its endpoint after a try; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from services.handoff.outbound.post import Answer

# The schedule of Standard Webhooks 1.0.0: ms from a failed try to the next one; the first is sent at once.
_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
DELAYS = (
    5 * _SECOND, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR,
)  # fmt: skip
JITTER = 10  # percent of a delay that come on top, at most
LONGEST_WAIT = 24 * _HOUR  # for which Retry-After is heeded
LONGEST_PAUSE = _MINUTE  # of an endpoint that fails, without a Retry-After
LONGEST_ASKED_PAUSE = _HOUR
TOLERATED = 2  # failures in a row after which an endpoint is not paused yet: it may be the messages


@dataclass(frozen=True, slots=True)
class Verdict:
    """state, due_at: of the delivery (due_at: ms, where it is tried again)
    failures: of the endpoint in a row;  paused_until: nothing is sent to it before (ms);  disable: why it gets nothing more
    """

    state: Literal["pending", "delivered", "failed"]
    due_at: int | None
    failures: int
    paused_until: int
    disable: Literal["gone", "failing"] | None = None


def judge(answer: Answer, *, message_id: str, tries: int, failures: int, nothing_since: bool, now: int) -> Verdict:
    """tries: of the delivery, this one included;  failures: of the endpoint in a row, before this one
    nothing_since: whether nothing was delivered to the endpoint since the message came
    """
    if answer.outcome == "delivered":
        return Verdict("delivered", None, 0, 0)
    failures += 1
    if answer.outcome == "gone":
        # It waits, for whoever enables the endpoint again.
        return Verdict("pending", now, failures, 0, "gone")
    paused_until = now + _pause(answer, failures)
    if tries > len(DELAYS):
        return Verdict("failed", None, failures, paused_until, "failing" if nothing_since else None)
    asked = min((answer.retry_after or 0) * 1000, LONGEST_WAIT)
    delay = jittered(DELAYS[tries - 1], message_id, tries)
    return Verdict("pending", now + max(delay, asked), failures, paused_until)


def jittered(delay: int, message_id: str, tries: int) -> int:
    """Spread by the message, so that what failed together does not come again together."""
    return delay + delay * JITTER * (crc32(f"{message_id} {tries}".encode()) % 1000) // 100_000


def _pause(answer: Answer, failures: int) -> int:
    if answer.retry_after is not None:
        return min(answer.retry_after * 1000, LONGEST_ASKED_PAUSE)
    if failures <= TOLERATED and answer.outcome not in ("throttled", "timed_out"):
        return 0
    return min(LONGEST_PAUSE, _SECOND << min(failures, 10))
