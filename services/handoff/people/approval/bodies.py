"""What is sent and shown of the approval."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.handoff.bodies import Day, Note, ShortText
from services.handoff.people.approval.desk import Paper
from services.handoff.people.approval.route import ITEMS, MOST_STEPS, NEXT, Approval, Material, Part, State, Step
from services.handoff.people.approval.store import Passed
from services.handoff.people.bodies import RiskView, risk_view
from services.handoff.people.risks import Risk
from services.handoff.people.words import MATERIAL_WORDS, PART_WORDS, STATE_WORDS
from shared.kit import person
from shared.kit.asked import Asked
from shared.kit.clock import iso
from shared.schemas.currencies import Currency
from shared.schemas.person import SealedPerson
from shared.schemas.vocabulary import Word

Link = Annotated[
    str, Field(pattern=r"^https?://[^\s\x00-\x1f]+$", max_length=2000, examples=["https://example.com/roi.pdf"])
]


class StepBody(Asked):
    """One who has to put the seal: a stakeholder, or a title as long as nobody is known."""

    part: Part
    stakeholder: ShortText | None = Field(default=None, description="by id")
    title: ShortText | None = None
    planned: Day | None = None
    done: Day | None = Field(default=None, description="when they put the seal")

    @model_validator(mode="after")
    def _names_somebody(self) -> StepBody:
        if self.stakeholder is None and self.title is None:
            raise ValueError("a step names a `stakeholder`, or a `title`")
        return self


class PutApproval(Asked):
    """The route, whole. The drafter comes first, the approver last; circulators in their order between."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "steps": [
                        {"part": "drafter", "stakeholder": "suzuki"},
                        {"part": "circulator", "title": "情報システム部長", "planned": "2026-12-03"},
                        {"part": "approver", "stakeholder": "yamada", "planned": "2026-12-10"},
                    ],
                    "limit": "5000000",
                    "currency": "JPY",
                    "submit_on": "2026-12-01",
                    "decide_on": "2026-12-10",
                }
            ]
        },
    )

    steps: list[StepBody] = Field(default=[], max_length=MOST_STEPS)
    limit: Decimal | None = Field(
        default=None,
        ge=0,
        max_digits=18,
        decimal_places=4,
        description="up to which amount the approver may decide (決裁金額)",
    )
    currency: Currency | None = Field(default=None, description="ISO 4217", examples=["JPY"])
    submit_on: Day | None = Field(default=None, description="起案予定日")
    decide_on: Day | None = Field(default=None, description="決裁予定日")

    @model_validator(mode="after")
    def _fits(self) -> PutApproval:
        parts = [step.part for step in self.steps]
        if parts != sorted(parts, key=["drafter", "circulator", "approver"].index):
            raise ValueError("the drafter comes first, then the circulators, then the approver")
        if parts.count("drafter") > 1 or parts.count("approver") > 1:
            raise ValueError("there is one drafter, and one approver")
        if (self.limit is None) != (self.currency is None):
            raise ValueError("`limit` and `currency` belong together")
        return self

    def approval(self) -> Approval:
        steps = (Step(one.part, one.stakeholder, one.title, one.planned, one.done) for one in self.steps)
        return Approval(
            tuple(steps), limit=self.limit, currency=self.currency, submit_on=self.submit_on, decide_on=self.decide_on
        )


class GoOn(Asked):
    """Where the approval has gone on to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "submitted", "on": "2026-12-01"}]})

    state: State
    on: Day | None = Field(
        default=None,
        description="the day, not before the one on which it came to where it stands; today by the clock of the rep who has the"
        " lead, if absent",
    )
    note: Note | None = Field(default=None, description="who rejected it, and why")


class PutMaterial(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"link": "https://example.com/roi.pdf", "given_on": "2026-11-20"}]},
    )

    present: bool = True
    link: Link | None = None
    given_on: Day | None = None


class StepView(BaseModel):
    part: str
    label: dict[str, str] = Field(examples=[{"en": "Drafter", "ja": "起案者"}])
    stakeholder: str | None
    title: str | None
    planned: date | None
    done: date | None


class PassedView(BaseModel):
    state: str
    label: dict[str, str]
    on: date
    at: str
    by: str
    note: str | None


class MaterialView(BaseModel):
    item: Literal["cost_benefit", "risk", "references", "roi"]
    label: dict[str, str]
    present: bool
    link: str | None
    given_on: date | None


class ApprovalView(BaseModel):
    """How the customer approves the purchase (稟議)."""

    version: int = Field(description="the ETag; 0 while nothing was entered")
    state: str
    label: dict[str, str] = Field(examples=[{"en": "Submitted", "ja": "申請中"}])
    next: list[str] = Field(description="states that it may go on to")
    steps: list[StepView]
    limit: str | None = Field(examples=["5000000"])
    currency: str | None
    submit_on: date | None
    decide_on: date | None
    submitted_on: date | None
    decided_on: date | None
    history: list[PassedView]
    pack: list[MaterialView] = Field(description="what the draft takes along (稟議資料)")
    risks: list[RiskView]


def approval_view(paper: Paper, risks: list[Risk]) -> ApprovalView:
    one = paper.approval
    dates = ("submit_on", "decide_on", "submitted_on", "decided_on")
    return ApprovalView(
        version=one.version,
        state=one.state,
        label=_words(STATE_WORDS[one.state]),
        next=list(NEXT[one.state]),
        steps=[
            StepView(
                part=step.part,
                label=_words(PART_WORDS[step.part]),
                stakeholder=step.stakeholder_id,
                title=step.title,
                planned=step.planned,
                done=step.done,
            )
            for step in one.steps
        ],
        limit=f"{one.limit.normalize():f}" if one.limit is not None else None,
        currency=one.currency,
        **{name: getattr(one, name) for name in dates},
        history=[_passed(passed) for passed in paper.course],
        pack=[_material(item, paper.pack.get(item, Material(present=False))) for item in ITEMS],
        risks=[risk_view(risk) for risk in risks],
    )


def _passed(passed: Passed) -> PassedView:
    note = person.reveal(SealedPerson.model_validate(passed.note)).get("free_text") if passed.note else None
    words = _words(STATE_WORDS[passed.state])
    return PassedView(state=passed.state, label=words, on=passed.on, at=iso(passed.at), by=passed.by, note=note)


def _material(item: Any, one: Material) -> MaterialView:
    words = _words(MATERIAL_WORDS[item])
    return MaterialView(item=item, label=words, present=one.present, link=one.link, given_on=one.given_on)


def _words(word: Word) -> dict[str, str]:
    return word._asdict()
