"""Opportunities as the API shows them: times in RFC 3339, points as numbers of points, persons revealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from shared.kit import person
from shared.kit.clock import iso
from shared.schemas.person import SealedPerson
from shared.schemas.policies.pipeline import PipelinePolicy


class Owner(BaseModel):
    rep_id: str
    name: str
    state: str = Field(description="`offered` until the rep has accepted, then `accepted`")


class Score(BaseModel):
    """Points, as the router saw them."""

    fit: float
    engagement: float
    grade: str
    as_of: str


class ClockView(BaseModel):
    assignment: int
    kind: str = Field(description="`accept`, `first_touch` or `qualify`")
    state: str = Field(description="`running`, `met`, `breached` or `cancelled`")
    started_at: str
    due_at: str
    ended_at: str | None = Field(description="for a breach the due time, however late it was noticed")
    done_at: str | None = Field(
        description="for a breach: when it happened after all, while the same rep held the lead"
    )
    done_by: str | None = Field(description="`stage` where no activity was logged, but its deal moved to another stage")


class OfferView(BaseModel):
    assignment: int
    rep_id: str
    rep_name: str
    mode: str
    leg: str
    pool_id: str
    state: str = Field(description="`open`, `accepted`, `declined`, `expired`, `superseded` or `withdrawn`")
    offered_at: str
    accepted_at: str | None
    ended_at: str | None
    reason: str | None
    effect: str | None
    note: str | None


class ActivityView(BaseModel):
    id: str
    type: str
    at: str
    logged_at: str
    rep_id: str | None
    logged_by: str
    note: str | None
    direction: str | None
    duration: int | None = Field(description="seconds")
    outcome: str | None
    reason: str | None = Field(description="for which the lead was given back with it")
    participants: list[str]


class StageView(BaseModel):
    stage: str
    at: str
    assignment: int
    reason: str | None


class PauseView(BaseModel):
    assignment: int
    reason: str
    paused_at: str
    paused_by: str
    until: str = Field(description="when the clocks went on, or will, if nobody resumed them before")
    resumed_at: str | None
    resumed_by: str | None


class HandoverView(BaseModel):
    """What inside sales told field sales."""

    rep_id: str = Field(description="of inside sales")
    at: str
    first_meeting: str | None
    participants: list[str]
    memo: str | None


class Summary(BaseModel):
    """An opportunity: what a rep needs to see at a glance."""

    id: str
    lead_id: str
    cycle: int
    stage: str = Field(description="`offered`, `accepted`, `recycled`, `disqualified` or `merged`")
    type: str
    in_pipeline: bool = Field(
        description="whether its deal counts in totals by today's pipeline policy: open, and an SQL, or with `counts_from: sal`"
        " accepted by field sales"
    )
    is_test: bool
    owner: Owner | None = Field(description="who was offered the lead, or has accepted it; null while nobody holds it")
    person: dict[str, str]
    attributes: dict[str, Any]
    score: Score
    evidence: list[dict[str, Any]]
    touches: list[dict[str, Any]]
    reasons: list[dict[str, Any]] = Field(description="why this rep, step by step")
    lead_class: str
    pool_id: str
    leg: str
    clocks: list[ClockView]
    created_at: str
    updated_at: str


class Detail(Summary):
    """An opportunity with its whole story."""

    offers: list[OfferView]
    activities: list[ActivityView]
    history: list[StageView]
    pauses: list[PauseView]
    handovers: list[HandoverView]


class Page(BaseModel):
    """Opportunities, the newest first; `next` is the `after` of the next page, null on the last."""

    items: list[Summary]
    next: str | None


def summary(row: Mapping[str, Any], names: Mapping[str, str], pipeline: PipelinePolicy | None) -> Summary:
    """As `detail`."""
    return Summary(**_head(row, names, pipeline))


def detail(row: Mapping[str, Any], names: Mapping[str, str], pipeline: PipelinePolicy | None) -> Detail:
    """names: how the reps are called today; who left is called what they were called when the offer was made
    pipeline: by which deals count today; None for a tenant that has no deals
    """
    return Detail(
        **_head(row, names, pipeline),
        offers=[
            OfferView(
                **{name: offer[name] for name in _OFFER},
                **{name: _time(offer[name]) for name in ("offered_at", "accepted_at", "ended_at")},
                note=_note(offer["note"]),
            )
            for offer in row["offers"]
        ],
        activities=[
            ActivityView(
                id=activity["activity_id"],
                type=activity["type"],
                at=iso(activity["at"]),
                logged_at=iso(activity["logged_at"]),
                rep_id=activity["rep_id"],
                logged_by=activity["logged_by"],
                note=_note(activity["note"]),
                **{name: activity[name] for name in ("direction", "duration", "outcome", "reason", "participants")},
            )
            for activity in row["activities"]
        ],
        history=[
            StageView(stage=h["stage"], at=iso(h["at"]), assignment=h["assignment"], reason=h["reason"])
            for h in row["history"]
        ],
        handovers=[
            HandoverView(
                rep_id=one["rep_id"],
                at=iso(one["at"]),
                first_meeting=_time(one["first_meeting"]),
                participants=(_note(one["participants"]) or "").splitlines(),
                memo=_note(one["memo"]),
            )
            for one in row["handovers"]
        ],
        pauses=[
            PauseView(
                **{name: pause[name] for name in ("assignment", "reason", "paused_by", "resumed_by")},
                **{name: _time(pause[name]) for name in ("paused_at", "until", "resumed_at")},
            )
            for pause in row["pauses"]
        ],
    )


_SAME = (
    "id", "lead_id", "cycle", "stage", "type", "is_test", "attributes", "reasons", "lead_class", "pool_id", "leg",
)  # fmt: skip
_OFFER = ("assignment", "rep_id", "rep_name", "mode", "leg", "pool_id", "state", "reason", "effect")


def _head(row: Mapping[str, Any], names: Mapping[str, str], pipeline: PipelinePolicy | None) -> dict[str, Any]:
    holder, score = row["holder"], row["score"]
    owner = holder and Owner(
        rep_id=holder["rep_id"],
        name=names.get(holder["rep_id"], holder["rep_name"]),
        state="accepted" if holder["state"] == "accepted" else "offered",
    )
    return {
        **{name: row[name] for name in _SAME},
        "in_pipeline": bool(pipeline and row["deal_stage"] and pipeline.counts(row["type"], row["deal_stage"])),
        "owner": owner,
        "person": person.reveal(SealedPerson.model_validate(row["person"])) if row["person"] else {},
        "score": Score(
            fit=score["fit"] / 1000,
            engagement=score["engagement"] / 1000,
            grade=score["grade"],
            as_of=iso(score["as_of"]),
        ),
        "evidence": [_timed(item, "observed_at") for item in row["evidence"]],
        "touches": [_timed(item, "at", "received_at") for item in row["touches"]],
        "clocks": [
            ClockView(
                assignment=clock["assignment"],
                kind=clock["kind"],
                state=clock["state"],
                done_by=clock["done_by"],
                **{name: _time(clock[name]) for name in ("started_at", "due_at", "ended_at", "done_at")},
            )
            for clock in row["clocks"]
        ],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def _timed(item: Mapping[str, Any], *times: str) -> dict[str, Any]:
    return {**item, **{name: iso(item[name]) for name in times}}


def _time(millis: int | None) -> str | None:
    return None if millis is None else iso(millis)


def _note(sealed: Mapping[str, Any] | None) -> str | None:
    return person.reveal(SealedPerson.model_validate(sealed)).get("free_text") if sealed else None
