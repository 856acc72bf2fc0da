"""Time is a dependency."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance(self, *, milliseconds: int = 0, seconds: float = 0, days: float = 0) -> None:
        self._now += milliseconds + round(seconds * 1000) + round(days * 86_400_000)


def iso(millis: int) -> str:
    """RFC 3339 in UTC with milliseconds, as HTTP answers carry it."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
