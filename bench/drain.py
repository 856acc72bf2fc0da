"""One worker drains the backlog of `touchpoints`, and says how long it took. `python -m bench.drain VARIANT GROUP EVENTS WARM_UP`

stream: the stream of the scoring service as the service builds it: Faust with batch delivery in front of `Scorer.handle`
loop:   a bare aiokafka loop in front of the same `Scorer.handle`: poll, handle, commit once a second
table:  stock Faust (`bench/table.py`)

The clock runs from the moment when WARM_UP events are done until EVENTS are; starting, joining the group and reading policies
do not count. The last line of the output is `{"events", "seconds", "cpu_seconds"}`, all threads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from time import monotonic, perf_counter, process_time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer

from services.scoring.batch import Slice
from services.scoring.beginnings import Beginnings
from services.scoring.handler import Scorer
from services.scoring.policies import Policies
from services.scoring.settings import Settings
from services.scoring.states import RedisStates, connect
from services.scoring.stream import Stream
from services.scoring.wire import INPUTS
from shared.kit import logs
from shared.kit.clock import SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import KafkaPublisher
from shared.kit.service import cancel
from shared.schemas.topics import POLICIES, TOUCHPOINTS

COMMIT_SECONDS = 1.0


class Meter:
    """Counts events that are done; `done` is set with the last."""

    def __init__(self, events: int, warm_up: int) -> None:
        self._events, self._warm_up = events, warm_up
        self._seen = 0
        self._began: tuple[int, float, float] | None = None
        self.done = asyncio.Event()
        self.result: dict[str, float] = {}

    def count(self, events: int) -> None:
        self._seen += events
        if self._began is None and self._seen >= self._warm_up:
            self._began = (self._seen, perf_counter(), process_time())
        if self._began and self._seen >= self._events and not self.done.is_set():
            seen, wall, processor = self._began
            self.result = {
                "events": self._seen - seen,
                "seconds": perf_counter() - wall,
                "cpu_seconds": process_time() - processor,
            }
            self.done.set()


class Metered(Scorer):
    """The handler of the service; what it has done is counted."""

    meter: Meter

    async def take(self, polled: Sequence[Slice]) -> asyncio.Task[None]:
        published = await super().take(polled)
        touches = sum(len(part.records) for part in polled if part.topic == TOUCHPOINTS.name)
        published.add_done_callback(lambda _: self.meter.count(touches))
        return published


async def stream(settings: Settings, meter: Meter, policies: Policies, closing: AsyncExitStack) -> None:
    scorer, states = await _scorer(settings, meter, policies, closing)
    running = asyncio.create_task(Stream(settings, scorer, Beginnings(states, scorer.forget, accept_loss=False)).run())
    await _until_done(meter, running)


async def loop(settings: Settings, meter: Meter, policies: Policies, closing: AsyncExitStack) -> None:
    scorer, _ = await _scorer(settings, meter, policies, closing)
    await _until_done(meter, asyncio.create_task(_loop(settings, scorer)))


async def _loop(settings: Settings, scorer: Scorer) -> None:
    consumer = AIOKafkaConsumer(
        *INPUTS,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    committed = monotonic()
    try:
        while True:
            polled = await consumer.getmany(timeout_ms=200, max_records=settings.poll_records)
            if polled:
                await scorer.handle([Slice(tp.topic, tp.partition, records) for tp, records in polled.items()])
            if monotonic() - committed > COMMIT_SECONDS:
                await consumer.commit()
                committed = monotonic()
    finally:
        await consumer.stop()


async def _scorer(
    settings: Settings, meter: Meter, policies: Policies, closing: AsyncExitStack
) -> tuple[Scorer, RedisStates]:
    """As the service's composition root makes it."""
    redis = connect(settings.redis_url)
    closing.push_async_callback(redis.aclose)
    publisher = KafkaPublisher(settings.kafka_bootstrap_servers)
    await publisher.start()
    closing.push_async_callback(publisher.stop)
    states, clock = RedisStates(redis, group=settings.group), SystemClock()
    dead_letters = DeadLetters(publisher, clock, group=settings.group, most=settings.dead_letters_per_minute)
    scorer = Metered(states, publisher, policies, dead_letters, clock, cached_leads=settings.cached_leads)
    scorer.meter = meter
    return scorer, states


async def _until_done(meter: Meter, running: asyncio.Task[None]) -> None:
    """Raises what ended it, should it end before."""
    finished = asyncio.create_task(meter.done.wait())
    await asyncio.wait({finished, running}, return_when=asyncio.FIRST_COMPLETED)
    if not meter.done.is_set():
        finished.cancel()
        running.result()
    await cancel({running})


async def main(variant: str, group: str, events: int, warm_up: int) -> dict[str, float]:
    settings = Settings(SCORING_GROUP=group)
    logs.configure("bench", settings.log_level)
    meter, policies = Meter(events, warm_up), Policies()
    async with AsyncExitStack() as closing:
        follower = CompactedTopic(settings.kafka_bootstrap_servers, POLICIES, policies.apply)
        following = asyncio.create_task(follower.run())
        closing.callback(following.cancel)
        await follower.caught_up.wait()
        if variant == "table":
            from bench.table import table

            await _until_done(meter, asyncio.create_task(table(settings, meter, policies)))
        else:
            await {"stream": stream, "loop": loop}[variant](settings, meter, policies, closing)
    return meter.result


if __name__ == "__main__":
    result = uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    print(orjson.dumps(result).decode())
