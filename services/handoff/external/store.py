"""Which opportunity another system means by an id of its own: one id each, for good."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from services.handoff.merged import family
from shared.kit.database import Connection


class LinkedElsewhereError(Exception):
    """The id stands for another opportunity, or the system has another id for this one."""


@dataclass(frozen=True, slots=True)
class External:
    """system: such as `salesforce`;  external_id: as that system has it"""

    system: str
    external_id: str


async def find(connection: Connection, tenant: str, external: External) -> str | None:
    """The opportunity's id, if the system has told us."""
    found: str | None = await connection.fetchval(
        "SELECT opportunity_id::text FROM handoff.external_ids WHERE (tenant, system, external_id) = ($1, $2, $3)",
        tenant,
        external.system,
        external.external_id,
    )
    return found


async def link(connection: Connection, tenant: str, external: External, opportunity_id: str, now: int) -> bool:
    """Whether it is new; again is the same. Raises LinkedElsewhereError."""
    try:
        done = await connection.execute(
            "INSERT INTO handoff.external_ids (tenant, system, external_id, opportunity_id, linked_at)"
            " VALUES ($1, $2, $3, $4::uuid, $5) ON CONFLICT (tenant, system, external_id) DO NOTHING",
            tenant,
            external.system,
            external.external_id,
            opportunity_id,
            now,
        )
    except asyncpg.UniqueViolationError:  # the system has another id for it
        raise LinkedElsewhereError from None
    if await find(connection, tenant, external) != opportunity_id:
        raise LinkedElsewhereError
    return bool(done.endswith(" 1"))


async def latest_of(connection: Connection, tenant: str, lead_id: str) -> str | None:
    """The opportunity of the lead's last cycle; where it has none, the latest of the leads merged into it."""
    found: str | None = await connection.fetchval(
        "SELECT opportunity_id::text FROM handoff.opportunities WHERE tenant = $1 AND lead_id = ANY($3)"
        " ORDER BY lead_id = $2 DESC, created_at DESC, cycle DESC, opportunity_id LIMIT 1",
        tenant,
        lead_id,
        await family(connection, tenant, lead_id),
    )
    return found
