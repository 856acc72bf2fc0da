"""Standard Webhooks 1.0, and Svix, which calls the headers otherwise."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import replace
from functools import partial

from services.ingest.domain.envelope import Envelope
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, verify
from services.ingest.request import Request
from services.ingest.senders.plain import message
from services.ingest.senders.signing import signed
from services.ingest.senders.tracker import Opened
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys

_SYMMETRIC = {
    family: Scheme(
        header=family + b"-signature",
        separator=b" ",
        pair=b",",
        field=b"v1",
        encoding="base64",
        signed=b"{id}.{t}.{body}",
        timestamp=family + b"-timestamp",
        event_id=family + b"-id",
    )
    for family in (b"webhook", b"svix")
}
_ASYMMETRIC = {family: replace(scheme, field=b"v1a", method="ed25519") for family, scheme in _SYMMETRIC.items()}


def verify_call(request: Request, keys: Keys, now: int) -> None:
    """By `v1` under the secrets that are symmetric, else by `v1a` under the public keys."""
    active = keys.active(now)
    secrets = [_decoded(value) for value in active if not value.startswith(b"whpk_")]
    public = [_decoded(value) for value in active if value.startswith(b"whpk_")]
    family, call = _family(request), signed(request, keys)
    try:
        verify(_SYMMETRIC[family], call, secrets, now, keys.tolerance_ms)
    except Refused as refused:
        if not public:
            raise
        try:
            verify(_ASYMMETRIC[family], call, public, now, keys.tolerance_ms)
        except Refused as other:
            raise (refused if secrets else other) from None


def _decoded(value: bytes) -> bytes:
    """The key in `whsec_…` or `whpk_…`; nothing, which proves nothing, where it is not base64. Without prefix it is itself
    base64 for the vendors' libraries, and so for us."""
    text = value.removeprefix(b"whsec_").removeprefix(b"whpk_")
    try:
        return b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except Base64Error:
        return b""


def _family(request: Request) -> bytes:
    """Which headers are looked at: never a signature of the one and an id of the other."""
    return b"svix" if request.header(b"webhook-signature") is None and request.header(b"svix-signature") else b"webhook"


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    event_id = (request.header(_family(request) + b"-id") or b"").decode("latin-1").strip()
    translate = partial(message, event_id=event_id or None)
    envelope = Envelope([parsed.tree], translate=translate, protocol="standard_webhooks")
    return Opened(envelope, suspect=parsed.suspect, single=True)


STANDARD_WEBHOOKS = Webhook(kind="standard_webhooks", verify=verify_call, read=read)
