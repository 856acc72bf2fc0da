"""Snowplow's tracker protocol v2: POST `tp2`, GET `/i` and `tp1`.

Its trackers give up only on 400, 401, 403, 410 and 422; on any other failure they send again without end. So nothing here
answers 404, 405, 408, 413 or 415.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from services.ingest.answers import Answer, Outcome, refusal
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import text
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.bodies import bounded, json_of
from services.ingest.senders.keys import common_key, of_one_key
from services.ingest.senders.pixel import picture
from services.ingest.senders.snowplow_events import message
from services.ingest.senders.tracker import Opened, Route, Tracker

_FINAL = frozenset({400, 401, 403, 410, 422, 429, 503})  # what trackers understand
_OURS = ("writeKey",)  # in the query, and not of the protocol
_COOKIE = re.compile(rb'"?([A-Za-z0-9-]{1,64})"?')
_COOKIE_SECONDS = 365 * 86_400
_PREFLIGHT = (
    (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    (b"access-control-allow-headers", b"Content-Type, SP-Anonymous"),
    (b"access-control-max-age", b"3600"),
)


def read(request: Request) -> Opened:
    """Parameters of the query count more than those of the body, as in Snowplow's collector."""
    said = {name: value for name, value in request.parameters().items() if name not in _OURS}
    suspect = False
    if request.method == "GET":
        found: list[Any] = [said]
    else:
        parsed = json_of(request.body)
        if not isinstance(parsed.tree, dict):
            raise Refused("wrong_type", "the body must be a payload_data object with its events in `data`")
        suspect, data = parsed.suspect, parsed.tree.get("data")
        found = data if isinstance(data, list) else [data]
        if said:
            found = [{**event, **said} if isinstance(event, dict) else event for event in found]
    if not _is_anonymous(request) and (browser := _browser(request)):
        found = [{"nuid": browser, **event} if isinstance(event, dict) else event for event in found]
    key = common_key(request, found, _key_of)
    envelope = Envelope(bounded(found), translate=of_one_key(message, _key_of, key), protocol="snowplow")
    return Opened(envelope, key, suspect, single=request.method == "GET")


def _key_of(event: Any) -> str | None:
    return text(event, "aid")


def _is_anonymous(request: Request) -> bool:
    return request.header(b"sp-anonymous") is not None


def _browser(request: Request) -> str | None:
    """Whom the collector's cookie names."""
    for part in (request.header(b"cookie") or b"").split(b";"):  # `http.cookies` takes seconds for 30 KB of `\\"`
        name, _, value = part.strip().partition(b"=")
        if name == b"sp" and (known := _COOKIE.fullmatch(value)):
            return known[1].decode()
    return None


def _answer(request: Request, outcome: Outcome) -> Answer:
    headers = cors(request) + _cookie(request)
    return picture(200, headers) if request.method == "GET" else Answer(200, b"ok", headers, b"text/plain")


def _failure(request: Request, refused: Refused) -> Answer:
    if refused.status not in _FINAL:
        refused = Refused(refused.code, refused.message, 400)
    answer = refusal(refused)
    headers = answer.headers + cors(request)
    if request.method == "GET":
        # A browser that names nobody yet is named for its next view.
        return picture(answer.status, headers + (_cookie(request) if refused.code == "no_identity" else ()))
    return answer._replace(headers=headers)


def _cookie(request: Request) -> tuple[tuple[bytes, bytes], ...]:
    """Names the browser, also on other sites of the same collector; not if it wants to be nobody."""
    if _is_anonymous(request):
        return ()
    value = _browser(request) or str(uuid4())
    attributes = f"Max-Age={_COOKIE_SECONDS}; Path=/; HttpOnly; Secure; SameSite=None"
    return ((b"set-cookie", f"sp={value}; {attributes}".encode()),)


def handshake(request: Request) -> Answer | None:
    """Answers the preflight of a browser: its tracker sends JSON, with credentials."""
    if request.method != "OPTIONS":
        return None
    return Answer(200, b"", (*cors(request), *_PREFLIGHT))


def cors(request: Request) -> tuple[tuple[bytes, bytes], ...]:
    """Any site may send, as any may to a collector: the key says whose events they are."""
    origin = request.header(b"origin")
    if origin is None:
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"origin"),
    )


SNOWPLOW = Tracker(
    name="snowplow",
    routes=(
        Route("/com.snowplowanalytics.snowplow/tp2", batch=True),
        *(Route(path, ("GET",)) for path in ("/i", "/com.snowplowanalytics.snowplow/tp1")),
    ),
    read=read,
    answer=_answer,
    failure=_failure,
    handshake=handshake,
)
