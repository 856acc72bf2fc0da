"""The gate: which change of a contract breaks somebody, and in which order a change can be rolled out without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

REMOVED = (
    "consumers first: deploy readers that do not need it, then writers that leave it out, then remove it. "
    "Renaming is adding a new field and removing the old one"
)
REQUIRED = (
    "writers first: add it as optional, deploy writers that fill it, wait until the topic holds nothing older, "
    "then require it"
)
RETYPED = (
    "consumers first: add a new field beside it, let writers fill both, move the readers over, then remove the old one"
)
NARROWED = "writers first: deploy writers that keep to it, wait until the topic holds nothing wider, then narrow it"
WIDENED = "consumers first: deploy readers that understand it, then writers that use it"


@dataclass(frozen=True, slots=True)
class Change:
    """A change at `place` of a contract that needs an order; `breaking`: whether it cannot be made in one step at all."""

    place: str
    what: str
    order: str
    breaking: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. Rollout, {self.order}."


def changes(name: str, old: Schema, new: Schema) -> list[Change]:
    """What of the contract `name` differs so that the order of deployment matters. New optional fields do not."""
    return list(_compare(name, _Side(old, old), _Side(new, new)))


@dataclass(frozen=True, slots=True)
class _Side:
    """A schema, and the whole that its references point into."""

    root: Schema
    schema: Schema

    def below(self, schema: Schema) -> _Side:
        return _Side(self.root, schema)

    def kinds(self) -> dict[str, _Side]:
        """The JSON types that it admits, each with its own schema; `any` where it says nothing."""
        schema = self.schema
        while "$ref" in schema:
            schema = self.root["$defs"][schema["$ref"].rpartition("/")[2]]
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return {kind: side for part in schema[union] for kind, side in self.below(part).kinds().items()}
        if "allOf" in schema and len(schema["allOf"]) == 1:
            return self.below(schema["allOf"][0]).kinds()
        return {schema.get("type", "any"): self.below(schema)}


def _compare(place: str, old: _Side, new: _Side) -> Iterator[Change]:
    before, after = old.kinds(), new.kinds()
    gone = [kind for kind in before if not _admits(after, kind)]
    more = [kind for kind in after if not _admits(before, kind)]
    if gone and more:
        yield Change(place, f"{_words(before)} became {_words(after)}", RETYPED)
    elif gone:
        yield Change(place, f"{_words(before)} was narrowed to {_words(after)}", NARROWED)
    elif more:
        yield Change(place, f"{_words(before)} was widened to {_words(after)}", WIDENED, breaking=False)
    for kind in before.keys() & after.keys():
        yield from _compare_kind(place, before[kind], after[kind])


def _below(side: _Side, schema: Any) -> _Side:
    return side.below({} if schema is True else schema)


def _admits(kinds: Mapping[str, _Side], kind: str) -> bool:
    return kind in kinds or "any" in kinds or (kind == "integer" and "number" in kinds)


def _words(kinds: Mapping[str, _Side]) -> str:
    return " or ".join(sorted(kinds))


def _compare_kind(place: str, old: _Side, new: _Side) -> Iterator[Change]:
    yield from _compare_values(place, old.schema, new.schema)
    yield from _compare_limits(place, old.schema, new.schema)
    yield from _compare_fields(place, old, new)
    for keyword, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        left, right = old.schema.get(keyword, False), new.schema.get(keyword, False)
        if left is not False and right is not False:  # True admits anything, as {} does
            yield from _compare(place + suffix, _below(old, left), _below(new, right))
    before, after = old.schema.get("prefixItems", []), new.schema.get("prefixItems", [])
    if len(before) != len(after):
        yield Change(place, f"has {len(after)} items instead of {len(before)}", RETYPED)
    for index, (first, second) in enumerate(zip(before, after, strict=False)):
        yield from _compare(f"{place}[{index}]", old.below(first), new.below(second))


def _compare_values(place: str, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = _values(old), _values(new)
    if after is not None and (before is None or before - after):
        lost = ", ".join(sorted(map(str, before - after))) if before else f"all but {_listed(after)}"
        yield Change(place, f"no longer admits {lost}", NARROWED)
    if before is not None and (after is None or after - before):
        won = _listed(after - before) if after else "any value"
        yield Change(place, f"now admits {won}", WIDENED, breaking=False)


def _values(schema: Schema) -> set[Any] | None:
    return {schema["const"]} if "const" in schema else set(schema["enum"]) if "enum" in schema else None


def _listed(values: set[Any]) -> str:
    return ", ".join(sorted(map(str, values)))


_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")  # a higher one narrows
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")  # a lower one narrows


def _compare_limits(place: str, old: Schema, new: Schema) -> Iterator[Change]:
    for keyword in (*_LOWER, *_UPPER):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        sign = 1 if keyword in _LOWER else -1
        if after is not None and (before is None or sign * after > sign * before):
            yield Change(place, f"{keyword} {before} became {after}", NARROWED)
        else:
            yield Change(place, f"{keyword} {before} became {after}", WIDENED, breaking=False)
    for keyword in ("pattern", "multipleOf"):
        if new.get(keyword) != old.get(keyword):
            what = f"{keyword} `{old.get(keyword)}` became `{new.get(keyword)}`"
            breaking = keyword in new
            yield Change(place, what, NARROWED if breaking else WIDENED, breaking=breaking)


def _compare_fields(place: str, old: _Side, new: _Side) -> Iterator[Change]:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    needed_before, needed = set(old.schema.get("required", ())), set(new.schema.get("required", ()))
    strict = old.schema.get("additionalProperties") is False
    for field in before.keys() - after.keys():
        yield Change(f"{place}.{field}", "the field was removed", REMOVED)
    for field in sorted(needed - needed_before):
        yield Change(f"{place}.{field}", "the field is required now", REQUIRED)
    if strict:  # who reads it refuses what it does not know, so even an optional field has an order
        for field in sorted(after.keys() - before.keys() - needed):
            yield Change(f"{place}.{field}", "the field is new, and old readers refuse it", WIDENED, breaking=False)
    for field in sorted(before.keys() & after.keys()):
        yield from _compare(f"{place}.{field}", old.below(before[field]), new.below(after[field]))
