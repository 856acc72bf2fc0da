"""What follows, in the same transaction, from what happened to opportunities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.handoff.domain import events
from services.handoff.domain.opportunity import Opportunity
from shared.kit.database import Connection
from shared.schemas.handoff import HandoffEvent, HandoffKind

TOLD = frozenset({"clock-reminder", "clock-escalated"})
# A clock of the deal begins anew in its own row, as often as its day is another: what it was before, that row forgets.
OF_THE_DEAL = frozenset({"clock-breached", "clock-met-late"})
DEAL_CLOCKS = frozenset({"next_step", "stage_rot"})


async def keep_steps(connection: Connection, tenant: str, happened: Sequence[HandoffEvent]) -> None:
    """What was told of clocks and their own rows do not say, or not for long."""
    told = [
        (e.opportunity_id, e.event_id, e.kind, e.at, e.assignment, e.rep_id, e.clock, e.due_at, e.share, e.effect)
        for e in happened
        if e.kind in TOLD or (e.kind in OF_THE_DEAL and e.clock in DEAL_CLOCKS)
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
) -> list[HandoffEvent]:
    """Open tasks of reps who had the lead before, and do not have it after, are cancelled, and all of what has closed; what is to
    be told of it."""
    closed = [(after, None) for before, after in changes if before and before.is_open() and not after.is_open()]
    lost = closed + [
        (after, offer.rep_id)
        for before, after in changes
        if before and (offer := before.current())
        if (holder := after.current()) is None or holder.rep_id != offer.rep_id
    ]
    if not lost:
        return []
    rows = await connection.fetch(
        "UPDATE handoff.tasks t SET state = 'cancelled', ended_at = $2, ended_by = 'handoff'"
        " FROM unnest($3::uuid[], $4::text[]) AS lost(opportunity_id, rep_id)"
        " WHERE t.tenant = $1 AND t.opportunity_id = lost.opportunity_id"
        " AND (lost.rep_id IS NULL OR t.rep_id = lost.rep_id) AND t.state = 'open'"
        " RETURNING t.task_id::text, t.opportunity_id::text, t.rep_id, t.due_at",
        tenant,
        now,
        [opportunity.opportunity_id for opportunity, _ in lost],
        [rep_id for _, rep_id in lost],
    )
    known = {opportunity.opportunity_id: opportunity for opportunity, _ in lost}
    return [
        of_task(known[row["opportunity_id"]], "task-cancelled", dict(row), now)
        for row in sorted(rows, key=lambda row: str(row["task_id"]))
    ]


def of_task(opportunity: Opportunity, kind: HandoffKind, row: Mapping[str, Any], now: int) -> HandoffEvent:
    """What happened to a task; each of these happens to it once."""
    last = opportunity.offers[-1].assignment
    task_id = str(row["task_id"])
    more = {"rep_id": row["rep_id"], "due_at": row["due_at"], "subject": task_id}
    return events.event(opportunity, kind, now, last, task_id, **more)
