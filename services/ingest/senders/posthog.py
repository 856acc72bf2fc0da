"""PostHog's capture API. Its `/batch` is Amplitude's too: a body with `events` is Amplitude's, one with `batch` is PostHog's."""

from __future__ import annotations

from typing import Any

import orjson

from services.ingest.answers import Answer, Outcome
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import text
from services.ingest.domain.parse import Parsed
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders import amplitude
from services.ingest.senders.bodies import bounded, form_of, is_json, json_of, packed_json
from services.ingest.senders.keys import common_key, of_one_key
from services.ingest.senders.posthog_events import message
from services.ingest.senders.tracker import Opened, Route, Tracker

TYPES = {"survey sent": "survey_answered"}


def read(request: Request) -> Opened:
    compression = request.parameter("compression") or ""
    if compression.startswith("lz"):
        raise Refused("unsupported_encoding", "compression may be gzip-js or base64, not lz64: update posthog-js", 415)
    parsed = _parsed(request)
    tree = parsed.tree
    if isinstance(tree, dict) and "events" in tree and "batch" not in tree:
        return amplitude.opened(parsed)
    events, sent_at, single = tree, None, False
    if isinstance(tree, dict):
        single, sent_at = "batch" not in tree, tree.get("sent_at")
        events = [tree] if single else tree["batch"]
    if not isinstance(events, list):
        raise Refused("no_batch", "the body is an event, an array of events, or an object with them in `batch`")
    key = common_key(request, [tree, *bounded(events)], _key_of)
    translate = of_one_key(message, _key_of, key)
    envelope = Envelope(events, sent_at=sent_at, translate=translate, types=TYPES, protocol="posthog")
    return Opened(envelope, key, parsed.suspect, single)


def _parsed(request: Request) -> Parsed:
    """JSON, or a form whose `data` holds it."""
    if is_json(request.body):
        return json_of(request.body)
    data = form_of(request.body).get("data")
    if data is None:
        return json_of(request.body)  # which says what it is not
    return packed_json(data)


def _key_of(event: Any) -> str | None:
    return text(event, "api_key") or text(event, "token") or text(event, "properties", "token")


def _answer(request: Request, outcome: Outcome) -> Answer:
    body: dict[str, Any] = {
        "status": 1,
        "accepted": outcome.accepted,
        "duplicate": outcome.duplicate,
        "rejected": outcome.rejected,
    }
    return Answer(200, orjson.dumps(body | ({"results": outcome.results} if outcome.results else {})))


POSTHOG = Tracker(
    name="posthog",
    routes=tuple(
        Route(path, batch=True)
        for path in ("/batch", "/batch/", "/capture", "/capture/", "/e", "/e/", "/i/v0/e", "/i/v0/e/")
    ),
    read=read,
    answer=_answer,
)
