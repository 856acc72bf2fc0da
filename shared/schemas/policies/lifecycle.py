"""The stages of a lead: a definition that marketing and sales share; and how a lead that sales gave back comes again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.schemas.catalogue import LIFECYCLE_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of

Form = Literal["short", "waterfall"]
Closed = Literal["recycled", "nurture", "on_hold", "lost", "won", "to_owner"]
Days = Annotated[float, Field(gt=0, le=1_100)]
IN_PIPELINE = ("discovery", "solution", "proposal", "negotiation", "ringi", "verbal")  # vocabulary, section 9

_TAKEN = {"offer.accepted": {"eq": True}}
ENTRIES: Mapping[str, Mapping[str, Any]] = {  # of stages of the vocabulary, section 6, that say nothing themselves
    "inquiry": {},
    "aql": {"gate.verdict": {"in": ["inside_sales_check", "mql"]}},
    "mql": {"gate.verdict": {"eq": "mql"}},
    "tal": _TAKEN | {"lead.leg": {"eq": "is"}},
    "tql": {"lead.passed_on": {"eq": True}},
    "sal": _TAKEN | {"lead.leg": {"in": ["fs", "am", "partner"]}},
    "sql": {"opportunity.stage": {"in": [*IN_PIPELINE]}},
    "won": {"opportunity.stage": {"eq": "won"}},
    "lost": {"opportunity.stage": {"eq": "lost"}},
}


class Promise(Strict):
    """By when somebody has promised to act, in working time: `30m`, `4h`, `5d`; and what, in words. sla.yaml has the clocks."""

    within: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhd]$")]
    action: Label = Label()


class Stage(Strict):
    """One stage (vocabulary, section 6): definition 定義, the lead's action アクション, who is responsible 担当者.

    entry: when a lead is in it; of all stages whose entry holds, it is in the last. A stage of the vocabulary has the entry of
           that name where it says none; any other, and `tgl`, `sgl` and `customer`, is then for people only
    """

    id: RuleId
    label: Label
    definition: Label
    entry: condition_of(LIFECYCLE_FIELDS) | None = None  # type: ignore[valid-type]
    action: Label = Label()
    owner: Literal["marketing", "is", "fs", "am", "none"] = "none"
    sla: Promise | None = None

    @property
    def entered_when(self) -> Mapping[str, Any] | None:
        return self.entry if self.entry is not None else ENTRIES.get(self.id)


class Again(Strict):
    """A signal that brings a lead back whose cycle has ended as one of `after`: a new cycle begins.

    signal: `hand_raise`, received since, of one of `types` where they are given; `better_grade`: a grade above its lowest since
            then that passes the gate, by something that the lead did since. Time alone, and a new policy, bring nobody back
    """

    id: RuleId
    label: Label = Label()
    after: tuple[Closed, ...] = Field(min_length=1)
    signal: Literal["hand_raise", "better_grade"] = "hand_raise"
    types: tuple[str, ...] | None = None


USUAL = (
    Again(id="hand-raise", after=("recycled", "nurture", "on_hold", "lost", "won", "to_owner")),
    Again(id="better-grade", after=("nurture",), signal="better_grade"),
)


class LifecyclePolicy(Policy):
    """form:  `short`: an MQL of which enough is known goes to field sales at once; `waterfall`: inside sales looks at every lead
              first, and field sales gets what that has passed on
    stages: in order
    again: the only signals by which a lead comes back before its cool-off ends
    cool_off_days: after which a lead comes back by itself, where neither the reason nor the rep who gave it back says when; one
                   that is on hold to sales, any other to be judged by the gate anew
    """

    kind: Literal["lifecycle"] = "lifecycle"
    form: Form = "short"
    stages: tuple[Stage, ...] = Field(min_length=1)
    again: tuple[Again, ...] = USUAL
    cool_off_days: dict[Closed, Days] = Field(default_factory=dict)
