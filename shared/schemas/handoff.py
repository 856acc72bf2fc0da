"""What handoff writes: what became of offers, clocks and opportunities."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.schemas.base import Millis, Record

HandoffKind = Literal[
    "offer-opened",
    "offer-accepted",
    "offer-declined",
    "offer-expired",
    "offer-withdrawn",
    "lead-qualified",
    "routing-refused",
    "activity-logged",
    "task-created",
    "task-done",
    "task-cancelled",
    "answer-recorded",
    "answer-voided",
    "stakeholder-changed",
    "stakeholder-moved",
    "approval-changed",
    "clock-met",
    "clock-met-late",
    "clock-reminder",
    "clock-escalated",
    "clocks-paused",
    "clocks-resumed",
    "clock-breached",
    "stage-changed",
    "deal-changed",
    "deal-handed-over",
]


class HandoffEvent(Record):
    """Something that happened to an opportunity. `event_id` derives from what happened, so that saying it twice is saying it once.

    assignment: the assignment that it concerns
    reason:     a code of vocabulary, section 8 (decline, recycle, loss), why routing was refused, or why clocks were paused
    effect:     what policy says the reason causes: reroute, return_to_is, recycle, nurture, on_hold, disqualify, to_owner;
                for a breach that leaves the lead where it is, and for clock-escalated: tell_manager, tell_their_manager
    clock:      accept, first_touch or qualify, for clock events and expiries; `due_at` is its due time, and the time of a breach
    done_by:    for clock-met and clock-met-late: `stage` where no activity was logged, but the deal moved to another stage
    share:      for clock-reminder and clock-escalated: percent of the clock's time that had passed at `at`
    holder:     for routing-refused: the rep who holds the lead;  held: by which assignment
    evidence:   for answer-recorded and answer-voided: question -> code (vocabulary, section 10), as learnt at `observed_at` from
                `source`, and how sure (`confidence`, 0 to 1), where that was said;  voids: for answer-voided: the event that told
                the answer that holds no more
    subject:    for what happens to a person of the customer's: the stakeholder; to a task: the task, which is due at `due_at`
    stage:      offered, accepted, won, lost, recycled, disqualified or merged; between, while a rep has the lead, its deal's
    version:    of the deal, where that became other by it;  fields: which of its fields did, for deal-changed
    account_manager: for deal-handed-over: who has the customer from then on
    until:      for a decline and a loss: when the lead is to be called again, as the rep was told; for clocks-paused: when they go
                on by themselves
    """

    topic_field: ClassVar[str] = "lead_id"
    record: Literal["handoff-event"] = "handoff-event"
    kind: HandoffKind
    event_id: str
    lead_id: str
    opportunity_id: str
    cycle: int
    assignment: int
    rep_id: str | None = None
    at: Millis
    reason: str | None = None
    effect: str | None = None
    note_given: bool = False
    clock: str | None = None
    due_at: Millis | None = None
    done_by: str | None = None
    share: int | None = None
    activity: str | None = Field(default=None, description="touch type of the activity (vocabulary, section 1)")
    touch: str | None = Field(
        default=None, description="for an activity that came in as a touch: its event id. Scoring has it from there"
    )
    outcome: str | None = Field(default=None, description="of the activity: a code, such as no_answer")
    stage: str | None = None
    holder: str | None = None
    held: int | None = None
    until: Millis | None = None
    evidence: dict[str, str] | None = None
    source: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    observed_at: Millis | None = None
    voids: str | None = None
    subject: str | None = None
    version: int | None = None
    fields: tuple[str, ...] | None = None
    account_manager: str | None = None
