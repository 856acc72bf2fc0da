"""What follows, in the same transaction, from what happened to opportunities."""

from __future__ import annotations

from collections.abc import Sequence

from services.handoff.domain.opportunity import Opportunity
from shared.kit.database import Connection
from shared.schemas.handoff import HandoffEvent

TOLD = frozenset({"clock-reminder", "clock-escalated"})


async def keep_steps(connection: Connection, tenant: str, events: Sequence[HandoffEvent]) -> None:
    """What was told of clocks while they ran: their own rows do not say when."""
    told = [
        (e.opportunity_id, e.event_id, e.kind, e.at, e.assignment, e.rep_id, e.clock, e.due_at, e.share, e.effect)
        for e in events
        if e.kind in TOLD
    ]
    if told:
        await connection.execute(
            "INSERT INTO handoff.clock_steps"
            " (tenant, opportunity_id, event_id, kind, at, assignment, rep_id, clock, due_at, share, effect)"
            " SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],"
            " $9::bigint[], $10::integer[], $11::text[]) ON CONFLICT DO NOTHING",
            tenant,
            *[list(column) for column in zip(*told, strict=True)],
        )


async def cancel_tasks(
    connection: Connection, tenant: str, changes: Sequence[tuple[Opportunity | None, Opportunity]], now: int
) -> None:
    """Open tasks of reps who had the lead before, and do not have it after, are cancelled."""
    lost = [
        (after.opportunity_id, offer.rep_id)
        for before, after in changes
        if before and (offer := before.current())
        if (holder := after.current()) is None or holder.rep_id != offer.rep_id
    ]
    if lost:
        await connection.execute(
            "UPDATE handoff.tasks t SET state = 'cancelled', ended_at = $2, ended_by = 'handoff'"
            " FROM unnest($3::uuid[], $4::text[]) AS lost(opportunity_id, rep_id)"
            " WHERE t.tenant = $1 AND t.opportunity_id = lost.opportunity_id AND t.rep_id = lost.rep_id AND t.state = 'open'",
            tenant,
            now,
            *[list(column) for column in zip(*lost, strict=True)],
        )
