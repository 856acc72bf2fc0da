"""What humans did about a lead."""

from __future__ import annotations

import orjson

from services.handoff.domain.opportunity import Opportunity
from services.handoff.domain.rep import Activity
from shared.kit.database import Connection
from shared.schemas.person import SealedPerson


async def find_activity(
    connection: Connection, tenant: str, opportunity_id: str, activity_id: str
) -> tuple[str, str | None] | None:
    """Type and outcome of the activity of this id, None where there is none."""
    found = await connection.fetchrow(
        "SELECT type, outcome FROM handoff.activities WHERE (tenant, opportunity_id, activity_id) = ($1, $2::uuid, $3)",
        tenant,
        opportunity_id,
        activity_id,
    )
    return (found["type"], found["outcome"]) if found else None


async def add_activity(
    connection: Connection,
    opportunity: Opportunity,
    activity: Activity,
    *,
    logged_by: str,
    note: SealedPerson | None,
    now: int,
) -> None:
    await connection.execute(
        "INSERT INTO handoff.activities"
        " (tenant, opportunity_id, activity_id, type, at, logged_at, rep_id, logged_by, note, duration, direction,"
        " outcome, participants) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11, $12, $13)",
        opportunity.tenant,
        opportunity.opportunity_id,
        activity.activity_id,
        activity.type,
        activity.at,
        now,
        activity.rep_id,
        logged_by,
        orjson.dumps(note.model_dump()).decode() if note else None,
        activity.duration,
        activity.direction,
        activity.outcome,
        list(activity.participants),
    )
