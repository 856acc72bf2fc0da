"""All that scoring ever reads, from the oldest record on: every partition, no consumer group, nothing committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.scoring.batch import Slice
from services.scoring.wire import INPUTS
from shared.kit.closing import close_consumer

FETCH_BYTES = 4 * 1_048_576  # of one partition
REQUEST_BYTES = 64 * 1_048_576


@dataclass(frozen=True, slots=True)
class Bounds:
    """start, end: offsets of the first record and after the last;  began: the first record's append time, ms; None for no record"""

    start: int
    end: int
    began: int | None


class InputLog:
    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_bytes=REQUEST_BYTES,
            fetch_max_wait_ms=100,
        )
        self._assigned: list[TopicPartition] = []

    async def __aenter__(self) -> InputLog:
        """Raises KafkaError, and ValueError where the topics differ in their number of partitions."""
        await self._consumer.start()
        try:
            await self._consumer._client.set_topics(INPUTS)
            numbers = {topic: self._consumer.partitions_for_topic(topic) or set() for topic in INPUTS}
            first = numbers[INPUTS[0]]
            if not first or any(partitions != first for partitions in numbers.values()):
                raise ValueError(f"{', '.join(INPUTS)} must exist, with the same number of partitions")
            self._assigned = [TopicPartition(topic, partition) for topic in INPUTS for partition in sorted(first)]
            self._consumer.assign(self._assigned)
        except BaseException:
            await close_consumer(self._consumer)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await close_consumer(self._consumer)

    def partitions(self) -> list[int]:
        return sorted({tp.partition for tp in self._assigned})

    async def bounds(self) -> dict[int, dict[str, Bounds]]:
        """Of each partition and topic, as of now."""
        starts = await self._consumer.beginning_offsets(self._assigned)
        ends = await self._consumer.end_offsets(self._assigned)
        firsts = await self._consumer.offsets_for_times(dict.fromkeys(self._assigned, 0))
        found: dict[int, dict[str, Bounds]] = {}
        for tp in self._assigned:
            began = firsts[tp].timestamp if firsts.get(tp) else None
            found.setdefault(tp.partition, {})[tp.topic] = Bounds(starts[tp], ends[tp], began)
        return found

    def begin(self, bounds: Mapping[int, Mapping[str, Bounds]]) -> None:
        for tp in self._assigned:
            self._consumer.seek(tp, bounds[tp.partition][tp.topic].start)

    async def poll(self, most: int) -> list[Slice]:
        """The records that follow, none after a while without any."""
        polled = await self._consumer.getmany(timeout_ms=300, max_records=most)
        return [Slice(tp.topic, tp.partition, records) for tp, records in polled.items() if records]

    async def behind(self, read: Mapping[int, Mapping[str, int]]) -> int:
        """How many records there are from these offsets on, by partition and topic."""
        ends = await self._consumer.end_offsets(self._assigned)
        return sum([max(0, ends[tp] - read[tp.partition].get(tp.topic, 0)) for tp in self._assigned])
