"""Intercom: contacts, conversations, and events of theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.ingest.answers import Answer
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import items, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme
from services.ingest.request import Request
from services.ingest.senders.signing import by
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

SCHEME = Scheme(header=b"x-hub-signature", prefix=b"sha1=", digest="sha1")
TYPES = {
    "conversation.user.created": "chat_started",
    "ticket.created": "support_opened",
    "contact.unsubscribed": "email_unsubscribed",
    "user.unsubscribed": "email_unsubscribed",
    "contact.created": "identify",
    "contact.user.created": "identify",
    "contact.lead.created": "identify",
    "contact.user.updated": "identify",
    "contact.lead.updated": "identify",
    "contact.email.updated": "identify",
    "contact.lead.signed_up": "identify",
    "contact.lead.added_email": "identify",
    "user.created": "identify",
    "user.email.updated": "identify",
    "visitor.signed_up": "identify",
}
_PEOPLE = ("contact", "user", "lead", "visitor")
_TAG = re.compile(r"<[^<>]{0,1000}>")


def challenge(request: Request, keys: Keys) -> Answer | None:
    """A test from Intercom's settings tells of nobody."""
    if b"ping" not in request.body:
        return None
    try:
        return Answer(200, b"") if text(parse(request.body).tree, "topic") == "ping" else None
    except Refused:
        return None  # `read` says so, and what it refuses is kept


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, protocol="intercom")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(event: Any) -> dict[str, Any]:
    """One notification, by its topic; one that carries an event of the customer's own by that event's name."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    topic, item = text(event, "topic"), mapping(event, "data", "item")
    person = _person(item)
    contact, where = text(person, "id"), mapping(person, "location")
    asked = topic == "conversation.user.created"
    message = (text(item, "source", "body") or text(item, "conversation_message", "body")) if asked else None
    return present(
        type="track",
        event=text(item, "event_name") or topic,
        messageId=text(event, "id"),
        timestamp=event.get("created_at"),
        userId=text(person, "external_id") or text(person, "user_id"),
        externalId=f"intercom:{contact}" if contact else None,
        traits=dict(mapping(person, "custom_attributes"))
        | present(
            email=text(person, "email"),
            name=text(person, "name"),
            phone=text(person, "phone"),
            country=text(where, "country_code") or text(where, "country"),
            message=_TAG.sub(" ", message).strip() if message else None,
        ),
        properties=dict(mapping(item, "metadata"))
        | present(topic_name=topic, url=text(item, "source", "url"), subject=text(item, "source", "subject")),
    )


def _person(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whom an item is about: it is a contact itself, or names one; never one of us who wrote."""
    if text(item, "type") in (*_PEOPLE, "event"):
        return {**item, "id": None} if text(item, "type") == "event" else item
    author = mapping(item, "source", "author")
    found: dict[str, Any] = {}
    for candidate in (
        *(mapping(item, name) for name in _PEOPLE),
        *items(item, "contacts", "contacts")[:1],
        *([author] if text(author, "type") in _PEOPLE else []),
    ):
        if isinstance(candidate, Mapping) and (not found or text(candidate, "id") == found.get("id")):
            found = {**present(**candidate), **found}
    return found


INTERCOM = Webhook(kind="intercom", verify=by(SCHEME), read=read, challenge=challenge)
