"""What Redis forgot of recent events is read from the topic: an event that comes again shall not get a second body."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.ingest.links import RedisLinks
from shared.kit.kafka import reader
from shared.schemas.topics import TOUCHPOINTS

log = structlog.get_logger(__name__)

MOST = 2_000  # records of one script

Remembered = Callable[[str, str], int]  # tenant and source id -> seconds for which its event ids are remembered


async def reclaim(bootstrap: str, links: RedisLinks, span: int, remembered: Remembered) -> int:
    """Confirm the claims of the events of the topic's last `span` ms; how many.

    They end at its latest record, not now: what came just before a long outage comes again after it.
    """
    async with reader(bootstrap) as consumer:
        await consumer._client.force_metadata_update()
        numbers = consumer._client.cluster.partitions_for_topic(TOUCHPOINTS.name) or ()
        partitions = [TopicPartition(TOUCHPOINTS.name, number) for number in numbers]
        consumer.assign(partitions)
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        filled = [p for p in partitions if starts[p] < ends[p]]
        if not filled:
            return 0
        since = await _latest(consumer, {p: ends[p] for p in filled}) - span
        found = await consumer.offsets_for_times(dict.fromkeys(filled, max(since, 0)))
        at = {p: first.offset if (first := found[p]) else ends[p] for p in filled}
        for p in filled:
            consumer.seek(p, at[p])
        count = 0
        while any(at[p] < ends[p] for p in filled):
            for p, records in (await consumer.getmany(*filled, timeout_ms=500, max_records=MOST)).items():
                count += await _confirm(links, records, remembered)
                at[p] = records[-1].offset + 1
        return count


async def _latest(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> int:
    """When the last of all records before `ends` was appended (ms)."""
    for p, end in ends.items():
        consumer.seek(p, end - 1)
    latest: dict[TopicPartition, int] = {}
    while len(latest) < len(ends):
        for p, records in (await consumer.getmany(*ends, timeout_ms=500)).items():
            latest.setdefault(p, records[0].timestamp)  # others may be writing again
    return max(latest.values())


async def _confirm(links: RedisLinks, records: list[ConsumerRecord], remembered: Remembered) -> int:
    of_tenant: dict[str, list[tuple[str, int]]] = {}
    for record in records:
        try:
            touch = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            continue  # nobody but ingest writes here; what is no JSON is no event that could come again
        if isinstance(touch, dict) and touch.get("record") == "touch":
            tenant = touch["tenant"]
            claim = touch["event_id"], remembered(tenant, touch["source_id"])
            of_tenant.setdefault(tenant, []).append(claim)
    for tenant, claims in of_tenant.items():
        await links.confirm(tenant, claims, ())
    return sum(map(len, of_tenant.values()))
