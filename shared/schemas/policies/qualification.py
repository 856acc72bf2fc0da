"""When a lead is ripe: the gate, and BANT."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.schemas.policies.base import Label, Policy, Strict

Grade = Annotated[str, Field(pattern=r"^[A-D][1-4]$")]
FitLetter = Literal["A", "B", "C", "D"]


class Gate(Strict):
    """What happens to a lead by its grade; a grade named nowhere goes to nurture.

    mql:                   to sales
    inside_sales_check:    inside sales looks first
    hand_raise_minimum_fit: a hand-raise with at least this fit is an MQL at any band; below it, inside sales checks
    """

    mql: tuple[Grade, ...]
    inside_sales_check: tuple[Grade, ...] = ()
    hand_raise_minimum_fit: FitLetter = "C"


class Criterion(Strict):
    """One letter of BANT: met when the latest unexpired answer to one of `questions` is one of the listed codes.

    questions: question key (vocabulary, section 10) -> codes that meet it
    ask:       the question to ask when it is missing;  cost: what asking costs (1 a form, 5 a meeting): the cheapest is named first
    """

    questions: dict[str, tuple[str, ...]]
    expires_days: Annotated[int, Field(ge=1, le=1000)] = 180
    ask: Label
    cost: Annotated[int, Field(ge=1, le=5)]


class BantPolicy(Strict):
    """minimum_met: letters that must be met before field sales is asked; below it the lead goes to inside sales first."""

    budget: Criterion
    authority: Criterion
    need: Criterion
    timeline: Criterion
    minimum_met: Annotated[int, Field(ge=0, le=4)] = 0

    def criteria(self) -> dict[str, Criterion]:
        return {"budget": self.budget, "authority": self.authority, "need": self.need, "timeline": self.timeline}


class QualificationPolicy(Policy):
    kind: Literal["qualification"] = "qualification"
    gate: Gate
    bant: BantPolicy
