"""Whatever it is, as JSON in the one seam for personal data."""

from __future__ import annotations

from typing import Any

import orjson

from shared.kit.person import reveal, seal
from shared.schemas.person import SealedPerson


def sealed_json(value: Any) -> dict[str, Any] | None:
    """None for nothing."""
    if not value:
        return None
    found = seal({"free_text": orjson.dumps(value).decode()})
    return found.model_dump() if found else None


def stored_json(value: Any, *, sealed: bool) -> Any:
    """As it is to be stored; `opened_json` reads it again."""
    return sealed_json(value) if sealed else value


def opened_json(stored: Any, *, sealed: bool) -> Any:
    """What was stored, which may have been sealed."""
    if not sealed or stored is None:
        return stored
    text = reveal(SealedPerson.model_validate(stored)).get("free_text")
    return orjson.loads(text) if text else None
