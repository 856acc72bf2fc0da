"""The sources of all tenants: which write keys admit to them, and what proves their webhooks."""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import structlog

from services.ingest import metrics
from services.ingest.domain.consents import Consents
from services.ingest.domain.mapping import Evidence, Meanings
from services.ingest.domain.touch import Sender
from services.ingest.request import Request
from shared.kit.names import parse
from shared.schemas.ids import tenant_secret
from shared.schemas.policies import Source, SourcesPolicy
from shared.schemas.policies.sources import FormSettings, Rate, Secret, SignatureScheme

log = structlog.get_logger(__name__)

# How long event ids are remembered. SDKs give up within two days; webhooks come again for a week; files whenever somebody likes.
HOOK_CLAIM_SECONDS = 7 * 86_400
IMPORT_CLAIM_SECONDS = 90 * 86_400


@dataclass(frozen=True, slots=True)
class ActiveSecret:
    """A secret with its value. not_after: ms; from then on it proves nothing"""

    id: str
    value: bytes = field(repr=False)
    not_after: int | None = None

    def is_active(self, now: int) -> bool:
        return self.not_after is None or now < self.not_after


@dataclass(frozen=True, slots=True)
class Keys:
    """What proves that a call is of a source.

    secrets: sign, or stand in a header or body;  verify_tokens: are asked for by challenges
    """

    kind: str
    source_id: str
    secrets: tuple[ActiveSecret, ...]
    verify_tokens: tuple[ActiveSecret, ...] = ()
    public_url: str | None = None
    tolerance_ms: int = 300_000
    scheme: SignatureScheme | None = None

    def active(self, now: int) -> list[bytes]:
        """Values of the secrets that are not past their time. All of them have to be tried."""
        return [secret.value for secret in self.secrets if secret.is_active(now)]

    def in_force(self, now: int) -> Keys:
        """The same without what is past its time."""
        return replace(
            self,
            secrets=tuple(secret for secret in self.secrets if secret.is_active(now)),
            verify_tokens=tuple(token for token in self.verify_tokens if token.is_active(now)),
        )


@dataclass(frozen=True, slots=True)
class Registered:
    """A source as it is in force. missing: references of its keys and secrets that lead to nothing here"""

    sender: Sender
    keys: Keys
    rate: Rate | None = None
    form: FormSettings | None = None
    origins: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Sources:
    """Filled from the tenants' `sources` policies. Write keys are kept as SHA-256: how long a look-up takes tells nothing."""

    def __init__(
        self,
        master_secret: bytes,
        environment: Mapping[str, str] | None = None,
        *,
        claim_seconds: int = 48 * 3600,
        names: Path | None = None,
    ) -> None:
        """claim_seconds: for which the event ids of tracking calls are remembered
        names: a file of NAME=value lines, which come before the environment
        """
        self._master = master_secret
        self._names_file = str(names) if names else None
        self._environment = os.environ if environment is None else environment
        self._claim_seconds = claim_seconds
        self._of_tenant: dict[str, dict[bytes, Registered]] = {}
        self._named: dict[str, dict[str, Registered]] = {}
        self._by_key: dict[bytes, Registered] = {}
        self._policies: dict[str, SourcesPolicy] = {}
        self._files: dict[str, dict[str, str | None]] = {}  # tenant -> file that it depends on -> what stood there

    def load(self, tenant: str, policy: SourcesPolicy) -> None:
        """Use this version of a tenant's policy from now on."""
        self._policies[tenant], self._files[tenant] = policy, {}
        secret = tenant_secret(self._master, tenant)
        names = self._names(tenant)
        keyed: dict[bytes, Registered] = {}
        named: dict[str, Registered] = {}
        for source in policy.sources:
            references = [*source.write_keys, *(each.value for each in source.secrets)]
            values = {reference: self._value(tenant, source.id, reference, names) for reference in references}
            known = named[source.id] = self._registered(tenant, source, policy, secret, values)
            for reference in source.write_keys:
                if key := values[reference]:
                    keyed[_digest(key)] = known
        self._of_tenant[tenant], self._named[tenant] = keyed, named
        self._by_key = self._unambiguous()
        metrics.WRITE_KEYS.set(len(self._by_key))

    def refresh(self) -> list[str]:
        """Look whether files that keys and secrets stand in have changed; the tenants that were loaded anew for it."""
        changed = [
            tenant
            for tenant, files in self._files.items()
            if any(_content(path) != content for path, content in files.items())
        ]
        for tenant in changed:
            self.load(tenant, self._policies[tenant])
            log.info("keys_read_again", tenant=tenant)
        return changed

    def find(self, write_key: str) -> Registered | None:
        """The source that a write key admits to."""
        return self._by_key.get(_digest(write_key))

    def named(self, source_id: str, tenant: str | None = None) -> Registered | None:
        """A source by its id; without a tenant only where no two tenants have one of that id."""
        if tenant is not None:
            return self._named.get(tenant, {}).get(source_id)
        found = [sources[source_id] for sources in self._named.values() if source_id in sources]
        return found[0] if len(found) == 1 else None

    def claim_seconds(self, tenant: str, source_id: str) -> int:
        """For how long an event id of a source is remembered, whether it is still in force or not."""
        known = self.named(source_id, tenant)
        return known.sender.claim_seconds if known else max(self._claim_seconds, HOOK_CLAIM_SECONDS)

    def all(self) -> list[Registered]:
        return [known for tenant in self.tenants() for known in self._named[tenant].values()]

    def tenants(self) -> list[str]:
        return sorted(self._of_tenant)

    def _unambiguous(self) -> dict[bytes, Registered]:
        """A key that two tenants claim admits to neither: a touch in the wrong tenant is worse than one refused."""
        found: dict[bytes, Registered] = {}
        twice: set[bytes] = set()
        for keyed in self._of_tenant.values():
            twice |= found.keys() & keyed.keys()
            found |= keyed
        if twice:
            log.error("write_key_of_two_tenants", keys=len(twice))
        return {key: known for key, known in found.items() if key not in twice}

    def _registered(
        self, tenant: str, source: Source, policy: SourcesPolicy, secret: bytes, values: Mapping[str, str | None]
    ) -> Registered:
        keys = Keys(
            kind=source.kind,
            source_id=source.id,
            secrets=_secrets(source, "sign", values),
            verify_tokens=_secrets(source, "verify_token", values),
            public_url=source.public_url,
            tolerance_ms=source.tolerance_seconds * 1000,
            scheme=source.signature,
        )
        claim = {"segment": self._claim_seconds, "import": IMPORT_CLAIM_SECONDS}.get(source.kind, HOOK_CLAIM_SECONDS)
        sender = _sender(tenant, source, policy, secret, claim)
        missing = tuple(_told(reference) for reference, value in values.items() if not value)
        return Registered(sender, keys, source.rate, source.form, source.origins, missing)

    def _names(self, tenant: str) -> Mapping[str, str]:
        """What `env:NAME` stands for: the file's names, which may change while we run, before those we were started with."""
        if self._names_file is None:
            return self._environment
        text = self._files[tenant][self._names_file] = _content(self._names_file)
        return ChainMap(parse(text or ""), dict(self._environment))

    def _value(self, tenant: str, source_id: str, reference: str, names: Mapping[str, str]) -> str | None:
        """What a literal, `env:NAME` or `file:PATH` stands for; None, and logged, where there is nothing."""
        kind, _, rest = reference.partition(":")
        value: str | None = reference
        if kind == "env":
            value = names.get(rest)
        elif kind == "file":
            value = self._files[tenant][rest] = _content(rest)
        if not (value or "").strip():  # blanks alone are no secret: whoever guesses them signs
            value = None
            log.error("key_missing", tenant=tenant, source=source_id, reference=_told(reference))
        return value or None


def _secrets(source: Source, use: str, values: Mapping[str, str | None]) -> tuple[ActiveSecret, ...]:
    return tuple(
        ActiveSecret(secret.id, value.encode("utf-8", "surrogateescape"), _end(secret))
        for secret in source.secrets
        if secret.use == use and (value := values[secret.value])
    )


def _told(reference: str) -> str:
    """A reference as it may be told: never a value."""
    return reference if reference.partition(":")[0] in ("env", "file") else "literal"


def _sender(tenant: str, source: Source, policy: SourcesPolicy, secret: bytes, claim_seconds: int) -> Sender:
    rules = (*source.mapping, *policy.mapping)
    return Sender(
        tenant=tenant,
        source_id=source.id,
        trusted=source.is_trusted,
        secret=secret,
        meanings=Meanings(rules, {"source.id": source.id, "source.trusted": source.is_trusted}),
        evidence=Evidence(policy.evidence),
        free_mail=frozenset(domain.casefold() for domain in policy.free_mail_domains),
        claim_seconds=claim_seconds,
        keyed_ids=source.kind != "segment",  # whose SDKs make theirs at random
        consents=Consents(policy.consent),
    )


def _content(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError):  # not there, not UTF-8, or no name that a file can have
        return None


def _end(secret: Secret) -> int | None:
    return None if secret.not_after is None else round(secret.not_after.timestamp() * 1000)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def header_key(request: Request) -> str | None:
    """The write key in a request's headers: `X-Write-Key`, else Basic (as user name, with or without colon; whatever stands
    in the password follows after the colon)."""
    if key := request.header(b"x-write-key"):
        return key.decode("latin-1").strip() or None
    credentials = _credentials(request, b"basic")
    if credentials is None:
        return None
    try:
        return b64decode(credentials, validate=True).decode("utf-8", "replace").removesuffix(":") or None
    except Base64Error:
        return None


def bearer(request: Request) -> str | None:
    credentials = _credentials(request, b"bearer")
    return credentials.decode("latin-1") if credentials else None


def _credentials(request: Request, wanted: bytes) -> bytes | None:
    scheme, _, value = (request.header(b"authorization") or b"").partition(b" ")
    return value.strip() if scheme.lower() == wanted else None
