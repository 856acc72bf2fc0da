"""What callers send of deals."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from services.handoff.bodies import Day, ShortText, Text
from services.handoff.pipeline.deal import Member
from shared.kit.asked import Asked
from shared.schemas.currencies import Currency
from shared.schemas.policies.pipeline import DealType, Forecast

LongText = Annotated[Text, Field(max_length=4000, description="kept as personal data")]
Names = Annotated[tuple[ShortText, ...], Field(max_length=50)]
Items = Annotated[dict[ShortText, LongText], Field(max_length=50)]
Amount = Annotated[Decimal, Field(ge=0, lt=Decimal(10) ** 15, allow_inf_nan=False)]


class MemberBody(Asked):
    rep_id: ShortText
    role: Annotated[ShortText, Field(description="such as `presales`, `technical`")]

    def member(self) -> Member:
        return Member(rep_id=self.rep_id, role=self.role)


class DealPatch(Asked):
    """What becomes other; null empties it, what is absent stays. A deal always has a `type`: null is none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amount": "1200000", "expected_close": "2027-03-31", "confirmed": {"users-met": True}}]
        },
    )

    type: DealType = "new"
    amount: Amount | None = Field(default=None, description="in whole units of `currency`, without tax")
    currency: Currency | None = Field(default=None, description="ISO 4217; the policy's where an amount names none")
    expected_close: Day | None = None
    probability: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="percent; null: the stage's. A deal that moves has its new stage's"
    )
    forecast: Forecast | None = Field(default=None, description="null: by the ヨミ of the stage")
    products: Names | None = ()
    competitors: Names | None = ()
    source: ShortText | None = None
    campaign: ShortText | None = None
    first_meeting: Day | None = None
    problem: LongText | None = None
    impact: LongText | None = None
    decision_process: LongText | None = None
    success_criteria: LongText | None = None
    next_step: LongText | None = None
    next_step_on: Day | None = None
    confirmed: dict[ShortText, bool] | None = Field(
        default_factory=dict, max_length=100, description="those that become other"
    )
    team: Annotated[tuple[MemberBody, ...], Field(max_length=50)] | None = ()
    handover: dict[ShortText, LongText | None] | None = Field(
        default_factory=dict, max_length=50, description="items of the checklist that become other"
    )

    def given(self) -> dict[str, Any]:
        """What was sent, as a deal has it."""
        found = {name: getattr(self, name) for name in self.model_fields_set}
        found |= {name: () for name in ("products", "competitors") if name in found and found[name] is None}
        return found | {"team": tuple(one.member() for one in self.team or ())} if "team" in found else found

    def people(self) -> list[str]:
        """Who have to be reps."""
        return [one.rep_id for one in self.team or ()]


class Move(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"to": "proposal"}]})

    to: Annotated[ShortText, Field(description="a stage of the pipeline policy for this type of deal")]
    reason: LongText | None = Field(default=None, description="why it goes back; needed for that")


class Win(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ordered_on": "2027-03-25"}]})

    ordered_on: Day | None = Field(default=None, description="the date of the order or contract")


class Lose(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "competitor_won", "rival": "他社A", "contract_end": "2029-03-31"}]},
    )

    reason: Annotated[ShortText, Field(description="one of the `loss_reasons` of the pipeline policy")]
    text: LongText | None = None
    rival: ShortText | None = None
    contract_end: Day | None = Field(default=None, description="when the contract with the rival ends")
    back_on: Day | None = Field(
        default=None, description="when the lead wants to be called again: at most three years ahead"
    )


class HandOver(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"account_manager": "kato", "items": {"contract": "署名済"}}]}
    )

    account_manager: ShortText | None = Field(default=None, description="a rep of the teams policy")
    items: Items = Field(default_factory=dict, description="items of the policy's `handover`")


class Review(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"answers": {"why": "導入実績が決め手"}}]})

    answers: Annotated[Items, Field(min_length=1, description="by item of the policy's `review`")]
