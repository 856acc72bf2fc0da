"""One event of Mixpanel, or one change of a profile, as a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.fields import items, mapping, present, text
from services.ingest.domain.refusals import Refused
from services.ingest.senders.people import is_made_up, of_alias
from shared.schemas.ids import derived_id

_DEVICE = "$device:"
_OURS = ("$", "mp_")  # what Mixpanel's SDKs add


def message(event: Any) -> dict[str, Any]:
    """Raises Refused for what is neither, for an alias that names no person, and for the deletion of a profile."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    if "event" not in event and "$distinct_id" in event:
        return _profile(event)
    told = mapping(event, "properties")
    insert = text(told, "$insert_id")
    when = told.get("time")
    user, anonymous = _who(told, text(told, "distinct_id"))
    return present(
        **({"userId": user, "anonymousId": anonymous} | _kind(event, told)),
        # By these four Mixpanel tells events apart.
        messageId=_same(text(event, "event"), text(told, "distinct_id"), str(when), insert) if insert else None,
        timestamp=int(when) if isinstance(when, str) and when.isascii() and when.isdigit() and len(when) < 17 else when,
        context=present(
            page=present(
                url=text(told, "$current_url") or text(told, "current_url"),
                path=text(told, "current_url_path"),
                title=text(told, "current_page_title"),
                referrer=text(told, "$referrer"),
            )
        ),
    )


def _profile(change: Mapping[str, Any]) -> dict[str, Any]:
    """What a change of a profile leaves known of a person."""
    if "$delete" in change:
        raise Refused("not_supported", "profiles are not deleted by tracking calls")
    user, anonymous = _who(change, text(change, "$distinct_id"))
    traits = {**mapping(change, "$set_once"), **mapping(change, "$set")}
    return present(
        type="identify",
        userId=user,
        anonymousId=anonymous,
        traits={name.removeprefix("$"): value for name, value in traits.items()},
    )


def _kind(event: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    name = text(event, "event")
    match name:
        case "$identify":
            return {
                "type": "identify",
                "userId": text(told, "$identified_id") or text(told, "$user_id"),
                "anonymousId": _device(text(told, "$anon_id") or text(told, "$device_id")),
            }
        case "$create_alias":
            return _alias(text(told, "distinct_id"), text(told, "alias"))
        case "$merge":
            ids = [text(item) for item in items(told, "$distinct_ids")]
            return _alias(*(ids if len(ids) == 2 else (None, None)))
    own = {name: value for name, value in told.items() if not name.startswith(_OURS) and name != "token"}
    if name == "$mp_web_page_view":
        return {"type": "page", "name": text(told, "current_page_title"), "properties": own}
    return {"type": "track", "event": name, "properties": own}


def _alias(one: str | None, other: str | None) -> dict[str, Any]:
    user, before = of_alias(_device(one), _device(other))
    return {"type": "alias", "userId": user, "previousId": before, "anonymousId": None}


def _who(told: Mapping[str, Any], distinct: str | None) -> tuple[str | None, str | None]:
    """User id and anonymous id. A `distinct_id` alone is of a person unless it looks made up."""
    user, device = text(told, "$user_id"), _device(text(told, "$device_id"))
    if distinct is None or user is not None:
        return user, device
    if distinct.startswith(_DEVICE) or distinct == device or is_made_up(distinct):
        return None, device or _device(distinct)
    return distinct, device


def _device(value: str | None) -> str | None:
    return value.removeprefix(_DEVICE) if value else None


def _same(*parts: str | None) -> str:
    return derived_id("mixpanel", *parts)
