"""Jitsu's ingestion API: Segment's messages, one a call, at `/api/s/{type}` and `/api/s/s2s/{type}`. Its keys are `id:secret`;
browsers send the id alone."""

from __future__ import annotations

from typing import Any

import orjson

from services.ingest.answers import Answer, Outcome
from services.ingest.domain.envelope import CALLS, open_body
from services.ingest.domain.fields import text
from services.ingest.request import Request
from services.ingest.senders.bodies import json_of
from services.ingest.senders.tracker import Opened, Route, Tracker


def read(request: Request) -> Opened:
    parsed = json_of(request.body)
    tree = parsed.tree
    named = request.path.rpartition("/")[2]
    # The path says `event` where the body says more.
    call = named if named in CALLS or named == "batch" else (text(tree, "type") or "track")
    envelope = open_body(call, tree)._replace(protocol="jitsu")
    if call not in CALLS:  # in which case the event's own type is refused
        envelope = envelope._replace(call=None)
    return Opened(envelope, _key(tree), parsed.suspect, single=call != "batch")


def _key(tree: Any) -> str | None:
    return text(tree, "writeKey")


def _answer(request: Request, outcome: Outcome) -> Answer:
    body: dict[str, Any] = {"ok": True, "accepted": outcome.accepted, "duplicate": outcome.duplicate}
    return Answer(200, orjson.dumps(body | ({"results": outcome.results} if outcome.results else {})))


JITSU = Tracker(name="jitsu", routes=(Route("/api/s/", batch=True),), read=read, answer=_answer)
