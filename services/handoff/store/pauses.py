"""Pauses of clocks: one row each, which ends once."""

from __future__ import annotations

from services.handoff.domain.opportunity import Opportunity
from services.handoff.domain.pausing import Pause
from shared.kit.database import Connection


async def pauses(connection: Connection, opportunity: Opportunity) -> list[Pause]:
    """Those of the opportunity, in order."""
    rows = await connection.fetch(
        "SELECT assignment, number, reason, paused_at, paused_by, until, resumed_at, resumed_by FROM handoff.pauses"
        " WHERE (tenant, opportunity_id) = ($1, $2::uuid) ORDER BY assignment, number",
        opportunity.tenant,
        opportunity.opportunity_id,
    )
    return [Pause(**dict(row)) for row in rows]


async def save_pause(connection: Connection, opportunity: Opportunity, pause: Pause) -> None:
    """A new one, or the end of one."""
    await connection.execute(
        "INSERT INTO handoff.pauses (tenant, opportunity_id, assignment, number, reason, paused_at, paused_by, until,"
        " resumed_at, resumed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (tenant, opportunity_id, assignment, number) DO UPDATE SET resumed_at = excluded.resumed_at,"
        " resumed_by = excluded.resumed_by WHERE pauses.resumed_at IS NULL",
        opportunity.tenant,
        opportunity.opportunity_id,
        pause.assignment,
        pause.number,
        pause.reason,
        pause.paused_at,
        pause.paused_by,
        pause.until,
        pause.resumed_at,
        pause.resumed_by,
    )
