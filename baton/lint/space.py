"""All leads (touches, events) that there could be, as dimensions: what conditions can tell apart, and nothing else.

A dimension is a field of open values (`Values`), a table of rows that one or more fields of closed values go through together, or a
pattern that a text fits or not. So what is known of several fields at once is known here: a grade is a letter and a band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from baton.lint import texts
from baton.lint.numbers import Numbers
from baton.lint.texts import Pattern
from baton.lint.values import TooHardError, Values, domain, passing
from shared.schemas.conditions import Test

Facts = Mapping[str, Any]
Dimension = str | tuple[str, Pattern]  # a field or table, or a field with a pattern
Component = Values | frozenset[Any]  # of open values; of rows by number; of whether the pattern fits
Box = Mapping[Dimension, Component]  # what is not named is all that there is
BOTH = frozenset([True, False])
_OF_NUMBERS = frozenset("0123456789.e+-infa")  # what a number is written with, folded


@dataclass(frozen=True, slots=True)
class Link:
    """A field of numbers whose range depends on another field's value: points and the letter they lead to."""

    numbers: str
    of: str
    ranges: Mapping[Any, Numbers]


@dataclass(slots=True)
class Space:
    """tables: rows by the name of their dimension, with None for a field that is absent
    open:   values of fields that no table has; of others all of their type
    kinds:  fields by type, as in the catalogue;  spelt: folded texts as people write them
    used:   fields that some condition asks about: an example says of each what it holds
    """

    kinds: Mapping[str, type]
    tables: Mapping[str, Sequence[Facts]] = field(default_factory=dict)
    open: Mapping[str, Values] = field(default_factory=dict)
    links: Sequence[Link] = ()
    spelt: dict[str, dict[str, str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _table_of: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rows in self.tables.items():
            self._table_of |= {of: name for row in rows for of in row}
            self._table_of.setdefault(name, name)

    def full(self, dimension: Dimension) -> Component:
        if not isinstance(dimension, str):
            return BOTH
        if dimension in self.tables:
            return frozenset(range(len(self.tables[dimension])))
        return self.open[dimension] if dimension in self.open else domain(self._kind(dimension))

    def component(self, test: Test) -> list[tuple[Dimension, Component]]:
        """What passes the test: anything that is within one of these."""
        self.used.add(test.field)
        table = self._table_of.get(test.field)
        if table is not None:
            return [(table, frozenset(n for n, row in enumerate(self.tables[table]) if test.holds(row)))]
        full = self.full(test.field)
        assert isinstance(full, Values)
        if test.op not in texts.HOLDS:
            self._remember(test)
            return [(test.field, passing(test.op, test.value, full))]
        parts = [str(part).casefold() for part in (test.value if isinstance(test.value, tuple) else (test.value,))]
        if "" in parts:
            return [(test.field, passing("exists", True, full))]
        if full.numbers and any(set(part) <= _OF_NUMBERS for part in parts):
            raise TooHardError(f"`{test.field}` may be a number, and is compared as text with {test.value!r}")
        return [((test.field, (test.op, part)), frozenset([True])) for part in parts]

    def point(self, box: Box) -> dict[str, Any] | None:
        """Facts that lie in the box, of every field that is used; None only where there are none."""
        facts: dict[str, Any] = {}
        linked = [link for link in self.links if link.numbers in box or link.numbers in self.used]
        tables = {self._table_of[link.of] for link in linked}
        for name in self._open_fields(box) - {link.numbers for link in linked}:
            found = self._value(name, box)
            if found is None:
                return None
            facts |= found
        for table in self._tables(box):
            rows = box.get(table, self.full(table))
            assert isinstance(rows, frozenset)
            if not rows:
                return None
            if table not in tables:
                facts |= _present(self.tables[table][min(rows)])
        return self._joined(facts, box, linked)

    def _joined(self, facts: dict[str, Any], box: Box, linked: Sequence[Link]) -> dict[str, Any] | None:
        """With rows of tables for which the numbers that depend on them have one."""
        for table in sorted({self._table_of[link.of] for link in linked}):
            mine = [link for link in linked if self._table_of[link.of] == table]
            rows = box.get(table, self.full(table))
            assert isinstance(rows, frozenset)
            for number in sorted(rows):
                row = self.tables[table][number]
                found: dict[str, Any] = {}
                for link in mine:
                    values = box.get(link.numbers, self.full(link.numbers))
                    assert isinstance(values, Values)
                    one = (values.numbers & link.ranges[row[link.of]]).one()
                    if one is not None:
                        found[link.numbers] = one
                if len(found) == len(mine):
                    facts |= _present(row) | found
                    break
            else:
                return None
        return facts

    def _open_fields(self, box: Box) -> set[str]:
        named = {dimension if isinstance(dimension, str) else dimension[0] for dimension in box}
        return {name for name in named | self.used if name not in self._table_of and name not in self.tables}

    def _tables(self, box: Box) -> set[str]:
        asked = {self._table_of[name] for name in self.used if name in self._table_of}
        return asked | {name for name in box if isinstance(name, str) and name in self.tables}

    def _value(self, name: str, box: Box) -> Facts | None:
        """What the field holds, where it holds anything; None where nothing will do."""
        values = box.get(name, self.full(name))
        assert isinstance(values, Values)
        asked: dict[bool, list[Pattern]] = {True: [], False: []}
        patterned = False
        for dimension, component in box.items():
            if not isinstance(dimension, str) and dimension[0] == name:
                if not component:
                    return None
                if component != BOTH:
                    asked[component == frozenset([True])].append(dimension[1])
                    patterned = True
        if values.absent and not asked[True] and not (patterned or name in box):
            return {}
        if values.texts:
            spelt = self.spelt.get(name, {})
            text = texts.one(values.texts, asked[True], asked[False], spelt)
            if text is not None:
                return {name: spelt.get(text, text)}
        if values.numbers and not asked[True] and (number := values.numbers.one()) is not None:
            return {name: number}
        for truth in sorted(values.truths):
            if texts.fits(str(truth).casefold(), asked[True], asked[False]):
                return {name: truth}
        return {} if values.absent and not asked[True] else None

    def _kind(self, name: str) -> type:
        if name in self.kinds:
            return self.kinds[name]
        return next(kind for known, kind in self.kinds.items() if known.endswith(".*") and name.startswith(known[:-1]))

    def _remember(self, test: Test) -> None:
        for value in test.value if isinstance(test.value, tuple) else (test.value,):
            if isinstance(value, str):
                self.spelt.setdefault(test.field, {}).setdefault(value.casefold(), value)


def _present(row: Facts) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
