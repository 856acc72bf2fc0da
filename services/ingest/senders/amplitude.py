"""Amplitude's HTTP API v2, and its batch API, which has its path in common with PostHog's (see `posthog`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from services.ingest.answers import Answer, Outcome, refusal
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import mapping, present, text
from services.ingest.domain.parse import Parsed
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.bodies import bounded, json_of
from services.ingest.senders.people import COMPANY_GROUPS
from services.ingest.senders.tracker import Opened, Route, Tracker
from shared.schemas.ids import derived_id

_PAGE = "[Amplitude] Page "


def read(request: Request) -> Opened:
    return opened(json_of(request.body))


def opened(parsed: Parsed) -> Opened:
    events = parsed.tree.get("events") if isinstance(parsed.tree, dict) else None
    if not isinstance(events, list):
        raise Refused("no_batch", "the body carries its events in the array `events`")
    envelope = Envelope(bounded(events), translate=message, protocol="amplitude")
    return Opened(envelope, text(parsed.tree, "api_key"), parsed.suspect, spoken=AMPLITUDE)


def message(event: Any) -> dict[str, Any]:
    """Raises Refused for what is no event."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    user, device, insert = text(event, "user_id"), text(event, "device_id"), text(event, "insert_id")
    told = mapping(event, "event_properties")
    return present(
        **_kind(event, told),
        # Amplitude tells events apart per device; some senders count from 1 on each.
        messageId=derived_id("amplitude", device or user, insert) if insert else None,
        timestamp=event.get("time"),
        userId=user,
        anonymousId=device,
        context=present(
            page=present(
                url=text(told, f"{_PAGE}URL") or text(told, f"{_PAGE}Location"),
                path=text(told, f"{_PAGE}Path"),
                title=text(told, f"{_PAGE}Title"),
                referrer=text(told, "referrer"),
            ),
            traits=_set(mapping(event, "user_properties")),
            userAgent=text(event, "user_agent"),
            locale=text(event, "language"),
        ),
    )


def _kind(event: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    name = text(event, "event_type")
    if name == "$identify":
        return {"type": "identify"}
    if name == "$groupidentify":
        kinds = mapping(event, "groups").keys()
        traits = _set(mapping(event, "group_properties")) if COMPANY_GROUPS.intersection(kinds) else {}
        return {"type": "group", "traits": traits}
    if name == f"{_PAGE}Viewed":
        return {"type": "page", "name": text(told, f"{_PAGE}Title"), "properties": dict(told)}
    return {"type": "track", "event": name, "properties": dict(told)}


def _set(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What an operation leaves known: `{"$set": {…}}`, or the properties themselves."""
    plain = {name: value for name, value in properties.items() if not name.startswith("$")}
    return {**mapping(properties, "$setOnce"), **mapping(properties, "$set"), **plain}


def _answer(request: Request, outcome: Outcome) -> Answer:
    body = {
        "code": 200,
        "events_ingested": outcome.accepted + outcome.duplicate,
        "payload_size_bytes": len(request.body),
        "results": outcome.results,
    }
    return Answer(200, orjson.dumps(body))


def _failure(request: Request, refused: Refused) -> Answer:
    answer = refusal(refused)
    text = f"Invalid API key: {refused.message}" if refused.status == 401 else refused.message
    body = {"code": refused.status, "error": text, "message": text, "reason": refused.code}
    if refused.status < 500 and refused.status not in (413, 429):
        body["missing_field"] = "events"  # else its SDKs send again what can never succeed
    return answer._replace(body=orjson.dumps(body))


AMPLITUDE = Tracker(
    name="amplitude", routes=(Route("/2/httpapi", batch=True),), read=read, answer=_answer, failure=_failure
)
