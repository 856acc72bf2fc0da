"""A publish of many records is what a publish of each of them would be."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kit.kafka import MANY, KafkaPublisher, Outgoing

pytestmark = pytest.mark.servers
TOPIC = "ingest-rejected"


@pytest.mark.parametrize("size", [10, 3_000, 300_000])
async def test_many_records_arrive_once_in_the_order_of_their_keys_in_the_partitions_of_single_ones(kafka_url, size):
    keys = [f"{uuid4()}/{number}".encode() for number in range(8)]
    count = MANY * 4 if size < 100_000 else MANY
    records = [
        Outgoing(TOPIC, keys[n % 8], f"{n:06}".encode() + b"x" * size, (("baton-test", b"yes"),)) for n in range(count)
    ]
    publisher = KafkaPublisher(kafka_url)
    await publisher.start()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_url, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(TOPIC, number) for number in range(8)]
        consumer.assign(partitions)
        starts = await consumer.end_offsets(partitions)
        await publisher.publish(records)
        for single in records[:8]:
            await publisher.publish([single])
        for partition, start in starts.items():
            consumer.seek(partition, start)
        ends = await consumer.end_offsets(partitions)
        found = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            found += [r for batch in (await consumer.getmany(timeout_ms=200)).values() for r in batch]
    finally:
        await consumer.stop()
        await publisher.stop()
    mine = [record for record in found if record.key in keys]
    for key in keys:
        values = [record.value for record in mine if record.key == key]
        expected = [record.value for record in records if record.key == key]
        assert values == [*expected, expected[0]]
        assert len({record.partition for record in mine if record.key == key}) == 1
    assert all(dict(record.headers) == {"baton-test": b"yes"} for record in mine)
