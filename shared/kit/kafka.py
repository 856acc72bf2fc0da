"""Kafka as Baton uses it: idempotent producers with acks=all, consumers that commit last, topics from the registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from shared.kit import metrics
from shared.kit.closing import close_consumer, close_producer
from shared.kit.partitioner import by_murmur2
from shared.kit.zstd import use_contexts_again
from shared.schemas.topics import TOPICS, Topic

log = structlog.get_logger(__name__)
use_contexts_again()

EMBEDDED_PARTITIONS = 8
PRODUCTION_PARTITIONS = 48
MANY = 64  # records of one publish from which on building whole batches pays
PATIENCE_SECONDS = 30  # for an acknowledgement
OPENING_SECONDS = 30  # for a new producer to find its brokers
READING_SECONDS = 10  # for a reader to: somebody may stand before a terminal, and aiokafka would wait for 40
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """A record as it stands in a topic. `at` is the broker's append time, ms."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    at: int = 0
    headers: Headers = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = ()


class Publisher(Protocol):
    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Write all and return when the broker has acknowledged all. Raises KafkaError when it is not known to have."""
        ...


class KafkaPublisher:
    """An idempotent producer with acks=all. Its partitioner is murmur2 over the key, as Java's, so that all tools agree.

    patience: seconds after which a write that is neither acknowledged nor refused has failed; aiokafka would try for ever
    """

    def __init__(self, bootstrap: str, *, linger_ms: int = 0, patience: float = PATIENCE_SECONDS) -> None:
        self._bootstrap, self._linger, self._patience = bootstrap, linger_ms, patience
        self._producer: AIOKafkaProducer | None = None
        self._started = False
        self._opening: asyncio.Task[AIOKafkaProducer] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises KafkaError when no broker can be reached."""
        self._producer = await self._open()
        self._started = True

    async def stop(self) -> None:
        self._started = False
        if self._opening:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._producer:
            self._retire(self._producer)
        await asyncio.gather(*self._closing)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if not self._started:
            raise KafkaError("the publisher is not started")
        producer: AIOKafkaProducer | None = None
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._patience):
                producer = self._producer or await self._renew()
                await (_send_many if len(records) >= MANY else _send)(producer, records, sent)
                # In turn: they are acknowledged by the batch, and `gather` would cost as much as sending.
                for future in sent:
                    if not future.done():
                        await asyncio.shield(future)  # it is the producer's, who stumbles over one that is cancelled
                    future.result()
        except (KafkaError, TimeoutError) as error:
            for future in sent:
                future.add_done_callback(_seen)
            if producer:
                self._retire(producer)
            if isinstance(error, TimeoutError):
                raise KafkaTimeoutError(f"not acknowledged within {self._patience:g} s") from error
            raise

    async def _open(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=self._linger,
            max_batch_size=131_072,
            max_request_size=8 * 1_048_576,
            compression_type="zstd",  # aiokafka compresses LZ4 at level 9: more work, and half as small
            partitioner=by_murmur2,
            request_timeout_ms=15_000,
        )
        try:
            await producer.start()
        except BaseException:
            await close_producer(producer)
            raise
        return producer

    async def _renew(self) -> AIOKafkaProducer:
        """The producer in use, or a new one where the last one was retired."""
        # Not cut off by who loses patience: the next write finds it under way, or done.
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open_another())
            self._opening.add_done_callback(_seen)
        return await asyncio.shield(self._opening)

    async def _open_another(self) -> AIOKafkaProducer:
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                producer = self._producer = await self._open()
            log.warning("producer_renewed")
            return producer
        finally:
            self._opening = None

    def _retire(self, broken: AIOKafkaProducer) -> None:
        """After a failed write an idempotent producer may be stuck for good (aiokafka 1017), so the next write takes a new one."""
        if self._producer is not broken:
            return
        self._producer = None
        task = asyncio.get_running_loop().create_task(close_producer(broken))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _send(producer: AIOKafkaProducer, records: Sequence[Outgoing], sent: list[asyncio.Future[Any]]) -> None:
    for record in records:
        sent.append(await producer.send(record.topic, value=record.value, key=record.key, headers=list(record.headers)))


async def _send_many(producer: AIOKafkaProducer, records: Sequence[Outgoing], sent: list[asyncio.Future[Any]]) -> None:
    """As `_send`, at half its cost: whole batches are built here, so that not every record has a future of its own."""
    batches: dict[tuple[str, int], Any] = {}
    partitions = {name: sorted(await producer.partitions_for(name)) for name in {record.topic for record in records}}
    for record in records:
        where = (record.topic, by_murmur2(record.key, partitions[record.topic], ()))
        batch = batches.get(where)
        while batch is None or not batch.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        ):
            if batch is not None:  # full
                sent.append(await producer.send_batch(batch, record.topic, partition=where[1]))
            batch = batches[where] = producer.create_batch()
    for (topic, partition), batch in batches.items():
        sent.append(await producer.send_batch(batch, topic, partition=partition))


def _seen(future: asyncio.Future[Any]) -> None:
    """A second failure of one publish is no news."""
    if not future.cancelled():
        future.exception()


class FakePublisher:
    """Keeps what was published, in order; `fail_next` makes the next write raise before it is kept, `fail_after` after."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.fail_next = False
        self.fail_after = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.fail_next:
            self.fail_next = False
            raise KafkaError("failed before the write")
        self.records.extend(records)
        if self.fail_after:
            self.fail_after = False
            raise KafkaError("failed after the write")


class Source(Protocol):
    """Batches of records of one consumer group; a batch is committed when its effects are done, never before."""

    def batches(self, most: int) -> AsyncIterator[list[Message]]: ...

    async def commit(self, batch: Sequence[Message]) -> None:
        """Its effects are done: unless this process dies very soon, it does not come again."""
        ...


# While a slow batch is under way aiokafka asks the broker for the partitions that have nothing yet, and for nothing else until
# that answers: for this long new records of the others lie unseen.
FETCH_WAIT_MS = 20
# From when a batch is done until it is committed, while the next ones are under way. A commit is a write of the broker's, 9 ms for
# whoever waits for it; who dies before it does the batches of so long once more.
COMMIT_SECONDS = 0.2
LAST_COMMIT_SECONDS = 2.0  # for a broker to take it when we stop


class KafkaSource:
    """An aiokafka consumer: reads batches, commits by hand, starts at the oldest record that the group has not committed.

    wait_ms: how long the broker may wait for something to read; for whom it is in no hurry, longer costs less
    gather: bytes that it waits for, no longer than that; fewer and larger batches cost less
    """

    def __init__(
        self, bootstrap: str, group: str, topics: Iterable[Topic], *, wait_ms: int = FETCH_WAIT_MS, gather: int = 1
    ) -> None:
        self._consumer = AIOKafkaConsumer(
            *(topic.name for topic in topics),
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            max_partition_fetch_bytes=4 * 1_048_576,
            fetch_max_wait_ms=wait_ms,
            fetch_min_bytes=gather,
        )
        self._stopping = False
        self._done: dict[TopicPartition, int] = {}  # and not committed yet
        self._committing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._consumer.start()

    async def stop(self) -> None:
        self._stopping = True
        if self._committing:
            self._committing.cancel()
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(LAST_COMMIT_SECONDS):
                await self._commit_done()
        await close_consumer(self._consumer)

    def assigned(self) -> bool:
        return bool(self._consumer.assignment())

    async def batches(self, most: int) -> AsyncIterator[list[Message]]:
        while not self._stopping:
            self._raise_what_failed()
            polled = await self._consumer.getmany(timeout_ms=200, max_records=most)
            batch = [_message(record) for records in polled.values() for record in records]
            for partition in polled:
                if (end := self._consumer.highwater(partition)) is not None:
                    behind = end - polled[partition][-1].offset - 1
                    metrics.LAG.labels(partition.topic, str(partition.partition)).set(behind)
            if batch:
                yield batch

    async def commit(self, batch: Sequence[Message]) -> None:
        """Within COMMIT_SECONDS, or when it stops. A failure is raised by `batches`."""
        for message in batch:
            partition = TopicPartition(message.topic, message.partition)
            self._done[partition] = max(self._done.get(partition, 0), message.offset + 1)
        self._raise_what_failed()
        if self._done and self._committing is None:
            self._committing = asyncio.create_task(self._commit_soon(), name="committing")
            self._committing.add_done_callback(_seen)

    async def _commit_soon(self) -> None:
        while self._done:
            await asyncio.sleep(COMMIT_SECONDS)
            # aiokafka tries again without end, and ever more would come again.
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._commit_done()

    async def _commit_done(self) -> None:
        if self._consumer._subscription.reassignment_in_progress:
            return  # the broker would refuse it, and all members would join once more
        done, assigned = dict(self._done), self._consumer.assignment()
        # A partition that was taken away in the meantime is another's to commit; its records come again there, which is harmless.
        mine = {partition: offset for partition, offset in done.items() if partition in assigned}
        if mine:
            try:
                await self._consumer.commit(mine)
            except CommitFailedError:  # they were just taken away
                log.warning("not_committed", partitions=len(mine))
        self._done = {partition: offset for partition, offset in self._done.items() if done.get(partition) != offset}

    def _raise_what_failed(self) -> None:
        if self._committing and self._committing.done():
            self._committing.result()
            self._committing = None


@asynccontextmanager
async def reader(bootstrap: str, *, partition_bytes: int = 1_048_576) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of no group, which assigns itself what it reads and commits nothing. Raises KafkaError.

    partition_bytes: that it takes of a partition at once; more for whoever reads whole topics
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # a log that is truncated meanwhile is read again, never skipped
        max_partition_fetch_bytes=partition_bytes,
        fetch_max_wait_ms=100,
    )
    try:
        try:
            async with asyncio.timeout(READING_SECONDS):
                await consumer.start()
        except TimeoutError:
            raise KafkaTimeoutError(f"no answer within {READING_SECONDS:g} s") from None
        yield consumer
    finally:
        await close_consumer(consumer)


class FakeSource:
    """Gives the batches it was made with, none larger than asked for, then ends; keeps what was committed."""

    def __init__(self, *batches: list[Message]) -> None:
        self._batches = list(batches)
        self.committed: list[Message] = []

    async def batches(self, most: int) -> AsyncIterator[list[Message]]:
        for batch in self._batches:
            for start in range(0, len(batch), most):
                yield batch[start : start + most]

    async def commit(self, batch: Sequence[Message]) -> None:
        self.committed.extend(batch)


def _message(record: Any) -> Message:
    return Message(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        record.timestamp or 0,
        tuple(record.headers),
    )


async def ensure_topics(bootstrap: str, partitions: int = EMBEDDED_PARTITIONS, replication: int = 1) -> list[str]:
    """Create the topics of the registry that do not exist; returns their names. Raises ValueError where one exists with another
    number of partitions: that number decides where a lead's records are, and is never changed in place."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        existing = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics() if not t.get("error_code")}
        wrong = [name for name in TOPICS if existing.get(name, partitions) != partitions]
        if wrong:
            raise ValueError(
                f"topics {', '.join(wrong)} exist with {existing[wrong[0]]} partitions and {partitions} are wanted: "
                "a resize is new topics and a rebuild, never a change in place"
            )
        missing = [topic for name, topic in TOPICS.items() if name not in existing]
        try:
            await admin.create_topics(
                [
                    NewTopic(t.name, partitions, replication, topic_configs=t.settings(production=replication >= 3))
                    for t in missing
                ]
            )
        except TopicAlreadyExistsError:
            log.info("topics_created_meanwhile")
        return [topic.name for topic in missing]
    finally:
        await admin.close()
