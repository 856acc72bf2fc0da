"""Which running clocks go by terms that may have changed, and who is away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.handoff.domain.opportunity import Opportunity
from services.handoff.store.loading import Key, whole
from shared.availability.people import Away
from shared.kit.database import Connection


@dataclass(frozen=True, slots=True)
class Group:
    """Running clocks that were counted by the same terms."""

    tenant: str
    rep_id: str
    lead_class: str
    basis: str


# One step down the index for each group, however many clocks are in it.
_GROUPS = """
    WITH RECURSIVE found AS (
        (SELECT tenant, rep_id, lead_class, basis FROM handoff.clocks WHERE state = 'running'
         ORDER BY tenant, rep_id, lead_class, basis LIMIT 1)
        UNION ALL
        SELECT later.* FROM found CROSS JOIN LATERAL (
            SELECT c.tenant, c.rep_id, c.lead_class, c.basis FROM handoff.clocks c
            WHERE c.state = 'running' AND (c.tenant, c.rep_id, c.lead_class, c.basis)
                > (found.tenant, found.rep_id, found.lead_class, found.basis)
            ORDER BY c.tenant, c.rep_id, c.lead_class, c.basis LIMIT 1
        ) later
    )
    SELECT * FROM found WHERE basis <> ''
"""
_CLAIM = """
    SELECT o.tenant, o.opportunity_id, o.lead_id, o.cycle, o.stage, o.assignment, o.withdrawn, o.deal_stage, o.type
    FROM handoff.clocks c JOIN handoff.opportunities o USING (tenant, opportunity_id)
    WHERE c.state = 'running' AND (c.tenant, c.rep_id, c.lead_class, c.basis) = ($1, $2, $3, $4)
    LIMIT $5 FOR UPDATE OF o SKIP LOCKED
"""


async def groups(connection: Connection) -> list[Group]:
    """Of all tenants; what is older than terms are is not among them."""
    return [Group(**dict(row)) for row in await connection.fetch(_GROUPS)]


async def claim_moved(connection: Connection, group: Group, most: int) -> dict[Key, Opportunity]:
    """At most so many opportunities of the group, locked; who holds one of them moves its clocks."""
    rows = await connection.fetch(_CLAIM, group.tenant, group.rep_id, group.lead_class, group.basis, most)
    return await whole(connection, rows)


async def away(connection: Connection, tenants: Sequence[str]) -> dict[str, dict[str, Away]]:
    """By tenant, reps who have said that they are away, whenever: the router keeps it, and it is read where it is kept, so
    that both go by the same word at the same moment."""
    found: dict[str, dict[str, Away]] = {tenant: {} for tenant in tenants}
    rows = await connection.fetch(
        "SELECT tenant, rep_id, away_from, away_until FROM router.availability WHERE tenant = ANY($1::text[])",
        list(tenants),
    )
    for row in rows:
        found[row["tenant"]][row["rep_id"]] = Away(row["away_from"], row["away_until"])
    return found
