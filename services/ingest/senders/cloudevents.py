"""CloudEvents 1.0 over HTTP at `/events`: binary, structured and batched, and the handshake of its webhooks."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from services.ingest.answers import Answer
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.fields import text
from services.ingest.domain.parse import Parsed
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.bodies import bounded, is_json, json_of
from services.ingest.senders.cloudevents_events import is_json_type, message, usual_type
from services.ingest.senders.tracker import Opened, Route, Tracker

_PREFIX = b"ce-"
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_WHAT = "send a CloudEvent: ce- headers, application/cloudevents+json or application/cloudevents-batch+json"


def read(request: Request) -> Opened:
    media = (request.header(b"content-type") or b"").decode("latin-1").strip().lower()
    if media.startswith("application/cloudevents"):  # which the batch's begins with too
        if not is_json_type(media):
            raise Refused("unsupported_encoding", "CloudEvents are read as JSON", 415)
        return _opened(json_of(request.body), batch=media.startswith("application/cloudevents-batch"))
    if request.header(b"ce-specversion") is not None:
        return _binary(request, media)
    if is_json(request.body):  # its label is lost; what it is shows
        parsed = json_of(request.body)
        return _opened(parsed, batch=isinstance(parsed.tree, list))
    raise Refused("no_cloudevent", _WHAT)


def _opened(parsed: Parsed, *, batch: bool) -> Opened:
    if batch and not isinstance(parsed.tree, list):
        raise Refused("no_batch", "a batch of CloudEvents is an array")
    events = bounded(parsed.tree) if batch else [parsed.tree]
    names = {name for event in events if (name := text(event, "type"))}
    types = {name: usual for name in names if (usual := usual_type(name))}
    return Opened(
        Envelope(events, translate=message, types=types, protocol="cloudevents"), None, parsed.suspect, single=not batch
    )


def _binary(request: Request, media: str) -> Opened:
    """As a structured event, which is what is kept of it where it is refused."""
    event: dict[str, Any] = {
        name.removeprefix(_PREFIX).decode("latin-1"): attribute(value)
        for name, value in request.headers
        if name.startswith(_PREFIX)
    }
    if "datacontenttype" in event:
        raise Refused("bad_cloudevent", "the type of the data stands in Content-Type, not in ce-datacontenttype")
    suspect = False
    if request.body and (not media or is_json_type(media)):
        parsed = json_of(request.body)
        event["data"], suspect = parsed.tree, parsed.suspect
    return _opened(Parsed(event, suspect), batch=False)


def attribute(value: bytes) -> str:
    """An attribute of its header: unquoted, then percent-decoded once. Raises Refused `bad_cloudevent` for what is not UTF-8."""
    value = value.strip()
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise Refused("bad_cloudevent", "an attribute is not UTF-8 when it is percent-decoded") from None


def handshake(request: Request) -> Answer | None:
    """Says to a sender of webhooks that it may deliver here. Whether it has a key shows when it does."""
    origin = request.header(b"webhook-request-origin")
    if request.method != "OPTIONS" or origin is None:
        return None
    allowed = ((b"allow", b"POST, OPTIONS"), (b"webhook-allowed-origin", origin), (b"webhook-allowed-rate", b"*"))
    return Answer(200, b"", allowed)


CLOUDEVENTS = Tracker(name="cloudevents", routes=(Route("/events", batch=True),), read=read, handshake=handshake)
