"""A deal begins with the acceptance by field sales, in the same transaction: it is stored, and its clocks run."""

from __future__ import annotations

from services.handoff import store
from services.handoff.domain.deal_clocks import watched
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.domain.terms import Promises
from services.handoff.pipeline import store as rows
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.handover import due_days, entered, owner
from services.handoff.pipeline.steps import RefusedError, begun
from services.handoff.store import Write
from shared.kit.database import Connection
from shared.schemas.policies.pipeline import PipelinePolicy


async def save(
    connection: Connection, write: Write, policy: PipelinePolicy | None, promises: Promises | None, now: int
) -> Change:
    """Store what was done with an opportunity, and the deal that begins by it, where field sales has it now and it has none yet.
    What changed in all. policy: None for a tenant without deals"""
    change, deal = write.change, None
    if policy and _lacks_deal(change.opportunity):
        deal = await first(connection, change.opportunity, policy)
        change = change.then(entered(change.opportunity, deal, now))
        if promises:
            days = due_days(deal, policy, promises, change.opportunity.worker().rep_id, now)
            change = change.then(watched(change.opportunity, days, promises, now))
    await store.save(
        connection, change.opportunity.tenant, [Write(write.before, change, write.record, write.note)], now
    )
    if deal:
        await rows.save(connection, change.opportunity, None, deal, policy, by=rows.BY, now=now)
    return change


def _lacks_deal(opportunity: Opportunity) -> bool:
    if opportunity.deal is not None or opportunity.stage != "accepted":
        return False
    try:
        owner(opportunity)
    except RefusedError:
        return False
    return True


async def first(connection: Connection, opportunity: Opportunity, policy: PipelinePolicy) -> Deal:
    """The deal of an opportunity that has none: as of the acceptance, with where the lead came from. Raises RefusedError:
    not_accepted."""
    since = owner(opportunity).accepted_at or 0
    [row] = await connection.fetch(
        "SELECT attributes, touches FROM handoff.opportunities WHERE tenant = $1 AND opportunity_id = $2::uuid",
        opportunity.tenant,
        opportunity.opportunity_id,
    )
    source = row["attributes"].get("first_source")
    named = [touch["campaign"] for touch in sorted(row["touches"], key=lambda t: int(t["at"])) if touch.get("campaign")]
    return begun(policy, since, str(source) if source else None, named[-1] if named else None)
