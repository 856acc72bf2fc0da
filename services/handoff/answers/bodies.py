"""What is sent and shown of answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.handoff.bodies import Moment, Note, RepId, ShortText
from shared.kit.asked import Asked
from shared.schemas.vocabulary import ANSWER_SOURCES

SOURCES = {name.partition("/")[2]: name for name in ANSWER_SOURCES}  # as callers name them


class RecordAnswer(Asked):
    """An answer that a rep was given: to a question, or to a criterion that one question alone can meet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "B1", "value": "secured", "source": "meeting", "at": "2026-11-20T14:00:00+09:00"},
                {"criterion": "budget", "value": "applied", "source": "inside_sales", "told_by": "yamada"},
            ]
        }
    )

    question: ShortText | None = Field(default=None, description="key of the vocabulary, such as `B1`")
    criterion: ShortText | None = Field(default=None, description="of the tenant's framework, such as `budget`")
    value: Annotated[ShortText, Field(description="one of the codes of the question's answers")]
    source: Annotated[ShortText, Field(description="how it was learnt: `form`, `inside_sales`, `meeting`, `document`")]
    confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="how sure it is; as the source usually is (0.5, 0.8, 0.9, 1.0, or what the policy says), if absent",
    )
    at: Moment | None = Field(
        default=None, description="when it was learnt; now, if absent. Of one source the latest stands"
    )
    told_by: ShortText | None = Field(default=None, description="the stakeholder who gave it")
    note: Note | None = None
    id: ShortText | None = Field(default=None, description="the caller's own id: sent again, nothing is recorded twice")
    rep_id: RepId | None = None

    @model_validator(mode="after")
    def _asks_one(self) -> RecordAnswer:
        if (self.question is None) == (self.criterion is None):
            raise ValueError("name `question` or `criterion`: one of them")
        return self


class AnswerView(BaseModel):
    question: str = Field(examples=["B1"])
    value: str = Field(examples=["secured"])
    source: str = Field(
        description="`handoff/` and what a rep named, or the id of a sender", examples=["handoff/meeting"]
    )
    confidence: float = Field(description="how sure it is, 0 to 1", examples=[0.9])
    observed_at: str


class RecordedView(AnswerView):
    """An answer that a rep recorded, with its story."""

    id: str
    recorded_at: str
    recorded_by: str
    rep_id: str
    told_by: str | None
    note: str | None
    voided_at: str | None
    voided_because: str | None


class CriterionView(BaseModel):
    """One criterion: `is` in short, `state` why, with the answers that made it so."""

    label: dict[str, str] = Field(examples=[{"en": "Budget", "ja": "予算"}])
    is_: Literal["met", "not_met", "unknown"] = Field(serialization_alias="is")
    state: Literal["met", "unmet", "expired", "missing", "conflicting"]
    required: bool
    weight: int
    expires_at: str | None = Field(description="when it changes by the clock alone, or did, of one that has expired")
    answers: list[AnswerView]


class QuestionView(BaseModel):
    """What is best asked next: the cheapest question on whose answer it may come to depend whether there is enough."""

    criterion: str
    question: str
    cost: int = Field(description="1 a form … 5 a meeting with the one who knows")
    text: dict[str, str]
    values: list[str] = Field(description="the codes of its answers")


class AnswersView(BaseModel):
    """What is known of the lead by the tenant's framework, as of now."""

    framework: str = Field(examples=["bant"])
    met: int = Field(description="weight of the criteria that are met")
    of: int
    minimum: int
    lacking: list[str] = Field(description="criteria that have to be met and are not")
    enough: bool
    criteria: dict[str, CriterionView]
    next_question: QuestionView | None = Field(description="null where it is enough, or nothing could make it so")
    answers: list[RecordedView] = Field(description="what reps recorded of the lead, the oldest first")
