"""Statistics per source: what all processes have seen, added up in Redis, by UTC day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.ingest import metrics, scripts
from services.ingest.domain.touch import DAY
from services.ingest.seen import MINUTE, Place, Seen, Tally
from shared.kit.clock import Clock

log = structlog.get_logger(__name__)

DAYS = 8  # that are kept, today included
RATE_MINUTES = 5  # over which events per minute are told
MOST_SOURCES = 500  # with series of their own; what comes later is counted as `other`
_OUTCOMES = ("accepted", "duplicate", "rejected")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one source.

    days: UTC day since the epoch -> field -> value, as `Tally` names them;  today: the day it is;  per_minute: events, lately
    """

    days: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    today: int = 0
    per_minute: float = 0.0

    def of_today(self) -> Figures:
        return Figures({self.today: self.days.get(self.today, {})}, self.today)

    def count(self, name: str) -> int:
        return sum(day.get(name, 0) for day in self.days.values())

    def largest(self, name: str) -> int | None:
        return max((day[name] for day in self.days.values() if name in day), default=None)

    def by(self, prefix: str) -> dict[str, int]:
        """Counts of all fields `prefix:…`, by what follows, the most frequent first."""
        names = {name for day in self.days.values() for name in day if name.startswith(f"{prefix}:")}
        found = {name.partition(":")[2]: self.count(name) for name in names}
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


class Statistics:
    """Adds up in Redis what was seen; while Redis is away it stays in memory. A count is seldom added twice: when Redis did not
    answer and had done it."""

    def __init__(self, redis: Redis, seen: Seen, clock: Clock) -> None:
        self._redis, self._seen, self._clock = redis, seen, clock
        self._script = redis.register_script(scripts.text("seen"))
        self._waiting: dict[Place, Tally] = {}
        self._away = False
        self._series: set[tuple[str, str]] = set()

    async def run(self, *, seconds: float = 1.0) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.flush()

    async def flush(self) -> None:
        """Add what was seen since the last time."""
        for place, tally in self._seen.take().items():
            self._measure(place, tally)
            self._waiting.setdefault(place, Tally()).join(tally)
        oldest = self._clock.now() // DAY - DAYS
        self._waiting = {place: tally for place, tally in self._waiting.items() if place[2] > oldest}
        if not self._waiting:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for place, tally in self._waiting.items():
                    await self._script(keys=_keys(place), args=[self._packed(tally)], client=pipe)
                await pipe.execute()
        except RedisError as error:
            if not self._away:
                log.warning("statistics_wait", sources=len(self._waiting), error=repr(error))
            self._away = True
        else:
            self._waiting.clear()
            self._away = False

    async def read(self, sources: list[tuple[str, str]]) -> list[Figures]:
        """The figures of each (tenant, source id). Raises RedisError."""
        now = self._clock.now()
        days = [now // DAY - back for back in range(DAYS)]
        async with self._redis.pipeline(transaction=False) as pipe:
            for tenant, source in sources:
                for day in days:
                    pipe.hgetall(_keys((tenant, source, day))[0])
                pipe.hgetall(_keys((tenant, source, days[0]))[1])
            answers = iter(await pipe.execute())
        return [
            Figures(
                {day: found for day in days if (found := _fields(next(answers)))},
                days[0],
                _rate(_fields(next(answers)), now),
            )
            for _ in sources
        ]

    def _packed(self, tally: Tally) -> bytes:
        first = self._clock.now() // MINUTE - RATE_MINUTES
        row = ((DAYS + 1) * DAY // 1000, tally.counts, tally.largest, tally.minutes, first)
        return msgspec.msgpack.encode(row)

    def _measure(self, place: Place, tally: Tally) -> None:
        """For Prometheus; a series costs memory for ever, so their number is bounded."""
        pair = place[:2]
        if len(self._series) < MOST_SOURCES:
            self._series.add(pair)
        tenant, source = pair if pair in self._series else ("other", "other")
        for name, times in tally.counts.items():
            kind = name.partition(":")[0]
            if kind in _OUTCOMES:
                metrics.SOURCE_EVENTS.labels(tenant, source, kind).inc(times)
            elif kind == "unverified":
                metrics.SOURCE_UNVERIFIED.labels(tenant, source).inc(times)
        metrics.SOURCE_LAST.labels(tenant, source).set(tally.largest["last"] / 1000)


def _keys(place: Place) -> list[str]:
    tenant, source, day = place
    prefix = f"baton:ingest:{{{tenant}}}:seen:{source}"
    return [f"{prefix}:{day}", f"{prefix}:minutes"]


def _fields(found: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in found.items()}


def _rate(minutes: Mapping[str, int], now: int) -> float:
    """Events per minute from the beginning of the minute four before this one until now."""
    first = now // MINUTE - RATE_MINUTES + 1
    events = sum(count for minute, count in minutes.items() if first <= int(minute) <= now // MINUTE)
    return events / max(1.0, (now - first * MINUTE) / MINUTE)
