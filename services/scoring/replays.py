"""A worker notes since when the marks of its rules are kept, and says in a metric which tenants need a rebuild."""

from __future__ import annotations

import asyncio

import structlog
from redis.exceptions import RedisError

from services.scoring import metrics
from services.scoring.policies import Policies
from services.scoring.recorded import Recorded
from services.scoring.states import RedisStates
from shared.kit.clock import Clock

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
TELL_SECONDS = 30.0


class Replays:
    def __init__(self, recorded: Recorded, states: RedisStates, policies: Policies, clock: Clock) -> None:
        self._recorded, self._states, self._policies, self._clock = recorded, states, policies, clock
        self._noted: dict[str, int] = {}
        self._told_at = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.step()
            except RedisError as error:
                log.warning("redis_unreachable", error=repr(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> None:
        changed = False
        for tenant, (rules, since) in self._policies.all().items():
            if self._noted.get(tenant) != rules.ref.sequence:
                await self._recorded.note(self._states.epoch, tenant, rules, since)
                self._noted[tenant] = rules.ref.sequence
                changed = True
        now = self._clock.now()
        if changed or now - self._told_at >= TELL_SECONDS * 1000:
            await self._tell(now)
            self._told_at = now

    async def _tell(self, now: int) -> None:
        rules = {tenant: theirs for tenant, (theirs, _) in self._policies.all().items()}
        for tenant, found in (await self._recorded.partly(self._states.epoch, rules, now)).items():
            metrics.REPLAY_NEEDED.labels(tenant).set(len(found))
