"""The one condition grammar: `all`, `any`, `not` over `field: {op: value}`. No expressions in strings.

    all:
      - lead.level: {in: [head, executive]}
      - not: {lead.country: {eq: JP}}

A mapping of several fields is an `all` of them. Which fields exist is a typed catalogue per kind of policy (`catalogue.py`), so
that a machine can check a rule before it runs. A field that is absent satisfies only `exists: false`, `ne` and `not_in`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool
Facts = Mapping[str, Any]

OPERATORS = ("eq", "ne", "in", "not_in", "gte", "gt", "lte", "lt", "exists", "prefix", "suffix", "contains")
_TEXT = {"prefix": str.startswith, "suffix": str.endswith, "contains": str.__contains__}
_ORDER = {"gte", "gt", "lte", "lt"}
_PYTHON = {"gte": "ge", "gt": "gt", "lte": "le", "lt": "lt"}
_LISTS = {"in", "not_in"}


class ConditionError(ValueError):
    """A condition that is not in the grammar. `path` leads to the place, `wrong` and `valid` name the alternatives, if any."""

    def __init__(
        self, message: str, path: tuple[str | int, ...] = (), wrong: str | None = None, valid: tuple[str, ...] = ()
    ):
        super().__init__(message)
        self.path, self.wrong, self.valid = path, wrong, valid


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one field."""

    __test__ = False  # not a pytest class
    field: str
    op: str
    value: Any

    def holds(self, facts: Facts) -> bool:
        actual = facts.get(self.field)
        if actual is None:
            return self.value is False if self.op == "exists" else self.op in ("ne", "not_in")
        return _compare(self.op, actual, self.value)

    def fields(self) -> frozenset[str]:
        return frozenset({self.field})


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        return all(part.holds(facts) for part in self.parts)

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields() for part in self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        return any(part.holds(facts) for part in self.parts)

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition

    def holds(self, facts: Facts) -> bool:
        return not self.part.holds(facts)

    def fields(self) -> frozenset[str]:
        return self.part.fields()


Condition = Test | All | AnyOf | Not
ALWAYS = All(())


def _compare(op: str, actual: Any, wanted: Any) -> bool:
    if op == "exists":
        return bool(wanted)
    if op in ("eq", "ne"):
        return bool(_fold(actual) == _fold(wanted)) is (op == "eq")
    if op in _LISTS:
        return (_fold(actual) in [_fold(item) for item in wanted]) is (op == "in")
    if op in _ORDER:
        number = isinstance(actual, int | float) and not isinstance(actual, bool)  # a sender may send anything
        return number and bool(getattr(operator, _PYTHON[op])(actual, wanted))
    text, parts = str(actual).casefold(), wanted if isinstance(wanted, tuple) else (wanted,)
    return any(_TEXT[op](text, str(part).casefold()) for part in parts)


def _fold(value: Any) -> Any:
    """Text is compared without case; True is not 1."""
    return ("bool", value) if isinstance(value, bool) else value.casefold() if isinstance(value, str) else value


def parse(raw: Any, catalogue: Mapping[str, type], path: tuple[str | int, ...] = ()) -> Condition:
    """The condition that `raw` (mappings, lists and scalars, as read from YAML) says. Raises ConditionError.

    A catalogue name that ends in `.*` admits any field below it.
    """
    if not isinstance(raw, Mapping):
        raise ConditionError(f"a condition is a mapping such as {{lead.level: {{in: [head]}}}}, not {raw!r}", path)
    parts = [_parse_entry(name, value, catalogue, (*path, name)) for name, value in raw.items()]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _parse_entry(name: Any, value: Any, catalogue: Mapping[str, type], path: tuple[str | int, ...]) -> Condition:
    if name in ("all", "any"):
        if not isinstance(value, list | tuple) or not value:
            raise ConditionError(f"`{name}` takes a list of conditions, with one or more in it", path)
        parts = tuple(parse(item, catalogue, (*path, index)) for index, item in enumerate(value))
        return All(parts) if name == "all" else AnyOf(parts)
    if name == "not":
        return Not(parse(value, catalogue, path))
    kind = _field_type(str(name), catalogue)
    if kind is None:
        raise ConditionError(f"there is no field `{name}` here", path, wrong=str(name), valid=tuple(catalogue))
    if not isinstance(value, Mapping) or not value:
        raise ConditionError(f"`{name}` takes {{operator: value}}, such as {{eq: …}}, not {value!r}", path)
    tests = tuple(_parse_test(str(name), kind, str(op), wanted, (*path, op)) for op, wanted in value.items())
    return tests[0] if len(tests) == 1 else All(tests)


def _field_type(name: str, catalogue: Mapping[str, type]) -> type | None:
    if name in catalogue:
        return catalogue[name]
    return next(
        (kind for known, kind in catalogue.items() if known.endswith(".*") and name.startswith(known[:-1])), None
    )


def _parse_test(name: str, kind: type, op: str, wanted: Any, path: tuple[str | int, ...]) -> Test:
    if op not in OPERATORS:
        raise ConditionError(f"there is no operator `{op}`", path, wrong=op, valid=OPERATORS)
    if op == "exists":
        if not isinstance(wanted, bool):
            raise ConditionError("`exists` takes true or false", path)
        return Test(name, op, wanted)
    if (op in _LISTS) and not isinstance(wanted, list | tuple):
        raise ConditionError(f"`{op}` takes a list", path)
    if op in _ORDER and kind not in (int, float, object):
        raise ConditionError(f"`{op}` compares numbers, and `{name}` is not one", path)
    if op in _TEXT and kind not in (str, object):
        raise ConditionError(f"`{op}` compares text, and `{name}` is not text", path)
    values = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    for item in values:
        if op in _ORDER and (isinstance(item, bool) or not isinstance(item, int | float)):
            raise ConditionError(f"`{op}` takes a number, not {item!r}", path)
        if kind is not object and not _fits(item, kind):
            raise ConditionError(f"`{name}` is {_NAMES[kind]}, and {item!r} is not", path)
    return Test(name, op, tuple(values) if isinstance(wanted, list | tuple) else wanted)


_NAMES: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _fits(value: Any, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int | float) if kind in (int, float) else isinstance(value, kind)
