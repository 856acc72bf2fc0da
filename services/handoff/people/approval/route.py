"""The approval route of a deal, where it stands, and what speaks against it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from services.handoff.people.risks import GRAVE, Risk
from services.handoff.people.stakeholder import Stakeholder

Part = Literal["drafter", "circulator", "approver"]
State = Literal["draft", "submitted", "returned", "approved", "rejected"]
Item = Literal["cost_benefit", "risk", "references", "roi"]
STATES: tuple[State, ...] = get_args(State)
ITEMS: tuple[Item, ...] = get_args(Item)
MOST_STEPS = 30
# Where it may go on to. What was returned is mended and submitted again; what was rejected begins anew.
NEXT: Mapping[State, tuple[State, ...]] = {
    "draft": ("submitted",),
    "submitted": ("returned", "approved", "rejected"),
    "returned": ("submitted",),
    "approved": (),
    "rejected": ("draft",),
}
WHOLE = ("submitted", "approved")  # states in which the route names its drafter and its approver


class NotFromHereError(Exception):
    """The state does not follow on this one; `valid` do."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state, self.valid = state, list(NEXT[state])


class RouteIncompleteError(Exception):
    """Nothing can be submitted on a route without these parts: `missing`."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = list(missing)


class TooEarlyError(Exception):
    """It cannot have gone on before the day on which it came to where it stands: `since`."""

    def __init__(self, since: date) -> None:
        super().__init__(str(since))
        self.since = since


@dataclass(frozen=True, slots=True)
class Step:
    """One who has to put the seal: a stakeholder by id, or a title. planned, done: on which day they will, and did"""

    part: Part
    stakeholder_id: str | None = None
    title: str | None = None
    planned: date | None = None
    done: date | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """Something of the pack: whether there is any, where, and when it was given to the customer."""

    present: bool = True
    link: str | None = None
    given_on: date | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """The route in its order, and where it stands.

    limit, currency: up to which amount the approver may decide;  version: counts what was changed; 0: nothing was entered
    submit_on, decide_on: when it is to be (起案予定日, 決裁予定日);  submitted_on, decided_on: when it was
    """

    steps: tuple[Step, ...] = ()
    state: State = "draft"
    limit: Decimal | None = None
    currency: str | None = None
    submit_on: date | None = None
    decide_on: date | None = None
    submitted_on: date | None = None
    decided_on: date | None = None
    version: int = 0

    def lacks(self) -> list[str]:
        """The parts without which nothing can be submitted."""
        parts = {step.part for step in self.steps}
        return [part for part in ("drafter", "approver") if part not in parts]


NONE = Approval()


@dataclass(frozen=True, slots=True)
class Price:
    """What the deal costs, as far as it is known."""

    amount: Decimal | None = None
    currency: str | None = None


def went_on(approval: Approval, state: State, on: date) -> Approval:
    """The approval after it went on to `state` on that day. Raises NotFromHereError, RouteIncompleteError, TooEarlyError."""
    if state not in NEXT[approval.state]:
        raise NotFromHereError(approval.state)
    if state in WHOLE and (missing := approval.lacks()):
        raise RouteIncompleteError(missing)
    since = max((day for day in (approval.submitted_on, approval.decided_on) if day), default=on)
    if on < since:
        raise TooEarlyError(since)
    if state == "submitted":
        return replace(approval, state=state, submitted_on=on, decided_on=None)
    if state == "draft":
        steps = tuple(replace(step, done=None) for step in approval.steps)
        return replace(approval, state=state, steps=steps, submitted_on=None, decided_on=None)
    return replace(approval, state=state, decided_on=on if state != "returned" else None)


def hindrances(
    approval: Approval, pack: Mapping[str, Material], people: Sequence[Stakeholder], price: Price, today: date
) -> list[Risk]:
    """What speaks against the approval; nothing, once it is given, or where no route was entered."""
    if not approval.steps or approval.state == "approved":
        return []
    found = [Risk("no_approver")] if "approver" in approval.lacks() else []
    if _beyond(approval, price):
        found.append(Risk("limit_below_amount"))
    there = {one.stakeholder_id: one for one in people if one.is_there()}
    named = {step.stakeholder_id for step in approval.steps if step.stakeholder_id and step.done is None}
    if gone := tuple(sorted(named - there.keys())):
        found.append(Risk("step_moved", gone))
    grave = {name for name, one in there.items() if one.department() in GRAVE}
    sealing = {step.stakeholder_id for step in approval.steps if step.part != "drafter"}
    unprepared = sorted(
        name for name, one in there.items() if name in grave | (named & sealing) and one.nemawashi.state == "untouched"
    )
    if approval.state == "submitted":
        if unprepared:
            found.append(Risk("unprepared", tuple(unprepared)))
        if any(not (item in pack and pack[item].present) for item in ITEMS):
            found.append(Risk("pack_incomplete"))
    if _late(approval, today):
        found.append(Risk("approval_late"))
    return found


def _beyond(approval: Approval, price: Price) -> bool:
    if approval.limit is None or price.amount is None or approval.currency != price.currency:
        return False
    return price.amount > approval.limit


def _late(approval: Approval, today: date) -> bool:
    if approval.state == "rejected":
        return False
    # When it was to be submitted says nothing any more of what was, and came back.
    wanted = approval.submit_on if approval.state == "draft" else approval.decide_on
    return wanted is not None and wanted < today
