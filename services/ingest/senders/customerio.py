"""Customer.io's reporting webhooks: what became of each message, and who subscribes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import at, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme
from services.ingest.request import Request
from services.ingest.senders.signing import by
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

SCHEME = Scheme(header=b"x-cio-signature", signed=b"v0:{t}:{body}", timestamp=b"x-cio-timestamp")
TYPES = {
    "email_delivered": "email_delivered",
    "email_opened": "email_opened",
    "email_clicked": "email_clicked",
    "email_bounced": "email_bounced",
    "email_unsubscribed": "email_unsubscribed",
    "email_spammed": "email_unsubscribed",
    "customer_unsubscribed": "email_unsubscribed",
    "customer_subscribed": "newsletter_subscribed",
}
_KEPT = ("campaign_id", "broadcast_id", "newsletter_id", "action_id", "delivery_id", "subject", "failure_message")


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, channel="email_nurture", protocol="customerio")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(event: Any) -> dict[str, Any]:
    """One event, called `<object type>_<metric>`."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    told, kind, metric = mapping(event, "data"), text(event, "object_type"), text(event, "metric")
    who, cio_id = mapping(told, "identifiers"), text(told, "identifiers", "cio_id")
    recipient = text(told, "recipient") if kind == "email" else None
    return present(
        type="track",
        event=f"{kind}_{metric}" if kind and metric else None,
        messageId=text(event, "event_id"),
        timestamp=event.get("timestamp"),
        userId=text(who, "id") or text(told, "customer_id"),
        externalId=f"customerio:{cio_id}" if cio_id else None,
        traits=present(email=text(who, "email") or text(told, "email_address") or recipient),
        properties={name: value for name in _KEPT if (value := text(told, name))}
        | present(url=text(told, "href"), automated=at(told, "prefetched") is True or None),
    )


CUSTOMERIO = Webhook(kind="customerio", verify=by(SCHEME), read=read)
