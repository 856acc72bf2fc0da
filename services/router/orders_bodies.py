"""What people may say of who takes a lead, and what they are answered, typed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from services.router.bodies import DecisionBody, LeadSummary, Word
from shared.kit.asked import Asked
from shared.schemas.touches import Scalar

Grade = Annotated[str, StringConstraints(pattern=r"^[A-D][1-4]$")]
Overlooked = Literal[
    "earlier_holder", "language", "skill", "closed", "absent", "away", "at_capacity", "daily_cap", "weekly_cap"
]


class Assign(Asked):
    """A manager gives a lead to a rep: out of a queue, from whoever has it, or whatever it waits for."""

    rep_id: Word = Field(examples=["sato"])
    reason: Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=500)] = Field(
        description="why, in your words; kept with the decision and shown to who may see the lead",
        examples=["knows the company from the fair"],
    )
    despite: tuple[Overlooked, ...] = Field(
        default=(),
        description="what would keep the rep from the lead, and is overlooked on purpose; all else is refused",
        examples=[["at_capacity"]],
    )
    mode: Literal["assign", "offer"] = Field(
        default="assign", description="`assign`: accepted by the first touch; `offer`: the rep may decline at once"
    )


class AssignMany(Assign):
    """Many leads for one rep: those that are named, or what another one has."""

    leads: Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="which; or `from_rep`", examples=[["0d8e68a4-7a95-5bde-b902-714a70fa7a16"]]
    )
    from_rep: Word | None = Field(default=None, description="the first hundred open leads of this rep")
    dry_run: bool = Field(default=False, description="what would become of them: nothing is written, nobody is told")


class Claim(Asked):
    """A rep takes a lead out of the queue of a pool of theirs."""

    rep_id: Word | None = Field(
        default=None, description="for systems and managers that act in a rep's name; the token's own otherwise"
    )


class WhatIf(Asked):
    """What is other than it is; nothing, for a lead as it stands."""

    facts: dict[Word, Scalar | None] = Field(
        default={},
        description="fields of the lead by their names in conditions, and score.grade, score.fit, score.engagement (points);"
        " null: not known",
        examples=[{"lead.industry": "jsic:E", "score.grade": "A1"}],
    )
    answers: dict[Word, Word] = Field(
        default={}, description="question of the vocabulary: its answer, given now", examples=[{"B1": "secured"}]
    )
    policies: dict[Literal["qualification", "routing", "teams", "sla"], dict[str, Any]] = Field(
        default={}, description="whole policies, in the place of those in force"
    )


class GivenBody(BaseModel):
    """Who has the lead now. Provisional until handoff has confirmed it: a rep who accepted in the same moment keeps the lead."""

    lead_id: str
    cycle: int
    assignment: int
    rep_id: str
    name: str
    pool: str | None
    provisional: bool
    decision: DecisionBody


class GivenLead(BaseModel):
    lead_id: str
    from_rep: str | None = Field(description="who had it")
    assignment: int


class RefusedLead(BaseModel):
    lead_id: str
    code: str
    detail: str
    excluded: list[str] = Field(description="for `not_eligible`: what keeps the rep from the lead")


class GivenManyBody(BaseModel):
    """Those that could be given are, all of them at once; the others are as they were."""

    rep_id: str
    dry_run: bool
    given: list[GivenLead]
    refused: list[RefusedLead]
    more: bool = Field(description="the rep of `from_rep` has more open leads: ask again")


class WhatIfBody(BaseModel):
    """What the router would decide now, if nobody had the lead; policies that were given have the hash `what-if`."""

    lead_id: str
    decision: DecisionBody


class QueuePage(BaseModel):
    """Leads that wait, the best grade and then the longest wait first. `waiting.until`: by when somebody should have chosen."""

    leads: list[LeadSummary]
    next: str | None = Field(description="`after` of the next page")
