"""What becomes of a notification after a try; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.handoff.outbound.schedule import jittered

Outcome = Literal["told", "refused", "timed_out", "unsendable", "forbidden", "crashed"]

# ms from a failed try to the next one; what could not be told for five hours has mostly become untrue.
_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
DELAYS = (10 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 40 * _MINUTE, _HOUR, 3 * _HOUR)
TRIES = len(DELAYS) + 1
LONGEST_PAUSE = _MINUTE
TOLERATED = 2  # failures in a row after which a channel is not paused yet: it may be one address
FAILING = 5  # failures in a row after which somebody should look at a channel


@dataclass(frozen=True, slots=True)
class Verdict:
    """state, due_at: of the notification (due_at: ms, where it is tried again)"""

    state: Literal["pending", "told", "failed"]
    due_at: int | None = None


def judge(outcome: Outcome, *, notification_id: str, tries: int, now: int) -> Verdict:
    """tries: of the notification, this one included"""
    if outcome == "told":
        return Verdict("told")
    if tries >= TRIES:
        return Verdict("failed")
    return Verdict("pending", now + jittered(DELAYS[tries - 1], notification_id, tries))


def pause_of(outcome: Outcome, failures: int) -> int:
    """For how long (ms) nothing is sent on a channel after so many failures in a row, this one included."""
    if outcome == "told" or (failures <= TOLERATED and outcome != "timed_out"):
        return 0
    return min(LONGEST_PAUSE, _SECOND << min(failures, 10))
