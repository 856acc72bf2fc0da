"""What callers send and get: activities, results of calls, tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from services.handoff.activities.calls import Result, TaskKind
from services.handoff.bodies import Day, Moment, Note, RepId, ShortText, Text
from shared.kit import person
from shared.kit.asked import Asked
from shared.kit.clock import iso
from shared.schemas.person import SealedPerson

State = Literal["open", "done", "cancelled"]


class Call(Asked):
    result: Result = Field(
        description="`no_answer` 不在, `call_back` 折返し, `appointment` アポ, `connected` 通話, `send_back` 差し戻し",
        examples=["no_answer"],
    )
    at: Moment | None = Field(default=None, description="when the call was made; now, if absent")
    next_at: Moment | None = Field(
        default=None,
        description="when to call again, or when to meet: a task of the rep's. Needed for `call_back` and `appointment`;"
        " without it, `no_answer` is to be called again a day later, when the rep is at work",
        examples=["2027-04-01T01:00:00Z"],
    )
    reason: ShortText | None = Field(
        default=None, description="of a `send_back`: one of the `decline_reasons` of the tenant's routing policy"
    )
    duration: int | None = Field(default=None, ge=0, le=86_400, description="seconds")
    note: Note | None = None
    id: Annotated[ShortText, Field(description="the caller's own id: sent again, nothing is done twice")] | None = None
    rep_id: RepId | None = None


class NewTask(Asked):
    title: Annotated[Text, Field(min_length=1, max_length=200, description="kept as personal data")]
    due: Moment | Day = Field(
        description="when; or the day, by the end of which in the rep's zone", examples=["2027-04-01"]
    )
    kind: TaskKind = "todo"
    rep_id: RepId | None = None


class TaskBody(BaseModel):
    """Something to be done about a lead."""

    id: str
    opportunity_id: str
    lead_id: str
    kind: TaskKind
    title: str | None = Field(description="null where a call made it, or a move that is to be verified")
    due_at: str
    due_on: str | None = Field(description="the day, where it is due on a day")
    overdue: bool
    rep_id: str
    state: State
    created_at: str
    created_by: str
    ended_at: str | None
    ended_by: str | None
    from_activity: str | None = Field(description="the id of the call that made it")
    stakeholder: str | None = Field(
        description="who is said to have moved, where the task is to verify that (在籍確認): `…/moved` made it,"
        " `…/verified` ends it"
    )


class TaskPage(BaseModel):
    """Those that are due first, first."""

    items: list[TaskBody]
    next: str | None


class Called(BaseModel):
    """What one tap did."""

    activity_id: str
    result: Result
    task: TaskBody | None = Field(description="what follows from it")
    given_back_for: str | None = Field(description="the reason by which the lead was given back, with this call")
    attempts: int = Field(description="calls without an answer since the person was last reached, this one included")
    stage: str


class ActivityItem(BaseModel):
    id: str
    type: str
    at: str = Field(description="when it happened, as told")
    received_at: str = Field(description="when Baton was told: by it the clocks go")
    rep_id: str | None
    logged_by: str
    direction: str | None
    duration: int | None = Field(description="seconds")
    outcome: str | None
    participants: list[str]
    note: str | None


class ActivityPage(BaseModel):
    """The newest first."""

    items: list[ActivityItem]
    next: str | None


def task(row: Mapping[str, Any], now: int) -> TaskBody:
    same = ("id", "opportunity_id", "lead_id", "kind", "due_on", "rep_id", "state", "created_by", "ended_by")
    return TaskBody(
        **{name: row[name] for name in (*same, "from_activity")},
        title=revealed(row["title"]),
        stakeholder=row["stakeholder_id"],
        due_at=iso(row["due_at"]),
        overdue=row["state"] == "open" and row["due_at"] <= now,
        created_at=iso(row["created_at"]),
        ended_at=iso(row["ended_at"]) if row["ended_at"] is not None else None,
    )


def activity(row: Mapping[str, Any]) -> ActivityItem:
    same = ("type", "rep_id", "logged_by", "direction", "duration", "outcome")
    return ActivityItem(
        **{name: row[name] for name in same},
        id=row["activity_id"],
        at=iso(row["at"]),
        received_at=iso(row["logged_at"]),
        participants=list(row["participants"]),
        note=revealed(row["note"]),
    )


def revealed(sealed: Mapping[str, Any] | None) -> str | None:
    return person.reveal(SealedPerson.model_validate(sealed)).get("free_text") if sealed else None
