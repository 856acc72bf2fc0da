"""The baseline of latencies: produce → consume through Kafka alone, at the same rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.harness import percentile, say
from shared.kit.kafka import EMBEDDED_PARTITIONS

BYTES = 450  # of a record, about as a touch has


async def round_trips(bootstrap: str, per_second: int, seconds: float, warm_up: float = 2) -> list[float]:
    """Milliseconds from the send (acks=all, idempotent) until a waiting consumer has the record, one per record that was sent
    after the first `warm_up` seconds."""
    topic = f"bench-round-trip-{time.monotonic_ns()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, EMBEDDED_PARTITIONS, 1)])
    await admin.close()
    consumer = await latest(bootstrap, topic)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    skipped, wanted = round(per_second * warm_up), round(per_second * seconds)
    received: list[float] = []

    async def receive() -> None:
        while len(received) < skipped + wanted:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                now = time.perf_counter_ns()
                received.extend((now - int(record.value)) / 1e6 for record in records)

    receiving = asyncio.create_task(receive())
    async for _ in ticks(per_second, skipped + wanted):
        await producer.send(topic, str(time.perf_counter_ns()).encode().ljust(BYTES))
    async with asyncio.timeout(60):
        await receiving
    await producer.stop()
    await consumer.stop()
    measured = received[skipped:]
    say(f"Kafka round trip at {per_second}/s: {shown(measured)}")
    return measured


async def latest(bootstrap: str, topic: str) -> AIOKafkaConsumer:
    """A consumer of all partitions of `topic`, from now on."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(EMBEDDED_PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:
        await consumer.position(partition)  # the seek is lazy: without this, what is sent now may count as before it
    return consumer


async def ticks(per_second: int, count: int) -> AsyncIterator[int]:
    """`count` numbers at an even pace; late ones follow at once, so that a slow receiver is not spared."""
    start = time.perf_counter()
    for number in range(count):
        wait = start + number / per_second - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        yield number


def shown(milliseconds: list[float]) -> str:
    """The percentiles in words."""
    return ", ".join(f"p{share * 100:.0f} {percentile(milliseconds, share):.1f} ms" for share in (0.5, 0.95, 0.99))
