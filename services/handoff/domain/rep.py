"""What a rep does with an offer: accept it, decline it, touch the lead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.handoff.domain import events
from services.handoff.domain.clocks import start_qualifying
from services.handoff.domain.ending import end_offer, fire, free
from services.handoff.domain.opportunity import Change, Offer, Opportunity, Stage
from shared.schemas.policies.routing import DeclineReason

QUALIFIED = "qualified"
CLOSING: dict[str, Stage] = {
    "recycle": "recycled",
    "nurture": "recycled",
    "on_hold": "recycled",
    "disqualify": "disqualified",
}


class NotTheHolderError(Exception):
    """Somebody else was asked to take this lead."""


class HandoverIncompleteError(Exception):
    """Policy wants more to be handed over: what is `missing`."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


class NotInsideSalesError(Exception):
    """Only inside sales passes a lead on to field sales."""


class OfferNotOpenError(Exception):
    """The rep was asked, and it is too late: `state` is what became of the offer."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the offer is {state}")
        self.state = state


@dataclass(frozen=True, slots=True)
class Activity:
    """Something a human did about the lead. `at` is when, as told; clocks go by when Baton was told.

    rep_id:         who did it; None where that is not known and nobody holds the lead
    is_first_touch: whether policy counts its type as a human touch
    duration:       seconds;  direction: `in` or `out`;  outcome: a code
    participants:   ids of stakeholders
    """

    activity_id: str
    type: str
    at: int
    rep_id: str | None
    is_first_touch: bool
    note_given: bool = False
    duration: int | None = None
    direction: str | None = None
    outcome: str | None = None
    participants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handover:
    """What inside sales tells field sales with a lead. first_meeting: when it is (ms);  participants: of the customer's"""

    first_meeting: int | None = None
    participants: tuple[str, ...] = ()
    memo: str | None = None

    def lacks(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Which of `wanted` it does not say."""
        return tuple(name for name in wanted if getattr(self, name) in (None, (), ""))

    def is_empty(self) -> bool:
        return self == Handover()


def accept(opportunity: Opportunity, rep_id: str, now: int) -> Change:
    """The rep takes the lead over; saying so again changes nothing. Raises NotTheHolderError, OfferNotOpenError."""
    fired = fire(opportunity, now)
    offer = offer_of(fired.opportunity, rep_id)
    return fired if offer.state == "accepted" else fired.then(_accepted(fired.opportunity, offer, now))


def decline(
    opportunity: Opportunity,
    rep_id: str,
    reason: DeclineReason,
    now: int,
    *,
    note_given: bool,
    until: int | None = None,
) -> Change:
    """The rep gives the lead back, before or after having accepted it; what follows is the reason's effect. until: when (ms) the
    lead wants to be called again, if it said so.

    Saying so again changes nothing. Raises NotTheHolderError, OfferNotOpenError.
    """
    theirs = [offer for offer in opportunity.offers if offer.rep_id == rep_id]
    if theirs and theirs[-1].state == "declined" and theirs[-1].reason == reason.code:
        return Change(opportunity)
    fired = fire(opportunity, now)
    offer = offer_of(fired.opportunity, rep_id)
    declined = end_offer(fired.opportunity, offer, "declined", now, reason=reason.code, effect=reason.effect)
    told = events.of_offer(
        declined,
        "offer-declined",
        now,
        offer,
        reason=reason.code,
        effect=reason.effect,
        note_given=note_given,
        until=until,
    )
    freed = free(declined, offer.assignment, now, reason.code, closes_in=CLOSING.get(reason.effect))
    return fired.then(Change(declined, (told,))).then(freed)


def qualify(opportunity: Opportunity, rep_id: str, now: int) -> Change:
    """Inside sales has qualified the lead, and gives it to field sales: the router chooses whom. Saying so again changes nothing.

    Raises NotTheHolderError, OfferNotOpenError (also while the offer has not been accepted), NotInsideSalesError.
    """
    theirs = [offer for offer in opportunity.offers if offer.rep_id == rep_id]
    if theirs and (theirs[-1].state, theirs[-1].reason) == ("superseded", QUALIFIED):
        return Change(opportunity)
    fired = fire(opportunity, now)
    offer = offer_of(fired.opportunity, rep_id)
    if offer.leg != "is":
        raise NotInsideSalesError
    if offer.state != "accepted":
        raise OfferNotOpenError(offer.state)
    fired = fired.then(_stopped(fired.opportunity, offer, "qualify", now))
    passed = end_offer(fired.opportunity, offer, "superseded", now, reason=QUALIFIED)
    told = events.of_offer(passed, "lead-qualified", now, offer, reason=QUALIFIED)
    freed = free(passed, offer.assignment, now, QUALIFIED, closes_in=None)
    return fired.then(Change(passed, (told,))).then(freed)


def attributed(opportunity: Opportunity, activity: Activity) -> Activity:
    """The activity, done by the holder where nobody else is named."""
    holder = opportunity.current()
    return replace(activity, rep_id=holder.rep_id) if holder and activity.rep_id is None else activity


def log_touch(opportunity: Opportunity, activity: Activity, now: int) -> Change:
    """The activity is told of. A human touch by the holder, or for them, stops the first-touch clock and accepts an open offer."""
    fired = fire(opportunity, now)
    opportunity, offer = fired.opportunity, fired.opportunity.current()
    told = events.event(
        opportunity,
        "activity-logged",
        activity.at,
        opportunity.offers[-1].assignment,
        activity.activity_id,
        rep_id=activity.rep_id,
        activity=activity.type,
        outcome=activity.outcome,
        note_given=activity.note_given,
    )
    change = fired.then(Change(opportunity, (told,)))
    if offer is None or activity.rep_id != offer.rep_id or not activity.is_first_touch:
        return change
    if offer.state == "open":
        change = change.then(_accepted(opportunity, offer, now))
    return change.then(_stopped(change.opportunity, offer, "first_touch", now))


def touched_by_stage(opportunity: Opportunity, offer: Offer, now: int) -> Change:
    """The holder has moved the deal to another stage, which nobody does whom the lead still waits for: the first-touch clock ends,
    and says that it did so without an activity."""
    return _stopped(opportunity, offer, "first_touch", now, by="stage")


def offer_of(opportunity: Opportunity, rep_id: str) -> Offer:
    """The offer that the rep holds now. Raises NotTheHolderError, OfferNotOpenError: also once the deal is won or lost."""
    current = opportunity.current()
    if current and current.rep_id == rep_id:
        if not opportunity.is_open():
            raise OfferNotOpenError(opportunity.stage)
        return current
    theirs = [offer for offer in opportunity.offers if offer.rep_id == rep_id]
    if not theirs:
        raise NotTheHolderError
    raise OfferNotOpenError(theirs[-1].state)


def _accepted(opportunity: Opportunity, offer: Offer, now: int) -> Change:
    taken = opportunity.with_offer(replace(offer, state="accepted", accepted_at=now))
    accepted = _qualifying(replace(taken, stage="accepted"), offer, now)
    told = events.of_offer(accepted, "offer-accepted", now, offer)
    change = Change(accepted, (told,)).then(_stopped(accepted, offer, "accept", now))
    return change.then(events.moved(change.opportunity, before=opportunity.stage, at=now, assignment=offer.assignment))


def _stopped(opportunity: Opportunity, offer: Offer, kind: str, now: int, by: str | None = None) -> Change:
    """The clock of this offer is met, if it still runs; one that was breached is done late."""
    clock = next((c for c in opportunity.clocks if (c.assignment, c.kind) == (offer.assignment, kind)), None)
    if clock is None:
        return Change(opportunity)
    if clock.is_running():
        stopped = opportunity.with_clock(clock.met(now, by))
        return Change(stopped, (events.of_clock(stopped, "clock-met", now, offer, clock, done_by=by),))
    late = clock.done(now, by)
    if late is clock:
        return Change(opportunity)
    done = opportunity.with_clock(late)
    return Change(done, (events.of_clock(done, "clock-met-late", now, offer, clock, done_by=by),))


def _qualifying(opportunity: Opportunity, offer: Offer, now: int) -> Opportunity:
    """Inside sales has begun to qualify the lead, where that is promised."""
    first = next((c for c in opportunity.clocks if (c.assignment, c.kind) == (offer.assignment, "first_touch")), None)
    started = start_qualifying(first, now) if first and offer.leg == "is" else None
    return replace(opportunity, clocks=(*opportunity.clocks, started)) if started else opportunity
