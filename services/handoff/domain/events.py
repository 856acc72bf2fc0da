"""What handoff says. Every event id derives from what happened, so that saying it twice is saying it once."""

from __future__ import annotations

from typing import Any

from services.handoff.domain.clocks import DEAL, Clock
from services.handoff.domain.opportunity import Change, Offer, Opportunity, Stage
from shared.schemas import ids
from shared.schemas.handoff import HandoffEvent, HandoffKind


def event(
    opportunity: Opportunity, kind: HandoffKind, at: int, assignment: int, *distinct: str, **fields: Any
) -> HandoffEvent:
    """An event about one assignment; `distinct` tells it from others of its kind about the same one."""
    return HandoffEvent(
        tenant=opportunity.tenant,
        kind=kind,
        event_id=ids.derived_id("handoff", opportunity.tenant, opportunity.opportunity_id, kind, assignment, *distinct),
        lead_id=opportunity.lead_id,
        opportunity_id=opportunity.opportunity_id,
        cycle=opportunity.cycle,
        assignment=assignment,
        at=at,
        stage=opportunity.told,
        **fields,
    )


def of_offer(opportunity: Opportunity, kind: HandoffKind, at: int, offer: Offer, **fields: Any) -> HandoffEvent:
    return event(opportunity, kind, at, offer.assignment, rep_id=offer.rep_id, **fields)


def of_clock(
    opportunity: Opportunity, kind: HandoffKind, at: int, offer: Offer, clock: Clock, *distinct: str, **fields: Any
) -> HandoffEvent:
    if clock.assignment == DEAL:  # begins anew as often as its day is another
        distinct = (str(clock.started_at), *distinct)
    return event(
        opportunity,
        kind,
        at,
        offer.assignment,
        clock.kind,
        *distinct,
        rep_id=offer.rep_id,
        clock=clock.kind,
        due_at=clock.due_at,
        **fields,
    )


def moved(
    opportunity: Opportunity, *, before: Stage | None, at: int, assignment: int, reason: str | None = None
) -> Change:
    """The change of stage from `before` to what the opportunity is in now; nothing where it is the same."""
    if opportunity.stage == before:
        return Change(opportunity)
    told = event(opportunity, "stage-changed", at, assignment, f"{before} {opportunity.stage}", reason=reason)
    return Change(opportunity, (told,))
