"""Traces of decisions are kept for a set time, and then removed slice by slice; that of a decision in force stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from services.router import metrics
from services.router.store import trail
from shared.kit.clock import Clock
from shared.kit.database import Pool, tenant_transaction

log = structlog.get_logger(__name__)

HOURLY = 3600.0  # seconds between two looks
DAY = 86_400_000


class Traces:
    """Removes decisions, with their inputs and traces, that are older than `days` and hold no more."""

    def __init__(
        self, pool: Pool, tenants: Callable[[], list[str]], clock: Clock, *, days: int, most: int = 1_000
    ) -> None:
        self._pool, self._tenants, self._clock, self._days, self._most = pool, tenants, clock, days, most

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(HOURLY)

    async def sweep(self) -> int:
        """Remove what is too old; how many decisions. Each slice is a transaction, so that nobody waits for it."""
        before, removed = self._clock.now() - self._days * DAY, 0
        for tenant in self._tenants():
            after: trail.Place | None = trail.FIRST
            while after is not None:
                async with tenant_transaction(self._pool, tenant) as connection:
                    after, gone = await trail.forget(connection, tenant, before, after, self._most)
                removed += gone
                metrics.TRACES_REMOVED.inc(gone)
        if removed:
            log.info("traces_removed", decisions=removed, older_than_days=self._days)
        return removed
