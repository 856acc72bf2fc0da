"""Secrets that stand in a call itself, in a header, a query or a body, of senders that cannot sign.

Codes: no_secret (of ours), no_credential, many_credentials, wrong_credential.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.request import MOST_PARAMETERS, Request
from services.ingest.sources import Keys

HEADER = b"x-baton-secret"
PARAMETER = b"secret"

Find = Callable[[Request], Sequence[bytes]]


def check(given: Sequence[bytes], secrets: Sequence[bytes]) -> None:
    """Raises Refused 401 unless one credential was given, and is one of `secrets`; all are compared, in constant time."""
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise Refused("no_secret", "no secret of this source is in force", 401)
    said = [value for value in given if value]
    if not said:
        raise Refused("no_credential", "the secret of this source is missing", 401)
    if len(said) > 1:
        raise Refused("many_credentials", "the secret is there more than once", 401)
    held = [hmac.compare_digest(secret, said[0]) for secret in usable]
    if True not in held:
        raise Refused("wrong_credential", "the secret is none of this source", 401)


def by(*places: Find) -> Callable[[Request, Keys, int], None]:
    """Verification by a secret that stands in one of `places`."""

    def verify(request: Request, keys: Keys, now: int) -> None:
        check([value for find in places for value in find(request)], keys.active(now))

    return verify


def in_header(request: Request) -> list[bytes]:
    """The values of `X-Baton-Secret`."""
    return request.values(HEADER)


def in_query(request: Request) -> list[bytes]:
    """The values of `?secret=`. A `+` is a plus, as it stands in secrets that were pasted into an address."""
    found = []
    for pair in request.query.split(b"&", MOST_PARAMETERS)[:MOST_PARAMETERS]:
        name, _, value = pair.partition(b"=")
        if name == PARAMETER:
            found.append(unquote_to_bytes(value))
    return found


def unverified(body: bytes) -> Any:
    """The tree of a JSON body in which the proof stands; nothing of it is believed. Raises Refused 401 where it is none."""
    try:
        return parse(body).tree
    except Refused as refused:
        raise Refused(refused.code, refused.message, 401) from None
