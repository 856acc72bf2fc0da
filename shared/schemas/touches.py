"""What ingest writes: touches, link changes, refusals and conflicts."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.schemas.base import Contract, Millis, Record
from shared.schemas.person import SealedPerson

IdentityKind = Literal["email", "user", "phone", "external", "anonymous"]
STRONG: frozenset[str] = frozenset({"email", "user", "phone", "external"})

Scalar = str | int | float | bool
ConsentChannel = Literal["email", "phone", "post", "sms", "chat"]
Basis = Literal["opt_in", "card", "business_relation", "published_address", "none"]


class Consent(Contract):
    """A yes or no to being contacted, as it was given. A withdrawal beats every basis.

    basis:   on what a yes rests (特定電子メール法);  version: of the text that was agreed to
    """

    channel: ConsentChannel
    purpose: str = Field(default="marketing", max_length=64)
    granted: bool
    basis: Basis = "opt_in"
    version: str | None = Field(default=None, max_length=64)


class Touch(Record):
    """Something a person did, or that we learnt of them, as one event with one body per `event_id`.

    lead_id:     the lead it is keyed by: what its identity belonged to when it was received
    identity_id: the identity it came by, so that every merge can be undone
    type:        touch type (vocabulary, section 1)
    at:          when it happened; `clock` says what was done about the sender's clock: kept, shifted by the skew,
                 clamped to `received_at` because it lay in the future, or absent (no time given: received_at)
    attributes:  normalised facts about the lead that it tells (level, department, employees, domain, industry, …); nothing personal
    evidence:    qualification answers that it tells, criterion -> code (vocabulary, section 10: B1, A1, N1, T1, …)
    consents:    what it tells about being contacted
    condemns:    event ids that turned out to be the work of a machine: a verdict that came late
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["touch"] = "touch"
    lead_id: str
    identity_id: str
    identity_kind: IdentityKind
    event_id: str
    source_id: str
    trusted: bool = False
    type: str
    event: str | None = Field(default=None, max_length=200, description="what the sender called it")
    at: Millis
    received_at: Millis
    clock: Literal["kept", "shifted", "clamped", "absent"] = "kept"
    path: str | None = Field(default=None, max_length=500, description="path of the page, without query")
    topic: str | None = Field(default=None, max_length=100)
    campaign: str | None = Field(default=None, max_length=200)
    channel: str | None = Field(default=None, max_length=50, description="lead source (vocabulary, section 5)")
    detail: str | None = Field(
        default=None, max_length=100, description="within the channel: utm_source, referrer's host, …"
    )
    rep_id: str | None = Field(
        default=None, max_length=64, description="of ours who took part, where the record says so"
    )
    automated: bool = False
    is_test: bool = False
    attributes: dict[str, Scalar] = Field(default_factory=dict)
    evidence: dict[str, str] = Field(default_factory=dict)
    consents: tuple[Consent, ...] = ()
    condemns: tuple[str, ...] = Field(default=(), max_length=100)
    person: SealedPerson | None = None


class LinkChanged(Record):
    """A register: which lead an identity belongs to. The highest `sequence` per identity wins.

    On `identity-links` it is keyed by the identity; on `touchpoints` by each lead concerned (`lead_id`): the identity's own
    lead, the earlier owner and the new one, so that whoever holds what came by this identity can pass it on.
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["link"] = "link"
    lead_id: str
    identity_id: str
    identity_kind: IdentityKind
    owner: str = Field(description="lead_id that the identity belongs to")
    sequence: int = Field(ge=1)
    received_at: Millis

    def identity_key(self) -> bytes:
        """The key on `identity-links`."""
        return f"{self.tenant}/{self.identity_id}".encode()


class RejectedEvent(Record):
    """An event that was refused: why, from whom, at which index of its batch, and its bytes (base64).

    protocol: how it was sent (segment, snowplow, hubspot, form, …), so that it can be read again when it is mended;
    call: what the protocol calls it, where the path said so (track, identify, …)
    """

    topic_field: ClassVar[str] = "source_id"
    record: Literal["rejected"] = "rejected"
    source_id: str
    code: str
    message: str
    index: int | None = None
    protocol: str = "segment"
    call: str | None = None
    received_at: Millis
    raw: str = Field(repr=False)


class QuarantinedRequest(Record):
    """A webhook whose signature did not hold, kept so that it can be verified again when a wrong secret was corrected.

    sealed: method, address, headers and body, encrypted (base64): they hold credentials and personal data;  scheme: how
    """

    topic_field: ClassVar[str] = "source_id"
    record: Literal["quarantined"] = "quarantined"
    source_id: str
    code: str
    received_at: Millis
    scheme: Literal["aes-256-gcm"] = "aes-256-gcm"
    sealed: str = Field(repr=False)


class IdentityConflict(Record):
    """A client-side event carried identifiers of two known leads: a human decides, nothing was merged."""

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["conflict"] = "conflict"
    lead_id: str = Field(description="the lead that got the touch")
    other_lead_id: str
    identity_id: str
    source_id: str
    event_id: str
    received_at: Millis


class EventResult(Contract):
    """What became of one event of a request."""

    index: int
    status: Literal["accepted", "duplicate", "rejected"]
    event_id: str | None = None
    code: str | None = None
    message: str | None = None
