"""What is told of leads is kept for their timeline; human touches among it become activities of their open opportunity."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import structlog

from services.handoff.desk import Desk
from services.handoff.policies import Policies
from services.handoff.touches import store
from services.handoff.touches.stream import Told
from services.handoff.turns import DAY
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Pool, tenant_transaction
from shared.kit.dead_letters import Reject
from shared.schemas.policies import SlaPolicy

log = structlog.get_logger(__name__)

# Of a tenant whose policy has not come yet: what its policy says is looked at again before anything follows from it.
USUAL: frozenset[str] = frozenset(SlaPolicy.model_fields["first_touch_types"].default)
MERGED_SECONDS = 60.0  # from one look for leads that were merged to the next
MERGED_WITHIN = 7 * DAY  # ms, that the first look goes back: what was merged while no handoff ran
MERGED_LATE = 600_000  # ms, that a merge may be seen after the moment that the router says it was


class Hearing:
    """Logs human touches that were told on `touchpoints` as activities.

    A touch and the opportunity that it belongs to come by two topics, in any order. Each is committed before the other is looked
    for, so whoever comes second finds the first; what became an activity is not pending any more, so it becomes one once.
    """

    def __init__(self, pool: Pool, desk: Desk) -> None:
        self._pool, self._desk = pool, desk

    async def keep_catching_up(self, workers: Pool, clock: Clock) -> None:
        """Every minute for leads that were merged after their touch had come, which nobody tells handoff; until cancelled."""
        since = clock.now() - MERGED_WITHIN
        while True:
            began = clock.now()
            await self.catch_up_merged(workers, since)
            since = began - MERGED_LATE
            await asyncio.sleep(MERGED_SECONDS)

    async def catch_up_merged(self, workers: Pool, since: int) -> None:
        """Of leads that were merged since then (ms), and of those that had been merged into these."""
        place: store.Merged = (since, "", "")
        while found := await store.merged(workers, place):
            by_tenant: dict[str, set[str]] = {}
            for _, tenant, lead_id in found:
                by_tenant.setdefault(tenant, set()).add(lead_id)
            for tenant, leads in by_tenant.items():
                try:
                    await self.catch_up(tenant, leads)
                except HOPELESS as error:  # it stands no other tenant's in the way
                    log.error("inapplicable", tenant=tenant, leads=len(leads), error=type(error).__name__)
            place = found[-1]

    async def catch_up(self, tenant: str, leads: Collection[str]) -> None:
        """Whatever these leads have that is not an activity yet, and should be one. To be called after the commit."""
        async with tenant_transaction(self._pool, tenant) as connection:
            waiting = await store.pending(connection, tenant, leads, self._desk.counting(tenant))
        for opportunity_id, heard in waiting:
            await self._desk.hear(tenant, opportunity_id, heard)


class Touches:
    """Keeps a batch by one statement per tenant; all else is for leads with a human touch alone. Repeating it changes nothing."""

    def __init__(self, pool: Pool, hearing: Hearing, policies: Policies) -> None:
        self._pool, self._hearing, self._policies = pool, hearing, policies

    async def handle(self, batch: Sequence[Told]) -> None:
        """Raises Reject `inapplicable` where a record fails however often it is tried."""
        by_tenant: dict[str, list[Told]] = {}
        for told in batch:
            by_tenant.setdefault(told.tenant, []).append(told)
        for tenant, of_tenant in by_tenant.items():
            try:
                await self._keep(tenant, of_tenant)
            except HOPELESS as error:
                # Not its message, which may quote a row.
                log.error("inapplicable", tenant=tenant, records=len(of_tenant), error=type(error).__name__)
                raise Reject("inapplicable", f"{type(error).__name__} while applying it") from error

    async def _keep(self, tenant: str, told: Sequence[Told]) -> None:
        counting = self._policies.activity_types(tenant)[0] or USUAL
        async with tenant_transaction(self._pool, tenant) as connection:
            await store.add(connection, tenant, told, counting)
        touched = {one.lead_id for one in told if store.may_be_first(one, counting)}
        if touched:
            await self._hearing.catch_up(tenant, touched)
