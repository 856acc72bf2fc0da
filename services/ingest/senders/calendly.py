"""Calendly: meetings that invitees book, move and cancel, and routing forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import at, items, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme
from services.ingest.request import Request
from services.ingest.senders.signing import by
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys
from shared.normalise import email
from shared.schemas.ids import derived_id

SCHEME = Scheme(header=b"calendly-webhook-signature", separator=b",", field=b"v1", signed=b"{t}.{body}", timestamp=b"t")
TOLERANCE_MS = 180_000  # as Calendly advises
_SALESFORCE_ID = 15  # characters that count, as for the messages of Salesforce itself; three more check them
TYPES = {"invitee.created": "meeting_booked", "routing_form_submission.created": "contact_requested"}


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, channel="inbound_form", protocol="calendly")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(event: Any) -> dict[str, Any]:
    """One event. A meeting that was moved comes as one cancelled and one created; the latter is called `invitee.rescheduled`
    here, so that it does not count as booked twice."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    sent, payload = text(event, "event"), mapping(event, "payload")
    answers = {
        question: answer
        for item in items(payload, "questions_and_answers")
        if (question := text(item, "question")) and (answer := text(item, "answer"))
    }
    address = text(payload, "email") or next(
        (found for said in answers.values() if (found := email.address(said))), None
    )
    crm = text(payload, "tracking", "salesforce_uuid")
    moved = sent == "invitee.created" and text(payload, "old_invitee")
    return present(
        type="track",
        event="invitee.rescheduled" if moved else sent,
        messageId=_event_id(sent, payload),
        timestamp=event.get("created_at"),
        externalId=f"salesforce:{crm[:_SALESFORCE_ID]}" if crm else None,
        traits=present(
            email=address,
            name=text(payload, "name"),
            first_name=text(payload, "first_name"),
            last_name=text(payload, "last_name"),
            phone=text(payload, "text_reminder_number"),
        ),
        context=present(
            campaign=present(
                name=text(payload, "tracking", "utm_campaign"),
                source=text(payload, "tracking", "utm_source"),
                medium=text(payload, "tracking", "utm_medium"),
                content=text(payload, "tracking", "utm_content"),
            )
        ),
        properties=answers
        | present(
            email=address,  # so that the answers are read as those of a form
            meeting=text(payload, "scheduled_event", "name"),
            starts=text(payload, "scheduled_event", "start_time"),
            status=text(payload, "status"),
            rescheduled=at(payload, "rescheduled"),
            canceler=text(payload, "cancellation", "canceler_type"),
        ),
    )


def _event_id(sent: str | None, payload: Mapping[str, Any]) -> str | None:
    """Calendly gives none: an invitee is created once, and marked absent by a mark that has an address of its own."""
    uri = text(payload, "uri")
    return derived_id("calendly", sent, uri, text(payload, "no_show", "uri")) if uri else None


CALENDLY = Webhook(kind="calendly", verify=by(SCHEME, most_ms=TOLERANCE_MS), read=read)
