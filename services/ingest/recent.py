"""What Redis forgot of recent events is read from the topic: an event that comes again shall not get a second body."""

from __future__ import annotations

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.ingest.links import RedisLinks
from shared.schemas.topics import TOUCHPOINTS

log = structlog.get_logger(__name__)

MOST = 2_000  # records of one script


async def reclaim(bootstrap: str, links: RedisLinks, since: int, claim_seconds: int) -> int:
    """Confirm the claims of all events that were appended to the topic at or after `since` (ms); how many."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        numbers = consumer._client.cluster.partitions_for_topic(TOUCHPOINTS.name) or ()
        partitions = [TopicPartition(TOUCHPOINTS.name, number) for number in numbers]
        if not partitions:
            return 0
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.offsets_for_times(dict.fromkeys(partitions, since))
        at = {p: found.offset if (found := starts[p]) else ends[p] for p in partitions}
        for p in partitions:
            consumer.seek(p, at[p])
        count = 0
        while any(at[p] < ends[p] for p in partitions):
            for p, records in (await consumer.getmany(timeout_ms=500, max_records=MOST)).items():
                count += await _confirm(links, records, claim_seconds)
                at[p] = records[-1].offset + 1
        return count
    finally:
        await consumer.stop()


async def _confirm(links: RedisLinks, records: list[ConsumerRecord], claim_seconds: int) -> int:
    of_tenant: dict[str, list[tuple[str, int]]] = {}
    for record in records:
        try:
            touch = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            continue  # nobody but ingest writes here; what is no JSON is no event that could come again
        if event_id := touch.get("event_id"):
            of_tenant.setdefault(touch["tenant"], []).append((event_id, claim_seconds))
    for tenant, claims in of_tenant.items():
        await links.confirm(tenant, claims, ())
    return sum(map(len, of_tenant.values()))
