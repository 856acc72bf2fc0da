"""What a deal does to the opportunity that it is of: who may work on it, what is told, and how it closes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.handoff.domain import events
from services.handoff.domain.opportunity import Change, Offer, Opportunity, Stage
from services.handoff.pipeline.deal import Deal, changes
from services.handoff.pipeline.steps import RefusedError
from shared.schemas.handoff import HandoffEvent, HandoffKind

WON_OR_LOST: Mapping[str, Stage] = {"won": "won", "lost": "lost"}


def owner(opportunity: Opportunity) -> Offer:
    """The offer of who works on the deal, or has won or lost it. Raises RefusedError: not_accepted, where none of field sales has
    accepted."""
    offer = opportunity.current()
    if offer is None or offer.state != "accepted" or offer.leg == "is":
        raise RefusedError("not_accepted", "a deal begins once field sales has accepted the lead")
    return offer


def applied(opportunity: Opportunity, before: Deal | None, after: Deal, now: int) -> Change:
    """The opportunity with its deal as it is now, and what is told of that; closed where the deal is won or lost. `after` has the
    version that it is stored as."""
    offer = owner(opportunity)
    moved = replace(opportunity, deal=after.stage)
    ended: Stage | None = WON_OR_LOST.get(after.stage)
    if ended and opportunity.is_open():
        for clock in moved.running():
            moved = moved.with_clock(clock.cancelled(now))
        moved = replace(moved, stage=ended)
    fields = tuple(change.field for change in changes(before, after))
    told: list[HandoffEvent] = []
    if before is None or before.stage != after.stage:
        if moved.told != opportunity.told:
            told.append(_event(moved, offer, "stage-changed", after, now, _told_of_end(after)))
        fields = tuple(name for name in fields if name not in ("stage", "stage_since"))
    if after.handed_over_at is not None and (before is None or before.handed_over_at is None):
        told.append(_event(moved, offer, "deal-handed-over", after, now, {"account_manager": after.account_manager}))
    if fields and not told:
        told.append(_event(moved, offer, "deal-changed", after, now, {"fields": fields}))
    return Change(moved, tuple(told))


def _told_of_end(deal: Deal) -> dict[str, object]:
    return {"reason": deal.closed_reason, "until": deal.comes_back_at} if deal.stage == "lost" else {}


def _event(
    opportunity: Opportunity, offer: Offer, kind: HandoffKind, deal: Deal, now: int, told: dict[str, object]
) -> HandoffEvent:
    return events.event(
        opportunity,
        kind,
        now,
        offer.assignment,
        f"deal {deal.version}",
        rep_id=offer.rep_id,
        version=deal.version,
        **told,
    )
