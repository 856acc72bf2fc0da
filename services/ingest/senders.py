"""Write keys, and the sources they admit."""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import structlog

from services.ingest import metrics
from services.ingest.domain.mapping import Evidence, Meanings
from services.ingest.domain.touch import Sender
from shared.schemas.ids import tenant_secret
from shared.schemas.policies import Source, SourcesPolicy

log = structlog.get_logger(__name__)


class Senders:
    """Filled from the tenants' `sources` policies. Keys are kept as SHA-256: how long a look-up takes tells nothing of them."""

    def __init__(self, master_secret: bytes, environment: Mapping[str, str] | None = None) -> None:
        self._master = master_secret
        self._environment = os.environ if environment is None else environment
        self._of_tenant: dict[str, dict[bytes, Sender]] = {}
        self._by_key: dict[bytes, Sender] = {}

    def load(self, tenant: str, policy: SourcesPolicy) -> None:
        """Use this version of a tenant's policy from now on."""
        secret = tenant_secret(self._master, tenant)
        senders: dict[bytes, Sender] = {}
        for source in policy.sources:
            sender = _sender(tenant, source, policy, secret)
            for reference in source.write_keys:
                if (key := self._key(tenant, source.id, reference)) is not None:
                    senders[_digest(key)] = sender
        self._of_tenant[tenant] = senders
        self._by_key = self._unambiguous()
        metrics.WRITE_KEYS.set(len(self._by_key))

    def find(self, write_key: str) -> Sender | None:
        return self._by_key.get(_digest(write_key))

    def tenants(self) -> list[str]:
        return sorted(self._of_tenant)

    def _unambiguous(self) -> dict[bytes, Sender]:
        """A key that two tenants claim admits to neither: a touch in the wrong tenant is worse than one refused."""
        found: dict[bytes, Sender] = {}
        twice: set[bytes] = set()
        for senders in self._of_tenant.values():
            twice |= found.keys() & senders.keys()
            found |= senders
        if twice:
            log.error("write_key_of_two_tenants", keys=len(twice))
        return {key: sender for key, sender in found.items() if key not in twice}

    def _key(self, tenant: str, source_id: str, reference: str) -> str | None:
        """The key that a literal, `env:NAME` or `file:PATH` stands for; None, and logged, where there is none."""
        kind, _, rest = reference.partition(":")
        key: str | None = reference
        if kind == "env":
            key = self._environment.get(rest)
        elif kind == "file":
            try:
                key = Path(rest).read_text().strip()
            except OSError:
                key = None
        if not key:
            log.error("write_key_missing", tenant=tenant, source=source_id, reference=reference if rest else "literal")
        return key or None


def _sender(tenant: str, source: Source, policy: SourcesPolicy, secret: bytes) -> Sender:
    rules = (*source.mapping, *policy.mapping)
    return Sender(
        tenant=tenant,
        source_id=source.id,
        trusted=source.is_trusted,
        secret=secret,
        meanings=Meanings(rules, {"source.id": source.id, "source.trusted": source.is_trusted}),
        evidence=Evidence(policy.evidence),
        free_mail=frozenset(domain.casefold() for domain in policy.free_mail_domains),
    )


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def header_key(headers: Mapping[bytes, bytes]) -> str | None:
    """The write key in a request's headers: `X-Write-Key`, else Basic (as user name, with or without colon)."""
    if key := headers.get(b"x-write-key"):
        return key.decode("latin-1").strip() or None
    credentials = _credentials(headers, b"basic")
    if credentials is None:
        return None
    try:
        return b64decode(credentials, validate=True).decode("utf-8", "replace").partition(":")[0] or None
    except Base64Error:
        return None


def bearer(headers: Mapping[bytes, bytes]) -> str | None:
    credentials = _credentials(headers, b"bearer")
    return credentials.decode("latin-1") if credentials else None


def _credentials(headers: Mapping[bytes, bytes], wanted: bytes) -> bytes | None:
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    return value.strip() if scheme.lower() == wanted else None
