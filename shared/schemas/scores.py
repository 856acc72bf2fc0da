"""What scoring writes: scores with their explanation, transfers between leads, and which building of its states is in force."""

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


Cause = Literal["input", "time", "policy"]


class ScorePart(Contract):
    """What one rule gave, and what its group's and the total cap took away again; `kept = given - cut`.

    times, first_at, last_at: how many touches gave something, and when the first and the last of them happened
    cut_total:                what of `cut` the cap of all took; the rest was its group's
    """

    rule_id: str
    group: str | None = None
    times: int = 1
    first_at: Millis | None = None
    last_at: Millis | None = None
    given: MilliPoints
    cut: MilliPoints = 0
    cut_total: MilliPoints = 0
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
    """The latest answer to one qualification question by one source.

    confidence: how sure it is (0 to 1), where who gave it said so; else its source says
    """

    criterion: str
    code: str
    source_id: str
    observed_at: Millis
    trusted: bool = False
    confidence: float | None = Field(default=None, ge=0, le=1)


class HandRaise(Contract):
    """The latest touch by which the lead asked to be contacted."""

    type: str
    event_id: str
    at: Millis
    received_at: Millis


class Suggestion(Contract):
    """One more touch, or one thing more that is known, and the milli-points that it would bring.

    attribute: the field that would have to be known, for a rule of fit
    """

    rule_id: str
    points: MilliPoints
    attribute: str | None = None
    label: dict[str, str] = Field(default_factory=dict)


class Better(Contract):
    """The next better grade in one direction, and the fewest plausible touches or attributes that reach it."""

    grade: str
    by: tuple[Suggestion, ...]


class LeadScored(Record):
    """The score of one lead, explained, at `as_of` (the largest `received_at` joined, so that a replay emits the same).

    temperature: hot, warm or cold, by the policy;  trend: whether what it did lately outweighs what it did before
    better:      what would raise its fit, and what its engagement
    region:      the overlay whose rules were used;  internal: one of ourselves, worth nothing
    account:     the key of its company (`lead.account`), by the strongest that is known of the latest one named
    cause:       what made it speak: records that came, time alone, or a new policy;
    change_id:   of a change by time alone: derived from lead, moment and policy, so that saying it twice is saying it once
    merged_into: the lead that everything went to: this is the last record of this lead
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
    temperature: Literal["hot", "warm", "cold"] = "cold"
    trend: Literal["rising", "steady", "falling"] = "steady"
    better: tuple[Better, ...] = ()
    hand_raise: HandRaise | None = None
    attributes: dict[str, Scalar] = Field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    touches: tuple[RecentTouch, ...] = ()
    identities: tuple[IdentityRef, ...] = ()
    first_source: str | None = None
    last_source: str | None = None
    is_test: bool = False
    internal: bool = False
    region: str | None = None
    account: str | None = None
    person: SealedPerson | None = None
    cause: Cause = "input"
    change_id: str | None = None
    merged_into: str | None = None


class ScoreTransfer(Record):
    """What one lead remembers of an identity that now belongs to another: joined there, so sending it again changes nothing.

    sequence: of the link register that caused it; a target that knows a later register ignores the transfer
    memory:   the identity's memory as scoring encodes it (base64), opaque to everybody else
    identity_kind: `outcome` for what sales said of the lead that is left, which goes along with it
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["transfer"] = "transfer"
    lead_id: str = Field(description="target")
    from_lead_id: str
    identity_id: str
    identity_kind: IdentityKind | Literal["outcome"]
    sequence: int
    received_at: Millis = Field(description="the largest received_at that the memory holds")
    memory: str = Field(repr=False)


class AccountSignal(Record):
    """What one lead tells its company's account: a register per lead, the highest version stands.

    gone:       the lead belongs to this account no more (it changed company, was merged into another lead, or is one of ourselves)
    engagement: milli-points at `as_of`;  fit: its letter
    role:       buying role: as the person answered (question A1), else the usual one of the level (vocabulary, section 2)
    department: none where it is not known, or is none of those that are
    active:     when the lead last did something of its own that the policy gives points for: one moment of each day, latest first,
                at most 35
    """

    topic_field: ClassVar[str] = "account"
    record: Literal["account-signal"] = "account-signal"
    account: str
    lead_id: str
    version: Version
    as_of: Millis
    gone: bool = False
    engagement: MilliPoints = 0
    fit: str = "D"
    role: str | None = None
    department: str | None = None
    active: tuple[Millis, ...] = ()


class Contributor(Contract):
    """A person of an account, and the milli-points of depth that the account owes to them."""

    lead_id: str
    points: MilliPoints
    engagement: MilliPoints
    fit: str
    role: str | None = None
    department: str | None = None
    active_at: Millis | None = None


class AccountScored(Record):
    """What the people of one company are worth together at `as_of`. Parts: persons, roles, departments, depth, surge.

    people, active: leads of this account, and those of them who did something within the policy's active days
    contributors:   the five to whom it owes most
    """

    topic_field: ClassVar[str] = "account"
    record: Literal["account-scored"] = "account-scored"
    account: str
    version: Version
    as_of: Millis
    policy: PolicyRef
    score: PartialScore
    band: int = Field(ge=1, le=4)
    people: int = 0
    active: int = 0
    roles: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    surging: bool = False
    contributors: tuple[Contributor, ...] = ()
    cause: Cause = "input"
    change_id: str | None = None


class EpochBegun(Record):
    """All states of a group of workers were built anew from the topics, this tenant's under this policy, and are in force.

    Of a group the highest number is in force. It stands in every version (`generation` of the policy + number), so that what is
    said by the new states beats all that was said before; so it is kept here, and not in the store alone, which may lose it.

    epoch: the group and the number;  at: when the states came into force
    """

    topic_field: ClassVar[str] = "epoch"
    record: Literal["epoch-begun"] = "epoch-begun"
    epoch: str
    group: str
    number: int = Field(ge=1)
    at: Millis
    policy: PolicyRef
