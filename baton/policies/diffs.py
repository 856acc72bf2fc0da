"""What differs between two versions of a policy, as a manager reads it: things by their ids, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

IDS = (
    "id",
    "code",
    "rep",
    "stage",
    "criterion",
)  # what a thing of a list is called by, the first that all of them have
LONGEST = 100  # characters of a value


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """`+` what is new, `-` what is gone, `~` what is changed, from what to what. before: None for a policy that is new"""
    if before is None:
        return ["+ all of it"]
    return list(_of_mapping("", before, after))


def _of_mapping(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        yield from _of(f"{place}.{name}" if place else str(name), before.get(name), after.get(name))


def _of(place: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if _empty(before) or _empty(after):
        known = after if _empty(before) else before
        named = _named([known[:0], known]) if isinstance(known, list) else None
        if named:
            yield from _of_named(place, *([{}, named[1]] if _empty(before) else [named[1], {}]))
        else:
            yield f"{'+' if _empty(before) else '-'} {place}: {_shown(known)}"
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _of_mapping(place, before, after)
    elif isinstance(before, list) and isinstance(after, list) and (both := _named([before, after])):
        yield from _of_named(place, *both)
    else:
        yield f"~ {place}: {_shown(before)} → {_shown(after)}"


def _of_named(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Lists of things with ids; that their order changed is a line of its own, because the first rule that holds decides."""
    for name in dict.fromkeys([*before, *after]):
        here = f"{place}.{name}"
        if name not in after:
            yield f"- {here}"
        elif name not in before:
            yield f"+ {here}: {_shown({key: value for key, value in after[name].items() if value != name})}"
        else:
            yield from _of(here, before[name], after[name])
    kept = [name for name in before if name in after]
    now = [name for name in after if name in before]
    if kept != now:
        yield f"~ {place}, their order: {', '.join(kept)} → {', '.join(now)}"


def _named(lists: Sequence[list[Any]]) -> list[dict[str, Any]] | None:
    """The lists by the ids of their things; None where they have none."""
    things = [thing for each in lists for thing in each]
    for key in IDS:
        if things and all(isinstance(thing, Mapping) and isinstance(thing.get(key), str) for thing in things):
            found = [{thing[key]: thing for thing in each} for each in lists]
            if all(len(named) == len(each) for named, each in zip(found, lists, strict=True)):
                return found
    return None


def _empty(value: Any) -> bool:
    """What a policy leaves out, as against what it says."""
    return value is None or value in ([], {}, ())


def _shown(value: Any) -> str:
    """A value in a line, without what it leaves out."""
    text = json.dumps(_bare(value), ensure_ascii=False).replace('"', "")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        bare = {name: _bare(one) for name, one in value.items()}
        return {name: one for name, one in bare.items() if not _empty(one)}
    return [_bare(one) for one in value] if isinstance(value, list | tuple) else value
