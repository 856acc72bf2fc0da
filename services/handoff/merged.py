"""Leads that became part of another one: by its id, what they had is found, too.

Who became part of whom is the router's to say, and is read where it is kept: also of leads that were accepted, which handoff is not
told, and as it is now, when two are taken apart again.
"""

from __future__ import annotations

from shared.kit.database import Connection

# UNION leaves out what is there already, so that a circle ends.
_FAMILY = """
    WITH RECURSIVE family(lead_id) AS (
        SELECT {lead}::text
        UNION
        SELECT l.lead_id FROM family f JOIN router.leads l ON l.tenant = {tenant} AND l.merged_into = f.lead_id
    )
    SELECT lead_id FROM family
"""
OF_LEAD = _FAMILY.format(tenant="$1", lead="$2")  # the lead, and all that were merged into it, or into one of those
# What inside sales handed over of the opportunity `o`, or of one that ended because its lead became part of this one: a row `v`.
HANDED_OVER = f"""
    handoff.handovers v WHERE v.tenant = o.tenant AND v.opportunity_id IN (
        SELECT o.opportunity_id UNION SELECT m.opportunity_id FROM handoff.opportunities m WHERE m.tenant = o.tenant
        AND m.stage = 'merged' AND m.lead_id IN ({_FAMILY.format(tenant="o.tenant", lead="o.lead_id")}))
"""


async def family(connection: Connection, tenant: str, lead_id: str) -> list[str]:
    """The lead, and all that were merged into it, or into one of those."""
    return [row["lead_id"] for row in await connection.fetch(OF_LEAD, tenant, lead_id)]
