"""A new policy re-scores what it governs: leads and accounts that nothing happens to, in the background, a page at a time. After
a loss of the store everything is told once more in the same way.

How far it is stands in the store beside the states, and is written with what it speaks of or not at all (`progress.py`): whoever
owns the partition next goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec
import structlog

from services.scoring import metrics, progress
from services.scoring.handler import Scorer
from services.scoring.pace import Pace
from services.scoring.policies import Policies
from services.scoring.progress import Notes, Pass, Progress
from services.scoring.seek import Plan
from services.scoring.states import Applied, Change, States
from services.scoring.subjects import parse
from services.scoring.wire import INPUTS
from shared.kit.clock import Clock

log = structlog.get_logger(__name__)

Owned = Callable[
    [int], Mapping[int, int]
]  # at a moment (ms): the partitions of this worker, and up to when each is read

PAGE = 100  # subjects between two batches of new events: some 15 ms
MOST_NAMES = 2_000  # looked at for a page, where few are of the tenants wanted
NAME = 0.02  # what it costs to look at the name of a subject of another tenant, in subjects re-scored
LOOK_SECONDS = 1.0


class Rescoring:
    """owned: `Stream.owned`;  per_second: subjects that this worker re-scores"""

    def __init__(
        self, states: States, scorer: Scorer, policies: Policies, owned: Owned, clock: Clock, *, per_second: float
    ) -> None:
        self._states, self._scorer, self._policies = states, scorer, policies
        self._owned, self._clock, self._pace = owned, clock, Pace(per_second)
        self._shown: set[int] = set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            cost = await self.step()
            await asyncio.sleep(self._pace.after(cost, loop.time()) if cost else LOOK_SECONDS)

    async def begin(self, partition: int, applied: Applied, planned: Plan) -> None:
        """Before the first record of a partition is read by this worker, to which so much is applied."""
        run = await self._states.run(partition)
        while True:
            found = progress.read((await self._states.rescoring([partition]))[partition])
            notes = self._notes(partition, found, applied, planned, run)
            if not notes:
                return
            as_it_is = {topic: applied.get(topic, 0) for topic in INPUTS}
            refused = await self._states.save([Change(partition, applied, as_it_is, rescoring=notes)])
            if not refused:
                return
            applied = refused[partition]  # its last owner has written once more, and may have noted something, too

    def _notes(self, partition: int, found: Progress, applied: Applied, planned: Plan, run: str) -> Notes:
        notes: Notes = {} if found.run == run else {progress.RUN: run}
        restarted = found.run is not None and found.run != run
        # A store that was started anew may have lost what was never committed; not where it has all that there is.
        if planned.behind or (restarted and sum(applied.get(topic, 0) for topic in INPUTS) < planned.end):
            log.warning("states_behind", partition=partition, applied=dict(applied), end=planned.end)
            return notes | progress.after_a_loss(found, planned.end)
        empty = not any(applied.values())
        return notes | progress.at_the_beginning(found, self._policies.sequences(), empty=empty)

    async def step(self) -> float:
        """A page of each partition where something is to be re-scored; what that cost, in subjects."""
        owned = self._owned(self._clock.now())
        noted = await self._states.rescoring(list(owned)) if owned else {}
        self._hide(self._shown - owned.keys())
        cost = 0.0
        for partition in owned:
            found = progress.read(noted[partition])
            under_way = await self._under_way(partition, found) if await self._may(partition, found) else None
            if under_way is None:
                self._hide({partition})
            else:
                self._show(partition, under_way)
                cost += await self._page(partition, under_way)
        return cost

    async def _may(self, partition: int, found: Progress) -> bool:
        """Whether what is said now is of a higher version than all that was said before a loss."""
        if not found.behind:
            return True
        applied = (await self._states.load({partition: []}))[partition].applied
        return sum(applied.get(topic, 0) for topic in INPUTS) >= found.behind

    async def _under_way(self, partition: int, found: Progress) -> Pass | None:
        known = self._policies.sequences()
        if found.under_way and (resumed := progress.resumed(found.under_way, known)):
            return resumed
        targets = progress.stale(found, known)
        if not targets:
            return None
        return Pass(targets, (await self._states.sizes([partition]))[partition], self._clock.now())

    async def _page(self, partition: int, under_way: Pass) -> float:
        # A batch under way may have been decided by the policy before, and a lead that is new in it is not in the store yet.
        await self._scorer.quiet()
        wanted, after = await self._next(partition, under_way)
        await self._scorer.quiet()
        until = self._owned(self._clock.now()).get(partition, 0)
        if not until:  # the partition went to another worker, or nothing of it is read yet
            return 0.0
        ended = after.cursor == 0
        notes = progress.finished(after) if ended else progress.write(after)
        if not await self._scorer.visit(partition, dict.fromkeys(wanted, 0), "policy", until, rescoring=notes):
            return 0.0
        if ended:
            seconds = (self._clock.now() - after.began_at) / 1000
            metrics.RESCORES.inc()
            log.info("rescored", partition=partition, policies=after.targets, said=after.said, seconds=seconds)
            self._hide({partition})
        else:
            self._show(partition, after)
        return len(wanted) + NAME * (after.seen - under_way.seen)

    async def _next(self, partition: int, under_way: Pass) -> tuple[list[str], Pass]:
        """The subjects of the next page, and the pass after it."""
        cursor, seen = under_way.cursor, 0
        wanted: list[str] = []
        said = Counter(under_way.said)
        while len(wanted) < PAGE and seen < MOST_NAMES:
            cursor, names = await self._states.subjects(partition, cursor, PAGE)
            seen += len(names)
            for name in names:
                tenant = parse(name).tenant
                if tenant in under_way.targets:
                    wanted.append(name)
                    said[tenant] += 1
            if not cursor:
                break
        after = msgspec.structs.replace(under_way, cursor=cursor, seen=under_way.seen + seen, said=dict(said))
        return wanted, after

    def _show(self, partition: int, under_way: Pass) -> None:
        self._shown.add(partition)
        label = str(partition)
        metrics.RESCORE_DONE.labels(label).set(under_way.seen)
        metrics.RESCORE_LEFT.labels(label).set(under_way.left())
        metrics.RESCORE_SECONDS.labels(label).set(max(0, self._clock.now() - under_way.began_at) / 1000)

    def _hide(self, partitions: set[int]) -> None:
        """Partitions without a pass have no figures, so that nobody adds up those of two workers."""
        for partition in partitions & self._shown:
            for gauge in (metrics.RESCORE_DONE, metrics.RESCORE_LEFT, metrics.RESCORE_SECONDS):
                gauge.remove(str(partition))
        self._shown -= partitions
