"""The deal of an opportunity, and its history: every change of every field, which add up to the deal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.schemas.policies.pipeline import CONFIRMED, ENDS, FORECASTS, DealType, Forecast, Pipeline, PipelinePolicy

Outcome = Literal["won", "lost", "recycled", "disqualified", "merged"]
ENDED_BY: Mapping[str, Outcome] = {"recycled": "recycled", "disqualified": "disqualified", "merged": "merged"}


class Member(BaseModel):
    """Somebody beside the owner. role: presales, technical, …"""

    model_config = ConfigDict(frozen=True)

    rep_id: str
    role: str


class Deal(BaseModel):
    """An opportunity as field sales works on it; one to one with its opportunity. Times in ms since the epoch, UTC.

    version:     counts its changes; 0 where nothing has been written yet
    stage:       of the policy's for its type, or how it ended: won, lost, recycled, disqualified, merged
    sql_at:      when it first was an SQL
    amount:      in whole units of its currency, with the decimals that this has; without tax
    probability, forecast: where they are other than the stage's
    confirmed:   what the stages ask for and a person says is so, by id
    ordered_on:  the date of the order or contract
    closed_reason: a code: of the loss, or by which the lead was given back;  closed_note: what was said of it
    comes_back_at: from when a lead whose deal was lost, or that was given back, is to be called again
    handover:    what the account manager is told, by item of the checklist;  review: by question
    """

    model_config = ConfigDict(frozen=True)

    version: int = 0
    type: DealType = "new"
    stage: str
    stage_since: int
    sql_at: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    expected_close: date | None = None
    probability: int | None = None
    forecast: Forecast | None = None
    products: tuple[str, ...] = ()
    competitors: tuple[str, ...] = ()
    source: str | None = None
    campaign: str | None = None
    first_meeting: date | None = None
    problem: str | None = None
    impact: str | None = None
    decision_process: str | None = None
    success_criteria: str | None = None
    next_step: str | None = None
    next_step_on: date | None = None
    confirmed: tuple[str, ...] = ()
    team: tuple[Member, ...] = ()
    ordered_on: date | None = None
    closed_at: int | None = None
    closed_reason: str | None = None
    closed_note: str | None = None
    rival: str | None = None
    contract_end: date | None = None
    comes_back_at: int | None = None
    handover: dict[str, str] = {}
    account_manager: str | None = None
    handed_over_at: int | None = None
    review: dict[str, str] = {}
    reviewed_at: int | None = None

    @property
    def is_open(self) -> bool:
        return self.stage not in ENDS

    def has(self, field: str) -> bool:
        """Whether what a criterion asks for is there."""
        if found := CONFIRMED.fullmatch(field):
            return found[1] in self.confirmed
        return getattr(self, field) not in (None, "", ())

    def counts(self, policy: PipelinePolicy) -> bool:
        """Whether it is in the pipeline."""
        return policy.counts(self.type, self.stage)

    def chance(self, pipeline: Pipeline | None) -> int:
        """The probability of being won, in percent: its own, else its stage's."""
        if not self.is_open:
            return 100 if self.stage == "won" else 0
        stage = pipeline.find(self.stage) if pipeline else None
        return self.probability if self.probability is not None else (stage.probability if stage else 0)

    def category(self, pipeline: Pipeline | None) -> Forecast:
        """The category of the forecast: its own, else by the ヨミ of its stage."""
        if not self.is_open:
            return "omitted"
        stage = pipeline.find(self.stage) if pipeline else None
        return self.forecast or FORECASTS[stage.yomi if stage else None]


# Fields that people fill with words of their own, which may be about persons.
PERSONAL = frozenset(
    {
        "problem",
        "impact",
        "decision_process",
        "success_criteria",
        "next_step",
        "closed_note",
        "handover",
        "review",
    }
)
FIELDS = tuple(name for name in Deal.model_fields if name != "version")
NOTHING: Mapping[str, Any] = Deal(stage="", stage_since=0).model_dump(mode="json") | {
    "type": None,
    "stage": None,
    "stage_since": None,
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field became other with a version of the deal. before, after: as JSON"""

    version: int
    field: str
    before: Any
    after: Any


def changes(before: Deal | None, after: Deal) -> tuple[FieldChange, ...]:
    """What `after` has other, in the order of the fields; None: there was no deal."""
    old = before.model_dump(mode="json") if before else NOTHING
    new = after.model_dump(mode="json")
    return tuple(FieldChange(after.version, name, old[name], new[name]) for name in FIELDS if old[name] != new[name])


def recorded(deal: Deal | None) -> Deal | None:
    """The deal as far as its history tells: version 0, with which it begins, is told with the first change."""
    return deal if deal and deal.version else None


def fold(history: Iterable[FieldChange]) -> Deal:
    """The deal that its whole history makes, from nothing. Raises ValueError where a change does not fit what was before it."""
    state, version = dict(NOTHING), 0
    for change in history:
        if state[change.field] != change.before or change.version < version:
            raise ValueError(f"version {change.version}: `{change.field}` was not {change.before!r} before")
        state[change.field], version = change.after, change.version
    return Deal.model_validate(state | {"version": version})
