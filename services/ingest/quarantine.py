"""Webhooks whose signature did not hold, sealed: they hold credentials and personal data of nobody knows whom."""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from collections import Counter

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.ingest.request import Request
from shared.kit.kafka import Outgoing
from shared.schemas.base import record_key
from shared.schemas.ids import tenant_secret
from shared.schemas.topics import INGEST_QUARANTINE

_NONCE = 12  # bytes


class Seals:
    """Seals requests of a tenant, and opens them again."""

    def __init__(self, master_secret: bytes) -> None:
        self._master = master_secret

    def seal(self, tenant: str, request: Request) -> str:
        """`request` encrypted (AES-256-GCM, bound to the tenant), as base64."""
        plain = orjson.dumps(
            [
                request.method,
                request.path,
                request.query.decode("latin-1"),
                [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
                b64encode(request.body).decode(),
            ]
        )
        nonce = os.urandom(_NONCE)
        return b64encode(nonce + self._cipher(tenant).encrypt(nonce, plain, tenant.encode())).decode()

    def open(self, tenant: str, sealed: str) -> Request:
        """Raises ValueError for what was not sealed for this tenant with our secret."""
        whole = b64decode(sealed)
        try:
            plain = self._cipher(tenant).decrypt(whole[:_NONCE], whole[_NONCE:], tenant.encode())
        except InvalidTag:
            raise ValueError("sealed under another secret, or damaged") from None
        method, path, query, headers, body = orjson.loads(plain)
        return Request(
            method,
            path,
            query.encode("latin-1"),
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            b64decode(body),
        )

    def _cipher(self, tenant: str) -> AESGCM:
        return AESGCM(hmac.digest(tenant_secret(self._master, tenant), b"quarantine", "sha256"))


class Room:
    """How many requests of a source are kept in a minute: what fails verification is sent by strangers, too, who shall not fill
    the disk. per_minute: in this process"""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._minute = 0
        self._kept: Counter[tuple[str, str]] = Counter()

    def for_one_more(self, tenant: str, source_id: str, received_at: int) -> bool:
        if received_at // 60_000 != self._minute:
            self._minute = received_at // 60_000
            self._kept.clear()
        self._kept[tenant, source_id] += 1
        return self._kept[tenant, source_id] <= self._most


def quarantined(seals: Seals, tenant: str, source_id: str, code: str, request: Request, received_at: int) -> Outgoing:
    """The record of a request that could not be verified (QuarantinedRequest)."""
    wire = {
        "record": "quarantined",
        "tenant": tenant,
        "source_id": source_id,
        "code": code,
        "received_at": received_at,
        "scheme": "aes-256-gcm",
        "sealed": seals.seal(tenant, request),
    }
    return Outgoing(INGEST_QUARANTINE.name, record_key(tenant, source_id), orjson.dumps(wire))
