"""Reps who have left: every open lead of theirs goes to somebody else by the full rules, slice by slice, until none is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from services.router import metrics
from services.router.apart import described
from services.router.domain.decision import Outcome
from services.router.domain.facts import Scored
from services.router.domain.flow import Change, Done, Task
from services.router.domain.matching.keys import Asked
from services.router.domain.playbook import Following
from services.router.handler import count, decide_and_apply
from services.router.store import departures
from services.router.store.departures import Departure
from services.router.store.leads import Stored
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Connection, Pool, tenant_transaction

log = structlog.get_logger(__name__)

AGAIN = 60_000  # ms until leads that nobody could take are tried again


@dataclass(slots=True)
class Moves:
    """What became, or would become, of the leads of one who has left: who gets which, and why the others stay."""

    moved: list[Change] = field(default_factory=list)
    stayed: dict[str, Outcome] = field(default_factory=dict)

    def add(self, done: Done) -> None:
        self.moved += [change for change in done.changes if change.cause.kind == "left"]
        self.stayed |= done.stayed


class _DryError(Exception):
    """Nothing of it is to stay."""


class Offboarding:
    """Moves the open leads of reps who have left. Each slice is one transaction: what a crash leaves undone, the next sweep does.

    Any number may run: who is busy with a lead has it locked, and another leaves it out.
    """

    def __init__(
        self, pool: Pool, worker: Pool, follow: Callable[[str], Following], clock: Clock, *, most: int = 100
    ) -> None:
        self._pool, self._worker, self._follow, self._clock, self._most = pool, worker, follow, clock, most
        # By tenant and rep when (ms), and under which policies, some leads had to stay, and how many.
        self._tried: dict[tuple[str, str], tuple[int, int, int]] = {}

    async def sweep(self) -> int:
        """Move what can be moved of all who have left; how many leads."""
        async with self._worker.acquire() as connection:
            waiting = await departures.unfinished(connection)
        moved = 0
        self._tried = {who: tried for who, tried in self._tried.items() if who in waiting}
        for tenant, rep_id in waiting:
            playbook, now = self._follow(tenant).playbook, self._clock.now()
            if playbook is None:
                continue
            at, sequence, _ = self._tried.get((tenant, rep_id), (0, 0, 0))
            if at > now - AGAIN and sequence == playbook.sequence:
                continue
            found = await self._move(tenant, rep_id)
            if found.stayed:
                self._tried[tenant, rep_id] = now, playbook.sequence, len(found.stayed)
            else:
                self._tried.pop((tenant, rep_id), None)
            if found.moved:
                log.info("moved_on", tenant=tenant, rep_id=rep_id, leads=len(found.moved), stay=len(found.stayed))
            moved += len(found.moved)
        metrics.LEFT_BEHIND.set(sum(stay for *_, stay in self._tried.values()))
        return moved

    async def preview(self, tenant: str, departure: Departure, most: int) -> Moves:
        """What would become of the first `most` leads, each after the ones before it; nothing of it stays.

        One slice, as any other: further ones in this transaction would lock accounts after pools, and hold both for long.
        """
        try:
            async with tenant_transaction(self._pool, tenant) as connection:
                await departures.write(connection, tenant, departure)
                moves = Moves()
                if rows := await departures.lock_open(connection, tenant, departure.rep_id, "", most):
                    moves.add(await self._slice(connection, tenant, rows))
                raise _DryError
        except _DryError:
            return moves

    async def _move(self, tenant: str, rep_id: str) -> Moves:
        moves, after = Moves(), ""
        while True:
            finished = []
            async with tenant_transaction(self._pool, tenant) as connection:
                rows = await departures.lock_open(connection, tenant, rep_id, after, self._most)
                if rows and await departures.read(connection, tenant, rep_id):  # or they have come back
                    finished = await self._apart(connection, tenant, rows)
            for done in finished:
                count(done, self._clock.now())
                moves.add(done)
            if len(rows) < self._most:
                return moves
            after = max(rows)

    async def _apart(self, connection: Connection, tenant: str, rows: Mapping[str, Stored]) -> list[Done]:
        """A slice; lead by lead where one of them cannot be decided on, so that it keeps no other."""
        try:
            async with connection.transaction():
                return [await self._slice(connection, tenant, rows)]
        except HOPELESS:
            finished = []
        for lead_id, stored in rows.items():
            try:
                async with connection.transaction():
                    finished.append(await self._slice(connection, tenant, {lead_id: stored}))
            except HOPELESS as error:
                metrics.UNDECIDABLE.inc()
                log.error("undecidable", tenant=tenant, lead_id=lead_id, **described(error))
        return finished

    async def _slice(self, connection: Connection, tenant: str, rows: Mapping[str, Stored]) -> Done:
        tasks = [_task(stored) for stored in rows.values()]
        return await decide_and_apply(connection, tenant, tasks, rows, {}, self._follow(tenant), self._clock.now())


def _task(stored: Stored) -> Task:
    score = stored.scored()
    scored, asked = (Scored.of(score), Asked.of(score)) if score else (None, None)
    return Task(stored.lead, scored, asked=asked, left=scored is not None)
