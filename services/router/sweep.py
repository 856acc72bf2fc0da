"""The sweep: frees what waits when what it waits for has come, and finds what a trigger missed (P3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from services.router import metrics
from services.router.apart import lead_by_lead
from services.router.domain.assignment import FAIR
from services.router.domain.caps import caps_reached
from services.router.domain.flow import Done
from services.router.domain.lead import Lead
from services.router.domain.playbook import Following, Playbook
from services.router.handler import count, decide_and_apply, retried
from services.router.offboarding import Offboarding
from services.router.store import assignments, availability, departures
from services.router.store import leads as lead_rows
from services.router.store import pools as pool_rows
from services.router.store.leads import Stored
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Connection, Pool, tenant_transaction

log = structlog.get_logger(__name__)

SLICE = 2_000  # leads of a tenant that one sweep tries
MEASURE_EVERY = 10_000  # ms

Lock = Callable[[Connection, str, Playbook, int, Lead | None], Awaitable[dict[str, Stored]]]


class Sweep:
    """Tries waiting leads again: parked ones when policies changed, capacity was freed, somebody is at work or time has passed;
    those below the gate when the gate changed; those whose cycle has ended when their cool-off ends.

    It takes the same locks in the same order as the handler, so any number may run.

    pool:   acts for one tenant at a time;  worker: sees what waits, of all tenants
    wake:   set when something may have been freed
    """

    def __init__(
        self,
        pool: Pool,
        worker: Pool,
        follow: Callable[[str], Following],
        tenants: Callable[[], list[str]],
        clock: Clock,
        wake: asyncio.Event,
        *,
        every_seconds: float = 5.0,
        most: int = 200,
    ) -> None:
        self._pool, self._worker, self._follow, self._tenants = pool, worker, follow, tenants
        self._clock, self._wake, self._every, self._most = clock, wake, every_seconds, most
        self._offboarding = Offboarding(pool, worker, follow, clock)
        self._regated: dict[
            str, tuple[int, int]
        ] = {}  # tenant -> the gate's sequence that leads were tried under, and when (ms)
        self._measured_at = -MEASURE_EVERY

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._wake.clear()
            await self.sweep()
            with suppress(TimeoutError):
                async with asyncio.timeout(await self._pause()):
                    await self._wake.wait()

    async def _pause(self) -> float:
        """Seconds until the next sweep: it comes sooner where somebody is at work again before."""
        async with self._worker.acquire() as connection:
            opening = await lead_rows.next_opening(connection)
        if opening is None:
            return self._every
        # What is due already was left to another sweep that is at it, or cannot be decided on.
        return min(self._every, max(0.1, (opening - self._clock.now()) / 1000))

    async def sweep(self) -> int:
        """Try everything that may have been freed; how many leads found an owner."""
        if self._clock.now() - self._measured_at >= MEASURE_EVERY:
            self._measured_at = self._clock.now()
            await self._measure()
        await self._offboarding.sweep()
        if self._offboarding.goes_on:
            self._wake.set()
        freed = 0
        async with self._worker.acquire() as connection:
            parked = await lead_rows.tenants_with_parked(connection)
            cooled = await lead_rows.cooled(connection, self._clock.now())
        for tenant in self._tenants():
            playbook = self._follow(tenant).playbook
            if playbook is None:
                continue
            sequence, at = self._regated.get(tenant, (0, 0))
            now = self._clock.now()
            # Again after a while: a batch that began under the older gate may have ended since.
            if sequence < playbook.gate_sequence or at < now - lead_rows.RETRY_AFTER:
                found, finished = await self._drain(tenant, self._below_gate)
                freed += found
                if finished:
                    self._regated[tenant] = playbook.gate_sequence, now
            if tenant in cooled:
                freed += (await self._drain(tenant, self._cooled))[0]
            if tenant in parked:
                freed += (await self._drain(tenant, self._parked))[0]
        metrics.FREED.inc(freed)
        metrics.SWEEPS.inc()
        return freed

    async def _drain(self, tenant: str, lock: Lock) -> tuple[int, bool]:
        """Chunk by chunk, so that no lock is held for long, until one is not full: how many leads found an owner, and whether all
        were tried. Where very many wait, the next sweep goes on, at once if any found an owner: neither other tenants nor new leads
        wait for all of them."""
        freed = seen = 0
        after: Lead | None = None
        while seen < SLICE:
            tried, found = await self._chunk(tenant, lock, after)
            freed, seen = freed + found, seen + len(tried)
            if len(tried) < self._most:
                return freed, True
            after = tried[-1]
        if freed:
            self._wake.set()
        return freed, False

    async def _chunk(self, tenant: str, lock: Lock, after: Lead | None) -> tuple[list[Lead], int]:
        """Try the leads that come after `after`: which ones, as they were, and how many of them found an owner."""
        following, now = self._follow(tenant), self._clock.now()
        playbook = following.playbook
        if playbook is None:
            return [], 0
        rows: dict[str, Stored] = {}
        try:
            async with tenant_transaction(self._pool, tenant) as connection:
                rows = await lock(connection, tenant, playbook, now, after)
                finished = [await self._try(connection, tenant, rows, following, now)]
        except HOPELESS:
            if not rows:
                raise
            finished = await self._apart(tenant, rows, following, now)
        for done in finished:
            count(done, now)
        owned = sum(lead.owner_rep is not None for done in finished for lead in done.leads)
        if owned:
            log.info("freed", tenant=tenant, leads=owned, tried=len(rows))
        return [stored.lead for stored in rows.values()], owned

    async def _try(
        self, connection: Connection, tenant: str, rows: Mapping[str, Stored], following: Following, now: int
    ) -> Done:
        tasks = [retried(stored) for stored in rows.values()]
        return await decide_and_apply(connection, tenant, tasks, rows, {}, following, now)

    async def _apart(self, tenant: str, rows: Mapping[str, Stored], following: Following, now: int) -> list[Done]:
        """The same lead by lead, so that one that cannot be decided on keeps no other waiting; it is tried again later."""
        assert following.playbook is not None

        async def locked(connection: Connection, leads: Sequence[str]) -> dict[str, Stored]:
            """Without those that others have changed meanwhile."""
            known = await lead_rows.lock(connection, tenant, leads, ())
            return {lead_id: stored for lead_id, stored in known.items() if stored == rows[lead_id]}

        async def attempt(connection: Connection, lead_id: str) -> Done:
            return await self._try(connection, tenant, await locked(connection, [lead_id]), following, now)

        finished, undecidable = await lead_by_lead(self._pool, tenant, rows, attempt)
        async with tenant_transaction(self._pool, tenant) as connection:
            under = following.playbook.sequence
            for stored in (await locked(connection, undecidable)).values():
                tried = replace(
                    stored.lead, tried_at=now, decided_under=under, waiting_for=(), waiting_until=None, next_change=None
                )
                if stored.lead.closed:  # nothing else would bring it back
                    tried = replace(tried, waiting_until=now + lead_rows.RETRY_WITHIN)
                await lead_rows.write(connection, tenant, [tried], {}, now)
        return finished

    async def _parked(
        self, connection: Connection, tenant: str, playbook: Playbook, now: int, after: Lead | None
    ) -> dict[str, Stored]:
        loads = await pool_rows.read_loads(connection, tenant)
        out = playbook.out(await availability.away(connection, tenant, now), now)
        left = await departures.gone(connection, tenant)
        taken = await assignments.taken(connection, tenant, playbook, now)
        free = [
            rep.id
            for rep in playbook.teams.reps
            if rep.active
            and rep.id not in out
            and rep.id not in left
            and loads.get(rep.id, 0) < rep.capacity
            and not caps_reached(rep, taken.get(rep.id))
        ]
        return await lead_rows.lock_parked(
            connection, tenant, sequence=playbook.sequence, free=free, now=now, after=after, most=self._most
        )

    async def _below_gate(
        self, connection: Connection, tenant: str, playbook: Playbook, _now: int, _after: Lead | None
    ) -> dict[str, Stored]:
        return await lead_rows.lock_below_gate(connection, tenant, sequence=playbook.gate_sequence, most=self._most)

    async def _cooled(
        self, connection: Connection, tenant: str, _playbook: Playbook, now: int, _after: Lead | None
    ) -> dict[str, Stored]:
        return await lead_rows.lock_cooled(connection, tenant, now=now, most=self._most)

    async def _measure(self) -> None:
        """Measure what waits, and how fair the pools are: all of it is counted, so not at every sweep."""
        async with self._worker.acquire() as connection:
            parked = await lead_rows.count_parked(connection, self._clock.now())
            furthest = await pool_rows.deviations(connection)
        reasons: dict[str, int] = {}
        for row in parked:
            reason = row["waiting_reason"].partition(":")[2]
            reasons[reason] = reasons.get(reason, 0) + row["leads"]
        metrics.PARKED.clear()
        for reason, leads in reasons.items():
            metrics.PARKED.labels(reason).set(leads)
        oldest = min((row["since"] for row in parked if row["since"] is not None), default=None)
        metrics.PARKED_AGE.set(max(0, self._clock.now() - oldest) / 1000 if oldest is not None else 0)
        metrics.FAIRNESS.clear()
        for (tenant, pool_id), leads_off in furthest.items():
            playbook = self._follow(tenant).playbook
            pool = playbook.pools.get(pool_id) if playbook else None
            if pool is not None and pool.strategy not in FAIR:
                continue  # nobody is promised a share of it
            metrics.FAIRNESS.labels(tenant, pool_id).set(leads_off)
