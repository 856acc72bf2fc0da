"""When time alone changes what is told of a lead or an account: by decay, a window's end, an expiry, or a date of a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.scoring.domain.parts import NEVER

STEP = 1_000  # ms; two changes within one step may be told as one


def first_change(bands: Callable[[int], Any], steady: Callable[[int], int], as_of: int) -> int | None:
    """The first ms after `as_of` at which `bands` is another than then. `steady` gives a moment before which it cannot be.

    In strides: as far as nothing can change, then a step (growing while nothing comes of it), until it did; then halving. Near an
    edge the bound is as small as the rounding of points, and there the value moves in one direction.
    """
    now, moment, step = bands(as_of), as_of, STEP
    while True:
        until = steady(moment)
        if until >= NEVER:
            return None
        before = max(moment, until - 1)
        if until - moment >= step:
            step = STEP
        after = max(until, moment + step)
        step *= 2
        if bands(after) != now:
            return _first(bands, now, before if bands(before) == now else moment, after)
        moment = after


def _first(bands: Callable[[int], Any], now: Any, same: int, other: int) -> int:
    while other - same > 1:
        middle = (same + other) // 2
        if bands(middle) == now:
            same = middle
        else:
            other = middle
    return other
