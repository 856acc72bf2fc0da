"""What time alone changes, told when it does: the store has by moment which subjects to look at, so idle ones cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from services.scoring.handler import Scorer
from services.scoring.rescoring import Owned
from services.scoring.states import States
from shared.kit.clock import Clock

LOOK_MS = 1_000
MOST = 25  # subjects of a partition between two batches of new events


class Timers:
    """owned: `Stream.owned`"""

    def __init__(self, states: States, scorer: Scorer, owned: Owned, clock: Clock) -> None:
        self._states, self._scorer, self._owned, self._clock = states, scorer, owned, clock
        self._earliest = clock.now()  # when something is due that was not told yet, or when somebody looked last

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(await self.fire() / 1000)

    def late_seconds(self) -> float:
        """For how long the oldest change waits to be told, or nobody has looked."""
        return max(0, self._clock.now() - self._earliest) / 1000

    async def fire(self) -> int:
        """Tell all that has come due, the earliest first; ms until something may be due again."""
        while True:
            now = self._clock.now()
            owned = self._owned(now)
            found = await self._states.due(list(owned), now + LOOK_MS, MOST) if owned else {}
            self._earliest = min((at for subjects in found.values() for _, at in subjects), default=now)
            moved = [
                await self._visit(partition, ripe)
                for partition, subjects in found.items()
                if (ripe := {subject: at for subject, at in subjects if at <= owned[partition]})
            ]
            if not any(moved):
                return min(LOOK_MS, self._earliest - now) if self._earliest > now else LOOK_MS

    async def _visit(self, partition: int, subjects: Mapping[str, int]) -> bool:
        """Whether it was done: not where the partition is another worker's by now."""
        await self._scorer.quiet()
        until = self._owned(self._clock.now()).get(partition)
        if until is None:
            return False
        return await self._scorer.visit(partition, subjects, "time", until)
