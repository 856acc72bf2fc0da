"""The sweep that moves running clocks when a policy, a calendar or somebody's being away changes what they go by."""

from __future__ import annotations

import structlog

from services.handoff import metrics, store
from services.handoff.domain.opportunity import Change
from services.handoff.policies import Policies
from services.handoff.store import Group, Write
from shared.kit.clock import Clock
from shared.kit.database import Pool
from shared.kit.pause import pause

log = structlog.get_logger(__name__)

EVERY_SECONDS = 5.0  # nobody tells handoff that somebody is away


class Moving:
    """Finds running clocks by their terms, group by group, and moves those of the groups whose terms are others now.

    What has not changed costs one look into the index per group, not per clock. Every batch is a transaction of its own, and a
    clock that was moved is in another group: it may be stopped anywhere, and several may run. Whoever fires or touches an
    opportunity moves its clocks first, so nothing depends on when the sweep comes.

    pool: of baton_worker;  most: opportunities moved in one transaction
    """

    def __init__(self, pool: Pool, clock: Clock, policies: Policies, *, most: int = 200) -> None:
        self._pool, self._clock, self._policies, self._most = pool, clock, policies, most

    async def run(self) -> None:
        """Until cancelled, or until Postgres fails."""
        while True:
            self._policies.changed.clear()
            await self.sweep()
            await pause(EVERY_SECONDS, self._policies.changed)

    async def sweep(self) -> int:
        """Move what is to be moved; how many clocks were."""
        async with self._pool.acquire() as connection:
            groups = await store.groups(connection)
            away = await store.away(connection, sorted({group.tenant for group in groups}))
        moved = 0
        for group in groups:
            promises = self._policies.promises(group.tenant, away[group.tenant])
            if promises is None or promises.terms(group.rep_id, group.lead_class).basis() == group.basis:
                continue
            while count := await self._move(group):
                moved += count
        if moved:
            metrics.MOVED.inc(moved)
            log.info("clocks_moved", clocks=moved)
        return moved

    async def _move(self, group: Group) -> int:
        """A batch of the group; how many clocks left it."""
        async with self._pool.acquire() as connection, connection.transaction():
            claimed = await store.claim_moved(connection, group, self._most)
            away = (await store.away(connection, [group.tenant]))[group.tenant]
            promises = self._policies.promises(group.tenant, away)
            if promises is None:
                return 0
            now = self._clock.now()
            writes = [Write(found, Change(found.by_promises(promises, now))) for found in claimed.values()]
            await store.save(connection, group.tenant, writes, now)
        pairs = [
            pair for w in writes if w.before for pair in zip(w.before.clocks, w.change.opportunity.clocks, strict=True)
        ]
        return sum(before != after for before, after in pairs)
