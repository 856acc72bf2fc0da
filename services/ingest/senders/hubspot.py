"""HubSpot: CRM subscriptions of apps (an array of events), and webhooks of workflows (one contact)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.ingest.domain.envelope import MOST_EVENTS, Envelope
from services.ingest.domain.fields import at, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, verify
from services.ingest.request import Request
from services.ingest.senders.signing import signed
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

# v1 and v2 are plain hashes, which can be lengthened by whoever saw one; what is added begins with a byte that is no UTF-8,
# so that no JSON comes of it. They carry no time either: an event that comes again is known by its id.
_V1 = Scheme(header=b"x-hubspot-signature", method="hash", signed=b"{secret}{body}")
_V2 = replace(_V1, signed=b"{secret}{method}{url}{body}")
_V3 = Scheme(
    header=b"x-hubspot-signature-v3",
    encoding="base64",
    signed=b"{method}{url}{body}{t}",
    timestamp=b"x-hubspot-request-timestamp",
    unit="ms",
)
# HubSpot signs the address with these decoded.
_DECODED = {
    b"%3A": b":",
    b"%2F": b"/",
    b"%3F": b"?",
    b"%40": b"@",
    b"%21": b"!",
    b"%24": b"$",
    b"%27": b"'",
    b"%28": b"(",
    b"%29": b")",
    b"%2A": b"*",
    b"%2C": b",",
    b"%3B": b";",
}
_OBJECTS = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket"}
TYPES = {
    "contact.creation": "identify",
    "contact.propertyChange": "identify",
    "contact.restore": "identify",
    "contact.merge": "identify",
    "workflow": "identify",
}


def verify_call(request: Request, keys: Keys, now: int) -> None:
    """By v3 where it is sent and our address is known; else by the version that the call names."""
    call, secrets = signed(request, keys), keys.active(now)
    if request.header(b"x-hubspot-signature-v3") is not None and call.url is not None:
        verify(_V3, call._replace(url=_decoded(call.url)), secrets, now, keys.tolerance_ms)
    elif request.header(b"x-hubspot-signature-version") == b"v2":
        verify(_V2, call, secrets, now, keys.tolerance_ms)
    elif request.header(b"x-hubspot-signature") is None and request.header(b"x-hubspot-signature-v3") is not None:
        verify(_V3, call, secrets, now, keys.tolerance_ms)  # says that the address is missing
    else:
        verify(_V1, call, secrets, now, keys.tolerance_ms)


def _decoded(url: bytes) -> bytes:
    for code, character in _DECODED.items():
        url = url.replace(code, character).replace(code.lower(), character)
    return url


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    if isinstance(parsed.tree, dict):
        return Opened(_envelope([parsed.tree]), suspect=parsed.suspect, single=True)
    if not isinstance(parsed.tree, list):
        raise Refused("wrong_type", "the body must be a JSON array of events")
    if len(parsed.tree) > MOST_EVENTS:
        raise Refused("too_many_events", f"a body may carry {MOST_EVENTS} events")
    return Opened(_envelope(parsed.tree), suspect=parsed.suspect)


def _envelope(events: list[Any]) -> Envelope:
    return Envelope(events, translate=translate, types=TYPES, protocol="hubspot")


def translate(event: Any) -> dict[str, Any]:
    """A subscription's event; or the contact that a workflow sends."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    if "subscriptionType" not in event:
        return _of_workflow(event)
    subject, _, action = (text(event, "subscriptionType") or "").partition(".")
    subject = _OBJECTS.get(text(event, "objectTypeId") or "", subject) if subject == "object" else subject
    name, value = text(event, "propertyName"), event.get("propertyValue")
    contact = _contact(event, subject, action)
    # HubSpot does not promise that its `eventId` is no other event's; object and time are the same whenever it tries again.
    ids = [text(event, field) for field in ("portalId", "subscriptionId", "eventId", "objectId", "occurredAt")]
    return present(
        type="track",
        event=f"{subject}.{action}" if subject and action else None,
        messageId=":".join(part or "" for part in ids) if ids[2] else None,
        timestamp=event.get("occurredAt"),
        externalId=f"hubspot:{contact}" if contact else None,
        traits={name: value} if name and subject == "contact" else None,
        properties=present(
            object=subject,
            object_id=text(event, "objectId"),
            portal_id=text(event, "portalId"),
            property_name=name,
            property_value=value,
            change_source=text(event, "changeSource"),
            association_type=text(event, "associationType"),
        ),
    )


def _contact(event: Mapping[str, Any], subject: str, action: str) -> str | None:
    """The contact that an event is about; of two that were merged the one that stays."""
    if action == "associationChange":
        one, _, other = (text(event, "associationType") or "").partition("_TO_")
        if "CONTACT" in (one, other):
            return text(event, "fromObjectId" if one == "CONTACT" else "toObjectId")
        return None
    if subject != "contact":
        return None
    return text(event, "primaryObjectId") or text(event, "objectId")


def _of_workflow(event: Mapping[str, Any]) -> dict[str, Any]:
    """`properties` holds texts, or objects with a `value`."""
    sent = mapping(event, "properties")
    traits = {name: at(value, "value") if isinstance(value, Mapping) else value for name, value in sent.items()}
    contact = text(event, "objectId") or text(event, "vid") or text(traits, "hs_object_id")
    return present(
        type="track",
        event="workflow",
        externalId=f"hubspot:{contact}" if contact else None,
        traits=traits,
    )


HUBSPOT = Webhook(kind="hubspot", verify=verify_call, read=read)
