"""When something happened, whatever the sender's clock says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

from services.ingest.domain.refusals import Refused

Clock = Literal["kept", "shifted", "clamped", "absent"]

DEAD_BAND = 5 * 60_000  # within it a difference is network delay, and correcting it would reorder events
QUANTUM = (
    5 * 60_000
)  # skews are rounded down to this: a retry of a batch is shifted as the first try was, and not into the future
EARLIEST = 946_684_800_000  # 2000-01-01: nothing that scores leads happened earlier
_EPOCH = re.compile(r"[0-9]{9,16}(?:\.[0-9]{1,9})?")  # eight digits are a date: 20260401
_SECONDS_END = 100_000_000_000  # numbers below are seconds, others milliseconds
_LATEST = 253_402_300_799_999  # the end of the year 9999, as for text; a larger number is no time, and fits no counter


def read_time(value: Any) -> int | None:
    """Milliseconds of a time as senders write it: ISO 8601 (UTC when it names no zone), epoch seconds or milliseconds, as a number
    or as text.

    None where there is none; raises Refused `bad_time` for what is there and is no time.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and _EPOCH.fullmatch(value.strip()):  # of a form or a query, where all is text
            value = float(value)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment_ms = round(value * 1000 if abs(value) < _SECONDS_END else value)
            if abs(moment_ms) <= _LATEST:
                return moment_ms
    except (ValueError, OverflowError):
        pass
    raise Refused("bad_time", "the event's time cannot be read: send ISO 8601, such as 2026-04-01T09:30:00.000Z")


def settle(given: int | None, sent_at: int | None, received_at: int) -> tuple[int, Clock]:
    """When an event happened and what was done to find out. All in ms.

    The sender's time is kept unless its clock (`sent_at`, at the moment of sending) is off by more than the dead-band; then it is
    shifted by the rounded difference. Nothing happens after it was received: the future is clamped. Raises Refused `bad_time` for
    a time before the year 2000.
    """
    if given is None:
        return received_at, "absent"
    at, clock = given, "kept"
    if sent_at is not None and abs(skew := received_at - sent_at) > DEAD_BAND:
        at, clock = given + skew // QUANTUM * QUANTUM, "shifted"
    if at > received_at:
        return received_at, "clamped"
    if at < EARLIEST:
        raise Refused("bad_time", "the event's time lies before the year 2000: the sender's clock is not set")
    return at, "shifted" if clock == "shifted" else "kept"
