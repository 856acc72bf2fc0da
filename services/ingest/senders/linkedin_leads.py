"""LinkedIn Lead Gen Forms. A notification holds ids alone; who it was has to be fetched from LinkedIn."""

from __future__ import annotations

import json
from typing import Any

from services.ingest.answers import Answer
from services.ingest.domain.envelope import MOST_EVENTS, Envelope
from services.ingest.domain.fields import fingerprint, items, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, sign_token, verify
from services.ingest.request import Request
from services.ingest.senders.signing import signed
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

HEADER, MARK = b"x-li-signature", b"hmacsha256="
PLAIN = Scheme(header=HEADER, signed=MARK + b"{body}")
MARKED = Scheme(header=HEADER, prefix=MARK, signed=MARK + b"{body}")
TYPES = {"lead_created": "ad_form_submitted"}


def prove(request: Request, keys: Keys, now: int) -> None:
    """`hmacsha256=` stands in what is signed, and, by some accounts, before the signature too."""
    marked = (request.header(HEADER) or b"").strip().startswith(MARK)
    verify(MARKED if marked else PLAIN, signed(request, keys), keys.active(now), now, keys.tolerance_ms)


def probe(request: Request, keys: Keys) -> Answer | None:
    """`challengeCode`, signed by the first secret in force: LinkedIn knows one. What could be a message is not signed."""
    code = request.parameter("challengeCode")
    if code is None:
        return Answer(200, b"")
    if not keys.secrets:
        raise Refused("no_secret", "no secret of this source is in force", 401)
    answer = {"challengeCode": code, "challengeResponse": sign_token(keys.secrets[0].value, code)}
    return Answer(200, json.dumps(answer).encode())


def read(request: Request, keys: Keys) -> Opened:
    """One lead, or some in `notifications`."""
    parsed = parse(request.body)
    found = items(parsed.tree, "notifications") or [parsed.tree]
    if len(found) > MOST_EVENTS:
        raise Refused("too_many_events", f"a body may carry {MOST_EVENTS} notifications")
    sponsored = all(_is_sponsored(item) for item in found)
    envelope = Envelope(
        found,
        translate=translate,
        types=TYPES,
        channel="paid_social" if sponsored else "organic_social",
        protocol="linkedin_leads",
    )
    return Opened(envelope, suspect=parsed.suspect, single=len(found) == 1)


def translate(item: Any) -> dict[str, Any]:
    """One notification. A deleted lead is an event of its own that scores nothing: what was told is to be erased at LinkedIn's
    word, which is a decision of people. Raises Refused `not_a_lead` for what is none."""
    lead, action = text(item, "leadGenFormResponse"), (text(item, "leadAction") or "").lower()
    if text(item, "type") != "LEAD_ACTION" or not lead or action not in ("created", "deleted"):
        raise Refused(
            "not_a_lead", "a LEAD_ACTION that is CREATED or DELETED and names its response is a lead, nothing else"
        )
    return present(
        type="track",
        event=f"lead_{action}",
        messageId=fingerprint(lead, action),
        timestamp=item.get("occurredAt"),
        externalId=f"linkedin_lead:{lead}",
        context=present(campaign={"source": "linkedin", "medium": "cpc" if _is_sponsored(item) else "social"}),
        properties=present(
            campaign=_urn(item, "associatedEntity") or text(item, "leadGenForm"),
            form=text(item, "leadGenForm"),
            lead_type=text(item, "leadType"),
            owner=_urn(item, "owner"),
        ),
    )


def _urn(item: Any, name: str) -> str | None:
    """The urn at `name`, or in the object there: `{"sponsoredAccount": "urn:…"}`."""
    return text(item, name) or next((value for value in mapping(item, name).values() if isinstance(value, str)), None)


def _is_sponsored(item: Any) -> bool:
    return (text(item, "leadType") or "SPONSORED") == "SPONSORED"


LINKEDIN_LEADS = Webhook(kind="linkedin_leads", verify=prove, read=read, probe=probe)
