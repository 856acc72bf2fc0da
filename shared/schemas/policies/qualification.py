"""When a lead is ripe: the gate, and the framework whose answers field sales wants first."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.schemas.catalogue import GATE_FIELDS, NURTURE_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of
from shared.schemas.policies.frameworks import BantPolicy, Framework

Grade = Annotated[str, Field(pattern=r"^[A-D][1-4]$")]
FitLetter = Literal["A", "B", "C", "D"]
Verdict = Literal["mql", "inside_sales_check", "nurture"]
Less = Literal["inside_sales_check", "nurture"]
HandoverItem = Literal["first_meeting", "participants", "memo"]


class Requirement(Strict):
    """What must hold of a lead that is ripe by grade or hand-raise; where it does not, the lead is at most `otherwise`."""

    id: RuleId
    label: Label = Label()
    when: condition_of(GATE_FIELDS)  # type: ignore[valid-type]
    otherwise: Less = "nurture"


class OnePerson(Strict):
    """One person's private interest: an MQL by grade alone, whose answers meet no criterion, of a company of which fewer than
    `people` did anything of late, is at most `verdict`."""

    people: Annotated[int, Field(ge=2, le=100)] = 2
    verdict: Less = "inside_sales_check"


class Hold(Strict):
    """A ripe lead waits until all fields of `until` are known, at most for so long. Who asked to be contacted does not wait.

    at_most_hours: counted from what made it ripe
    """

    until: tuple[str, ...] = Field(min_length=1)
    at_most_hours: Annotated[float, Field(gt=0, le=168)]
    hand_raises: bool = Field(default=False, description="whether those wait, too")

    @model_validator(mode="after")
    def _fields(self) -> Hold:
        for name in self.until:
            if name not in GATE_FIELDS:
                raise ValueError(f"there is no field `{name}` to wait for")
        return self


class Explore(Strict):
    """Over-filtering, watched: of leads of these grades, which the gate leaves below it, a share is looked at by inside sales on
    purpose, to see what the gate overlooks. Which ones follows from the lead alone; each at most once a year.

    share: 0.05 is one of twenty
    """

    share: Annotated[float, Field(gt=0, le=0.5)]
    grades: tuple[Grade, ...] = Field(min_length=1)


class Cells(Strict):
    """What happens to a lead by its grade; a grade named nowhere goes to nurture.

    mql:                   to sales
    inside_sales_check:    inside sales looks first
    minimum_fit:           below it no grade makes an MQL: inside sales checks
    hand_raise_minimum_fit: a hand-raise with at least this fit is an MQL at any band; below it, inside sales checks
    hand_raises:           touch types by which a lead is an MQL, all that scoring calls hand-raises where none is named
    requires:              what must hold besides, in order
    falling:               what an MQL by grade alone is at most while it does less than before
    explore:               leads just below this gate that inside sales looks at on purpose
    """

    mql: tuple[Grade, ...]
    inside_sales_check: tuple[Grade, ...] = ()
    minimum_fit: FitLetter = "D"
    hand_raise_minimum_fit: FitLetter = "C"
    hand_raises: tuple[str, ...] | None = None
    requires: tuple[Requirement, ...] = ()
    one_person: OnePerson | None = None
    falling: Less | None = None
    hold: Hold | None = None
    explore: Explore | None = None


class Segment(Cells):
    """Leads with a gate of their own: it takes the place of the other wholly."""

    id: RuleId
    label: Label = Label()
    when: condition_of(GATE_FIELDS)  # type: ignore[valid-type]


class Exclusion(Strict):
    """Leads that are not ripe whatever they do.

    outcome: nurture, as those below the gate; never, and nobody writes to them either; disqualify, from which only a person brings
             them back
    """

    id: RuleId
    label: Label = Label()
    when: condition_of(GATE_FIELDS)  # type: ignore[valid-type]
    outcome: Literal["nurture", "disqualify", "never"] = "never"


class Gate(Cells):
    """segments: the first whose condition holds has its own gate;  exclude: asked before all else, the first that holds decides"""

    segments: tuple[Segment, ...] = ()
    exclude: tuple[Exclusion, ...] = ()


class Scenario(Strict):
    """What marketing automation does with some of the leads that are not ripe, or that sales gave back. id: by which it knows the
    scenario"""

    id: RuleId
    label: Label = Label()
    when: condition_of(NURTURE_FIELDS)  # type: ignore[valid-type]


class Nurture(Strict):
    """Leads that are not ripe, or that sales gave back, for marketing automation to go on with.

    scenarios: the first whose condition holds is the lead's; one that none holds for is in none
    may_email: which of them may be written to; nobody, where it is left out
    """

    scenarios: tuple[Scenario, ...] = Field(min_length=1)
    may_email: condition_of(NURTURE_FIELDS) | None = None  # type: ignore[valid-type]


class Signature(Strict):
    """Who agreed to this definition, for which side, and when."""

    by: str = Field(min_length=1)
    role: Literal["marketing", "sales"]
    on: date


class QualificationPolicy(Policy):
    """Either `framework`, or `bant`, its short form.

    handover: what inside sales has to say when it passes a lead on to field sales; nothing, where it is left out
    """

    kind: Literal["qualification"] = "qualification"
    gate: Gate
    bant: BantPolicy | None = None
    framework: Framework | None = None
    nurture: Nurture | None = None
    handover: tuple[HandoverItem, ...] = Field(default=(), max_length=3)
    signed_off: tuple[Signature, ...] = ()

    @model_validator(mode="after")
    def _one_framework(self) -> QualificationPolicy:
        if (self.bant is None) == (self.framework is None):
            raise ValueError("it has `bant` or `framework`: one of them, not both")
        return self

    @property
    def asked(self) -> Framework:
        """The framework that leads are asked by."""
        found = self.framework or (self.bant.framework if self.bant else None)
        assert found is not None
        return found

    @property
    def signed_by_both(self) -> bool:
        return {one.role for one in self.signed_off} == {"marketing", "sales"}
