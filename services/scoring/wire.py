"""What scoring reads and writes, as msgspec structs: an order of magnitude faster than the pydantic contracts they mirror.

Readers ignore fields they do not know. `tests/unit/scoring/test_wire.py` holds both sides to `shared.schemas`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from services.scoring.domain.account import ScoredAccount
from services.scoring.domain.better import Better
from services.scoring.domain.memory import ANSWERED, CONFIDENCE, OUTCOME, UNHEARD, Raised, Said
from services.scoring.domain.parts import Part, Partial
from services.scoring.domain.people import MOST_MOMENTS, Person
from services.scoring.domain.score import Scored
from services.scoring.domain.state import OUTCOMES, Register
from shared.kit import person as seam
from shared.kit.dead_letters import Reject
from shared.schemas.ids import derived_id
from shared.schemas.person import SealedPerson
from shared.schemas.scores import Version
from shared.schemas.topics import ACCOUNT_SIGNALS, HANDOFF_EVENTS, SCORE_TRANSFERS, TOUCHPOINTS
from shared.schemas.vocabulary import OUTCOME_OF_REASON, OUTCOME_OF_STAGE, TOUCH_TYPES, VOID

# What a state can hold: a number beyond 64 bits would be read, and then stop the worker that writes it.
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = str | Whole | float | bool


class PersonIn(msgspec.Struct, gc=False):
    scheme: Literal["plain"] = "plain"  # the schemes that `reveal` can open
    fields: dict[str, str] = {}


class Touch(msgspec.Struct, tag_field="record", tag="touch", gc=False):
    tenant: str
    lead_id: str
    identity_id: str
    identity_kind: str
    event_id: str
    source_id: str
    type: str
    at: Whole
    received_at: Whole
    trusted: bool = False
    event: str | None = None
    path: str | None = None
    topic: str | None = None
    campaign: str | None = None
    channel: str | None = None
    automated: bool = False
    is_test: bool = False
    attributes: dict[str, Scalar] = {}
    evidence: dict[str, str] = {}
    condemns: tuple[str, ...] = ()
    person: PersonIn | None = None


class Answered(Touch, tag_field="record", tag="answered", gc=False):
    """An answer that a rep was given, or that one is void, as handoff tells it: never on a topic as it stands here.

    answer: the event that told the answer;  said: what it tells, by question
    """

    answer: str = ""
    said: dict[str, Said] = {}


class LinkChanged(msgspec.Struct, tag_field="record", tag="link", gc=False):
    tenant: str
    lead_id: str
    identity_id: str
    identity_kind: str
    owner: str
    sequence: Whole
    received_at: Whole


class ScoreTransfer(msgspec.Struct, tag_field="record", tag="transfer", gc=False):
    tenant: str
    lead_id: str
    from_lead_id: str
    identity_id: str
    identity_kind: str
    sequence: Whole
    received_at: Whole
    memory: str


class HandoffEvent(msgspec.Struct, tag_field="record", tag="handoff-event", gc=False):
    tenant: str
    lead_id: str
    kind: str
    event_id: str
    cycle: Whole
    at: Whole
    reason: str | None = None
    stage: str | None = None
    activity: str | None = None
    touch: str | None = None
    evidence: dict[str, str] | None = None
    source: str | None = None
    confidence: float | None = None
    observed_at: Whole | None = None
    voids: str | None = None


class AccountSignal(msgspec.Struct, tag_field="record", tag="account-signal", omit_defaults=True, gc=False):
    tenant: str
    account: str
    lead_id: str
    version: tuple[Whole, Whole, Whole, Whole]  # a Version
    as_of: Whole
    gone: bool = False
    engagement: Whole = 0
    fit: str = "D"
    role: str | None = None
    department: str | None = None
    active: tuple[Whole, ...] = ()

    def person(self) -> Person:
        return Person(
            Version(*self.version),
            self.gone,
            self.engagement,
            self.fit,
            self.role,
            self.department,
            tuple(sorted(self.active, reverse=True)[:MOST_MOMENTS]),
        )


Input = Touch | LinkChanged | ScoreTransfer
Received = Input | AccountSignal

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    TOUCHPOINTS.name: msgspec.json.Decoder(Touch | LinkChanged),
    SCORE_TRANSFERS.name: msgspec.json.Decoder(ScoreTransfer),
    HANDOFF_EVENTS.name: msgspec.json.Decoder(HandoffEvent),
    ACCOUNT_SIGNALS.name: msgspec.json.Decoder(AccountSignal),
}
INPUTS = tuple(_DECODERS)


def decode(topic: str, value: bytes | None) -> Received | None:
    """What a record says; None for an event of handoff that is no outcome. Raises Reject `undecodable` for what is no record of
    this topic."""
    try:
        record: Any = _DECODERS[topic].decode(value or b"")
    except msgspec.MsgspecError as error:
        # The message names the place and the expected type, never the value.
        raise Reject("undecodable", str(error)) from error
    received: Received | None = outcome(record) if isinstance(record, HandoffEvent) else record
    return received


def outcome(event: HandoffEvent) -> Touch | None:
    """What sales says of a lead, as a touch of the identity that stands for it; None where it says nothing that a human found.

    Handoff tells a decline twice: as the end of the offer, and as the change of stage that follows from it. It is one outcome.
    """
    event_id, kind = event.event_id, None
    if event.kind in ("answer-recorded", "answer-voided"):
        return _answer(event)
    if event.kind == "activity-logged":  # one that was a touch has scored as that
        kind = event.activity if event.activity in TOUCH_TYPES and event.touch is None else None
    elif event.kind in ("offer-declined", "stage-changed"):
        kind = OUTCOME_OF_STAGE.get(event.stage or "") if event.kind == "stage-changed" else None
        kind = kind or OUTCOME_OF_REASON.get(event.reason or "")
        event_id = derived_id("outcome", event.tenant, event.lead_id, event.cycle, event.at, kind, event.reason)
    if kind is None:
        return None
    return Touch(
        tenant=event.tenant,
        lead_id=event.lead_id,
        identity_id=OUTCOMES + event.lead_id,
        identity_kind=OUTCOME,
        event_id=event_id,
        source_id="handoff",
        type=kind,
        at=event.at,
        received_at=event.at,
        trusted=True,
        event=event.reason,
        campaign=f"cycle/{event.cycle}",
    )


def _answer(event: HandoffEvent) -> Answered | None:
    """What a rep learnt of the lead, at the moment at which it was learnt; or that the answer told by `voids` is void.

    `evidence` holds it as earlier programs read it: what is void as an answer of the moment after, how sure one is beside it.
    """
    if event.source is None or event.observed_at is None or not event.evidence:
        return None
    answer, void = event.event_id, event.kind == "answer-voided"
    at, evidence = event.observed_at, dict(event.evidence)
    said = {question: Said(at, event.at, code, event.confidence) for question, code in evidence.items()}
    if event.confidence is not None and not void:
        evidence |= {question + CONFIDENCE: str(event.confidence) for question in said}
    if void:
        evidence = dict.fromkeys(evidence, VOID)
        if event.voids is not None:
            answer, said = event.voids, dict.fromkeys(said, Said(at, UNHEARD, void=event.event_id))
        else:
            said = dict.fromkeys(said, Said(at, event.at, VOID))
    return Answered(
        tenant=event.tenant,
        lead_id=event.lead_id,
        identity_id=OUTCOMES + event.lead_id,
        identity_kind=OUTCOME,
        event_id=event.event_id,
        source_id=event.source,
        type=ANSWERED,
        at=at + void,
        received_at=event.at,
        trusted=True,
        evidence=evidence,
        answer=answer,
        said=said,
    )


def reveal(person: PersonIn | None) -> dict[str, str]:
    """Personal fields, through the one seam."""
    if person is None:
        return {}
    return seam.reveal(SealedPerson.model_validate({"scheme": person.scheme, "fields": person.fields}))


class PolicyRef(msgspec.Struct, gc=False):
    sequence: int
    hash: str


class PartialScore(msgspec.Struct, gc=False):
    total: int
    parts: list[Part]


class RecentTouch(msgspec.Struct, omit_defaults=True, gc=False):
    event_id: str
    type: str
    at: int
    received_at: int
    event: str | None = None
    path: str | None = None
    topic: str | None = None
    campaign: str | None = None


class IdentityRef(msgspec.Struct, gc=False):
    identity_id: str
    kind: str


class Evidence(msgspec.Struct, omit_defaults=True, gc=False):
    criterion: str
    code: Scalar
    source_id: str
    observed_at: int
    trusted: bool
    confidence: float | None = None


class HandRaise(msgspec.Struct, gc=False):
    type: str
    event_id: str
    at: int
    received_at: int


class LeadScored(msgspec.Struct, tag_field="record", tag="lead-scored", omit_defaults=True, gc=False):
    tenant: str
    lead_id: str
    version: Version
    as_of: int
    policy: PolicyRef
    fit: PartialScore
    engagement: PartialScore
    grade: str
    temperature: str = "cold"
    trend: str = "steady"
    better: list[Better] = []
    hand_raise: HandRaise | None = None
    attributes: dict[str, Scalar] = {}
    evidence: list[Evidence] = []
    touches: list[RecentTouch] = []
    identities: list[IdentityRef] = []
    first_source: str | None = None
    last_source: str | None = None
    is_test: bool = False
    internal: bool = False
    region: str | None = None
    account: str | None = None
    person: PersonIn | None = None
    cause: str = "input"
    change_id: str | None = None
    merged_into: str | None = None


class Contributor(msgspec.Struct, omit_defaults=True, gc=False):
    lead_id: str
    points: int
    engagement: int
    fit: str
    role: str | None = None
    department: str | None = None
    active_at: int | None = None


class AccountScored(msgspec.Struct, tag_field="record", tag="account-scored", omit_defaults=True, gc=False):
    tenant: str
    account: str
    version: Version
    as_of: int
    policy: PolicyRef
    score: PartialScore
    band: int
    people: int = 0
    active: int = 0
    roles: list[str] = []
    departments: list[str] = []
    surging: bool = False
    contributors: list[Contributor] = []
    cause: str = "input"
    change_id: str | None = None


encode = msgspec.json.Encoder().encode


class Saying(NamedTuple):
    """What makes scoring speak, and by which version."""

    version: Version
    policy: PolicyRef
    cause: str = "input"
    change_id: str | None = None


def lead_scored(tenant: str, lead: str, saying: Saying, scored: Scored, merged_into: str | None = None) -> LeadScored:
    """The record that says `scored`."""
    sealed = seam.seal(scored.person)
    raised = scored.hand_raise
    return LeadScored(
        tenant=tenant,
        lead_id=lead,
        version=saying.version,
        as_of=scored.as_of,
        policy=saying.policy,
        fit=_partial(scored.fit),
        engagement=_partial(scored.engagement),
        grade=scored.grade,
        temperature=scored.temperature,
        trend=scored.trend,
        better=scored.better,
        hand_raise=HandRaise(raised.type, *_when(raised.raised)) if raised else None,
        attributes=scored.attributes,
        evidence=[
            Evidence(
                answer.criterion,
                answer.told.value,
                answer.source_id,
                answer.told.at,
                answer.told.trusted,
                answer.confidence,
            )
            for answer in scored.evidence
        ],
        touches=[
            RecentTouch(t.event_id, t.type, t.at, t.received_at, t.event, t.path, t.topic, t.campaign)
            for t in scored.touches
        ],
        identities=[IdentityRef(identity, kind) for identity, kind in scored.identities],
        first_source=scored.first_source,
        last_source=scored.last_source,
        is_test=scored.is_test,
        internal=scored.internal,
        region=scored.region,
        account=scored.account,
        person=PersonIn(sealed.scheme, sealed.fields) if sealed else None,
        cause=saying.cause,
        change_id=saying.change_id,
        merged_into=merged_into,
    )


def account_signal(tenant: str, account: str, lead: str, person: Person) -> AccountSignal:
    return AccountSignal(
        tenant,
        account,
        lead,
        person.version,
        person.as_of,
        person.gone,
        person.engagement,
        person.fit,
        person.role,
        person.department,
        person.active,
    )


def account_scored(tenant: str, account: str, saying: Saying, scored: ScoredAccount) -> AccountScored:
    return AccountScored(
        tenant=tenant,
        account=account,
        version=saying.version,
        as_of=scored.as_of,
        policy=saying.policy,
        score=_partial(scored.score),
        band=scored.band,
        people=scored.people,
        active=scored.active,
        roles=scored.roles,
        departments=scored.departments,
        surging=scored.surging,
        contributors=[
            Contributor(
                one.lead,
                one.points,
                one.person.engagement,
                one.person.fit,
                one.person.role,
                one.person.department,
                max(one.person.active, default=None),
            )
            for one in scored.contributors
        ],
        cause=saying.cause,
        change_id=saying.change_id,
    )


def score_transfer(
    tenant: str, lead: str, identity: str, kind: str, register: Register, received_at: int, memory: str
) -> ScoreTransfer:
    """What `lead` remembers of `identity`, for the owner that `register` names."""
    return ScoreTransfer(
        tenant=tenant,
        lead_id=register.owner,
        from_lead_id=lead,
        identity_id=identity,
        identity_kind=kind,
        sequence=register.sequence,
        received_at=received_at,
        memory=memory,
    )


def _when(raised: Raised) -> tuple[str, int, int]:
    return raised.event_id, raised.at, raised.received_at


def _partial(partial: Partial) -> PartialScore:
    return PartialScore(partial.total, partial.parts)
