"""Leads that became part of another one: by its id, what they had is found, too.

Who became part of whom is the router's to say, and is read where it is kept: also of leads that were accepted, which handoff is not
told, and as it is now, when two are taken apart again.
"""

from __future__ import annotations

from shared.kit.database import Connection

# UNION leaves out what is there already, so that a circle ends.
_FAMILY = """
    WITH RECURSIVE family(lead_id) AS (
        SELECT $2::text
        UNION
        SELECT l.lead_id FROM family f JOIN router.leads l ON l.tenant = $1 AND l.merged_into = f.lead_id
    )
    SELECT lead_id FROM family
"""


async def family(connection: Connection, tenant: str, lead_id: str) -> list[str]:
    """The lead, and all that were merged into it, or into one of those."""
    return [row["lead_id"] for row in await connection.fetch(_FAMILY, tenant, lead_id)]
