"""Keeps Redis' link registers true to `identity-links`: catches up at the start, follows, and rebuilds what Redis lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from redis.exceptions import RedisError

from services.ingest import metrics
from services.ingest.domain.identifiers import Identity
from services.ingest.links import RedisLinks
from services.ingest.recent import Remembered, reclaim
from shared.kit.kafka import reader
from shared.schemas import ids
from shared.schemas.topics import IDENTITY_LINKS
from shared.schemas.touches import LinkChanged

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0  # how often Redis is asked whether it still knows what it was told
MOST = 2_000  # records of one script


class Follower:
    """`ready` while Redis holds every register that the topic holds, and the claims of recent events.

    tenants: those whose registers are opened when the topic has been read
    reclaim_minutes: how far back from the latest one events are claimed again in a Redis that may have forgotten them
    remembered: for how long then, by tenant and source id (s)
    """

    def __init__(
        self,
        bootstrap: str,
        links: RedisLinks,
        tenants: Callable[[], Iterable[str]],
        remembered: Remembered,
        *,
        reclaim_minutes: int = 30,
    ) -> None:
        self._bootstrap, self._links, self._tenants, self._remembered = bootstrap, links, tenants, remembered
        self._reclaim_ms = reclaim_minutes * 60_000
        self._lost = asyncio.Event()
        self.ready = False

    def suspect(self) -> None:
        """Redis did not answer somebody: until it was looked at, it may be another one, or one that lost its last second."""
        self.ready = False

    def report_loss(self) -> None:
        """Somebody found registers missing: read the topic again, from its beginning."""
        if not self._lost.is_set():
            log.error("links_lost")
            self.ready = False
            self._lost.set()

    async def run(self) -> None:
        """Until cancelled. While Kafka or Redis is away it is not ready, and begins anew."""
        while True:
            try:
                if self._lost.is_set():
                    metrics.REBUILDS.inc()
                    await self._links.forget()
                    self._lost.clear()
                await self._follow(await self._links.applied() or {})
            except (RedisError, KafkaError) as error:
                self.ready = False
                log.warning("links_wait", error=repr(error))
                await asyncio.sleep(0.5)

    async def _follow(self, offsets: dict[int, int]) -> None:
        """Until Redis is found to have lost something."""
        async with reader(self._bootstrap) as consumer:
            partitions = await _partitions(consumer)
            consumer.assign(partitions)
            starts = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            at = {p: max(offsets.get(p.partition, 0), starts[p]) for p in partitions}
            for p in partitions:
                if at[p] > ends[p]:
                    # The topic is younger than Redis: what Redis holds is all there is, so go on at the end.
                    log.error("links_topic_is_behind_redis", partition=p.partition, applied=at[p], end=ends[p])
                    at[p] = ends[p]
                consumer.seek(p, at[p])
            known = bool(offsets)
            was_ready = False
            checked = monotonic()
            while not self._lost.is_set():
                if (
                    was_ready and not self.ready
                ):  # what others wrote to a Redis that is no more may be in the topic alone
                    was_ready = False
                    ends = await consumer.end_offsets(partitions)
                    await self._check({p.partition: at[p] for p in partitions})
                elif not self.ready and all(at[p] >= ends[p] for p in partitions):
                    await self._reclaim()
                    await self._links.complete({p.partition: at[p] for p in partitions}, self._tenants())
                    known = was_ready = self.ready = True
                    log.info("links_ready", records=sum(at[p] - starts[p] for p in partitions))
                polled = await consumer.getmany(timeout_ms=200, max_records=MOST)
                steps = {p.partition: (at[p], records[-1].offset + 1) for p, records in polled.items()}
                await self._apply(record for records in polled.values() for record in records)
                for p, records in polled.items():
                    at[p] = records[-1].offset + 1
                # While a rebuild is under way nothing is noted: another process must not take a part for the whole.
                if known and steps and not await self._links.advance(steps):
                    self.report_loss()
                if self.ready and monotonic() - checked > CHECK_SECONDS:
                    checked = monotonic()
                    await self._check({p.partition: at[p] for p in partitions})

    async def _reclaim(self) -> None:
        if await self._links.is_same():
            return
        claimed = await reclaim(self._bootstrap, self._links, self._reclaim_ms, self._remembered)
        log.warning("claims_read_again", events=claimed, minutes=self._reclaim_ms // 60_000)

    async def _check(self, at: dict[int, int]) -> None:
        applied = await self._links.applied()
        if applied is None or any(applied.get(partition, 0) < offset for partition, offset in at.items()):
            self.report_loss()
        elif not await self._links.is_same():
            self.suspect()

    async def _apply(self, records: Iterable[ConsumerRecord]) -> None:
        of_tenant: dict[str, list[tuple[Identity, str, int]]] = {}
        for record in records:
            try:
                link = LinkChanged.model_validate_json(record.value)
            except ValidationError as error:
                # Nobody but ingest writes here. To pass one register over is bad; never to start for it is worse.
                log.error(
                    "unreadable_link", partition=record.partition, offset=record.offset, error=error.error_count()
                )
                continue
            known = Identity(link.identity_id, link.identity_kind, ids.lead_id(link.identity_id))
            of_tenant.setdefault(link.tenant, []).append((known, link.owner, link.sequence))
        for tenant, links in of_tenant.items():
            await self._links.apply(tenant, links)


async def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    """The topic's partitions; waits while it does not exist yet."""
    while True:
        await consumer._client.force_metadata_update()
        found = consumer._client.cluster.partitions_for_topic(IDENTITY_LINKS.name)
        if found:
            return [TopicPartition(IDENTITY_LINKS.name, number) for number in sorted(found)]
        consumer._client.add_topic(IDENTITY_LINKS.name)
        log.info("waiting_for_topic", topic=IDENTITY_LINKS.name)
        await asyncio.sleep(0.5)
