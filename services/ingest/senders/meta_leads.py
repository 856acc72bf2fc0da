"""Lead forms of Facebook and Instagram. A notification holds ids alone; who it was has to be fetched with the page's token."""

from __future__ import annotations

from typing import Any

from services.ingest.answers import Answer
from services.ingest.domain.envelope import MOST_EVENTS, Envelope
from services.ingest.domain.fields import items, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, is_token_like
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.signing import by
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

SCHEME = Scheme(header=b"x-hub-signature-256", prefix=b"sha256=")
TYPES = {"leadgen": "ad_form_submitted"}


def probe(request: Request, keys: Keys) -> Answer | None:
    """`hub.challenge`, for whoever knows the verify token; raises Refused 401 for others."""
    parameters = request.parameters()
    if not any(name.startswith("hub.") for name in parameters):
        return Answer(200, b"")
    given = parameters.get("hub.verify_token", "").encode()
    credentials.check([given], [token.value for token in keys.verify_tokens])
    challenge = parameters.get("hub.challenge", "")
    if parameters.get("hub.mode") != "subscribe" or not is_token_like(challenge):
        raise Refused("bad_challenge", "a challenge is short, of letters, digits, - and _")
    return Answer(200, challenge.encode(), media=b"text/plain")


def read(request: Request, keys: Keys) -> Opened:
    """Every change of every entry is an event, kept as a notification of this change alone."""
    parsed = parse(request.body)
    found = [
        {"entry": [present(id=text(entry, "id"), time=text(entry, "time")) | {"changes": [change]}]}
        for entry in items(parsed.tree, "entry")
        for change in items(entry, "changes")
    ]
    if not found:
        raise Refused("no_changes", "a notification carries `entry` and in it `changes`")
    if len(found) > MOST_EVENTS:
        raise Refused("too_many_events", f"a body may carry {MOST_EVENTS} changes")
    envelope = Envelope(found, translate=translate, types=TYPES, channel="paid_social", protocol="meta_leads")
    return Opened(envelope, suspect=parsed.suspect)


def translate(item: Any) -> dict[str, Any]:
    """One change, in its notification. Raises Refused `not_a_lead` for those of other fields, and for one without an id."""
    entry = next(iter(items(item, "entry")), None)
    change = next(iter(items(entry, "changes")), None)
    value = mapping(change, "value")
    lead = text(value, "leadgen_id")
    if text(change, "field") != "leadgen" or not lead:
        raise Refused("not_a_lead", "a change of `leadgen` with its `leadgen_id` is a lead, nothing else")
    return present(
        type="track",
        event="leadgen",
        messageId=f"leadgen:{lead}",
        timestamp=value.get("created_time"),
        externalId=f"meta_lead:{lead}",
        context=present(campaign={"source": "facebook", "medium": "cpc"}),
        properties=present(
            campaign=text(value, "adgroup_id") or text(value, "form_id"),
            form_id=text(value, "form_id"),
            page_id=text(value, "page_id") or text(entry, "id"),
            ad_id=text(value, "ad_id"),
            adgroup_id=text(value, "adgroup_id"),
            is_test=set(lead) == {"4"},  # of the button "Test" in the app's dashboard
        ),
    )


META_LEADS = Webhook(kind="meta_leads", verify=by(SCHEME), read=read, probe=probe)
