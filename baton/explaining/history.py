"""Reading from the topics what was ever told of a lead: of the partitions that hold it, and of those of leads that it met by links.

A lead's records lie among those of all others of its partition, so that all of it is read, from the first record to the last: some
200,000 records a second, and nobody else notices, since there is no consumer group and nothing is committed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from baton.errors import OperatorError
from services.scoring.history import Heard, needed
from services.scoring.wire import LinkChanged, Touch, decode
from shared.kit.dead_letters import Reject
from shared.kit.kafka import reader
from shared.kit.partitioner import by_murmur2
from shared.schemas.base import record_key
from shared.schemas.topics import HANDOFF_EVENTS, TOUCHPOINTS

TOPICS = (TOUCHPOINTS.name, HANDOFF_EVENTS.name)

Progress = Callable[[int, int], None]  # records read so far, and how many there are to read


@dataclass(slots=True)
class History:
    """What the topics hold of some leads of a tenant, as far as it was asked for.

    records:    by lead, in the order of the log;  read: how many were looked at for that
    log_begins: when the log of a partition that was read begins, ms, where older records were there and are not kept any more
    """

    tenant: str
    records: dict[str, list[Heard]] = field(default_factory=dict)
    read: int = 0
    log_begins: int | None = None


class Historian:
    """Reads histories. To be made by `historian`."""

    def __init__(self, consumer: AIOKafkaConsumer, progress: Progress) -> None:
        self._consumer, self._progress = consumer, progress

    async def gather(self, history: History, lead: str) -> None:
        """Read all that says anything about the lead and is not in `history` yet."""
        while missing := needed(lead, history.records) - history.records.keys():
            await self.read(history, missing)

    async def read(self, history: History, leads: Collection[str]) -> None:
        """What is keyed by these leads."""
        for lead in leads:
            history.records.setdefault(lead, [])
        wanted = {record_key(history.tenant, lead): history.records[lead] for lead in leads}
        places = await self._places(wanted)
        self._consumer.assign(places)
        starts, ends = await self._consumer.beginning_offsets(places), await self._consumer.end_offsets(places)
        total = history.read + sum(ends[place] - starts[place] for place in places)
        for place in places:
            self._consumer.seek(place, starts[place])
        first: dict[TopicPartition, int] = {}
        while behind := [place for place in places if await self._consumer.position(place) < ends[place]]:
            for place, records in (await self._consumer.getmany(*behind, timeout_ms=500)).items():
                history.read += len(records)
                first.setdefault(place, records[0].timestamp)
                for record in records:
                    if (told := wanted.get(record.key)) is not None and (heard := _heard(place.topic, record.value)):
                        told.append(heard)
            self._progress(history.read, max(total, history.read))
        lost = [first.get(place, time.time_ns() // 1_000_000) for place in places if starts[place]]  # or all of it
        history.log_begins = max([*lost, *([history.log_begins] if history.log_begins else [])], default=None)

    async def _places(self, keys: Collection[bytes]) -> list[TopicPartition]:
        await self._consumer._client.set_topics(TOPICS)
        places: set[TopicPartition] = set()
        for topic in TOPICS:
            numbers = sorted(self._consumer.partitions_for_topic(topic) or ())
            if not numbers:
                raise OperatorError(f"there is no topic {topic}: is this the Kafka of a Baton?")
            places |= {TopicPartition(topic, by_murmur2(key, numbers, ())) for key in keys}
        return sorted(places)


def _heard(topic: str, value: bytes | None) -> Heard | None:
    """None for what scoring takes no notice of: an event of handoff that is no outcome, and what is no record."""
    try:
        heard = decode(topic, value)
    except Reject:
        return None
    return heard if isinstance(heard, Touch | LinkChanged) else None


@asynccontextmanager
async def historian(bootstrap: str, progress: Progress = lambda read, total: None) -> AsyncIterator[Historian]:
    """One who reads from the Kafka at `bootstrap`. Raises OperatorError when it cannot be read."""
    try:
        async with reader(bootstrap, partition_bytes=4 << 20) as consumer:
            yield Historian(consumer, progress)
    except KafkaError as error:
        raise OperatorError(f"Kafka at {bootstrap} cannot be read ({type(error).__name__}): is Baton up?") from error
