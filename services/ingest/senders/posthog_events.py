"""One event of PostHog as a message. Its `distinct_id` is a person's or a browser's: that is told apart here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.fields import mapping, present, text
from services.ingest.domain.refusals import Refused
from services.ingest.senders.people import COMPANY_GROUPS, is_made_up, of_alias


def message(event: Any) -> dict[str, Any]:
    """Raises Refused for what is no event, and for an alias that names no person."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    told = mapping(event, "properties")
    user, anonymous = _who(event, told)
    return present(
        **({"userId": user, "anonymousId": anonymous} | _kind(event, told)),
        messageId=text(event, "uuid") or text(told, "$insert_id"),
        timestamp=event.get("timestamp"),
        context=present(
            page=present(
                url=text(told, "$current_url"),
                path=text(told, "$pathname"),
                title=text(told, "$title") or text(told, "title"),
                referrer=_referrer(told),
            ),
            traits={**mapping(told, "$set_once"), **mapping(event, "$set"), **mapping(told, "$set")},
            userAgent=text(told, "$raw_user_agent") or text(told, "$useragent"),
            locale=text(told, "$browser_language") or text(told, "$locale"),
        ),
    )


def _kind(event: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    name = text(event, "event")
    own = {name: value for name, value in told.items() if not name.startswith("$") and name != "token"}
    match name:
        case "$identify" | "$set":
            return {"type": "identify"}
        case "$pageview":
            return {"type": "page", "name": text(told, "$title") or text(told, "title"), "properties": own}
        case "$screen":
            return {"type": "screen", "name": text(told, "$screen_name"), "properties": own}
        case "$groupidentify":
            about = mapping(told, "$group_set") if text(told, "$group_type") in COMPANY_GROUPS else {}
            return {"type": "group", "traits": dict(about)}
        case "$create_alias" | "$merge_dangerously":
            person, before = of_alias(text(told, "distinct_id") or text(event, "distinct_id"), text(told, "alias"))
            return {"type": "alias", "userId": person, "previousId": before, "anonymousId": None}
    return {"type": "track", "event": name, "properties": own}


def _who(event: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """User id and anonymous id. What PostHog makes up itself (`$posthog_cookieless`, `$company_5`) is neither."""
    distinct = text(event, "distinct_id") or text(told, "distinct_id")
    if distinct and distinct.startswith("$"):
        distinct = None
    device, before = text(told, "$device_id"), text(told, "$anon_distinct_id")
    if distinct and distinct not in (device, before) and _is_person(event, told, distinct):
        return distinct, before or device
    return None, distinct or device


def _is_person(event: Mapping[str, Any], told: Mapping[str, Any], distinct: str) -> bool:
    """As the SDK says; where it says nothing, by how the id looks."""
    if text(event, "event") == "$identify" or text(told, "$user_id") == distinct:
        return True
    said = told.get("$is_identified")
    if isinstance(said, bool):
        return said
    return told.get("$process_person_profile") is not False and not is_made_up(distinct)


def _referrer(told: Mapping[str, Any]) -> str | None:
    referrer = text(told, "$referrer")
    return None if referrer == "$direct" else referrer
