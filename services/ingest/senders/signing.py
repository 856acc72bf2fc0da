"""What the signature of a call covers, and verification by a scheme: what signed webhooks have in common."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from services.ingest.domain.signatures import Scheme, Signed, verify
from services.ingest.request import Request
from services.ingest.sources import Keys


def by(scheme: Scheme, *, most_ms: int | None = None) -> Callable[[Request, Keys, int], None]:
    """Verification of every call by one scheme. most_ms: what the vendor allows a signed time to be off, where it is stricter"""

    def check(request: Request, keys: Keys, now: int) -> None:
        tolerance = keys.tolerance_ms if most_ms is None else min(keys.tolerance_ms, most_ms)
        verify(scheme, signed(request, keys), keys.active(now), now, tolerance)

    return check


def signed(request: Request, keys: Keys) -> Signed:
    """The call as its signature sees it."""
    return Signed(request.headers, request.body, request.method.encode(), address(request, keys))


def address(request: Request, keys: Keys) -> bytes | None:
    """The address that the sender used, from `public_url`: headers of proxies are not believed, whoever calls can send them.

    A `public_url` with a path is the address of the source as it was given to the sender; one without is completed.
    """
    if keys.public_url is None:
        return None
    url = keys.public_url
    scheme, _, rest = url.partition("://")
    origin, _, path = rest.partition("/")
    if not path:
        url = f"{scheme}://{origin}{quote(request.path)}"
    return url.encode() + (b"?" + request.query if request.query else b"")
