"""What comes off a topic, as a record: JSON as its contract says, or a Reject that says where it is not, never what it holds."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from shared.kit.dead_letters import Reject

Record = TypeVar("Record", bound=BaseModel)
PLACES = 5  # a record of another shape differs everywhere; the first few say so


def read_json(value: bytes) -> Any:
    """The JSON in `value`, each NUL in a text or a name replaced by U+FFFD. Raises Reject `unreadable`.

    Postgres stores no NUL, and a stray one in what a person typed is no reason to lose a lead.
    """
    try:
        raw = orjson.loads(value)
        return _without_nul(raw) if b"\\u0000" in value else raw
    except orjson.JSONDecodeError as error:
        raise Reject("unreadable", f"not JSON at position {error.pos}") from None
    except RecursionError:
        raise Reject("unreadable", "nested too deep") from None


def read_record(model: type[Record], raw: Any) -> Record:
    """`raw` (of `read_json`) as a `model`. Raises Reject `unreadable` with the places that do not fit."""
    try:
        return model.model_validate(raw)
    except RecursionError:
        raise Reject("unreadable", "nested too deep") from None
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)[:PLACES]
        places = ", ".join(f"{'.'.join(map(str, one['loc'])) or 'record'} ({one['type']})" for one in found)
        raise Reject("unreadable", f"not a {model.__name__}: {places}") from None


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value
