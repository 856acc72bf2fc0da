"""Mailchimp's audience webhooks: form-encoded, unsigned, with a secret in their address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import fingerprint, mapping, present, text
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.tracker import Opened
from services.ingest.senders.urlencoded import json_or_form
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

TYPES = {
    "subscribe": "newsletter_subscribed",
    "unsubscribe": "email_unsubscribed",
    "cleaned": "email_bounced",
    "profile": "identify",
}
_MERGED = {"FNAME": "firstName", "LNAME": "lastName", "PHONE": "phone", "COMPANY": "company", "ADDRESS": None}


def read(request: Request, keys: Keys) -> Opened:
    envelope = Envelope(
        [json_or_form(request.body).tree],
        translate=translate,
        types=TYPES,
        channel="email_nurture",
        protocol="mailchimp",
    )
    return Opened(envelope, suspect=True, single=True)


def translate(event: Any) -> dict[str, Any]:
    """One change of one member. An id is made of what tells changes apart and names nobody; without it content decides."""
    told, name = mapping(event, "data"), text(event, "type")
    if not name:
        raise Refused("wrong_type", "a webhook of Mailchimp names its `type`")
    fired, member = text(event, "fired_at"), text(told, "id") or text(told, "new_id")
    merges = mapping(told, "merges")
    return present(
        type="track",
        event=name,
        messageId=fingerprint(name, fired, member, text(told, "list_id") or ""),
        timestamp=fired,
        traits=_traits(merges) | present(email=text(told, "email") or text(told, "new_email") or text(merges, "EMAIL")),
        properties=present(
            campaign=text(told, "campaign_id"),
            list_id=text(told, "list_id"),
            reason=text(told, "reason"),
            action=text(told, "action"),
            interests=text(merges, "INTERESTS"),
        ),
    )


def _traits(merges: Mapping[str, Any]) -> dict[str, str]:
    """Merge fields by the names that are known of old, else by their own."""
    found = {_MERGED.get(name, name): text(merges, name) for name in merges if name not in ("EMAIL", "INTERESTS")}
    return {name: value for name, value in found.items() if name and value}


MAILCHIMP = Webhook(kind="mailchimp", verify=credentials.by(credentials.in_query, credentials.in_header), read=read)
