"""Segment's webhook destinations. Of a batch Segment signs the first event alone.

So the others count only where the call carries a secret besides, in `X-Baton-Secret`; without it they are refused one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecoder
from typing import Any

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, verify
from services.ingest.request import Request
from services.ingest.senders import credentials
from services.ingest.senders.signing import signed
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

SCHEME = Scheme(header=b"x-signature", digest="sha1")
MOST_EVENTS = 4_000  # that Segment lets a batch be set to
_BLANK = b" \t\r\n"
# Segment has settled `timestamp` by these; an event that it delivers hours later is not skewed.
_SETTLED = ("originalTimestamp", "sentAt")


def prove(request: Request, keys: Keys, now: int) -> None:
    """By hex HMAC-SHA1 over the body or, where it is an array, over the bytes of its first event. A secret in the header is
    not needed, but never wrong."""
    secrets = keys.active(now)
    if given := credentials.in_header(request):
        credentials.check(given, secrets)
    call = signed(request, keys)._replace(body=signed_part(request.body))
    verify(SCHEME, call, secrets, now, keys.tolerance_ms)


def signed_part(body: bytes) -> bytes:
    """The bytes that Segment signs, as they came: written anew they would differ. Raises Refused 401 where there are none."""
    if not body.lstrip(_BLANK).startswith(b"["):
        return body
    try:
        text = body.decode()
        start = text.index("[") + 1
        start += len(text) - start - len(text[start:].lstrip(_BLANK.decode()))
        _, end = JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        raise Refused("bad_signature_format", "no event stands first in the batch, so nothing is signed", 401) from None
    return text[start:end].encode()


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    found = parsed.tree if isinstance(parsed.tree, list) else [parsed.tree]
    if len(found) > MOST_EVENTS:
        raise Refused("too_many_events", f"a batch may carry {MOST_EVENTS} events, this one carries {len(found)}")
    vouched = bool(credentials.in_header(request))  # it was found right when the call was verified

    def signed_alone(item: Any) -> Any:
        if item is not found[0]:
            raise Refused("unsigned", "Segment signs the first event of a batch: send X-Baton-Secret for the others")
        return translate(item)

    envelope = Envelope(found, translate=translate if vouched else signed_alone, protocol="segment_webhook")
    return Opened(envelope, suspect=parsed.suspect, single=not isinstance(parsed.tree, list))


def translate(item: Any) -> Any:
    """A message of the Segment API, at the time that Segment found."""
    if not isinstance(item, Mapping) or not item.get("timestamp"):
        return item
    return {name: value for name, value in item.items() if name not in _SETTLED}


SEGMENT_WEBHOOK = Webhook(kind="segment_webhook", verify=prove, read=read)
