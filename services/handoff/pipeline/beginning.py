"""A deal begins with the acceptance by field sales, in the same transaction: it is stored, and its clocks run."""

from __future__ import annotations

from datetime import UTC, datetime, time

from services.handoff import store
from services.handoff.bodies import LAST_DAY
from services.handoff.domain.deal_clocks import watched
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.domain.pausing import stands_until
from services.handoff.domain.terms import Promises
from services.handoff.merged import HANDED_OVER
from services.handoff.pipeline import store as rows
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.handover import due_days, entered, owner
from services.handoff.pipeline.steps import Moment, RefusedError, begun
from services.handoff.policies import Policies
from services.handoff.store import Write
from shared.kit.database import Connection
from shared.schemas.policies.pipeline import PipelinePolicy

LATEST = round(datetime.combine(LAST_DAY, time(), UTC).timestamp() * 1000)  # ms: no deal has a day after it


async def save(connection: Connection, write: Write, policies: Policies, promises: Promises | None, now: int) -> Change:
    """Store what was done with an opportunity, and the deal that begins by it, where the tenant has deals, field sales has it now,
    and it has none yet. What changed in all."""
    change, deal, policy = write.change, None, policies.pipeline(write.change.opportunity.tenant)
    if policy and _lacks_deal(change.opportunity):
        deal = await first(connection, change.opportunity, policy, policies)
        change = change.then(entered(change.opportunity, deal, now))
        if promises:
            stands = stands_until(await store.pauses(connection, change.opportunity), now)
            days = due_days(deal, policy, promises, change.opportunity.worker().rep_id, now, stands)
            change = change.then(watched(change.opportunity, days, promises, now, stands))
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


async def first(connection: Connection, opportunity: Opportunity, policy: PipelinePolicy, policies: Policies) -> Deal:
    """The deal of an opportunity that has none: as of the acceptance, with where the lead came from, and the first meeting that
    inside sales handed over last. Raises RefusedError: not_accepted."""
    offer = owner(opportunity)
    [row] = await connection.fetch(
        "SELECT o.attributes, o.touches,"
        f" (SELECT v.first_meeting FROM {HANDED_OVER} ORDER BY v.at DESC, v.assignment DESC LIMIT 1) AS meeting"
        " FROM handoff.opportunities o WHERE o.tenant = $1 AND o.opportunity_id = $2::uuid",
        opportunity.tenant,
        opportunity.opportunity_id,
    )
    source = row["attributes"].get("first_source")
    named = [touch["campaign"] for touch in sorted(row["touches"], key=lambda t: int(t["at"])) if touch.get("campaign")]
    deal = begun(policy, offer.accepted_at or 0, str(source) if source else None, named[-1] if named else None)
    if row["meeting"] is None or row["meeting"] >= LATEST:
        return deal
    day = Moment(row["meeting"], policies.zone(opportunity.tenant, offer.rep_id)).today
    return deal.model_copy(update={"first_meeting": day})
