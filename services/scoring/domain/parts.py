"""What the explanation of a score is made of. These travel on the topics as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

NEVER = 2**62  # a moment that does not come
MOST_SUGGESTIONS = 3  # who needs more is not near


class Part(msgspec.Struct, omit_defaults=True, gc=False):
    """What one rule gave, and what its group's and the total cap took away again, never more than it gave. Milli-points, ms."""

    rule_id: str
    given: int
    kept: int
    times: int = 1
    first_at: int | None = None
    last_at: int | None = None
    cut: int = 0
    cut_total: int = 0
    group: str | None = None
    label: dict[str, str] = {}


class Suggestion(msgspec.Struct, omit_defaults=True, gc=False):
    """One more touch, or one thing more that is known, and the milli-points that it would bring."""

    rule_id: str
    points: int
    attribute: str | None = None
    label: dict[str, str] = {}


class Partial(NamedTuple):
    """Milli-points, and the parts whose `kept` sum to them exactly."""

    total: int
    parts: list[Part]


def cap_group(parts: list[Part], cap: int) -> int:
    """Cut the excess over `cap` (never below 0), from the largest first, so that small signals stay visible; what is left."""
    kept = sum([part.kept for part in parts])
    return kept - _cut(parts, kept - max(cap, 0), total=False)


def cap_all(parts: list[Part], cap: int) -> Partial:
    """The same for the cap of all; the parts, those that gave most first."""
    kept = sum([part.kept for part in parts])
    total = kept - _cut(parts, kept - max(cap, 0), total=True)
    return Partial(total, sorted(parts, key=_rank))


def _cut(parts: Iterable[Part], excess: int, *, total: bool) -> int:
    if excess <= 0:
        return 0
    left = excess
    for part in sorted(parts, key=lambda part: (-part.kept, part.rule_id)):
        cut = min(left, max(0, part.kept))
        if not cut:
            break
        part.cut += cut
        part.kept -= cut
        if total:
            part.cut_total += cut
        left -= cut
    return excess - left


def _rank(part: Part) -> tuple[int, str]:
    return -part.given, part.rule_id
