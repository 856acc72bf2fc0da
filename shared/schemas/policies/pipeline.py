"""What becomes of an opportunity after field sales has accepted it: stages, what each asks for, and how a deal ends."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from shared.schemas.currencies import Currency
from shared.schemas.policies.base import Label, Policy, RuleId, Strict

DealType = Literal["new", "upsell", "cross_sell", "renewal"]
DEAL_TYPES: tuple[DealType, ...] = get_args(DealType)
Yomi = Literal["A", "B", "C"]
Forecast = Literal["commit", "best_case", "pipeline", "omitted"]
FORECASTS: dict[Yomi | None, Forecast] = {"A": "commit", "B": "best_case", "C": "pipeline", None: "omitted"}
ENDS = ("won", "lost", "recycled", "disqualified", "merged")  # how a deal ends; no stage is named like one
HAND_OVER = "offered"  # nor like the stage before a deal
CONFIRMED = re.compile(r"confirmed\.([a-z0-9][a-z0-9_-]{0,63})")
# Fields of a deal that a criterion may ask for, beside `confirmed.<id>`: what a person says is so.
DEAL_FIELDS = (
    "amount",
    "expected_close",
    "products",
    "competitors",
    "source",
    "campaign",
    "problem",
    "impact",
    "decision_process",
    "success_criteria",
    "first_meeting",
    "next_step",
    "next_step_on",
    "team",
    "ordered_on",
)
ONLY_AT_THE_END = "ordered_on"  # said when it is won: no stage but the last can ask for it


def _asks(field: str) -> str:
    if field not in DEAL_FIELDS and not CONFIRMED.fullmatch(field):
        raise ValueError(f"a deal has no `{field}`: a criterion asks for `confirmed.<id>` or {', '.join(DEAL_FIELDS)}")
    return field


class Criterion(Strict):
    """What has to be so. field: one of the deal's that is to be filled, or `confirmed.<id>`, which a rep says is so"""

    field: Annotated[str, AfterValidator(_asks)]
    label: Label


class DealStage(Strict):
    """A stage (vocabulary, section 9).

    entry, exit: what has to be so before a deal comes here, and before it leaves forward
    probability: of being won, in percent, where a deal says no other;  yomi: ヨミ, and so the category of the forecast
    rot:         business days without a change after which it is stale; left out, none
    """

    id: RuleId
    label: Label
    entry: tuple[Criterion, ...] = ()
    exit: tuple[Criterion, ...] = ()
    probability: Annotated[int, Field(ge=0, le=100)]
    yomi: Yomi | None = None
    rot: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _is_no_end(self) -> Self:
        if self.id in (*ENDS, HAND_OVER):
            raise ValueError(f"no stage may be called `{self.id}`: that is how a deal ends, or what comes before it")
        return self


class Pipeline(Strict):
    """The way of deals of one type. sql: the stage with which it is an SQL (商談化); the first, where it is left out"""

    type: DealType
    stages: tuple[DealStage, ...] = Field(min_length=1, max_length=30)
    sql: RuleId | None = None

    def index(self, stage: str) -> int:
        """The place of a stage; -1 for one that the policy does not have (any more)."""
        return next((n for n, one in enumerate(self.stages) if one.id == stage), -1)

    def find(self, stage: str) -> DealStage | None:
        return next((one for one in self.stages if one.id == stage), None)

    @property
    def sql_index(self) -> int:
        return 0 if self.sql is None else self.index(self.sql)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sql is not None and self.index(self.sql) < 0:
            raise ValueError(f"`sql` names the stage `{self.sql}`, which `stages` does not have")
        return self


class LossReason(Strict):
    """Why a deal was lost, and what follows (vocabulary, section 8).

    recycle_days:        after which the lead comes back by itself, where no day is named; else as lifecycle.yaml says
    back_on:             whether a day on which it comes back may be named, or has to be
    before_contract_end: months before the end of the contract with the rival on which the lead comes back, where that is known
    rival:               the rival has to be named;  text: how many characters of explanation there have to be
    """

    code: RuleId
    label: Label
    recycle_days: Annotated[int, Field(ge=1, le=1_100)] | None = None
    back_on: Literal["optional", "required"] = "optional"
    before_contract_end: Annotated[int, Field(ge=1, le=36)] | None = None
    rival: bool = False
    text: Annotated[int, Field(ge=0, le=1_000)] = 0


class Item(Strict):
    """A point of a list that people go through."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    label: Label
    required: bool = True


class PipelinePolicy(Policy):
    """types:        one pipeline per type of deal; `new` is what a lead becomes
    counts_from:  whether a deal counts in totals when it is an SQL, or from the acceptance on
    currency:     of amounts that name none
    loss_reasons: the only ones that may be given
    handover:     what the account manager gets before a won deal is handed over
    review:       what is asked of a deal that was won, and of one that was lost
    """

    kind: Literal["pipeline"] = "pipeline"
    types: tuple[Pipeline, ...] = Field(min_length=1)
    counts_from: Literal["sql", "sal"] = "sql"
    currency: Currency = "JPY"
    loss_reasons: tuple[LossReason, ...] = Field(min_length=1)
    handover: tuple[Item, ...] = ()
    review: dict[Literal["won", "lost"], tuple[Item, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_new(self) -> Self:
        if self.of("new") is None:
            raise ValueError("`types` has no pipeline of the type `new`, which every lead's deal begins with")
        return self

    def of(self, deal_type: str) -> Pipeline | None:
        return next((one for one in self.types if one.type == deal_type), None)

    def is_sql(self, deal_type: str, stage: str) -> bool:
        """Whether a deal in this stage is an open SQL. A stage that the policy does not have (any more) is none."""
        pipeline = self.of(deal_type)
        return stage not in ENDS and pipeline is not None and pipeline.index(stage) >= pipeline.sql_index

    def counts(self, deal_type: str, stage: str) -> bool:
        """Whether a deal in this stage is in the pipeline: open, and as far as `counts_from` asks for."""
        return stage not in ENDS if self.counts_from == "sal" else self.is_sql(deal_type, stage)

    def reason(self, code: str) -> LossReason | None:
        return next((one for one in self.loss_reasons if one.code == code), None)
