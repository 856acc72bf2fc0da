"""Secrets and signatures of Standard Webhooks 1.0.0, symmetric scheme, and how secrets lie in Postgres."""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.schemas.ids import tenant_secret

PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret, by the specification
_NONCE = 12  # bytes


def new_secret() -> bytes:
    return os.urandom(32)


def written(secret: bytes) -> str:
    return PREFIX + b64encode(secret).decode()


def read(text: str) -> bytes:
    """Raises ValueError for what is no secret; the message does not repeat it."""
    try:
        secret = b64decode(text.removeprefix(PREFIX), validate=True)
    except Error:
        secret = b""
    if not text.startswith(PREFIX) or not _SHORTEST <= len(secret) <= _LONGEST:
        raise ValueError(f"`{PREFIX}` and {_SHORTEST} to {_LONGEST} random bytes in base64")
    return secret


def headers(secrets: Sequence[bytes], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """What is sent beside `body`. secrets: the newest first, while they overlap each signs;  at: of this try, ms"""
    timestamp = at // 1000
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [f"v1,{b64encode(hmac.digest(secret, content, 'sha256')).decode()}" for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


class Seals:
    """Seals secrets of endpoints, bound to tenant and endpoint, and opens them again (AES-256-GCM)."""

    def __init__(self, master_secret: bytes) -> None:
        self._master = master_secret

    def seal(self, tenant: str, endpoint_id: str, secret: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(tenant).encrypt(nonce, secret, endpoint_id.encode())

    def open(self, tenant: str, endpoint_id: str, sealed: bytes) -> bytes:
        """Raises ValueError for what was not sealed for this endpoint with our secret."""
        try:
            return self._cipher(tenant).decrypt(sealed[:_NONCE], sealed[_NONCE:], endpoint_id.encode())
        except InvalidTag:
            raise ValueError("sealed under another IDENTITY_SECRET, or damaged") from None

    def _cipher(self, tenant: str) -> AESGCM:
        return AESGCM(hmac.digest(tenant_secret(self._master, tenant), b"webhook-secrets", "sha256"))
