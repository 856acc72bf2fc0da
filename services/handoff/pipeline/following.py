"""A deal ends with its opportunity, however that ends. Pure."""

from __future__ import annotations

from services.handoff.domain.opportunity import Opportunity
from services.handoff.pipeline.deal import ENDED_BY, Deal
from services.handoff.pipeline.steps import ended


def followed(opportunity: Opportunity, deal: Deal, now: int, until: int | None = None) -> Deal:
    """The deal of an opportunity that was given back, disqualified or merged; for the reason that its last holder gave.
    until: when (ms) the lead wants to be called again, where it said so"""
    outcome = ENDED_BY.get(opportunity.stage)
    if outcome is None:
        return deal
    reason = opportunity.offers[-1].reason if opportunity.offers else None
    return ended(deal, outcome, now, reason, until)
