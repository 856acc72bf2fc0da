"""What scoring reads and writes, as msgspec structs: an order of magnitude faster than the pydantic contracts they mirror.

Readers ignore fields they do not know. `tests/unit/scoring/test_wire.py` holds both sides to `shared.schemas`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from services.scoring.domain.score import Part, Partial, Scored
from services.scoring.domain.state import Register
from shared.kit import person as seam
from shared.kit.dead_letters import Reject
from shared.schemas.person import SealedPerson
from shared.schemas.scores import Version
from shared.schemas.topics import SCORE_TRANSFERS, TOUCHPOINTS

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
    person: PersonIn | None = None


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


Input = Touch | LinkChanged | ScoreTransfer

_DECODERS: dict[str, msgspec.json.Decoder[Input]] = {
    TOUCHPOINTS.name: msgspec.json.Decoder(Touch | LinkChanged),
    SCORE_TRANSFERS.name: msgspec.json.Decoder(ScoreTransfer),
}
INPUTS = tuple(_DECODERS)


def decode(topic: str, value: bytes | None) -> Input:
    """Raises Reject `undecodable` for what is no record of this topic."""
    try:
        return _DECODERS[topic].decode(value or b"")
    except msgspec.MsgspecError as error:
        # The message names the place and the expected type, never the value.
        raise Reject("undecodable", str(error)) from error


def reveal(person: PersonIn | None) -> dict[str, str]:
    """Personal fields, through the one seam."""
    if person is None:
        return {}
    return seam.reveal(SealedPerson.model_validate({"scheme": person.scheme, "fields": person.fields}))


class PolicyRef(msgspec.Struct, gc=False):
    sequence: int
    hash: str


class ScorePart(msgspec.Struct, omit_defaults=True, gc=False):
    rule_id: str
    given: int
    kept: int
    times: int = 1
    cut: int = 0
    group: str | None = None
    label: dict[str, str] = {}


class PartialScore(msgspec.Struct, gc=False):
    total: int
    parts: list[ScorePart]


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


class Evidence(msgspec.Struct, gc=False):
    criterion: str
    code: Scalar
    source_id: str
    observed_at: int
    trusted: bool


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
    hand_raise: HandRaise | None = None
    attributes: dict[str, Scalar] = {}
    evidence: list[Evidence] = []
    touches: list[RecentTouch] = []
    identities: list[IdentityRef] = []
    first_source: str | None = None
    last_source: str | None = None
    is_test: bool = False
    person: PersonIn | None = None
    merged_into: str | None = None


encode = msgspec.json.Encoder().encode


def lead_scored(
    tenant: str, lead: str, version: Version, policy: PolicyRef, scored: Scored, merged_into: str | None = None
) -> LeadScored:
    """The record that says `scored`."""
    sealed = seam.seal(scored.person)
    raised = scored.hand_raise
    return LeadScored(
        tenant=tenant,
        lead_id=lead,
        version=version,
        as_of=scored.as_of,
        policy=policy,
        fit=_partial(scored.fit),
        engagement=_partial(scored.engagement),
        grade=scored.grade,
        hand_raise=HandRaise(raised[0], raised[1].event_id, raised[1].at, raised[1].received_at) if raised else None,
        attributes=scored.attributes,
        evidence=[
            Evidence(answer.criterion, answer.told.value, answer.source_id, answer.told.at, answer.told.trusted)
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
        person=PersonIn(sealed.scheme, sealed.fields) if sealed else None,
        merged_into=merged_into,
    )


def score_transfer(
    tenant: str, lead: str, identity: str, register: Register, received_at: int, memory: str
) -> ScoreTransfer:
    """What `lead` remembers of `identity`, for the owner that `register` names."""
    return ScoreTransfer(
        tenant=tenant,
        lead_id=register.owner,
        from_lead_id=lead,
        identity_id=identity,
        identity_kind=register.kind,
        sequence=register.sequence,
        received_at=received_at,
        memory=memory,
    )


def _partial(partial: Partial) -> PartialScore:
    return PartialScore(partial.total, [_part(part) for part in partial.parts])


def _part(part: Part) -> ScorePart:
    return ScorePart(part.rule_id, part.given, part.kept, part.times, part.cut, part.group, dict(part.label))
