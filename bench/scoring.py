"""Scoring: how fast one worker drains a backlog, and how soon a touch is a score.

The backlog: 200,000 touches of 20,000 known people of the demo tenant over thirty days, zipf, drained by each variant in a process
of its own with a fresh consumer group and fresh states, everything else idle (`bench/drain.py`), with the full ledger, explanation
and accounts. Stock Faust, being slow, drains its first part only. The time: the service as `python -m services.scoring`, having
drained the backlog first, gets 100, 1,000 and 3,000 new touches a second over the same people; measured from the send until a
consumer has the first `LeadScored` of that lead that contains the touch (`as_of`), beside the Kafka round trip at the same rate
right before and after. Then a second worker joins, and one of them dies (`bench/takeover.py`).
"""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import NamedTuple

import msgspec
import orjson
import uvloop
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from baton.stack.ports import free_port
from bench import setup
from bench.harness import Process, Row, median, percentile, row, say, servers
from bench.round_trip import latest, round_trips, shown, ticks
from bench.takeover import take_over
from bench.touches import Touches, history, people, preload
from shared.kit.clock import SystemClock
from shared.kit.kafka import EMBEDDED_PARTITIONS
from shared.kit.partitioner import by_murmur2
from shared.schemas.topics import LEAD_SCORED, TOUCHPOINTS

LEADS, BACKLOG, WARM_UP = 20_000, 200_000, 20_000
TABLE_BACKLOG, TABLE_WARM_UP = 25_000, 5_000
ROUNDS = 3
RATES, SECONDS, SETTLING = (100, 1_000, 3_000), 12, 5


def measure() -> list[Row]:
    with servers() as env:
        uvloop.run(setup.prepare(env))
        known = people(env["IDENTITY_SECRET"].encode(), LEADS)
        touches = Touches(known)
        now = SystemClock().now()
        uvloop.run(preload(env["KAFKA_BOOTSTRAP_SERVERS"], history(touches, BACKLOG, until=now)))
        say(f"{BACKLOG:,} touches of {LEADS:,} leads are waiting")
        return [*_drains(env), *_latencies(env, touches)]


def _drains(env: dict[str, str]) -> list[Row]:
    numbers = count()
    rates: dict[str, list[Drained]] = {"stream": [], "loop": [], "table": []}
    for _ in range(ROUNDS):
        for variant in ("loop", "stream"):
            rates[variant].append(_drain(env, variant, f"bench-{next(numbers)}", BACKLOG, WARM_UP))
    for _ in range(2):
        rates["table"].append(_drain(env, "table", f"bench-{next(numbers)}", TABLE_BACKLOG, TABLE_WARM_UP))
    stream = rates["stream"]
    return [
        made
        for variant, what in (
            ("loop", "a bare aiokafka loop with the same handler"),
            ("table", "stock Faust with a table"),
        )
        for made in (
            row(
                f"scoring, one worker, beside {what}",
                median([one.per_second for one in stream]),
                "events/s",
                median([one.per_second for one in rates[variant]]),
            ),
            row(
                f"scoring, CPU per event, beside {what}",
                median([one.cpu for one in stream]),
                "µs",
                median([one.cpu for one in rates[variant]]),
            ),
        )
    ]


class Drained(NamedTuple):
    """One round. per_second: events;  cpu: µs of the worker's processor time per event, all threads"""

    per_second: float
    cpu: float


def _drain(env: dict[str, str], variant: str, group: str, events: int, warm_up: int) -> Drained:
    with Process("bench.drain", variant, group, str(events), str(warm_up), env=env) as process:
        result = orjson.loads(process.wait(180).strip().splitlines()[-1])
    uvloop.run(_forget(env["REDIS_URL"], group))
    rate = float(result["events"] / result["seconds"])
    drained = Drained(rate, result["cpu_seconds"] / result["events"] * 1e6)
    say(f"{variant:6} {rate:9,.0f} events/s, {drained.cpu:6.1f} CPU µs/event")
    return drained


async def _forget(url: str, group: str) -> None:
    """The states of a round: the next one shall find no fuller a Redis."""
    async with Redis.from_url(url) as redis:
        async for key in redis.scan_iter(f"{group}:*"):
            await redis.unlink(key)


def _latencies(env: dict[str, str], touches: Touches) -> list[Row]:
    port = free_port()
    env["SCORING_PORT"] = str(port)
    bootstrap = env["KAFKA_BOOTSTRAP_SERVERS"]
    with Process("services.scoring", env=env, ready=f"http://127.0.0.1:{port}/readyz"):
        uvloop.run(_until_drained(env["REDIS_URL"]))
        rows = [made for rate in RATES for made in _latency(bootstrap, touches, rate)]
        return rows + take_over(env, touches)


def _latency(bootstrap: str, touches: Touches, per_second: int) -> list[Row]:
    baseline = uvloop.run(round_trips(bootstrap, per_second, SECONDS / 2))
    seen = uvloop.run(_drive(bootstrap, touches, per_second))
    baseline += uvloop.run(round_trips(bootstrap, per_second, SECONDS / 2))
    return [
        row(
            f"produce → lead-scored at {per_second:,} events/s, {label}",
            percentile(seen, share),
            "ms",
            percentile(baseline, share),
        )
        for label, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ]


async def _until_drained(url: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    async with Redis.from_url(url) as redis:
        while time.monotonic() < end:
            keys = [f"scoring:{{s:{number}}}:applied" for number in range(EMBEDDED_PARTITIONS)]
            if sum([int(await redis.hget(key, TOUCHPOINTS.name) or 0) for key in keys]) >= BACKLOG:
                return
            await asyncio.sleep(0.2)
    raise RuntimeError(f"the service has not drained the backlog after {seconds:g} s")


class _Score(msgspec.Struct):
    lead_id: str
    as_of: int


async def _drive(bootstrap: str, touches: Touches, per_second: int) -> list[float]:
    """Milliseconds from the send of each touch to the first score that contains it."""
    consumer = await latest(bootstrap, LEAD_SCORED.name)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        partitioner=by_murmur2,
        max_batch_size=131_072,  # else a full batch would hold up the pace
    )
    await producer.start()
    clock, decoder = SystemClock(), msgspec.json.Decoder(_Score)
    waiting: dict[str, list[tuple[int, float, bool]]] = {}  # by lead: received_at, sent, whether it counts
    seen: list[float] = []
    wanted, settling = per_second * (SETTLING + SECONDS), per_second * SETTLING

    async def receive() -> None:
        while len(seen) < wanted - settling:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                now = time.perf_counter()
                for record in records:
                    score = decoder.decode(record.value)
                    pending = waiting.get(score.lead_id, [])
                    while pending and pending[0][0] <= score.as_of:
                        _, sent, counts = pending.pop(0)
                        if counts:
                            seen.append((now - sent) * 1000)

    receiving = asyncio.create_task(receive())
    async for number in ticks(per_second, wanted):
        at = clock.now()
        person, record = touches.next(at)
        pending = waiting.setdefault(person.lead_id, [])
        while pending and pending[-1][0] >= at:  # two of one lead in one millisecond would look alike
            person, record = touches.next(at)
            pending = waiting.setdefault(person.lead_id, [])
        pending.append((at, time.perf_counter(), number >= settling))
        await producer.send(record.topic, record.value, record.key)
    async with asyncio.timeout(60):
        await receiving
    await producer.stop()
    await consumer.stop()
    say(f"produce → lead-scored at {per_second:,}/s: {shown(seen)}")
    return seen
