"""What a deal does to the opportunity that it is of: who may work on it, what is told, and how it closes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from services.handoff.domain import events
from services.handoff.domain.opportunity import Change, Offer, Opportunity, Stage
from services.handoff.domain.rep import touched_by_stage
from services.handoff.domain.terms import ClockKind, Promises
from services.handoff.pipeline.deal import Deal, changes
from services.handoff.pipeline.steps import RefusedError
from shared.schemas.handoff import HandoffEvent, HandoffKind
from shared.schemas.policies.pipeline import PipelinePolicy

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
    moved = replace(opportunity, deal=after.stage, deal_type=after.type)
    ended: Stage | None = WON_OR_LOST.get(after.stage)
    if ended and opportunity.is_open():
        moved = replace(moved, stage=ended).closed(now)
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


def worked(opportunity: Opportunity, before: Deal, after: Deal, now: int) -> Change:
    """Whoever moves a deal to another stage, or wins it, is at work on it: the lead has been touched. One that is lost may be one
    that nobody has ever called, so losing it meets nothing."""
    if after.stage in (before.stage, "lost"):
        return Change(opportunity)
    return touched_by_stage(opportunity, owner(opportunity), now)


def entered(opportunity: Opportunity, deal: Deal, now: int) -> Change:
    """The opportunity whose deal begins, as version 0. Told only where its first stage has a name of its own."""
    moved = replace(opportunity, deal=deal.stage, deal_type=deal.type)
    told = (
        (_event(moved, owner(opportunity), "stage-changed", deal, now, {}),) if moved.told != opportunity.told else ()
    )
    return Change(moved, told)


def due_days(
    deal: Deal, policy: PipelinePolicy, promises: Promises, rep_id: str, now: int, stands: int = 0
) -> dict[ClockKind, date | None]:
    """On which days the clocks of a deal that has just changed are due, in the time of who has it; None where one is not kept.
    stands: until when they are paused (ms): working days that end before do not count"""
    kept, pipeline = promises.sla.deals, policy.of(deal.type)
    stage = pipeline.find(deal.stage) if pipeline else None
    rots = stage.rot if kept and kept.stage_rot and stage and deal.is_open else None
    return {
        "next_step": deal.next_step_on if kept and kept.next_step and deal.is_open else None,
        "stage_rot": promises.working_day(rep_id, now, rots, stands) if rots else None,
    }


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
