"""How an offer ends, other than by being accepted."""

from __future__ import annotations

from dataclasses import replace

from services.handoff.domain import events
from services.handoff.domain.clocks import DEAL, Clock, Reminder
from services.handoff.domain.opportunity import Change, Offer, OfferState, Opportunity, Stage


def end_offer(
    opportunity: Opportunity, offer: Offer, state: OfferState, at: int, reason: str | None, effect: str | None = None
) -> Opportunity:
    """The opportunity after `offer` ended as `state`: its clocks that still run are cancelled, and nothing follows those that were
    breached. The stage is left as it is."""
    ended = opportunity.with_offer(replace(offer, state=state, ended_at=at, reason=reason, effect=effect))
    for clock in ended.clocks:
        if clock.assignment == offer.assignment:
            ended = ended.with_clock(clock.cancelled(at).ends())
    return ended


def free(opportunity: Opportunity, assignment: int, at: int, reason: str, *, closes_in: Stage | None) -> Change:
    """Nobody holds it now: it waits for the next offer, or closes where that was decided."""
    stage = opportunity.withdrawn or closes_in or "offered"
    freed = replace(opportunity, stage=stage).closed(at)
    return events.moved(freed, before=opportunity.stage, at=at, assignment=assignment, reason=reason)


def fire(opportunity: Opportunity, now: int) -> Change:
    """What of its clocks is due has breached, at its due time, and takes the lead from a rep who has not touched it, or is told to
    the manager, where there is nobody else to take it; what is not due has reminded its holder; and the steps of policy are done.

    Everything that looks at an opportunity fires what is due first, so that the outcome does not depend on who came first.
    A first touch stops its clock, so a lead that was touched is never taken away here.
    """
    change = Change(opportunity.without_leftovers(now))
    while done := _next(change.opportunity, now):
        change = change.then(done)
    return change


def _next(opportunity: Opportunity, now: int) -> Change | None:
    """What happens first of what has to happen by `now`: breaches, then steps before and after them; None where there is nothing.

    Each ends a clock or uses up a step, and a breach may do so for the other clocks of its offer.
    """
    if not opportunity.offers:
        return None
    # What is the deal's is told also while nobody has it; of offers that have ended, nothing runs any more.
    holder = opportunity.worker()
    theirs = [clock for clock in opportunity.clocks if clock.assignment in (DEAL, holder.assignment)]
    due = [clock for clock in theirs if clock.is_due(now)]
    if due:
        clock = min(due, key=lambda clock: (clock.due_at, clock.kind))  # accept before first_touch
        return (_breach if _may_take(holder, clock) else _tell)(opportunity, holder, clock)
    steps = [(step[1], clock.kind, clock, step) for clock in theirs if (step := clock.reminder(now))]
    if not steps:
        return None
    _, _, clock, step = min(steps, key=lambda found: found[:2])
    return _step(opportunity, holder, clock, step)


def _may_take(holder: Offer, clock: Clock) -> bool:
    return clock.takes_back() and not holder.is_last_resort()


def _tell(opportunity: Opportunity, offer: Offer, clock: Clock) -> Change:
    """The manager is told, of a deal's clock whoever has it, and the lead stays where it is; that it is late is kept."""
    breached = opportunity.with_clock(clock.breached().followed())
    effect = "tell_holder" if clock.assignment == DEAL and opportunity.current() else "tell_manager"
    told = events.of_clock(breached, "clock-breached", clock.due_at, offer, clock, effect=effect)
    return Change(breached, (told,))


def _step(opportunity: Opportunity, offer: Offer, clock: Clock, step: Reminder) -> Change:
    """The holder hears how much of the time has passed, or the manager does, or the lead is taken back; of several at once only the
    last is done."""
    share, at = step
    doing, after = clock.doing(step), opportunity.with_clock(clock.told(step))
    if doing == "remind":
        return Change(after, (events.of_clock(after, "clock-reminder", at, offer, clock, str(share), share=share),))
    if doing == "take_back" and clock.kind != "qualify" and not offer.is_last_resort():
        return _expired(after, offer, clock, at)
    effect = "tell_manager" if doing == "take_back" else doing  # who may keep it however late is told on
    told = events.of_clock(after, "clock-escalated", at, offer, clock, str(share), share=share, effect=effect)
    return Change(after, (told,))


def _breach(opportunity: Opportunity, offer: Offer, clock: Clock) -> Change:
    breached = opportunity.with_clock(clock.breached())
    told = events.of_clock(breached, "clock-breached", clock.due_at, offer, clock)
    return Change(breached, (told,)).then(_expired(breached, offer, clock, clock.due_at))


def _expired(opportunity: Opportunity, offer: Offer, clock: Clock, at: int) -> Change:
    """The lead is taken from its holder, at `at`, because of this clock."""
    expired = end_offer(opportunity, offer, "expired", at, reason=clock.kind, effect="reroute")
    more = {"reason": clock.kind, "effect": "reroute", "clock": clock.kind, "due_at": clock.due_at}
    told = events.of_offer(expired, "offer-expired", at, offer, **more)
    return Change(expired, (told,)).then(free(expired, offer.assignment, at, clock.kind, closes_in=None))
