"""From an event to the touch that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from services.ingest.domain import channels, traits
from services.ingest.domain.automated import condemned, is_robot
from services.ingest.domain.consents import Consents, heard
from services.ingest.domain.envelope import Event
from services.ingest.domain.identifiers import Identities, identities
from services.ingest.domain.mapping import Evidence, Meanings, page_of
from services.ingest.domain.refusals import Refused
from services.ingest.domain.times import settle
from shared.kit.person import seal
from shared.normalise import email
from shared.normalise.text import clean, unnamed
from shared.schemas import ids

DAY = 86_400_000
_NO_RULES = Consents()
_OF_THE_SENDING = ("sentAt", "writeKey", "_metadata")  # not of the event: they differ from try to try


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that may send, with what its policy makes of its events.

    free_mail: domains of the tenant's own list
    claim_seconds: how long an event id of its is remembered
    keyed_ids: its ids of messages may be made of what people are known by (a card's address), so event ids shall not tell
    """

    tenant: str
    source_id: str
    trusted: bool
    secret: bytes = field(repr=False)
    meanings: Meanings
    evidence: Evidence
    free_mail: frozenset[str]
    claim_seconds: int = 48 * 3600
    keyed_ids: bool = False
    consents: Consents = _NO_RULES


class Draft(NamedTuple):
    """A touch that lacks only the lead it belongs to: `body` is its JSON without `lead_id`."""

    position: int  # in its body
    tenant: str
    source_id: str
    trusted: bool
    event_id: str
    identities: Identities
    body: bytes
    claim_seconds: int


def complete(lead_id: str, body: bytes) -> bytes:
    """The touch as it travels, from the body of a draft."""
    return b'{"lead_id":"' + lead_id.encode() + b'",' + body[1:]


def draft(event: Event, sender: Sender, received_at: int, *, scanned: bool = False) -> Draft:
    """What `event` becomes; `scanned`: its neighbours say that it is a mail scanner's. Raises Refused for this one event."""
    if event.call == "track" and event.name is None:
        raise Refused("no_event_name", "a track call names its event in `event`")
    told = traits.told_by(event)
    address = email.address(told.get("email"))
    mobile = traits.mobile(told) if "phone" in told else None
    known = identities(event, address, sender.secret, sender.tenant, mobile=mobile)
    if known.desk:  # who wrote from it this time is not who reads it the next
        told = {name: value for name, value in told.items() if name not in traits.OF_A_PERSON}
    chief = known.chief()
    at, clock = settle(event.at, event.sent_at, received_at)
    event_id = _event_id(event, sender, received_at)
    page = page_of(event)
    meaning = sender.meanings.meaning(event, page)
    origin = channels.origin(event, told, page, meaning.type)
    condemns = tuple(_known_as(sender, one) for one in condemned(event)) if meaning.type == "custom" else ()
    personal = traits.personal(told, address)
    person = seal(personal) if personal else None
    answers, consents = sender.evidence.answers(event), sender.consents.told(event, meaning.type)
    wire = {
        "record": "touch",
        "tenant": sender.tenant,
        "source_id": sender.source_id,
        "trusted": sender.trusted,
        "identity_id": chief.id,
        "identity_kind": chief.kind,
        "event_id": event_id,
        "type": meaning.type,
        "event": unnamed(clean(event.name)),
        "at": at,
        "received_at": received_at,
        "clock": clock,
        "path": unnamed(page.path),
        "topic": meaning.topic or unnamed(clean(told.get("topic"), 100)),
        "campaign": meaning.campaign or unnamed(_campaign(event, told)) or origin.campaign,
        "channel": meaning.channel or origin.channel,
        "detail": origin.detail,
        "rep_id": traits.rep(told["rep"]) if "rep" in told else None,
        "automated": scanned
        or ("automated" in told and traits.yes(told["automated"]))
        or bool(condemns)
        or _robot(event.context),
        "is_test": "is_test" in told and traits.yes(told["is_test"]),
        "attributes": traits.attributes(event, told, address, sender.free_mail, trusted=sender.trusted),
        "evidence": {**answers, **heard(consents)} if consents else answers,
        "consents": consents,
        "condemns": condemns,
        "person": {"scheme": person.scheme, "fields": person.fields} if person else None,
    }
    # What is absent, false or empty says the same unsaid.
    body = orjson.dumps({name: value for name, value in wire.items() if value})
    return Draft(
        event.position,
        sender.tenant,
        sender.source_id,
        sender.trusted,
        event_id,
        known,
        body,
        sender.claim_seconds,
    )


def _event_id(event: Event, sender: Sender, received_at: int) -> str:
    """By the sender's id; else by content and the day of receipt, keyed, since content may be guessed."""
    if event.message_id:
        return _known_as(sender, event.message_id)
    content = {name: value for name, value in event.sent.items() if name not in _OF_THE_SENDING}
    digest = sha256(orjson.dumps([event.call, content], option=orjson.OPT_SORT_KEYS)).hexdigest()
    return ids.keyed_id(sender.secret, "event", sender.tenant, sender.source_id, digest, received_at // DAY)


def _known_as(sender: Sender, message_id: str) -> str:
    parts = ("event", sender.tenant, sender.source_id, message_id)
    return ids.keyed_id(sender.secret, *parts) if sender.keyed_ids else ids.derived_id(*parts)


def _robot(context: Mapping[str, Any]) -> bool:
    agent = context.get("userAgent")
    return isinstance(agent, str) and is_robot(agent[:500])


def _campaign(event: Event, told: traits.Told) -> str | None:
    campaign = event.context.get("campaign")
    named = campaign.get("name") if isinstance(campaign, dict) else None
    return clean(named) or clean(told.get("campaign"))
