"""Following a compacted topic: read all of it, then keep following. No consumer group: every process sees every record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kit.kafka import Message, _message, reader
from shared.schemas.topics import Topic

log = structlog.get_logger(__name__)


class CompactedTopic:
    """Calls `apply` for each record of `topic`, oldest first; `caught_up` is set when the end seen at the start was reached.

    offsets: partition -> offset to begin at, instead of the oldest; one that the log does not have means that the log was lost or
             made anew, so all of it is read
    """

    def __init__(
        self, bootstrap: str, topic: Topic, apply: Callable[[Message], object], offsets: Mapping[int, int] | None = None
    ) -> None:
        self._bootstrap, self._topic, self._apply = bootstrap, topic, apply
        self._offsets = dict(offsets or {})
        self.caught_up = asyncio.Event()

    async def catch_up(self, seconds: float) -> None:
        """Until `run`, in another task, has caught up. Raises TimeoutError, that names the topic."""
        try:
            async with asyncio.timeout(seconds):
                await self.caught_up.wait()
        except TimeoutError:
            raise TimeoutError(
                f"the topic {self._topic.name} could not be read within {seconds:g} s: does it exist?"
            ) from None

    async def run(self) -> None:
        """Until cancelled. `apply` may be a coroutine function. Raises KafkaError."""
        async with reader(self._bootstrap) as consumer:
            await self._follow(consumer)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        partitions = [TopicPartition(self._topic.name, p) for p in sorted(await self._partitions(consumer))]
        consumer.assign(partitions)
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            offset = self._offsets.get(partition.partition)
            if offset is not None and starts[partition] <= offset <= ends[partition]:
                consumer.seek(partition, offset)
        while True:
            if not self.caught_up.is_set():
                behind = [p for p in partitions if await consumer.position(p) < ends[p]]
                if not behind:
                    self.caught_up.set()
            polled = await consumer.getmany(timeout_ms=200)
            for records in polled.values():
                for record in records:
                    result = self._apply(_message(record))
                    if asyncio.iscoroutine(result):
                        await result

    async def _partitions(self, consumer: AIOKafkaConsumer) -> set[int]:
        """The topic's partitions; waits while it does not exist yet."""
        while True:
            await consumer._client.force_metadata_update()
            known = consumer._client.cluster.partitions_for_topic(self._topic.name)
            if known:
                return set(known)
            consumer._client.add_topic(self._topic.name)
            log.info("waiting_for_topic", topic=self._topic.name)
            await asyncio.sleep(0.5)
