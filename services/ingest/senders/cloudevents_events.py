"""One CloudEvent, in its structured form, as a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import CALLS
from services.ingest.domain.fields import text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch_types import default_type
from services.ingest.senders import plain
from services.ingest.senders.bodies import checked, unpack
from shared.schemas.ids import derived_id

_VERSION = re.compile(r"v?\d+")
_SAYS_IDENTIFY = frozenset({"identify", "identified"})


def message(event: Any) -> dict[str, Any]:
    """Raises Refused `bad_cloudevent` for what lacks a required attribute, and for data that cannot be read."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    if text(event, "specversion") != "1.0":
        raise Refused("bad_cloudevent", "specversion must be 1.0")
    source, event_id, name = text(event, "source"), text(event, "id"), text(event, "type")
    if not (source and event_id and name):
        raise Refused("bad_cloudevent", "a CloudEvent has an id, a source and a type")
    data = _data(event)
    same = derived_id("cloudevent", source, event_id)
    if isinstance(data, Mapping) and data.get("type") in CALLS:
        told = plain.message(data, same)
    else:
        told = plain.message({"data": data if isinstance(data, Mapping) else {}}, same, name)
        if _segments(name)[-1:] and _segments(name)[-1] in _SAYS_IDENTIFY:
            told = {**told, "type": "identify", "traits": {**told.get("properties", {}), **told.get("traits", {})}}
    for field, extension in (("userId", "userid"), ("anonymousId", "anonymousid")):
        if not told.get(field) and (said := text(event, extension)):
            told[field] = said
    if when := event.get("time"):
        told["timestamp"] = when
    return told


def usual_type(name: str) -> str | None:
    """The touch type that a name ends in: `com.acme.demo.requested.v1` is demo_requested. None where it says none."""
    segments = _segments(name)
    found = (default_type("track", "_".join(segments[-count:])) for count in (3, 2, 1))
    return next((kind for kind in found if kind != "custom"), None)


def is_json_type(media: str) -> bool:
    """Whether a media type is JSON, or something written in it."""
    kind = media.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))


def _segments(name: str) -> list[str]:
    """The parts of a name between dots, without a version at its end."""
    segments = [part for part in name[:200].split(".") if part]
    while segments and _VERSION.fullmatch(segments[-1]):
        segments.pop()
    return segments


def _data(event: Mapping[str, Any]) -> Any:
    packed = text(event, "data_base64")
    if packed is None:
        return event.get("data")
    kind = text(event, "datacontenttype")
    return checked(parse(unpack(packed))) if kind is None or is_json_type(kind) else None
