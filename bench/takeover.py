"""Takeover: how long the partitions of a worker that is killed, or told to stop, are without scores.

A first worker runs. A second one joins and gets half of the partitions; then it gets SIGKILL, and another one SIGTERM, while
touches keep coming at an even pace for leads of all partitions. Measured from the signal until the last partition has a score of a
touch that was sent after the signal; beside the session time-out, after which the broker gives a silent worker's partitions away.
"""

from __future__ import annotations

import asyncio
import signal
import time

import httpx
import msgspec
import uvloop

from baton.stack.ports import free_port
from bench.harness import Process, Row, row, say
from bench.round_trip import latest
from bench.touches import Touches
from shared.kit.clock import SystemClock
from shared.kit.kafka import EMBEDDED_PARTITIONS, KafkaPublisher
from shared.schemas.topics import LEAD_SCORED

SESSION_MS = 10_000  # the service's default
PER_SECOND = 200


class _Score(msgspec.Struct):
    as_of: int


def take_over(env: dict[str, str], touches: Touches) -> list[Row]:
    rows = []
    for number in (signal.SIGKILL, signal.SIGTERM):
        port = free_port()
        with Process(
            "services.scoring", env={**env, "SCORING_PORT": str(port)}, ready=f"http://127.0.0.1:{port}/readyz"
        ) as worker:
            _until_shared(port)
            seen = uvloop.run(_gap(env["KAFKA_BOOTSTRAP_SERVERS"], touches, worker, number))
        say(f"takeover after {number.name}: {seen:.0f} ms")
        rows.append(row(f"takeover after {number.name}, beside the session time-out", seen, "ms", SESSION_MS))
    return rows


def _until_shared(port: int, seconds: float = 60) -> None:
    """Until the second worker owns partitions."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        owned = [line for line in metrics.splitlines() if line.startswith("baton_scoring_assigned_partitions ")]
        if owned and float(owned[0].split()[1]) > 0:
            return
        time.sleep(0.2)
    raise RuntimeError(f"the second worker was given no partition within {seconds:g} s")


async def _gap(bootstrap: str, touches: Touches, worker: Process, number: signal.Signals) -> float:
    """ms from the signal until every partition has said what came after it."""
    consumer = await latest(bootstrap, LEAD_SCORED.name)
    publisher = KafkaPublisher(bootstrap)
    await publisher.start()
    clock, decoder = SystemClock(), msgspec.json.Decoder(_Score)
    stopping = asyncio.Event()

    async def send() -> None:
        while not stopping.is_set():
            await publisher.publish([touches.next(clock.now())[1] for _ in range(PER_SECOND // 20)])
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    await asyncio.sleep(2)
    worker.signal(number)
    signalled, began = clock.now(), time.perf_counter()
    waiting = set(range(EMBEDDED_PARTITIONS))
    try:
        async with asyncio.timeout(120):
            while waiting:
                for partition, records in (await consumer.getmany(timeout_ms=100)).items():
                    if any(decoder.decode(record.value).as_of > signalled + 1 for record in records):
                        waiting.discard(partition.partition)
        return (time.perf_counter() - began) * 1000
    finally:
        stopping.set()
        await sending
        await publisher.stop()
        await consumer.stop()
