"""Reading what became of a tenant's leads: the topics from their beginning, and the tables of router and handoff."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from baton.errors import OperatorError
from baton.replay.accounting import Found, leads_of, place
from baton.segment import Tally
from shared.kit.database import open_pool, tenant_transaction
from shared.kit.kafka import reader
from shared.schemas.topics import LEAD_SCORED, TOUCHPOINTS

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 60.0  # without any progress


async def find(bootstrap: str, database: str, tenant: str) -> Found:
    """Everything there is of `tenant` now. Raises OperatorError when a server does not answer."""
    touches: dict[str, tuple[str, str]] = {}
    sources: set[str] = set()
    scored: dict[str, str | None] = {}
    try:
        async for record in records(bootstrap, TOUCHPOINTS.name, tenant):
            if record["record"] == "touch":
                touches[record["event_id"]] = (record["lead_id"], record["identity_kind"])
                sources.add(record["source_id"])
        async for record in records(bootstrap, LEAD_SCORED.name, tenant):
            scored[record["lead_id"]] = record.get("merged_into")
        rows, opportunities = await _tables(database, tenant)
    except (KafkaError, asyncpg.PostgresError, OSError) as error:
        raise OperatorError(f"what became of the leads cannot be read ({type(error).__name__}: {error})") from error
    return Found(touches, frozenset(sources), scored, rows, opportunities)


async def settled(bootstrap: str, database: str, tenant: str, tally: Tally, tell: Callable[[str], None]) -> Found:
    """What there is once every lead of `tally` has its place, or when nothing has moved for a minute."""
    before, since = -1, time.monotonic()
    while True:
        found = await find(bootstrap, database, tenant)
        leads, _ = leads_of(tally, tenant, found)
        ready = sum(_is_settled(lead, found) for lead in leads)
        if ready == len(leads):
            return found
        tell(f"{ready:,} of {len(leads):,} leads have been scored and routed")
        if ready != before:
            before, since = ready, time.monotonic()
        elif time.monotonic() - since > PATIENCE_SECONDS:
            return found
        await asyncio.sleep(LOOK_SECONDS)


def _is_settled(lead: str, found: Found) -> bool:
    if lead not in found.scored:
        return False
    if found.scored[lead] is not None:
        return True
    row = found.rows.get(lead)
    where = place(row)
    return where not in ("nowhere", "routed") or (where == "routed" and row is not None and not row["provisional"])


async def records(bootstrap: str, topic: str, tenant: str) -> AsyncIterator[dict[str, Any]]:
    """The records of `tenant` on a topic, the oldest first per partition, up to the end as it is now."""
    prefix = f"{tenant}/".encode()
    async with reader(bootstrap, partition_bytes=4 << 20) as consumer:
        await consumer._client.set_topics([topic])
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for polled in (await consumer.getmany(timeout_ms=200)).values():
                for record in polled:
                    if record.key and record.key.startswith(prefix) and record.value is not None:
                        yield orjson.loads(record.value)


async def _tables(database: str, tenant: str) -> tuple[dict[str, Any], dict[str, int]]:
    pool = await open_pool(database, "baton_app", application="baton-replay", size=1)
    async with pool, tenant_transaction(pool, tenant) as connection:
        leads = await connection.fetch(
            "SELECT lead_id, owner_rep, waiting_reason, provisional FROM router.leads WHERE tenant = $1", tenant
        )
        opportunities = await connection.fetch(
            "SELECT lead_id, count(*) AS count FROM handoff.opportunities WHERE tenant = $1 GROUP BY lead_id", tenant
        )
    return {row["lead_id"]: dict(row) for row in leads}, {row["lead_id"]: row["count"] for row in opportunities}
