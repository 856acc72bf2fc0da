"""The result of a call, whole: the touch, the clock, the next call, or that the lead goes back; one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.handoff import store
from services.handoff.activities import tasks
from services.handoff.activities.calls import MEANINGS, Logged, Result, attempts, is_unreachable, next_call
from services.handoff.activities.tasks import Task
from services.handoff.desk import Desk, UnknownOpportunityError
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.domain.rep import Activity, NotTheHolderError, OfferNotOpenError
from services.handoff.policies import Policies
from services.handoff.store import Write
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, one_transaction, tenant_transaction
from shared.schemas import ids
from shared.schemas.handoff import HandoffKind
from shared.schemas.policies.routing import DeclineReason
from shared.sight import Sight

Row = dict[str, Any]
_DEAL = "SELECT type, deal_stage FROM handoff.opportunities WHERE (tenant, opportunity_id) = ($1, $2::uuid)"


@dataclass(frozen=True, slots=True)
class Call:
    """reason: for which the lead goes back, where it does;  next_at: ms, where the rep says;  by: whose token"""

    result: Result
    activity: Activity
    note: str | None
    next_at: int | None
    reason: DeclineReason | None
    by: str


class ActivityDesk:
    """Calls and tasks. Every method that names an opportunity raises UnknownOpportunityError."""

    def __init__(self, pool: Pool, desk: Desk, policies: Policies, clock: Clock) -> None:
        self._pool, self._desk, self._policies, self._clock = pool, desk, policies, clock

    async def call(self, tenant: str, opportunity_id: str, call: Call) -> Row:
        """What became of it; a call of a known id does nothing again. A call by somebody who does not hold the lead is an activity
        and no more: what the holder means to do stays. Raises what logging and declining raise."""
        rep_id = call.activity.rep_id
        assert rep_id is not None
        async with one_transaction(self._pool, tenant) as connection:
            if await self._desk.log_touch(tenant, opportunity_id, call.activity, call.note, call.by):
                holder = (await self._locked(connection, tenant, opportunity_id)).current()
                holds = holder is not None and holder.rep_id == rep_id
                if holds:
                    done = await tasks.end_calls(connection, tenant, opportunity_id, call.by, self._clock.now())
                    await self._tell(connection, tenant, opportunity_id, "task-done", done)
                given_back = (holds or call.reason is not None) and await self._gives_back(
                    connection, tenant, opportunity_id, call
                )
                if holds and not given_back:
                    await self._next(connection, tenant, opportunity_id, call, rep_id)
            return await _became(connection, tenant, opportunity_id, call.activity.activity_id)

    async def _gives_back(self, connection: Connection, tenant: str, opportunity_id: str, call: Call) -> bool:
        """Whether the lead goes back: because the rep says so, or policy of who cannot be reached. A rep who says when to call
        again keeps the lead."""
        reason = call.reason
        if reason is None:
            if call.result != "no_answer" or call.next_at is not None:
                return False
            rule, reason = self._policies.unreachable(tenant)
            if reason is None or not is_unreachable(await _logged(connection, tenant, opportunity_id), rule):
                return False
            if await self._is_sql(connection, tenant, opportunity_id):
                return False  # a deal does not end because somebody is hard to reach
        try:
            await self._desk.decline(tenant, opportunity_id, call.activity.rep_id, reason, None)
        except (NotTheHolderError, OfferNotOpenError):
            if call.reason is not None:
                raise
            return False
        await connection.execute(
            "UPDATE handoff.activities SET reason = $4"
            " WHERE (tenant, opportunity_id, activity_id) = ($1, $2::uuid, $3)",
            tenant,
            opportunity_id,
            call.activity.activity_id,
            reason.code,
        )
        return True

    async def _is_sql(self, connection: Connection, tenant: str, opportunity_id: str) -> bool:
        row, policy = await connection.fetchrow(_DEAL, tenant, opportunity_id), self._policies.pipeline(tenant)
        return bool(policy and row and row["deal_stage"] and policy.is_sql(row["type"], row["deal_stage"]))

    async def _next(self, connection: Connection, tenant: str, opportunity_id: str, call: Call, rep_id: str) -> None:
        now, due_at = self._clock.now(), call.next_at
        if due_at is None and call.result == "no_answer":
            due_at = next_call(now, self._policies.hours(tenant, rep_id))
        if due_at is not None:
            task_id = ids.derived_id("task", tenant, opportunity_id, call.activity.activity_id)
            kind = MEANINGS[call.result].next
            made = Task(task_id, opportunity_id, kind, None, due_at, None, rep_id, call.by, call.activity.activity_id)
            await tasks.add(connection, tenant, made, now)
            await self._tell(connection, tenant, opportunity_id, "task-created", [asdict(made)])

    async def _tell(
        self,
        connection: Connection,
        tenant: str,
        opportunity_id: str,
        kind: HandoffKind,
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        if rows:
            found = await self._locked(connection, tenant, opportunity_id)
            now = self._clock.now()
            told = tuple(store.of_task(found, kind, row, now) for row in rows)
            await store.save(connection, tenant, [Write(found, Change(found, told))], now)

    async def _locked(self, connection: Connection, tenant: str, opportunity_id: str) -> Opportunity:
        found = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
        if found is None:
            raise UnknownOpportunityError
        return found

    async def add_task(self, tenant: str, task: Task, asked_last: str) -> Row:
        """asked_last: who was asked last, as the caller saw it. Raises NotTheHolderError where that is somebody else by now."""
        async with tenant_transaction(self._pool, tenant) as connection:
            found = await self._locked(connection, tenant, task.opportunity_id)
            if found.worker().rep_id != asked_last:
                raise NotTheHolderError
            await tasks.add(connection, tenant, task, self._clock.now())
            await self._tell(connection, tenant, task.opportunity_id, "task-created", [asdict(task)])
            return await _task(connection, tenant, task.task_id)

    async def task(self, tenant: str, task_id: str) -> Row | None:
        async with tenant_transaction(self._pool, tenant) as connection:
            return await tasks.find(connection, tenant, task_id)

    async def end_task(self, tenant: str, task_id: str, state: str, by: str) -> tuple[bool, Row]:
        """Whether it ended so, now or before, and how it is now."""
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity_id = (await _task(connection, tenant, task_id))["opportunity_id"]
            await self._locked(connection, tenant, opportunity_id)
            ended = await tasks.end(connection, tenant, task_id, state, by, self._clock.now())
            row = await _task(connection, tenant, task_id)
            if ended:
                kind: HandoffKind = "task-done" if state == "done" else "task-cancelled"
                await self._tell(connection, tenant, opportunity_id, kind, [row | {"task_id": row["id"]}])
            return bool(row["state"] == state), row

    async def tasks(self, tenant: str, sight: Sight, **wanted: Any) -> list[Row]:
        async with tenant_transaction(self._pool, tenant) as connection:
            return await tasks.page(connection, tenant, sight, **wanted)

    async def activities(
        self, tenant: str, opportunity_id: str, kind: str | None, after: tuple[int, str] | None, limit: int
    ) -> list[Row]:
        """Those of an opportunity, the newest first."""
        async with tenant_transaction(self._pool, tenant) as connection:
            rows = await connection.fetch(
                "SELECT * FROM handoff.activities WHERE (tenant, opportunity_id) = ($1, $2::uuid)"
                " AND ($3::text IS NULL OR type = $3) AND ($4::bigint IS NULL OR (at, activity_id) < ($4, $5))"
                " ORDER BY at DESC, activity_id DESC LIMIT $6",
                tenant,
                opportunity_id,
                kind,
                *(after or (None, None)),
                limit,
            )
            return [dict(row) for row in rows]


async def _task(connection: Connection, tenant: str, task_id: str) -> Row:
    found = await tasks.find(connection, tenant, task_id)
    assert found is not None
    return found


async def _logged(connection: Connection, tenant: str, opportunity_id: str) -> list[Logged]:
    rows = await connection.fetch(
        "SELECT at, type, outcome FROM handoff.activities WHERE (tenant, opportunity_id) = ($1, $2::uuid)",
        tenant,
        opportunity_id,
    )
    return [Logged(**dict(row)) for row in rows]


async def _became(connection: Connection, tenant: str, opportunity_id: str, activity_id: str) -> Row:
    row = await connection.fetchrow(
        "SELECT a.outcome, a.reason, o.stage, t.task_id::text FROM handoff.activities a"
        " JOIN handoff.opportunities o USING (tenant, opportunity_id)"
        " LEFT JOIN handoff.tasks t ON (t.tenant, t.opportunity_id, t.from_activity)"
        "   = (a.tenant, a.opportunity_id, a.activity_id)"
        " WHERE (a.tenant, a.opportunity_id, a.activity_id) = ($1, $2::uuid, $3)",
        tenant,
        opportunity_id,
        activity_id,
    )
    if row is None:
        raise UnknownOpportunityError
    return {
        "activity_id": activity_id,
        "result": row["outcome"],
        "given_back_for": row["reason"],
        "stage": row["stage"],
        "task": await _task(connection, tenant, row["task_id"]) if row["task_id"] else None,
        "attempts": len(attempts(await _logged(connection, tenant, opportunity_id))),
    }
