"""Conditions as boxes: for each dimension what is let in. Any of the boxes of a condition is enough for it to hold.

Exact: `meet` and `without` lose nothing and add nothing, and a box of theirs always has a point. Their number has a bound, beyond
which TooHardError says so; a condition of a policy has a handful.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from baton.lint.space import Box, Component, Dimension, Space
from baton.lint.values import TooHardError
from shared.schemas.conditions import AnyOf, Condition, Not, Test

MOST = 2_000  # boxes side by side
ALL: Sequence[Box] = ({},)


def boxes_of(condition: Condition, space: Space, *, holds: bool = True) -> Sequence[Box]:
    """Where the condition holds; where it does not."""
    if isinstance(condition, Not):
        return boxes_of(condition.part, space, holds=not holds)
    if isinstance(condition, Test):
        parts = space.component(condition)
        return (
            either([_box(parts)] if len(parts) == 1 else [_box([p]) for p in parts], space)
            if holds
            else _none(parts, space)
        )
    told = [boxes_of(part, space, holds=holds) for part in condition.parts]
    if isinstance(condition, AnyOf) is holds:
        return either([box for boxes in told for box in boxes], space)
    found: Sequence[Box] = ALL
    for boxes in told:
        found = meet(found, boxes, space)
    return found


def meet(some: Sequence[Box], others: Sequence[Box], space: Space) -> Sequence[Box]:
    """What is in a box of both."""
    met = [both for one in some for other in others if (both := _meet(one, other)) is not None]
    return either([box for box in _bounded(met) if space.point(box) is not None], space)


def without(some: Sequence[Box], others: Sequence[Box], space: Space) -> Sequence[Box]:
    """What is in a box of `some` and in none of `others`."""
    for other in others:
        some = _bounded([left for one in some for left in _without(one, other, space)])
    return some


def either(boxes: Sequence[Box], space: Space) -> Sequence[Box]:
    """The same with those made one that differ in their only dimension; all there is as one box."""
    single: dict[Dimension, Component] = {}
    rest: list[Box] = []
    for box in boxes:
        if len(box) != 1:
            rest.append(box)
            continue
        ((dimension, component),) = box.items()
        single[dimension] = _union(single[dimension], component) if dimension in single else component
    found: list[Box] = []
    for dimension, component in single.items():
        if not _minus(space.full(dimension), component):
            return ALL
        if component:
            found.append({dimension: component})
    return ALL if any(not box for box in rest) else _bounded([*found, *rest])


def _box(parts: Iterable[tuple[Dimension, Component]]) -> Box:
    return dict(parts)


def _none(parts: Sequence[tuple[Dimension, Component]], space: Space) -> Sequence[Box]:
    """What passes none of the parts; each of them is of another dimension."""
    box = {dimension: _minus(space.full(dimension), component) for dimension, component in parts}
    return [box] if all(box.values()) else []


def _meet(one: Box, other: Box) -> Box | None:
    found = dict(one)
    for dimension, component in other.items():
        both = _and(found[dimension], component) if dimension in found else component
        if not both:
            return None
        found[dimension] = both
    return found


def _without(one: Box, other: Box, space: Space) -> list[Box]:
    both = _meet(one, other)
    if both is None or space.point(both) is None:
        return [one]
    found, inside = list[Box](), dict(one)
    for dimension, component in other.items():
        mine = inside.get(dimension, space.full(dimension))
        outside = _minus(mine, component)
        if outside:
            found.append({**inside, dimension: outside})
        inside[dimension] = _and(mine, component)
    return [box for box in found if space.point(box) is not None]


def _bounded(boxes: list[Box]) -> list[Box]:
    if len(boxes) > MOST:
        raise TooHardError(f"it falls into more than {MOST} cases")
    return boxes


def _and(one: Component, other: Component) -> Component:
    return one & other  # type: ignore[operator]


def _minus(one: Component, other: Component) -> Component:
    return one - other  # type: ignore[operator]


def _union(one: Component, other: Component) -> Component:
    return one | other  # type: ignore[operator]
