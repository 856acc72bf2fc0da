"""Typeform: one submission of a form, its answers under their questions."""

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

SCHEME = Scheme(header=b"typeform-signature", prefix=b"sha256=", encoding="base64")
TYPES = {"form_response": "contact_requested"}
_OF_A_PERSON = {"email": "email", "phone_number": "phone"}


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    envelope = Envelope([parsed.tree], translate=translate, types=TYPES, channel="inbound_form", protocol="typeform")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def translate(event: Any) -> dict[str, Any]:
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    form = mapping(event, "form_response")
    token, kind = text(form, "token"), text(event, "event_type")
    hidden = mapping(form, "hidden")
    traits, properties = _answers(form)
    user = text(hidden, "user_id") or text(hidden, "userId")
    known = user or "email" in traits or text(hidden, "email")
    return present(
        type="track",
        event=kind,
        # The token is the submission's: a delivery that somebody sends again by hand has an event_id of its own.
        messageId=f"{kind}:{token}" if token else text(event, "event_id"),
        timestamp=form.get("submitted_at"),
        userId=user,
        anonymousId=text(hidden, "anonymous_id") or (f"typeform:{token}" if token and not known else None),
        traits=traits,
        context=present(
            campaign=present(
                name=text(hidden, "utm_campaign"),
                source=text(hidden, "utm_source"),
                medium=text(hidden, "utm_medium"),
                content=text(hidden, "utm_content"),
            ),
            userAgent=text(form, "metadata", "user_agent"),
        ),
        properties={**_variables(form), **hidden, **properties}
        | present(form_id=text(form, "form_id"), form_title=text(form, "definition", "title")),
    )


def _answers(form: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is told of a person, the first of each; and every answer, under its question's text and its `ref`."""
    questions = {
        text(field, "id"): text(field, "title")
        for whole in items(form, "definition", "fields")
        for field in (whole, *items(whole, "properties", "fields"))
    }
    traits: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for answer in items(form, "answers"):
        kind, value = text(answer, "type") or "", _value(answer)
        if value is None:
            continue
        if field := _OF_A_PERSON.get(kind):
            traits.setdefault(field, value)
            properties.setdefault(field, value)
        for name in (questions.get(text(answer, "field", "id")), text(answer, "field", "ref")):
            if name:
                properties.setdefault(name, value)
    return traits, properties


def _value(answer: Any) -> Any:
    kind = text(answer, "type")
    if kind == "choice":
        return text(answer, "choice", "label") or text(answer, "choice", "other")
    if kind == "choices":
        chosen = [*items(answer, "choices", "labels"), at(answer, "choices", "other")]
        return [label for label in chosen if isinstance(label, str)] or None
    value = at(answer, kind) if kind else None
    return value if isinstance(value, str | int | float) else None


def _variables(form: Mapping[str, Any]) -> dict[str, Any]:
    """What the form reckoned: its score, and variables of its own."""
    found = {
        name: value
        for variable in items(form, "variables")
        if (name := text(variable, "key"))
        and (value := next((at(variable, kind) for kind in ("number", "text") if at(variable, kind) is not None), None))
        is not None
    }
    return found | present(score=at(form, "calculated", "score"))


TYPEFORM = Webhook(kind="typeform", verify=by(SCHEME), read=read)
