"""Zoom webinars: who registers, who comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.ingest.answers import Answer
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import fingerprint, items, mapping, present, text
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, sign_token, verify, verify_message
from services.ingest.request import Request
from services.ingest.senders.signing import signed
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

SIGNATURE, TIME = b"x-zm-signature", b"x-zm-request-timestamp"
SECONDS = Scheme(header=SIGNATURE, prefix=b"v0=", signed=b"v0:{t}:{body}", timestamp=TIME)
MILLISECONDS = Scheme(header=SIGNATURE, prefix=b"v0=", signed=b"v0:{t}:{body}", timestamp=TIME, unit="ms")
_DIGITS_OF_SECONDS = 11  # Zoom's examples show both units; 12 digits of seconds lie in the year 5138
VALIDATION = "endpoint.url_validation"
TYPES = {
    "webinar.registration_created": "webinar_registered",
    "webinar.participant_joined": "webinar_attended",
}


def prove(request: Request, keys: Keys, now: int) -> None:
    """By the `v0` signature over time and body."""
    scheme = MILLISECONDS if len(request.header(TIME) or b"") > _DIGITS_OF_SECONDS else SECONDS
    verify(scheme, signed(request, keys), keys.active(now), now, keys.tolerance_ms)


def challenge(request: Request, keys: Keys) -> Answer | None:
    """The answer to `endpoint.url_validation`, under the secret that signed it. Nothing but a token is signed for anybody."""
    if VALIDATION.encode() not in request.body:
        return None
    try:
        tree = parse(request.body).tree
    except Refused:
        return None  # `read` says so, and what it refuses is kept
    if text(tree, "event") != VALIDATION:
        return None
    token = text(tree, "payload", "plainToken") or ""
    secret = next((secret.value for secret in keys.secrets if _is_of(request, secret.value)), None)
    if secret is None:
        raise Refused("bad_signature", "the signature does not hold for any secret of this source", 401)
    return Answer(200, json.dumps({"plainToken": token, "encryptedToken": sign_token(secret, token)}).encode())


def _is_of(request: Request, secret: bytes) -> bool:
    message = b"v0:" + (request.header(TIME) or b"").strip() + b":" + request.body
    try:
        verify_message(message, (request.header(SIGNATURE) or b"").strip().removeprefix(b"v0="), [secret])
    except Refused:
        return False
    return True


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, channel="webinar", protocol="zoom")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(event: Any) -> dict[str, Any]:
    """One notification. Who joins without an address is who registered under the same registrant id.

    The link to join is a key to the webinar, and is left out.
    """
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    webinar = mapping(event, "payload", "object")
    registrant, participant = mapping(webinar, "registrant"), mapping(webinar, "participant")
    person = registrant or participant
    registered = text(registrant, "id") or text(participant, "registrant_id")
    seat = text(participant, "participant_uuid")
    name, number = text(event, "event"), text(webinar, "id")
    return present(
        type="track",
        event=name,
        messageId=fingerprint(name, text(event, "event_ts"), text(webinar, "uuid") or number, registered or seat),
        timestamp=event.get("event_ts"),
        externalId=f"zoom_registrant:{registered}" if registered else None,
        # A seat is another one each time, and a lead has room for few identities: only where nothing else is known.
        anonymousId=f"zoom:{seat}" if seat and not registered and not text(person, "email") else None,
        traits=present(
            email=text(person, "email"),
            firstName=text(person, "first_name"),
            lastName=text(person, "last_name"),
            name=text(participant, "user_name"),
            title=text(person, "job_title"),
            company=text(person, "org"),
            phone=text(person, "phone") or text(person, "phone_number"),
            industry=text(person, "industry"),
            employees=text(person, "no_of_employees"),
            country=text(person, "country"),
            state=text(person, "state"),
            message=text(person, "comments"),
        ),
        properties=_answers(registrant)
        | present(
            timeframe=text(registrant, "purchasing_time_frame"),
            role_in_decision=text(registrant, "role_in_purchase_process"),
            topic=text(webinar, "topic"),
            campaign=number,
            webinar_id=number,
            status=text(registrant, "status"),
        ),
    )


def _answers(registrant: Mapping[str, Any]) -> dict[str, Any]:
    """The host's own questions, by their titles."""
    return {
        title: value
        for question in items(registrant, "custom_questions")
        if (title := text(question, "title")) and (value := text(question, "value"))
    }


ZOOM = Webhook(kind="zoom", verify=prove, read=read, challenge=challenge)
