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

DAILY = 86_400.0  # seconds between two looks: each reads all old decisions anew, and also those that still hold
DAY = 86_400_000


class Traces:
    """Removes decisions, with their inputs and traces, that are older than `days` and hold no more.

    known: set when `tenants` are known; before, there is nobody whose decisions could be looked at
    """

    def __init__(
        self,
        pool: Pool,
        tenants: Callable[[], list[str]],
        known: asyncio.Event,
        clock: Clock,
        *,
        days: int,
        most: int = 1_000,
    ) -> None:
        self._pool, self._tenants, self._known, self._clock = pool, tenants, known, clock
        self._days, self._most = days, most

    async def run(self) -> None:
        """Until cancelled: a first look as soon as the tenants are known, since a process may not live until the second."""
        await self._known.wait()
        while True:
            await self.sweep()
            await asyncio.sleep(DAILY)

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
