"""Reading what strangers send: a field that is missing or of another shape is nothing, never an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

_NONE: Mapping[str, Any] = {}


def at(tree: Any, *path: str) -> Any:
    """What stands at `path` below `tree`; None where there is nothing."""
    for name in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(name)
    return tree


def text(tree: Any, *path: str) -> str | None:
    """The text at `path`, trimmed, or a number as text; None where there is neither, or nothing in it."""
    value = at(tree, *path)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def mapping(tree: Any, *path: str) -> Mapping[str, Any]:
    """The object at `path`; an empty one where there is none."""
    value = at(tree, *path)
    return value if isinstance(value, Mapping) else _NONE


def items(tree: Any, *path: str) -> list[Any]:
    """The array at `path`; an empty one where there is none."""
    value = at(tree, *path)
    return value if isinstance(value, list) else []


def present(**fields: Any) -> dict[str, Any]:
    """The fields that say something: without None, empty texts and empty collections."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value != "" and value != {} and value != []
    }


def fingerprint(*parts: str | None) -> str | None:
    """One id of parts that only together tell an event apart; None where one of them is missing. For parts that are not personal:
    whoever guesses them can tell that he was right."""
    return None if None in parts else sha256(json.dumps(parts).encode()).hexdigest()
