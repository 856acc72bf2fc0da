"""Mailgun: what became of mails.

Its signature covers a time and a token, and nothing of the event: whoever has seen one delivery can put another event beside its
signature. So a token is an event's id and counts once, and the source is not trusted to link.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import at, items, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import check_time, verify_message
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

# Mailgun tries for eight hours. A day is enough for that, and less than tokens are remembered (7 days), so none comes twice.
RETRY_MS = 86_400_000
_MOST_TOKEN = 128
TYPES = {
    "delivered": "email_delivered",
    "opened": "email_opened",
    "clicked": "email_clicked",
    "unsubscribed": "email_unsubscribed",
    "complained": "email_unsubscribed",
    "failed.permanent": "email_bounced",
}


def prove(request: Request, keys: Keys, now: int) -> None:
    """By the signature in the body: hex HMAC-SHA256 over timestamp and token."""
    said = mapping(credentials.unverified(request.body), "signature")
    time, token, signature = (_bytes(said, name) for name in ("timestamp", "token", "signature"))
    if not signature:
        raise Refused("no_signature", "`signature.signature` is missing", 401)
    if not token or len(token) > _MOST_TOKEN:
        raise Refused("bad_signature_format", "`signature.token` is a short text", 401)
    check_time(time, "s", now, max(RETRY_MS, keys.tolerance_ms))
    if int(time) * 1000 > now + keys.tolerance_ms:
        raise Refused("future_timestamp", "the signed time lies in the future", 401)
    verify_message(time + token, signature, keys.active(now))


def _bytes(said: Mapping[str, Any], name: str) -> bytes:
    return (text(said, name) or "").encode("utf-8", "surrogatepass")


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, channel="email_nurture", protocol="mailgun")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(delivery: Any) -> dict[str, Any]:
    """One delivery of `signature` and `event-data`."""
    event, client = mapping(delivery, "event-data"), mapping(delivery, "event-data", "client-info")
    if not event:
        raise Refused("wrong_type", "a delivery carries the object `event-data`")
    name, variables = text(event, "event"), mapping(event, "user-variables")
    if name == "failed":
        name = f"failed.{text(event, 'severity') or 'unknown'}"
    return present(
        type="track",
        event=name,
        messageId=text(delivery, "signature", "token"),
        timestamp=event.get("timestamp"),
        traits=present(email=text(event, "recipient")),
        context=present(userAgent=text(client, "user-agent")),
        properties=present(
            campaign=_campaign(event),
            topic=text(variables, "topic"),
            url=text(event, "url"),
            reason=text(event, "reason"),
            automated=bool(text(client, "bot")) or text(client, "client-type") == "robot",
            is_test=at(event, "flags", "is-test-mode") is True or text(variables, "is_test") == "true",
        ),
    )


def _campaign(event: Mapping[str, Any]) -> str | None:
    """As the sender's own variable says, else the campaign of the mail, else its first tag."""
    if named := text(event, "user-variables", "campaign"):
        return named
    campaigns = (text(item, "name") or text(item, "id") for item in items(event, "campaigns"))
    tags = (tag for tag in items(event, "tags") if isinstance(tag, str))
    return next((found for found in (*campaigns, *tags) if found), None)


MAILGUN = Webhook(kind="mailgun", verify=prove, read=read)
