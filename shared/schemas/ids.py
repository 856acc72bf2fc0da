"""Ids are derived, never random, so that whatever is done twice is done to the same thing.

An id that derives from a person's identifier is a keyed hash: it reveals nobody without the tenant's secret.
"""

from __future__ import annotations

import hmac
import uuid
from hashlib import sha1, sha256

import orjson

NAMESPACE = uuid.UUID("8e5a8a5c-6d1f-5c0e-9d0e-3b6f2a1c7b40")

Part = str | int | None


def derived_id(*parts: Part) -> str:
    """UUIDv5 of the JSON array of `parts`; never of a bare concatenation, where ("ab", "c") would equal ("a", "bc")."""
    # What `uuid.uuid5` does, without its objects: this runs for every event and record.
    digest = bytearray(sha1(NAMESPACE.bytes + orjson.dumps(parts), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return _text(digest)


def tenant_secret(master: bytes, tenant: str) -> bytes:
    """The secret under which a tenant's personal identifiers are hashed; 32 bytes."""
    return hmac.digest(master, b"tenant\0" + tenant.encode(), "sha256")


def keyed_id(secret: bytes, *parts: Part) -> str:
    """UUIDv8 (RFC 9562, 5.8) of HMAC-SHA256(secret, JSON array of `parts`): for ids that derive from a person's identifier."""
    digest = bytearray(hmac.new(secret, orjson.dumps(parts), sha256).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return _text(digest)


def _text(digest: bytearray) -> str:
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def identity_id(secret: bytes, tenant: str, kind: str, value: str) -> str:
    """The id of one identifier of a person: `kind` is email, user, phone, external or anonymous; `value` is normalised."""
    return keyed_id(secret, "identity", tenant, kind, value)


def lead_id(identity: str) -> str:
    """The id of the lead whose first strong identifier (or only anonymous one) is `identity`."""
    return derived_id("lead", identity)


def opportunity_id(tenant: str, lead: str, cycle: int) -> str:
    """One opportunity per lead and cycle (P4)."""
    return derived_id("opportunity", tenant, lead, cycle)
