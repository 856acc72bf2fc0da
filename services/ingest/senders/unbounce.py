"""Landing pages of Unbounce: form-encoded, the visitor's fields as JSON in `data.json`, with a secret in the address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import items, present, text
from services.ingest.domain.parse import check, parse
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.tracker import Opened
from services.ingest.senders.urlencoded import json_or_form
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

EVENT = "Form Submitted"  # so that rules for other forms hold for these; `form` is the page's name
TYPES = {EVENT: "contact_requested"}
_OF_THE_SENDING = frozenset({"ip_address", "date_submitted", "time_submitted", "page_url", "page_name", "page_id"})
_TAGS = ("campaign", "source", "medium", "content", "term")


def read(request: Request, keys: Keys) -> Opened:
    envelope = Envelope(
        [json_or_form(request.body).tree], translate=translate, types=TYPES, channel="inbound_form", protocol="unbounce"
    )
    return Opened(envelope, suspect=True, single=True)


def translate(submission: Any) -> dict[str, Any]:
    """One submission. Raises Refused where `data.json` is none. It has no id: its content and the day decide."""
    told = _told(submission)
    campaign = {"name" if tag == "campaign" else tag: text(told, f"utm_{tag}") for tag in _TAGS}
    return present(
        type="track",
        event=EVENT,
        timestamp=_submitted(told),
        context=present(campaign=present(**campaign), page=present(url=text(submission, "page_url"))),
        properties={name: value for name, value in told.items() if name not in _OF_THE_SENDING}
        | present(
            form=text(submission, "page_name"),
            page_id=text(submission, "page_id"),
            variant=text(submission, "variant"),
        ),
    )


def _told(submission: Any) -> dict[str, Any]:
    """The visitor's fields: what is one value in a list is that value."""
    parsed = parse((text(submission, "data.json") or "").encode("utf-8", "surrogatepass"))
    if not isinstance(parsed.tree, Mapping):
        raise Refused("wrong_type", "`data.json` must be a JSON object")
    check(parsed.tree)
    told = {name: items(parsed.tree, name) or value for name, value in parsed.tree.items()}
    return {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in told.items()}


def _submitted(told: Mapping[str, Any]) -> str | None:
    """`2026-04-01` and `04:17 PM UTC`, to the minute; None where they are not of this shape, and the moment of receipt counts."""
    written = f"{text(told, 'date_submitted')} {text(told, 'time_submitted')}"
    try:
        return datetime.strptime(written, "%Y-%m-%d %I:%M %p UTC").replace(tzinfo=UTC).isoformat()
    except ValueError:
        return None


UNBOUNCE = Webhook(kind="unbounce", verify=credentials.by(credentials.in_query, credentials.in_header), read=read)
