"""Sets of numbers: intervals side by side, of whole numbers or of all."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isinf

Cut = tuple[float, int]  # just before a number (0) or just after it (1)
Span = tuple[Cut, Cut]
FIRST, LAST = (-inf, 0), (inf, 1)


@dataclass(frozen=True, slots=True)
class Numbers:
    """spans: in order, apart from each other;  whole: only whole numbers are meant"""

    spans: tuple[Span, ...] = ()
    whole: bool = False

    @staticmethod
    def between(low: Cut, high: Cut, *, whole: bool = False) -> Numbers:
        if whole:
            low, high = _whole(low), _whole(high)
        return Numbers(((low, high),) if low < high else (), whole)

    @staticmethod
    def compared(op: str, value: float, *, whole: bool = False) -> Numbers:
        """The numbers that are `eq`, `gte`, `gt`, `lte` or `lt` to `value`."""
        before, after = (value, 0), (value, 1)
        low, high = {
            "eq": (before, after),
            "gte": (before, LAST),
            "gt": (after, LAST),
            "lte": (FIRST, after),
            "lt": (FIRST, before),
        }[op]
        return Numbers.between(low, high, whole=whole)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __and__(self, other: Numbers) -> Numbers:
        met = [(max(a, c), min(b, d)) for a, b in self.spans for c, d in other.spans]
        return Numbers(tuple(sorted((low, high) for low, high in met if low < high)), self.whole)

    def __sub__(self, other: Numbers) -> Numbers:
        return self & other._rest()

    def __or__(self, other: Numbers) -> Numbers:
        return Numbers((self._rest() & other._rest())._rest().spans, self.whole)

    def _rest(self) -> Numbers:
        edges = [FIRST, *(edge for span in self.spans for edge in span), LAST]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return Numbers(tuple((low, high) for low, high in pairs if low < high), self.whole)

    def one(self) -> float | None:
        """A number of the set, at an edge where there is one; None where there is none."""
        for low, high in self.spans:
            found = _within(low, high)
            if found is not None:
                return found
        return None


ALL = Numbers(((FIRST, LAST),))


def _whole(cut: Cut) -> Cut:
    value, side = cut
    if isinf(value):
        return cut
    return (ceil(value), 0) if value != int(value) else (int(value) + side, 0)


def _within(low: Cut, high: Cut) -> float | None:
    if not isinf(low[0]):
        if low[1] == 0:
            return low[0]
        nearest = low[0] + 1 if isinf(high[0]) else (low[0] + high[0]) / 2
        following = int(low[0] // 1) + 1
        return following if (following, 1) <= high else nearest if low < (nearest, 0) and (nearest, 1) <= high else None
    if not isinf(high[0]):
        return high[0] if high[1] == 1 else ceil(high[0]) - 1
    return 0
