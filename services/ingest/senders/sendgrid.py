"""SendGrid's Event Webhook, signed with ECDSA over the body to its last byte (it ends in CRLF)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import partial
from typing import Any

from services.ingest.domain.automated import mark_scanners
from services.ingest.domain.envelope import MOST_EVENTS, Envelope
from services.ingest.domain.fields import at, items, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme
from services.ingest.request import Request
from services.ingest.senders.signing import by
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

SCHEME = Scheme(
    header=b"x-twilio-email-event-webhook-signature",
    method="ecdsa",
    encoding="base64",
    signed=b"{t}{body}",
    timestamp=b"x-twilio-email-event-webhook-timestamp",
)
TYPES = {
    "delivered": "email_delivered",
    "bounce": "email_bounced",
    "open": "email_opened",
    "click": "email_clicked",
    "unsubscribe": "email_unsubscribed",
    "group_unsubscribe": "email_unsubscribed",
    "spamreport": "email_unsubscribed",
    "group_resubscribe": "newsletter_subscribed",
}
_TEST_ADDRESS = "example@test.com"  # of the button "Test Your Integration"
# What SendGrid itself says; all else at the top level are custom arguments.
_ITS_OWN_TEXT = """
email timestamp event sg_event_id sg_message_id smtp-id sg_machine_open useragent ip category url url_offset tls reason status
response attempt type bounce_classification sg_content_type sg_template_id sg_template_name pool asm_group_id
marketing_campaign_id marketing_campaign_name singlesend_id singlesend_name
"""
_ITS_OWN = frozenset(_ITS_OWN_TEXT.split())


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    if not isinstance(parsed.tree, list):
        raise Refused("wrong_type", "the body must be a JSON array of events")
    if len(parsed.tree) > MOST_EVENTS:
        raise Refused("too_many_events", f"a body may carry {MOST_EVENTS} events")
    envelope = Envelope(
        parsed.tree,
        translate=partial(translate, scanned=_scanned(parsed.tree)),
        types=TYPES,
        channel="email_nurture",
        protocol="sendgrid",
    )
    return Opened(envelope, suspect=parsed.suspect)


def translate(event: Any, scanned: Set[str] = frozenset()) -> dict[str, Any]:
    """One event. scanned: ids of clicks that were a mail scanner's"""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    address, name = text(event, "email"), text(event, "event")
    extra = {field: value for field, value in event.items() if field not in _ITS_OWN}
    return present(
        type="track",
        event=name,
        messageId=text(event, "sg_event_id"),
        timestamp=event.get("timestamp"),
        userId=text(event, "userId") or text(event, "user_id"),
        traits=present(email=address),
        context=present(userAgent=text(event, "useragent")),
        properties=extra
        | present(
            url=text(event, "url"),
            campaign=_campaign(event),
            reason=text(event, "reason"),
            bounce_type=text(event, "type"),
            automated=event.get("sg_machine_open") is True or text(event, "sg_event_id") in scanned,
            is_test=address == _TEST_ADDRESS,
        ),
    )


def _campaign(event: Mapping[str, Any]) -> str | None:
    named = text(event, "singlesend_name") or text(event, "marketing_campaign_name") or text(event, "category")
    return named or next((item for item in items(event, "category") if isinstance(item, str) and item), None)


def _scanned(events: list[Any]) -> Set[str]:
    """Ids of the clicks in a body that were a mail scanner's: only side by side do they show it."""
    clicks = [translate(event) for event in events if text(event, "event") == "click"]
    marked = [message for message in mark_scanners(clicks) if at(message, "properties", "automated") is True]
    return {found for message in marked if (found := text(message, "messageId"))}


SENDGRID = Webhook(kind="sendgrid", verify=by(SCHEME), read=read)
