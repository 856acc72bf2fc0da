"""What the router writes: who shall take a lead, and why."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.schemas.base import Contract, MilliPoints, Millis, Record
from shared.schemas.person import SealedPerson
from shared.schemas.scores import Evidence, RecentTouch
from shared.schemas.touches import Scalar

Leg = Literal["is", "fs", "am", "partner"]
Mode = Literal["offer", "assign"]


class Reason(Contract):
    """One step of a decision: a stable code, and the same in words."""

    code: str
    text: dict[str, str] = Field(default_factory=dict, description="by language: en, ja")
    detail: dict[str, Scalar | list[str] | None] = Field(default_factory=dict)


class ScoreSummary(Contract):
    """What a rep needs to know of the score."""

    fit: MilliPoints
    engagement: MilliPoints
    grade: str
    as_of: Millis


MANAGER = "manager:"  # and a pool, in place of a pool: all of it had had the lead, and it ends with who manages it


class LeadRouted(Record):
    """A rep is to be offered a lead. Provisional until handoff has applied it: the offer there is the truth of ownership.

    assignment: counts the assignments of the lead, over all its cycles; the higher wins
    replaces:   the assignment that this one takes the place of; handoff refuses when that one was accepted meanwhile
    relieves:   a rep who has left, or was relieved of the lead by a person: their offer ends even where they had accepted it
    pool_id:    of the teams policy; `account:` and the check before any pool that named the rep, where none was asked; `manager:`
                and the pool, where all of it had had the lead; `person` where somebody chose past all pools
    qualifying_at: when the touch that made the lead ripe was received: the first-touch clock counts from there
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["lead-routed"] = "lead-routed"
    lead_id: str
    cycle: int = Field(ge=1)
    assignment: int = Field(ge=1)
    replaces: int | None = None
    relieves: str | None = None
    decision_id: str
    decided_at: Millis
    leg: Leg
    pool_id: str
    account_id: str | None = Field(default=None, description="the account that the lead was matched to")
    mode: Mode = "offer"
    rep_id: str
    rep_name: str
    lead_class: str = Field(description="decides the SLA (vocabulary, section 6): hand_raise, catalog, score, …")
    qualifying_at: Millis
    reasons: tuple[Reason, ...] = ()
    excluded: tuple[str, ...] = Field(default=(), description="reps who held this lead earlier in this cycle")
    score: ScoreSummary
    attributes: dict[str, Scalar] = Field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    touches: tuple[RecentTouch, ...] = ()
    person: SealedPerson | None = None
    is_test: bool = False
    explored: bool = Field(
        default=False, description="below the gate: looked at on purpose, to see what that overlooks"
    )


class LeadNurtured(Record):
    """A lead that is not ripe, or no longer is what it was: for marketing automation, which acts on the latest of a lead.

    scenario:  what it goes into; none where it goes into none any more, because it is ripe, excluded, or no rule names one
    may_email: whether it may be written to, by rule of the policy
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["lead-nurtured"] = "lead-nurtured"
    lead_id: str
    cycle: int = Field(ge=1)
    decision_id: str
    decided_at: Millis
    scenario: str | None = None
    may_email: bool = False
    reasons: tuple[Reason, ...] = ()
    score: ScoreSummary
    attributes: dict[str, Scalar] = Field(default_factory=dict)
    person: SealedPerson | None = None
    is_test: bool = False


class LeadWithdrawn(Record):
    """A lead that was routed is to be taken back: it was merged into another, or disqualified. An accepted owner keeps it."""

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["lead-withdrawn"] = "lead-withdrawn"
    lead_id: str
    cycle: int
    assignment: int
    reason: Reason
    decided_at: Millis
    merged_into: str | None = None
