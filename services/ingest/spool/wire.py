"""How drafts and other records stand in the spool: by the names of their fields, so that the next version can read them."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

import msgspec

from services.ingest.domain.touch import Draft
from shared.kit.kafka import Outgoing


def packed(kept: Draft | Outgoing) -> bytes:
    if isinstance(kept, Draft):
        return msgspec.msgpack.encode({"draft": kept._asdict()})
    return msgspec.msgpack.encode({"record": (kept.topic, kept.key, kept.value, list(kept.headers))})


def unpacked(content: bytes) -> Draft | Outgoing:
    """Raises ValueError for what `packed` has not made."""
    try:
        found = msgspec.msgpack.decode(content)
        if "draft" in found:
            return _draft(found["draft"])
        topic, key, value, headers = found["record"]
        return Outgoing(topic, key, value, tuple((name, text) for name, text in headers))
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ValueError(f"not a row of the spool: {type(error).__name__}") from error


def _draft(fields: dict[str, Any]) -> Draft:
    hints = _hints()
    return Draft(**{name: msgspec.convert(value, hints[name]) for name, value in fields.items() if name in hints})


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Draft)
