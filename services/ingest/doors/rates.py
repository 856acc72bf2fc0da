"""How many calls a source may make: counted in Redis, for all processes of ingest together."""

from __future__ import annotations

import asyncio
import math
from time import monotonic

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.ingest import metrics, scripts
from services.ingest.domain.refusals import Refused
from services.ingest.sources import Registered

BUDGET_SECONDS = 0.05  # for which a call waits to be counted
PAUSE_SECONDS = 1.0  # for which nobody is counted after a count has failed
SOCKET_SECONDS = 1.0
_SCRIPT = scripts.text("rate")


class Rates:
    """Refuses calls of sources that make more than their policy lets them; of all others it costs nothing.

    A limit protects us from too much of the good, so it never stands in the way of an event because of Redis: while that is
    away or slow, everything passes, and is counted as unchecked.
    """

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._not_before = 0.0

    async def admit(self, known: Registered, *, status: int = 429) -> None:
        """Count one call. Raises Refused `rate_limited`, which says when to come again."""
        if known.rate is None:
            return
        wait = await self._wait(known.sender.tenant, known.sender.source_id, known.rate.per_second, known.rate.burst)
        if wait > 0:
            metrics.SHED.labels("rate").inc()
            raise Refused(
                "rate_limited",
                f"this source may make {known.rate.per_second:g} calls a second, {known.rate.burst} at once",
                status,
                retry_after=wait,
            )

    async def _wait(self, tenant: str, source_id: str, per_second: float, burst: int) -> int:
        """Whole seconds until the next call may come; 0: this one may."""
        if monotonic() < self._not_before:
            metrics.UNCHECKED.inc()
            return 0
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                keys, arguments = [f"baton:ingest:rate:{tenant}/{source_id}"], [1_000_000 / per_second, burst]
                microseconds = await self._script(keys=keys, args=arguments)
        except (RedisError, OSError, TimeoutError):
            metrics.UNCHECKED.inc()
            self._not_before = monotonic() + PAUSE_SECONDS
            return 0
        return math.ceil(int(microseconds) / 1_000_000)


def rates_redis(url: str) -> Redis:
    """Connections of its own: who waits for a limit must not wait behind those who write."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=8,
        timeout=BUDGET_SECONDS,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis(connection_pool=pool)
