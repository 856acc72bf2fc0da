"""What a field may hold: nothing, a truth value, a number or a text; and which of these a comparison lets pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from baton.lint import numbers, texts
from baton.lint.numbers import FIRST, LAST, Numbers
from baton.lint.texts import Texts

TRUTHS = frozenset([True, False])


class TooHardError(Exception):
    """A condition that this reasoning does not reach: a check that needs it is skipped, and says so."""


@dataclass(frozen=True, slots=True)
class Values:
    """absent: the field may be absent"""

    absent: bool = False
    truths: frozenset[bool] = frozenset()
    numbers: Numbers = Numbers()  # noqa: RUF009 - frozen
    texts: Texts = Texts()  # noqa: RUF009 - frozen

    def __bool__(self) -> bool:
        return self.absent or bool(self.truths or self.numbers or self.texts)

    def __and__(self, other: Values) -> Values:
        return Values(
            self.absent and other.absent,
            self.truths & other.truths,
            self.numbers & other.numbers,
            self.texts & other.texts,
        )

    def __sub__(self, other: Values) -> Values:
        return Values(
            self.absent and not other.absent,
            self.truths - other.truths,
            self.numbers - other.numbers,
            self.texts - other.texts,
        )

    def __or__(self, other: Values) -> Values:
        return Values(
            self.absent or other.absent,
            self.truths | other.truths,
            self.numbers | other.numbers,
            self.texts | other.texts,
        )


ABSENT = Values(absent=True)


def domain(kind: type, *, absent: bool = True, low: float | None = None, high: float | None = None) -> Values:
    """All that a field of the catalogue's type may hold. low, high: of numbers, both included"""
    edges = FIRST if low is None else (low, 0), LAST if high is None else (high, 1)
    if kind is str:
        return Values(absent, texts=texts.ALL)
    if kind is bool:
        return Values(absent, TRUTHS)
    if kind is object:
        return Values(absent, TRUTHS, numbers.ALL, texts.ALL)
    return Values(absent, numbers=Numbers.between(*edges, whole=kind is int))


def passing(op: str, wanted: Any, among: Values) -> Values:
    """Which of `among` pass a comparison other than one of text; as `conditions.Test.holds` says."""
    if op == "exists":
        return among - ABSENT if wanted else among & ABSENT
    if op in ("eq", "in"):
        return among & _equal([wanted] if op == "eq" else wanted, among)
    if op in ("ne", "not_in"):
        return among - _equal([wanted] if op == "ne" else wanted, among)
    return Values(numbers=among.numbers & Numbers.compared(op, wanted, whole=among.numbers.whole))


def _equal(wanted: Iterable[Any], among: Values) -> Values:
    found = Values(numbers=Numbers(whole=among.numbers.whole))
    for value in wanted:
        if isinstance(value, bool):
            found |= Values(truths=frozenset([value]))
        elif isinstance(value, int | float):
            found |= Values(numbers=Numbers.compared("eq", value, whole=among.numbers.whole))
        elif isinstance(value, str):
            found |= Values(texts=Texts(frozenset([value.casefold()])))
        else:
            raise TooHardError(f"it compares with {value!r}")
    return found
