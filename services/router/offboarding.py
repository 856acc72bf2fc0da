"""Reps who have left: every open lead of theirs goes to somebody else by the full rules, slice by slice, until none is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from services.router import metrics
from services.router.apart import lead_by_lead
from services.router.domain.decision import Outcome
from services.router.domain.facts import Scored
from services.router.domain.flow import Change, Desk, Done, Task
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
SLICE = 2_000  # leads of one who has left that one sweep tries


@dataclass(slots=True)
class Moves:
    """What would become of the leads of one who has left: who gets which, and why the others stay."""

    moved: list[Change] = field(default_factory=list)
    stayed: dict[str, Outcome] = field(default_factory=dict)

    def add(self, done: Done) -> None:
        self.moved += [change for change in done.changes if change.cause.kind == "left"]
        self.stayed |= done.stayed


class _DryError(Exception):
    """Nothing of it is to stay."""


@dataclass(slots=True)
class Moved:
    """after: the last lead that was tried; None when all were.  stay: how many could not go to anybody, or not be decided on"""

    after: str | None
    tried: int = 0
    leads: int = 0
    stay: int = 0


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
        # By tenant and rep after which lead the next sweep goes on, and how many before it had to stay.
        self._half: dict[tuple[str, str], tuple[str, int]] = {}

    @property
    def goes_on(self) -> bool:
        """Whether a large book is half moved: the next sweep is to come at once."""
        return bool(self._half)

    async def sweep(self) -> int:
        """Move what can be moved of all who have left, of each so many that others do not wait for it; how many leads."""
        async with self._worker.acquire() as connection:
            waiting = await departures.unfinished(connection)
        moved = 0
        self._tried = {who: tried for who, tried in self._tried.items() if who in waiting}
        self._half = {who: half for who, half in self._half.items() if who in waiting}
        for who in waiting:
            tenant, rep_id = who
            playbook, now = self._follow(tenant).playbook, self._clock.now()
            if playbook is None:
                continue
            at, sequence, _ = self._tried.get(who, (0, 0, 0))
            after, stayed = self._half.pop(who, ("", 0))
            if not after and at > now - AGAIN and sequence == playbook.sequence:
                continue
            found = await self._move(tenant, rep_id, after)
            stay = stayed + found.stay
            if found.after is not None:
                self._half[who] = found.after, stay
            elif stay or not found.tried:  # or all that they have was merged away, won or lost
                self._tried[who] = now, playbook.sequence, stay
            else:
                self._tried.pop(who, None)
            if found.leads:
                log.info("moved_on", tenant=tenant, rep_id=rep_id, leads=found.leads, stay=stay)
            moved += found.leads
        metrics.LEFT_BEHIND.set(sum(stay for *_, stay in self._tried.values()))
        return moved

    async def preview(self, tenant: str, departure: Departure, most: int) -> Moves:
        """What would become of the first `most` leads, each after the ones before it; nothing of it stays.

        One slice, as any other: further ones in this transaction would lock accounts after pools, and hold both for long.
        """
        try:
            async with tenant_transaction(self._pool, tenant) as connection:
                await departures.write(connection, tenant, departure)
                leads = await departures.read_open(connection, tenant, departure.rep_id, "", most)
                moves = Moves()
                moves.add(await self._slice(connection, tenant, departure.rep_id, leads))
                raise _DryError
        except _DryError:
            return moves

    async def _move(self, tenant: str, rep_id: str, after: str) -> Moved:
        """Move what can be moved of the leads after `after`, slice by slice, until all, or enough for one sweep, were tried."""
        moved = Moved(after)
        while moved.after is not None and moved.tried < SLICE:
            async with tenant_transaction(self._pool, tenant) as connection:
                leads = await departures.read_open(connection, tenant, rep_id, moved.after, self._most)
            finished, undecidable = await self._apart(tenant, rep_id, leads)
            for done in finished:
                count(done, self._clock.now())
                moved.leads += sum(change.cause.kind == "left" for change in done.changes)
                moved.stay += len(done.stayed)
            moved.tried, moved.stay = moved.tried + len(leads), moved.stay + len(undecidable)
            moved.after = leads[-1] if len(leads) == self._most else None
        return moved

    async def _apart(self, tenant: str, rep_id: str, leads: Sequence[str]) -> tuple[list[Done], list[str]]:
        """A slice; lead by lead where one of them cannot be decided on, so that it keeps no other. Which ones cannot, too."""

        async def attempt(connection: Connection, *leads: str) -> Done:
            if await departures.read(connection, tenant, rep_id) is None:
                return Done((), (), Desk())  # they have come back
            return await self._slice(connection, tenant, rep_id, leads)

        try:
            async with tenant_transaction(self._pool, tenant) as connection:
                return [await attempt(connection, *leads)], []
        except HOPELESS:
            return await lead_by_lead(self._pool, tenant, leads, attempt)

    async def _slice(self, connection: Connection, tenant: str, rep_id: str, leads: Sequence[str]) -> Done:
        rows = await departures.lock_open(connection, tenant, rep_id, leads)
        tasks = [_task(stored) for stored in rows.values()]
        return await decide_and_apply(connection, tenant, tasks, rows, {}, self._follow(tenant), self._clock.now())


def _task(stored: Stored) -> Task:
    score = stored.scored()
    scored, asked = (Scored.of(score), Asked.of(score)) if score else (None, None)
    return Task(stored.lead, scored, asked=asked, left=scored is not None)
