"""Marketo calls webhooks with a body of the customer's own making: the template of `docs/senders/marketo.md`, or much like it."""

from __future__ import annotations

import re
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

# What starts a smart campaign, in Marketo's words.
TYPES = {
    "Fills Out Form": "contact_requested",
    "Fills Out Facebook Lead Ads Form": "ad_form_submitted",
    "Fills Out LinkedIn Lead Gen Form": "ad_form_submitted",
    "Opens Email": "email_opened",
    "Clicks Link in Email": "email_clicked",
    "Email is Delivered": "email_delivered",
    "Email Bounces": "email_bounced",
    "Unsubscribes from Email": "email_unsubscribed",
    "Visits Web Page": "page_viewed",
    "Person is Created": "identify",
    "Data Value Changes": "identify",
}
_OFFSET = re.compile(r"Z|[+-]\d\d:?\d\d")
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")
_OF_THE_CALL = frozenset({"event", "name", "lead", "company", "campaign", "program", "datetime", "utcOffset"})


def read(request: Request, keys: Keys) -> Opened:
    """JSON, or a form where the template was one. A token that was not encoded makes JSON that is none: refused, and kept."""
    parsed = json_or_form(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, protocol="marketo")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(call: Any) -> dict[str, Any]:
    """One call. Marketo writes an empty text where it has nothing, and times without a zone: `utcOffset` says which, else UTC."""
    if not isinstance(call, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    lead, campaign = mapping(call, "lead"), mapping(call, "campaign")
    number = text(lead, "id") or text(call, "lead_id")
    event = text(call, "event") or text(call, "name") or text(campaign, "name")
    moment = text(call, "datetime")
    return present(
        type="track",
        event=event,
        messageId=fingerprint(event, text(campaign, "id"), number, moment),
        timestamp=_moment(moment, text(call, "utcOffset")),
        externalId=f"marketo:{number}" if number else None,
        traits=_said(lead or call)
        | present(company=_said(mapping(call, "company")) or text(lead, "company") or text(call, "company")),
        properties={name: value for name, value in _said(call).items() if name not in _OF_THE_CALL}
        | present(
            campaign=text(call, "program", "name") or text(campaign, "name") or text(call, "campaign"),
            campaign_id=text(campaign, "id"),
        ),
    )


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is there of plain values."""
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, str | int | float) and (not isinstance(value, str) or value.strip())
    }


def _moment(moment: str | None, offset: str | None) -> str | None:
    if moment and offset and _NAIVE.fullmatch(moment) and _OFFSET.fullmatch(offset):
        return moment + offset
    return moment


MARKETO = Webhook(kind="marketo", verify=credentials.by(credentials.in_header), read=read)
