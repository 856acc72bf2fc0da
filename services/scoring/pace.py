"""How fast background work may go."""

from __future__ import annotations


class Pace:
    """No more than `per_second`, evenly: what was not used is not saved up."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    def after(self, amount: float, now: float) -> float:
        """Seconds to wait when `amount` was done at `now` (seconds of a clock that never goes back)."""
        self._free_at = max(self._free_at, now) + amount / self._per_second
        return self._free_at - now
