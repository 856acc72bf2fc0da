"""What the router's records do to an opportunity. Handoff decides: a lead that was accepted meanwhile stays where it is."""

from __future__ import annotations

from dataclasses import replace

from services.handoff.domain import events
from services.handoff.domain.clocks import start_clocks
from services.handoff.domain.ending import end_offer, fire, free
from services.handoff.domain.opportunity import Change, Offer, Opportunity, Stage
from services.handoff.domain.terms import Promises
from shared.schemas import ids
from shared.schemas.routing import LeadRouted, LeadWithdrawn


def route(known: Opportunity | None, record: LeadRouted, promises: Promises, now: int) -> Change:
    """The lead is offered to a rep at `now`; refused while somebody has accepted it, whom it does not relieve, and after it was
    closed. One that was taken back is routed again: whoever gives it up from now on closes nothing by it.

    An assignment that is known already, applied or refused, changes nothing.
    """
    if known is None:
        opportunity = Opportunity(
            record.tenant,
            ids.opportunity_id(record.tenant, record.lead_id, record.cycle),
            record.lead_id,
            record.cycle,
            stage="offered",
            assignment=0,
        )
        created = events.moved(opportunity, before=None, at=now, assignment=record.assignment)
        return created.then(_offer(opportunity, record, promises, now))
    if known.assignment >= record.assignment:
        return Change(known)
    fired = fire(known, now)
    opportunity = replace(fired.opportunity, assignment=record.assignment, withdrawn=None)
    holder = opportunity.current()
    if not opportunity.is_open():
        return fired.then(_refuse(opportunity, record, now, "closed", None))
    if holder and holder.state == "accepted":
        if record.relieves != holder.rep_id:
            return fired.then(_refuse(opportunity, record, now, "accepted", holder))
        relieved = end_offer(opportunity, holder, "superseded", now, reason="relieved")
        # By the assignment that ends: the new one may end in this way, too, and what it is said by would be the same.
        fired = fired.then(free(relieved, holder.assignment, now, "relieved", closes_in=None))
        opportunity = fired.opportunity
    elif holder:
        opportunity = end_offer(opportunity, holder, "superseded", now, reason="rerouted")
    return fired.then(_offer(opportunity, record, promises, now))


def _refuse(opportunity: Opportunity, record: LeadRouted, now: int, reason: str, holder: Offer | None) -> Change:
    told = events.event(
        opportunity,
        "routing-refused",
        now,
        record.assignment,
        rep_id=record.rep_id,
        reason=reason,
        holder=holder.rep_id if holder else None,
        held=holder.assignment if holder else None,
    )
    return Change(opportunity, (told,))


def _offer(opportunity: Opportunity, record: LeadRouted, promises: Promises, now: int) -> Change:
    offer = Offer(
        record.assignment, record.rep_id, record.rep_name, record.mode, record.leg, record.pool_id, offered_at=now
    )
    clocks = start_clocks(
        promises.terms(record.rep_id, record.lead_class),
        assignment=record.assignment,
        rep_id=record.rep_id,
        lead_class=record.lead_class,
        to_accept=record.mode == "offer",
        qualifying_at=record.qualifying_at,
        now=now,
    )
    offered = replace(
        opportunity,
        assignment=record.assignment,
        offers=(*opportunity.offers, offer),
        clocks=(*opportunity.clocks, *clocks),
    )
    return Change(offered, (events.of_offer(offered, "offer-opened", now, offer),))


def withdraw(opportunity: Opportunity, record: LeadWithdrawn, now: int) -> Change:
    """The lead is taken back: its offer is withdrawn and the opportunity closed. Who has accepted keeps it; when they give it up
    it closes then, because nobody will route it again."""
    if not opportunity.is_open() or record.assignment < opportunity.offers[-1].assignment:
        return Change(opportunity)
    fired = fire(opportunity, now)
    opportunity = replace(fired.opportunity, withdrawn=_closing_stage(record))
    holder = opportunity.current()
    if holder and holder.state == "accepted":
        return fired.then(Change(opportunity))
    if holder:
        opportunity = end_offer(opportunity, holder, "withdrawn", now, reason=record.reason.code)
    closed = replace(opportunity, stage=_closing_stage(record)).closed(now)
    told = (events.of_offer(closed, "offer-withdrawn", now, holder, reason=record.reason.code),) if holder else ()
    return fired.then(Change(closed, told)).then(
        events.moved(closed, before=opportunity.stage, at=now, assignment=record.assignment, reason=record.reason.code)
    )


def _closing_stage(record: LeadWithdrawn) -> Stage:
    if record.merged_into:
        return "merged"
    return "disqualified" if record.reason.code == "disqualified" else "recycled"
