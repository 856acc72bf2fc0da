"""How an offer ends, other than by being accepted."""

from __future__ import annotations

from dataclasses import replace

from services.handoff.domain import events
from services.handoff.domain.clocks import Clock, Reminder
from services.handoff.domain.opportunity import Change, Offer, OfferState, Opportunity, Stage


def end_offer(
    opportunity: Opportunity, offer: Offer, state: OfferState, at: int, reason: str | None, effect: str | None = None
) -> Opportunity:
    """The opportunity after `offer` ended as `state`: its clocks that still run are cancelled. The stage is left as it is."""
    ended = opportunity.with_offer(replace(offer, state=state, ended_at=at, reason=reason, effect=effect))
    for clock in ended.running():
        if clock.assignment == offer.assignment:
            ended = ended.with_clock(clock.cancelled(at))
    return ended


def free(opportunity: Opportunity, assignment: int, at: int, reason: str, *, closes_in: Stage | None) -> Change:
    """Nobody holds it now: it waits for the next offer, or closes where that was decided."""
    stage = opportunity.withdrawn or closes_in or "offered"
    return events.moved(
        replace(opportunity, stage=stage), before=opportunity.stage, at=at, assignment=assignment, reason=reason
    )


def fire(opportunity: Opportunity, now: int) -> Change:
    """What of its clocks is due has breached, at its due time, and takes the lead from a rep who has not touched it, or is told to
    the manager, where there is anybody else to take it; what is not due has reminded its holder.

    Everything that looks at an opportunity fires what is due first, so that the outcome does not depend on who came first.
    A first touch stops its clock, so a lead that was touched is never taken away here.
    """
    change = Change(opportunity)
    for clock in sorted(
        opportunity.running(), key=lambda clock: (clock.due_at, clock.kind)
    ):  # accept before first_touch
        holder = change.opportunity.current()
        # A breach cancels the other clock of its offer, which is then no longer the one seen here.
        if holder is None or clock not in change.opportunity.clocks:
            continue
        if clock.is_due(now):
            ends = _breach if clock.takes_back() and not holder.is_last_resort() else _escalate
            change = change.then(ends(change.opportunity, holder, clock))
        elif reminder := clock.reminder(now):
            change = change.then(_remind(change.opportunity, holder, clock, reminder))
    return change


def _escalate(opportunity: Opportunity, offer: Offer, clock: Clock) -> Change:
    """The manager is told, and the lead stays with its holder; that it is late is kept."""
    breached = opportunity.with_clock(clock.breached())
    told = events.of_clock(breached, "clock-breached", clock.due_at, offer, clock, effect="tell_manager")
    return Change(breached, (told,))


def _remind(opportunity: Opportunity, offer: Offer, clock: Clock, reminder: Reminder) -> Change:
    """The holder hears how much of the time has passed; of several reminders at once only the last."""
    share, at = reminder
    told = events.of_clock(opportunity, "clock-reminder", at, offer, clock, str(share), share=share)
    return Change(opportunity.with_clock(clock.told(reminder)), (told,))


def _breach(opportunity: Opportunity, offer: Offer, clock: Clock) -> Change:
    due_at = clock.due_at
    breached = opportunity.with_clock(clock.breached())
    expired = end_offer(breached, offer, "expired", due_at, reason=clock.kind, effect="reroute")
    told = (
        events.of_clock(expired, "clock-breached", due_at, offer, clock),
        events.of_offer(
            expired,
            "offer-expired",
            due_at,
            offer,
            reason=clock.kind,
            effect="reroute",
            clock=clock.kind,
            due_at=due_at,
        ),
    )
    return Change(expired, told).then(free(expired, offer.assignment, due_at, clock.kind, closes_in=None))
