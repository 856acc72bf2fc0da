"""Clocks that fire: what is due breaches, its offer expires, and the router hears of it; one transaction for all three."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import get_args

import structlog

from services.handoff import metrics, store
from services.handoff.domain.ending import fire
from services.handoff.domain.terms import ClockKind
from services.handoff.policies import Policies
from services.handoff.store import Write
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Pool
from shared.schemas.handoff import HandoffEvent

log = structlog.get_logger(__name__)

SHORTEST_SLEEP = 0.02  # between looks at what is due but locked by somebody who will deal with it
COUNT_SECONDS = 30.0
ASIDE_SECONDS = 300.0  # for which what cannot be fired is left alone


class Firing:
    """Fires the due clocks of all tenants, the oldest first. Several processes may run one: each claims what no other has claimed.

    pool: of baton_worker;  poll_seconds: how long it sleeps at most;  most: clocks looked at in one transaction
    """

    def __init__(self, pool: Pool, clock: Clock, policies: Policies, *, poll_seconds: float, most: int = 200) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies
        self._poll, self._most = poll_seconds, most
        self._counted = -COUNT_SECONDS
        self._aside: dict[str, float] = {}  # opportunities, and until when by the monotonic clock

    async def run(self) -> None:
        """Until cancelled, or until Postgres fails: then the process restarts, and what is overdue fires first."""
        while True:
            if monotonic() - self._counted > COUNT_SECONDS:
                await self._count_running()
            if not await self.fire_due():
                await asyncio.sleep(await self._sleep_seconds())

    async def fire_due(self) -> list[HandoffEvent]:
        """Fire a batch of what is due; the breaches, the oldest first. What cannot be fired, however often it is tried, is left
        aside for a while, so that it stops nothing else."""
        try:
            return await self._fire(self._most)
        except HOPELESS:
            log.warning("firing_one_by_one")
        fired: list[HandoffEvent] = []
        for _ in range(self._most):
            try:
                fired += await self._fire(1)
            except HOPELESS as error:
                for tenant, opportunity_id in self._claimed:
                    self._aside[opportunity_id] = monotonic() + ASIDE_SECONDS
                    metrics.STUCK.inc()
                    # Not its message, which may quote a row, and so a person.
                    log.error("not_fired", tenant=tenant, opportunity=opportunity_id, error=type(error).__name__)
            if not self._claimed:
                break
        return fired

    async def _fire(self, most: int) -> list[HandoffEvent]:
        events: list[HandoffEvent] = []
        self._claimed: list[store.Key] = []
        async with self._pool.acquire() as connection, connection.transaction():
            now = self._clock.now()
            claimed = await store.claim_due(connection, now, most, self._left_aside())
            self._claimed = list(claimed)
            away = await store.away(connection, sorted({tenant for tenant, _ in claimed})) if claimed else {}
            promises = {tenant: self._policies.promises(tenant, away[tenant]) for tenant in away}
            writes: dict[str, list[Write]] = {}
            for (tenant, _), opportunity in claimed.items():
                promised = promises[tenant]
                change = fire(opportunity.by_promises(promised, now) if promised else opportunity, now)
                writes.setdefault(tenant, []).append(Write(opportunity, change))
                events += change.events
            for tenant, of_tenant in writes.items():
                await store.save(connection, tenant, of_tenant, now)
        breached = [event for event in events if event.kind == "clock-breached"]
        metrics.count(events)
        for event in breached:
            metrics.LATENESS.labels(event.clock).observe((now - (event.due_at or now)) / 1000)
        if breached:
            log.info("clocks_fired", clocks=len(breached), oldest_due_at=min(event.due_at or 0 for event in breached))
        return breached

    def _left_aside(self) -> list[str]:
        self._aside = {one: until for one, until in self._aside.items() if until > monotonic()}
        return list(self._aside)

    async def _sleep_seconds(self) -> float:
        next_due: int | None = await self._pool.fetchval(
            f"SELECT min(next_at) FROM handoff.clocks WHERE {store.ACTS} AND opportunity_id <> ALL($1::uuid[])",
            self._left_aside(),
        )
        if next_due is None:
            return self._poll
        return min(self._poll, max(SHORTEST_SLEEP, (next_due - self._clock.now()) / 1000))

    async def _count_running(self) -> None:
        rows = await self._pool.fetch(
            "SELECT kind, count(*) AS n FROM handoff.clocks WHERE state = 'running' GROUP BY kind"
        )
        counted = {row["kind"]: row["n"] for row in rows}
        for kind in get_args(ClockKind):
            metrics.RUNNING.labels(kind).set(counted.get(kind, 0))
        self._counted = monotonic()
