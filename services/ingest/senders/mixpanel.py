"""Mixpanel's ingestion API: events (`/track`, `/import`) and profiles (`/engage`), as JSON or as a form around it."""

from __future__ import annotations

from typing import Any

import orjson

from services.ingest.answers import Answer, Outcome, refusal
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import text
from services.ingest.domain.parse import Parsed
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.bodies import bounded, form_of, is_json, packed_json, parse_lines, plain
from services.ingest.senders.keys import common_key, of_one_key
from services.ingest.senders.mixpanel_events import message
from services.ingest.senders.pixel import picture
from services.ingest.senders.tracker import Opened, Route, Tracker


def read(request: Request) -> Opened:
    parsed = _parsed(request)
    events = parsed.tree if isinstance(parsed.tree, list) else [parsed.tree]
    key = common_key(request, bounded(events), _key_of)
    envelope = Envelope(events, translate=of_one_key(message, _key_of, key), protocol="mixpanel")
    return Opened(envelope, key, parsed.suspect, single=not isinstance(parsed.tree, list))


def _parsed(request: Request) -> Parsed:
    if is_json(request.body):
        return parse_lines(plain(request.body))
    data = form_of(request.body).get("data") or request.parameter("data")
    if data is None:
        raise Refused("malformed_json", "the body is JSON, or a form that has it in `data`")
    return packed_json(data)


def _key_of(event: Any) -> str | None:
    return text(event, "properties", "token") or text(event, "$token")


def _answer(request: Request, outcome: Outcome) -> Answer:
    if request.parameter("img"):
        return picture()
    if _is_verbose(request):
        return Answer(200, orjson.dumps({"status": 1, "error": None}))
    if request.path == "/import":
        taken = outcome.accepted + outcome.duplicate
        body = {"code": 200, "status": "OK", "num_records_imported": taken, "results": outcome.results}
        return Answer(200, orjson.dumps(body))
    return Answer(200, b"1", media=b"text/plain")


def _failure(request: Request, refused: Refused) -> Answer:
    answer = refusal(refused)
    if request.parameter("img"):
        return picture(answer.status, answer.headers)
    if not _is_verbose(request):
        return answer
    said = {"status": 0, "error": refused.message, "code": refused.code, "message": refused.message}
    return answer._replace(body=orjson.dumps(said))


def _is_verbose(request: Request) -> bool:
    return b"verbose=1" in request.query or b"verbose=1" in request.body


MIXPANEL = Tracker(
    name="mixpanel",
    routes=(
        *(Route(path, ("POST", "GET"), batch=True) for path in ("/track", "/track/", "/engage", "/engage/")),
        Route("/import", batch=True),
    ),
    read=read,
    answer=_answer,
    failure=_failure,
)
