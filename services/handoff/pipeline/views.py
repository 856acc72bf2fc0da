"""Deals as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from services.handoff.pipeline.deal import Deal, Member
from services.handoff.pipeline.steps import Missing, missing, undone
from services.handoff.pipeline.store import Recorded
from shared.kit.clock import iso
from shared.schemas.policies.pipeline import Forecast, PipelinePolicy


class MissingView(BaseModel):
    field: str = Field(description="as it is given: of the deal, `confirmed.<id>` or `handover.<id>`")
    label: dict[str, str]


class StageOption(BaseModel):
    """A stage that the deal may come to, and what is missing for it."""

    stage: str
    label: dict[str, str]
    missing: list[MissingView]


class DealView(BaseModel):
    """The deal of an opportunity. Its `ETag` is `version`."""

    opportunity_id: str
    version: int = Field(description="0 until somebody has written to it")
    type: str
    stage: str = Field(description="of the pipeline policy; or won, lost, recycled, disqualified, merged")
    stage_label: dict[str, str]
    stage_since: str
    in_pipeline: bool
    sql_at: str | None = Field(description="when it first was an SQL")
    amount: str | None = Field(description="in whole units of `currency`, without tax")
    currency: str | None
    expected_close: date | None
    probability: int = Field(description="percent: its own, else its stage's")
    forecast: Forecast = Field(description="its own, else by the ヨミ of its stage")
    yomi: str | None = Field(description="Aヨミ, Bヨミ, Cヨミ: of its stage")
    own: list[str] = Field(description="which of `probability` and `forecast` are its own")
    products: list[str]
    competitors: list[str]
    source: str | None
    campaign: str | None
    first_meeting: date | None
    problem: str | None
    impact: str | None
    decision_process: str | None
    success_criteria: str | None
    next_step: str | None
    next_step_on: date | None
    confirmed: list[str]
    team: list[Member]
    ordered_on: date | None
    closed_at: str | None
    closed_reason: str | None
    closed_note: str | None
    rival: str | None
    contract_end: date | None
    comes_back_at: str | None
    handover: dict[str, str]
    account_manager: str | None
    handed_over_at: str | None
    review: dict[str, str]
    reviewed_at: str | None
    next: list[StageOption] = Field(description="the stages before it, and `won`, with what is missing for each")
    handover_missing: list[MissingView] = Field(description="what a won deal lacks before it is handed over")


class ChangeView(BaseModel):
    version: int
    field: str
    before: Any
    after: Any
    at: str
    by: str
    note: str | None = Field(description="why, where that was said")


class HistoryPage(BaseModel):
    """Every change of every field, the oldest first; `next` is the `after` of the next page, null on the last."""

    items: list[ChangeView]
    next: int | None


After = Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the page before")]
Versions = Annotated[int, Query(ge=1, le=200, description="versions")]


def history_page(found: Sequence[Recorded], versions: int) -> HistoryPage:
    """versions: as many as were asked for"""
    told = {one.change.version for one in found}
    return HistoryPage(items=[change_view(one) for one in found], next=max(told) if len(told) == versions else None)


_TIMES = ("stage_since", "sql_at", "closed_at", "comes_back_at", "handed_over_at", "reviewed_at")


def deal_view(opportunity_id: str, deal: Deal, policy: PipelinePolicy) -> DealView:
    pipeline = policy.of(deal.type)
    stage = pipeline.find(deal.stage) if pipeline else None
    fields = deal.model_dump(mode="json")
    fields |= {name: None if fields[name] is None else iso(fields[name]) for name in _TIMES}
    fields |= {"probability": deal.chance(pipeline), "forecast": deal.category(pipeline)}
    return DealView(
        opportunity_id=opportunity_id,
        **fields,
        stage_label=stage.label.texts() if stage else {},
        in_pipeline=deal.counts(policy),
        yomi=f"{stage.yomi}ヨミ" if stage and stage.yomi else None,
        own=[name for name in ("probability", "forecast") if getattr(deal, name) is not None],
        next=_next(deal, policy),
        handover_missing=_shown(undone(deal, policy)) if deal.stage == "won" and deal.handed_over_at is None else [],
    )


def _next(deal: Deal, policy: PipelinePolicy) -> list[StageOption]:
    pipeline = policy.of(deal.type)
    if pipeline is None or not deal.is_open:
        return []
    here = pipeline.index(deal.stage)
    options = [
        StageOption(stage=stage.id, label=stage.label.texts(), missing=_shown(missing(deal, pipeline, place)))
        for place, stage in enumerate(pipeline.stages)
        if place > here
    ]
    won = missing(deal, pipeline, len(pipeline.stages))
    return [*options, StageOption(stage="won", label={"en": "Won", "ja": "受注"}, missing=_shown(won))]


def _shown(lacking: Sequence[Missing]) -> list[MissingView]:
    return [MissingView(field=one.field, label=one.label.texts()) for one in lacking]


def change_view(recorded: Recorded) -> ChangeView:
    change = recorded.change
    return ChangeView(
        version=change.version,
        field=change.field,
        before=change.before,
        after=change.after,
        at=iso(recorded.at),
        by=recorded.by,
        note=recorded.note,
    )
