"""What a link says, and that it was we who said it."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import astuple, dataclass

import orjson

from shared.schemas.ids import tenant_secret

LIVES = 7 * 86_400_000  # ms, and no longer than the offer is open
LONGEST = 1000  # characters
_DIGEST = 32  # bytes


class BadLinkError(Exception):
    """Not a link of ours, or cut short on its way."""


@dataclass(frozen=True, slots=True)
class OfferLink:
    """Whoever holds it may answer this one offer, in the rep's name, until `expires_at` (ms)."""

    tenant: str
    opportunity_id: str
    assignment: int
    rep_id: str
    expires_at: int


class Signer:
    """Writes links, and reads those that it has written (HMAC-SHA256, a key per tenant)."""

    def __init__(self, master_secret: bytes) -> None:
        self._master = master_secret

    def write(self, link: OfferLink) -> str:
        said = orjson.dumps(astuple(link))
        return urlsafe_b64encode(self._digest(link.tenant, said) + said).decode().rstrip("=")

    def read(self, text: str) -> OfferLink:
        """Raises BadLinkError; whether the link has expired is for the caller to see."""
        if len(text) > LONGEST:
            raise BadLinkError
        try:
            whole = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            digest, said = whole[:_DIGEST], whole[_DIGEST:]
            link = OfferLink(*orjson.loads(said))
            known = self._digest(link.tenant, said)
        except (ValueError, TypeError, AttributeError):
            raise BadLinkError from None
        if not hmac.compare_digest(digest, known):
            raise BadLinkError
        return link

    def _digest(self, tenant: str, said: bytes) -> bytes:
        return hmac.digest(hmac.digest(tenant_secret(self._master, tenant), b"offer-links", "sha256"), said, "sha256")
