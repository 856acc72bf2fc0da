"""How fast a lead must be taken over."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.schemas.policies.base import Label, Policy, RuleId, Strict

Seconds = Annotated[int, Field(ge=1, le=90 * 86_400)]
Percent = Annotated[int, Field(ge=1, le=99)]


class Step(Strict):
    """at: percent of the clock's time that have passed: below 100 before its breach, above 100 after it, while nothing has happened
    do: the holder's manager is told, or the manager of that one; or the lead goes to somebody else
    """

    at: Annotated[int, Field(ge=1, le=1000)]
    do: Literal["tell_manager", "tell_their_manager", "take_back"]


class LeadClass(Strict):
    """Leads with one promise (vocabulary, section 6). The first class one of whose `touch_types` is the qualifying touch decides.

    accept:      seconds from the offer until it expires and the lead goes to somebody else
    first_touch: seconds from the qualifying touch's receipt (never less than `accept` after the offer) until a human must have
                 touched the lead
    qualify:     seconds from the acceptance by inside sales until they must have qualified the lead, or given it back; no promise
                 where it is left out
    untouched:   what a breach of `first_touch` does: the lead goes to somebody else, or stays and the manager is told. A breach of
                 `accept` always takes it back, one of `qualify` never
    time:        whether all seconds count, or those during which the holder is at work (calendar, absences and on call of the teams
                 policy, and being away). A holder who is never at work again has plain time
    due_date:    with `business`: due at the end of the holder's working day on which the time is over, so that a day's leads are
                 due together
    at_most:     with `business`: seconds of plain time after a clock began when it is due however little the holder was at work
    remind:      percent of the time that has passed when the holder is reminded
    escalate:    what else happens, step by step, before the breach and after one that left the lead with its holder
    """

    id: RuleId
    label: Label = Label()
    touch_types: tuple[str, ...] = ()
    accept: Seconds
    first_touch: Seconds
    qualify: Seconds | None = None
    untouched: Literal["take_back", "tell_manager"] = "take_back"
    time: Literal["plain", "business"] = "plain"
    due_date: bool = False
    at_most: Seconds | None = None
    remind: tuple[Percent, ...] = Field(default=(), max_length=5)
    escalate: tuple[Step, ...] = Field(default=(), max_length=5)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.at_most is not None and self.time == "plain":
            raise ValueError("`at_most` limits business time: with plain time it says nothing")
        if self.due_date and self.time == "plain":
            raise ValueError("`due_date` is the end of a working day: plain time has none")
        if list(self.remind) != sorted(set(self.remind)):
            raise ValueError("`remind` is in rising order, and names no share twice")
        self._check_steps()
        return self

    def _check_steps(self) -> None:
        shares = [step.at for step in self.escalate]
        if shares != sorted(set(shares)):
            raise ValueError("`escalate` is in rising order, and names no share twice")
        if {*self.remind, 100}.intersection(shares):
            raise ValueError("`escalate` names no share of `remind`, nor 100: `untouched` says what the breach does")
        backs = [step for step in self.escalate if step.do == "take_back"]
        if backs and (backs != [self.escalate[-1]] or backs[0].at < 100 or self.untouched == "take_back"):
            raise ValueError(
                "`take_back` is the last step, above 100, and only with `untouched: tell_manager`: else the breach does it"
            )


class PauseReason(Strict):
    """Why the clocks of a lead that was accepted may stand still: for `most` seconds of plain time at a stretch, and so many
    `times` for one holder."""

    code: RuleId
    label: Label = Label()
    most: Seconds
    times: Annotated[int, Field(ge=1, le=100)] = 1


class DealClocks(Strict):
    """Of which clocks the deals of a tenant have, due at the end of a working day of whoever has them; both only tell.

    next_step:     due on the day of the next step
    stage_rot:     due when nothing of the deal has changed for as many working days as its stage has as `rot` (pipeline.yaml)
    manager_after: working days after that when the manager is told; left out, never
    """

    next_step: bool = True
    stage_rot: bool = True
    manager_after: Annotated[int, Field(ge=1, le=60)] | None = None


class Unreachable(Strict):
    """When a person counts as not to be reached 連絡不能: after so many calls without an answer, the first of them at least `days`
    before the last. The lead is then given back for `reason`, one of the routing policy's by which it may come back."""

    attempts: Annotated[int, Field(ge=2, le=50)] = 6
    days: Annotated[int, Field(ge=0, le=365)] = 10
    reason: RuleId = "unreachable"


class SlaPolicy(Policy):
    """default: the class of a lead that none of `classes` claims: ripe by its score.
    deals:   clocks of deals; none, where it is left out
    pauses:  reasons for which a rep may pause the clocks; none, and nobody may
    unreachable: when a lead is given back because nobody answers; never, if left out
    """

    kind: Literal["sla"] = "sla"
    classes: tuple[LeadClass, ...] = ()
    default: LeadClass
    pauses: tuple[PauseReason, ...] = Field(default=(), max_length=50)
    deals: DealClocks | None = None
    unreachable: Unreachable | None = None
    first_touch_types: tuple[str, ...] = Field(
        default=(
            "call_attempted",
            "call_connected",
            "email_sent_by_rep",
            "email_replied",
            "meeting_held",
            "meeting_booked",
            "phone_inbound",
            "workshop_held",
            "poc_run",
            "review_held",
        ),
        description="activities that count as a human touch",
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        codes = [reason.code for reason in self.pauses]
        if len(codes) != len(set(codes)):
            raise ValueError("`pauses` names a code twice")
        return self
