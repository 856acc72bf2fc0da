"""Tasks of an opportunity in Postgres: what is to be done, by whom and by when; each ends once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from services.handoff.seeing import shown
from shared.kit.database import Connection
from shared.kit.person import seal
from shared.sight import Sight


@dataclass(frozen=True, slots=True)
class Task:
    """kind: todo, call or meeting;  title: sealed when stored;  due_at: ms;  due_on: the day, where it is due on a day
    by:  whose token made it;  from_activity: the activity that made it, if one did
    stakeholder_id: whose move is to be verified (在籍確認), where that is it"""

    task_id: str
    opportunity_id: str
    kind: str
    title: str | None
    due_at: int
    due_on: str | None
    rep_id: str
    by: str
    from_activity: str | None = None
    stakeholder_id: str | None = None


def end_of(day: date, zone: ZoneInfo) -> int:
    """When a day ends there, ms: what is due on it is late from then on."""
    return round(datetime.combine(day + timedelta(days=1), time(), zone).timestamp() * 1000)


_ROW = """
    t.task_id::text AS id, t.opportunity_id::text, o.lead_id, t.kind, t.title, t.due_at, t.due_on, t.rep_id, t.state, t.created_at,
    t.created_by, t.ended_at, t.ended_by, t.from_activity, t.stakeholder_id
"""
_FROM = "FROM handoff.tasks t JOIN handoff.opportunities o USING (tenant, opportunity_id)"


async def add(connection: Connection, tenant: str, task: Task, now: int) -> None:
    """Under the lock of the opportunity. One of a known id is not added again."""
    sealed = seal({"free_text": task.title})
    await connection.execute(
        "INSERT INTO handoff.tasks (tenant, task_id, opportunity_id, kind, title, due_at, due_on, rep_id, created_at, created_by,"
        " from_activity, stakeholder_id) VALUES ($1, $2::uuid, $3::uuid, $4, $5::text::jsonb, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT DO NOTHING",
        tenant,
        task.task_id,
        task.opportunity_id,
        task.kind,
        orjson.dumps(sealed.model_dump()).decode() if sealed else None,
        task.due_at,
        task.due_on,
        task.rep_id,
        now,
        task.by,
        task.from_activity,
        task.stakeholder_id,
    )


async def end(connection: Connection, tenant: str, task_id: str, state: str, by: str, now: int) -> bool:
    """Whether it ended by this: one that has ended stays as it is. Under the lock of the opportunity."""
    found = await connection.fetchval(
        "UPDATE handoff.tasks SET state = $3, ended_at = $4, ended_by = $5"
        " WHERE tenant = $1 AND task_id = $2::uuid AND state = 'open' RETURNING true",
        tenant,
        task_id,
        state,
        now,
        by,
    )
    return bool(found)


async def end_calls(connection: Connection, tenant: str, opportunity_id: str, by: str, now: int) -> list[Any]:
    """The call was made: what was to be called is done, and answered. Under the lock of the opportunity."""
    return await connection.fetch(
        "UPDATE handoff.tasks SET state = 'done', ended_at = $3, ended_by = $4"
        " WHERE tenant = $1 AND opportunity_id = $2::uuid AND kind = 'call' AND state = 'open'"
        " RETURNING task_id, rep_id, due_at",
        tenant,
        opportunity_id,
        now,
        by,
    )


async def end_verifying(
    connection: Connection, tenant: str, opportunity_id: str, stakeholder_id: str, state: str, by: str, now: int
) -> list[Any]:
    """Whether this person has moved is known, or no matter any more. Under the lock of the opportunity."""
    return await connection.fetch(
        "UPDATE handoff.tasks SET state = $4, ended_at = $5, ended_by = $6"
        " WHERE tenant = $1 AND opportunity_id = $2::uuid AND stakeholder_id = $3 AND state = 'open'"
        " RETURNING task_id, rep_id, due_at",
        tenant,
        opportunity_id,
        stakeholder_id,
        state,
        now,
        by,
    )


async def find(connection: Connection, tenant: str, task_id: str) -> dict[str, Any] | None:
    row = await connection.fetchrow(
        f"SELECT {_ROW} {_FROM} WHERE t.tenant = $1 AND t.task_id = $2::uuid", tenant, task_id
    )
    return dict(row) if row else None


async def page(
    connection: Connection,
    tenant: str,
    sight: Sight,
    *,
    opportunity_id: str | None,
    rep_id: str | None,
    state: str | None,
    due_before: int | None,
    after: tuple[int, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Those that are due first; of opportunities that `sight` shows."""
    rows = await connection.fetch(
        f"SELECT {_ROW} {_FROM} WHERE t.tenant = $1"
        " AND ($2::uuid IS NULL OR t.opportunity_id = $2) AND ($3::text IS NULL OR t.rep_id = $3)"
        " AND ($4::text IS NULL OR t.state = $4) AND ($5::bigint IS NULL OR t.due_at < $5)"
        " AND ($6::bigint IS NULL OR (t.due_at, t.task_id) > ($6, $7::uuid))"
        f" AND {shown('t', '$8', '$9', '$10')}"
        " ORDER BY t.due_at, t.task_id LIMIT $11",
        tenant,
        opportunity_id,
        rep_id,
        state,
        due_before,
        *(after or (None, None)),
        sight.everything,
        list(sight.reps),
        list(sight.led),
        limit,
    )
    return [dict(row) for row in rows]
