"""What scoring writes: scores with their explanation, and transfers between leads."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from shared.schemas.base import Contract, MilliPoints, Millis, Record
from shared.schemas.person import SealedPerson
from shared.schemas.touches import IdentityKind, Scalar


class Version(NamedTuple):
    """Of two scores of a lead the higher version wins: a rewind cannot overtake, a zombie's late output is ignored.

    position: sum of the partition's applied input offsets
    """

    generation: int
    policy: int
    position: int
    as_of: int


class PolicyRef(Contract):
    """Which version of a policy was used."""

    sequence: int
    hash: str


class ScorePart(Contract):
    """What one rule gave, and what its group's (or the total) cap took away again; `kept = given - cut`."""

    rule_id: str
    group: str | None = None
    times: int = 1
    given: MilliPoints
    cut: MilliPoints = 0
    kept: MilliPoints
    label: dict[str, str] = Field(default_factory=dict)


class PartialScore(Contract):
    """Milli-points, and the parts whose `kept` sum to them exactly."""

    total: MilliPoints
    parts: tuple[ScorePart, ...] = ()


class RecentTouch(Contract):
    """One of the latest touches of a lead."""

    event_id: str
    type: str
    at: Millis
    received_at: Millis
    event: str | None = None
    path: str | None = None
    topic: str | None = None
    campaign: str | None = None


class IdentityRef(Contract):
    """One identity that belongs to the lead."""

    identity_id: str
    kind: IdentityKind


class Evidence(Contract):
    """The latest answer to one qualification question by one source, and how sure it is (0 to 1)."""

    criterion: str
    code: str
    source_id: str
    observed_at: Millis
    trusted: bool = False


class HandRaise(Contract):
    """The latest touch by which the lead asked to be contacted."""

    type: str
    event_id: str
    at: Millis
    received_at: Millis


class LeadScored(Record):
    """The score of one lead, explained, at `as_of` (the largest `received_at` joined, so that a replay emits the same).

    `merged_into` names the lead that everything went to: this is the last record of this lead.
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["lead-scored"] = "lead-scored"
    lead_id: str
    version: Version
    as_of: Millis
    policy: PolicyRef
    fit: PartialScore
    engagement: PartialScore
    grade: str = Field(description="fit letter and engagement band, such as B1")
    hand_raise: HandRaise | None = None
    attributes: dict[str, Scalar] = Field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    touches: tuple[RecentTouch, ...] = ()
    identities: tuple[IdentityRef, ...] = ()
    first_source: str | None = None
    last_source: str | None = None
    is_test: bool = False
    person: SealedPerson | None = None
    merged_into: str | None = None


class ScoreTransfer(Record):
    """What one lead remembers of an identity that now belongs to another: joined there, so sending it again changes nothing.

    sequence: of the link register that caused it; a target that knows a later register ignores the transfer
    memory:   the identity's memory as scoring encodes it (base64), opaque to everybody else
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["transfer"] = "transfer"
    lead_id: str = Field(description="target")
    from_lead_id: str
    identity_id: str
    identity_kind: IdentityKind
    sequence: int
    received_at: Millis = Field(description="the largest received_at that the memory holds")
    memory: str = Field(repr=False)
