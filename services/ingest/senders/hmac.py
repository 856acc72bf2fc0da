"""Any webhook that is signed by one secret over its body; how is written in the source's `signature`."""

from __future__ import annotations

from functools import lru_cache, partial

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
from shared.schemas.policies.sources import SignatureScheme


def verify_call(request: Request, keys: Keys, now: int) -> None:
    if keys.scheme is None:
        raise Refused("no_secret", "the source does not say how it is signed", 401)
    verify(_scheme(keys.scheme), signed(request, keys), keys.active(now), now, keys.tolerance_ms)


@lru_cache(maxsize=256)
def _scheme(policy: SignatureScheme) -> Scheme:
    """The scheme as the engine wants it: header names in lower case. The name of an item in a list is taken as it is."""
    return Scheme(
        header=_name(policy.header),
        prefix=policy.prefix.encode(),
        separator=policy.separator.encode() if policy.separator else None,
        field=None if policy.field is None else policy.field.encode(),
        digest=policy.digest,
        encoding=policy.encoding,
        signed=policy.signed.encode(),
        timestamp=None if policy.timestamp is None else policy.timestamp.encode(),
        unit=policy.unit,
        event_id=_name(policy.event_id) if policy.event_id and "{id}" in policy.signed else None,
    )


def _name(header: str) -> bytes:
    return header.strip().lower().encode()


def read(request: Request, keys: Keys) -> Opened:
    parsed = parse(request.body)
    scheme = keys.scheme
    translate = partial(
        message,
        event_id=_said(request, scheme.event_id) if scheme else None,
        event=_said(request, scheme.event) if scheme else None,
    )
    envelope = Envelope([parsed.tree], translate=translate, protocol="hmac")
    return Opened(envelope, suspect=parsed.suspect, single=True)


def _said(request: Request, header: str | None) -> str | None:
    value = request.header(_name(header)) if header else None
    return value.decode("utf-8", "replace").strip() or None if value else None


HMAC = Webhook(kind="hmac", verify=verify_call, read=read)
