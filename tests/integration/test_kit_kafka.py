"""Publishers and sources: one suite for the fakes and for Kafka, so that what is tested with a fake holds in earnest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError

from shared.kit import kafka
from shared.kit.compacted import CompactedTopic
from shared.kit.kafka import (
    EMBEDDED_PARTITIONS,
    MANY,
    FakePublisher,
    FakeSource,
    KafkaPublisher,
    KafkaSource,
    Message,
    Outgoing,
    Publisher,
    Source,
    ensure_topics,
)
from shared.schemas.topics import TOPICS, Topic

pytestmark = pytest.mark.servers
DEADLINE = 60


def made_up(name: str) -> Topic:
    return Topic(name, (), "lead", "test", ("test",), 1)


async def create(bootstrap: str, topic: Topic, partitions: int = 3) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic.name, partitions, 1, topic_configs=topic.settings())])
    finally:
        await admin.close()


async def delete(bootstrap: str, topic: Topic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic.name])
    finally:
        await admin.close()


class Broker(Protocol):
    """A topic of its own, a publisher, and sources that remember what their group has committed."""

    topic: Topic
    publisher: Publisher

    async def source(self, group: str) -> Source: ...


class FakeBroker:
    def __init__(self) -> None:
        self.topic = made_up("fake")
        self.publisher = FakePublisher()
        self._sources: dict[str, list[FakeSource]] = {}

    async def source(self, group: str) -> Source:
        earlier = self._sources.setdefault(group, [])
        done = {message.offset for source in earlier for message in source.committed}
        records = self.publisher.records
        messages = [Message(r.topic, 0, n, r.key, r.value, 0, tuple(r.headers)) for n, r in enumerate(records)]
        source = FakeSource([message for message in messages if message.offset not in done])
        earlier.append(source)
        return source


class KafkaBroker:
    def __init__(self, bootstrap: str, publisher: KafkaPublisher) -> None:
        self.topic = made_up(f"kit-{uuid4().hex[:12]}")
        self.publisher = publisher
        self._bootstrap = bootstrap
        self._open: dict[str, KafkaSource] = {}

    async def source(self, group: str) -> Source:
        if group in self._open:
            await self._open[group].stop()
        source = KafkaSource(self._bootstrap, f"{self.topic.name}-{group}", [self.topic])
        await source.start()
        self._open[group] = source
        return source

    async def close(self) -> None:
        for source in self._open.values():
            await source.stop()


@pytest.fixture(params=["fake", "kafka"])
def bootstrap(request: pytest.FixtureRequest) -> str | None:
    """Where the real broker is; None for the fake."""
    return str(request.getfixturevalue("kafka_url")) if request.param == "kafka" else None


@pytest.fixture
async def broker(bootstrap: str | None) -> AsyncIterator[Broker]:
    if bootstrap is None:
        yield FakeBroker()
        return
    publisher = KafkaPublisher(bootstrap)
    await publisher.start()
    real = KafkaBroker(bootstrap, publisher)
    await create(bootstrap, real.topic)
    yield real
    await real.close()
    await publisher.stop()


def records(broker: Broker, count: int, keys: int = 4) -> list[Outgoing]:
    return [Outgoing(broker.topic.name, b"t/%d" % (n % keys), b"%d" % n, (("n", b"%d" % n),)) for n in range(count)]


async def take(source: Source, count: int, most: int = 500) -> list[list[Message]]:
    """Batches of `source` until they hold `count` records or more."""
    batches: list[list[Message]] = []
    async with asyncio.timeout(DEADLINE):
        async for batch in source.batches(most):
            batches.append(batch)
            if sum(map(len, batches)) >= count:
                break
    return batches


def flat(batches: list[list[Message]]) -> list[Message]:
    return [message for batch in batches for message in batch]


async def test_what_is_published_is_read_as_it_was_and_in_the_order_of_each_key(broker: Broker) -> None:
    sent = records(broker, 40)
    await broker.publisher.publish(sent)
    read = flat(await take(await broker.source("a"), 40))
    assert sorted((m.key, m.value, tuple(m.headers)) for m in read) == sorted(
        (r.key, r.value, tuple(r.headers)) for r in sent
    )
    for key in {record.key for record in sent}:
        assert [m.value for m in read if m.key == key] == [r.value for r in sent if r.key == key]


async def test_what_was_not_committed_comes_again_and_what_was_does_not(broker: Broker) -> None:
    await broker.publisher.publish(records(broker, 30))
    first = await take(await broker.source("a"), 30, most=7)
    source = await broker.source("a")
    again = await take(source, 30, most=7)
    assert Counter(m.value for m in flat(again)) == Counter(m.value for m in flat(first))
    for batch in again[:2]:
        await source.commit(batch)
    done = {m.value for batch in again[:2] for m in batch}
    rest = flat(await take(await broker.source("a"), 30 - len(done)))
    assert {m.value for m in rest} == {b"%d" % n for n in range(30)} - done


async def committed(bootstrap: str, group: str) -> int:
    """How many records a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return sum(found.offset for found in (await admin.list_consumer_group_offsets(group)).values())
    finally:
        await admin.close()


@pytest.fixture
async def source(kafka_url: str, publisher: KafkaPublisher) -> AsyncIterator[KafkaSource]:
    """Of a topic of its own, with 30 records."""
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic)
    await publisher.publish(numbered(topic, range(30)))
    source = KafkaSource(kafka_url, topic.name, [topic])
    await source.start()
    yield source
    await source.stop()


async def test_what_is_done_is_committed_soon_by_fewer_writes_than_batches(
    kafka_url: str, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[object] = []
    commit = source._consumer.commit

    async def counted(offsets: object) -> None:
        writes.append(offsets)
        await commit(offsets)

    monkeypatch.setattr(source._consumer, "commit", counted)
    batches = await take(source, 30, most=1)
    for batch in batches:
        await source.commit(batch)
    group = batches[0][0].topic
    async with asyncio.timeout(DEADLINE):
        while await committed(kafka_url, group) < 30:
            await asyncio.sleep(0.02)
    assert 1 <= len(writes) < len(batches)


async def test_a_commit_that_fails_is_told_and_comes_again(
    kafka_url: str, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: object) -> None:
        raise KafkaError("the broker is away")

    (batch,) = await take(source, 1, most=1)
    with monkeypatch.context() as patch:
        patch.setattr(source._consumer, "commit", fails)
        await source.commit(batch)
        with pytest.raises(KafkaError, match="away"):
            await take(source, 30)
    await source.stop()
    assert await committed(kafka_url, batch[0].topic) == 1, "when it stopped"


async def test_a_commit_that_is_tried_without_end_is_told_too(
    source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tries(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(kafka, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(kafka, "LAST_COMMIT_SECONDS", 0.2)
    (batch,) = await take(source, 1, most=1)
    with monkeypatch.context() as patch:
        patch.setattr(source._consumer, "commit", tries)
        await source.commit(batch)
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(TimeoutError):
                async for _ in source.batches(500):
                    pass
        await source.stop()


async def test_partitions_that_were_taken_away_are_no_reason_to_end(
    kafka_url: str, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = asyncio.Event()

    async def refuses(_: object) -> None:
        refused.set()
        raise CommitFailedError("rebalanced")

    (batch,) = await take(source, 1, most=1)
    with monkeypatch.context() as patch:
        patch.setattr(source._consumer, "commit", refuses)
        await source.commit(batch)
        async with asyncio.timeout(DEADLINE):
            await refused.wait()
    rest = flat(await take(source, 29))
    assert len(rest) == 29
    await source.commit(rest)
    await source.stop()
    assert await committed(kafka_url, batch[0].topic) == 30


async def test_every_group_reads_everything(broker: Broker) -> None:
    await broker.publisher.publish(records(broker, 10))
    for group in ("a", "b"):
        source = await broker.source(group)
        batches = await take(source, 10)
        assert len(flat(batches)) == 10
        for batch in batches:
            await source.commit(batch)


async def test_a_batch_is_never_larger_than_asked_for(broker: Broker) -> None:
    await broker.publisher.publish(records(broker, 25))
    batches = await take(await broker.source("a"), 25, most=10)
    assert max(map(len, batches)) <= 10


async def test_nothing_to_publish_and_nothing_to_commit_is_no_error(broker: Broker) -> None:
    await broker.publisher.publish([])
    await (await broker.source("a")).commit([])


async def test_a_tombstone_is_read_as_one(broker: Broker) -> None:
    await broker.publisher.publish([Outgoing(broker.topic.name, b"t/1", None)])
    (message,) = flat(await take(await broker.source("a"), 1))
    assert (message.key, message.value) == (b"t/1", None)


async def test_a_failed_write_is_told_and_the_next_one_succeeds(broker: Broker) -> None:
    good = Outgoing(broker.topic.name, b"t/1", b"good")
    bad = Outgoing(broker.topic.name, b"t/1", b"x" * 9_000_000)  # larger than any broker takes
    if isinstance(broker.publisher, FakePublisher):
        broker.publisher.fail_next = True
    with pytest.raises(KafkaError):
        await broker.publisher.publish([bad])
    await broker.publisher.publish([good])
    assert [m.value for m in flat(await take(await broker.source("a"), 1))] == [b"good"]


async def test_a_publisher_that_is_not_started_says_so() -> None:
    with pytest.raises(KafkaError, match="not started"):
        await KafkaPublisher("127.0.0.1:1").publish([])


async def test_a_broker_that_is_not_there_is_told_at_the_start(free_port: int) -> None:
    with pytest.raises(KafkaError):
        await KafkaPublisher(f"127.0.0.1:{free_port}").start()


async def test_a_reader_does_not_wait_long_for_a_broker_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "READING_SECONDS", 0.2)
    never = asyncio.Event()

    async def says_nothing(_: object, writer: asyncio.StreamWriter) -> None:
        await never.wait()
        writer.close()

    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    async with server, asyncio.timeout(DEADLINE):
        with pytest.raises(KafkaTimeoutError, match=r"no answer within 0\.2 s"):
            async with kafka.reader(f"127.0.0.1:{server.sockets[0].getsockname()[1]}"):
                pytest.fail("it answers")
        never.set()


@pytest.mark.parametrize("count", [1, MANY])
async def test_what_is_never_acknowledged_fails_and_what_comes_after_it_is_written(kafka_url: str, count: int) -> None:
    """A partition without a leader, a broker that is silent: an idempotent producer tries for ever, and its caller would wait."""
    good, stuck = made_up(f"kit-{uuid4().hex[:12]}"), made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, good)
    await create(kafka_url, stuck)
    publisher = KafkaPublisher(kafka_url, patience=DEADLINE)
    await publisher.start()
    await publisher.publish(numbered(stuck, range(count)))
    await delete(kafka_url, stuck)
    source = KafkaSource(kafka_url, good.name, [good])
    await source.start()
    try:
        for number in range(2):
            publisher._patience = 1
            with pytest.raises(KafkaTimeoutError, match="not acknowledged"):
                await publisher.publish(numbered(stuck, range(count)))
            publisher._patience = DEADLINE
            await publisher.publish(numbered(good, range(number, number + 1)))
        assert [message.value for message in flat(await take(source, 2))] == [b"0", b"1"]
    finally:
        await source.stop()
        async with asyncio.timeout(DEADLINE):
            await publisher.stop()


async def test_the_partitioner_is_javas(kafka_url: str) -> None:
    """murmur2 of these keys as in UtilsTest of Apache Kafka."""
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic, partitions=100)
    publisher = KafkaPublisher(kafka_url)
    await publisher.start()
    source = KafkaSource(kafka_url, topic.name, [topic])
    await source.start()
    try:
        await publisher.publish([Outgoing(topic.name, b"abc", b"1"), Outgoing(topic.name, b"foobar", b"2")])
        read = flat(await take(source, 2))
    finally:
        await source.stop()
        await publisher.stop()
    known = {b"abc": 479470107, b"foobar": -790332482}
    assert {m.key: m.partition for m in read} == {key: (value & 0x7FFFFFFF) % 100 for key, value in known.items()}


# Compacted topics


@pytest.fixture
async def publisher(kafka_url: str) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(kafka_url)
    await publisher.start()
    yield publisher
    await publisher.stop()


@pytest.fixture
async def run() -> AsyncIterator[Callable[[Any], None]]:
    """Run a coroutine in the background until the test ends; what it raises fails the test."""
    tasks: list[asyncio.Task[None]] = []

    def start(coroutine: Any) -> None:
        tasks.append(asyncio.create_task(coroutine))

    yield start
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, asyncio.CancelledError), result


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():
            await asyncio.sleep(0.02)


def numbered(topic: Topic, numbers: range) -> list[Outgoing]:
    return [Outgoing(topic.name, b"t/%d" % (n % 5), b"%d" % n) for n in numbers]


async def test_a_follower_catches_up_and_keeps_following(
    kafka_url: str, publisher: KafkaPublisher, run: Callable[[Any], None]
) -> None:
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic)
    await publisher.publish(numbered(topic, range(200)))
    seen: list[Message] = []
    follower = CompactedTopic(kafka_url, topic, seen.append)
    assert not follower.caught_up.is_set()
    run(follower.run())
    async with asyncio.timeout(DEADLINE):
        await follower.caught_up.wait()
    assert {m.value for m in seen} == {b"%d" % n for n in range(200)}
    await publisher.publish(numbered(topic, range(200, 210)))
    await until(lambda: len(seen) == 210)
    for key in {m.key for m in seen}:
        values = [int(m.value or b"") for m in seen if m.key == key]
        assert values == sorted(values)


async def test_every_follower_sees_every_record(
    kafka_url: str, publisher: KafkaPublisher, run: Callable[[Any], None]
) -> None:
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic)
    await publisher.publish(numbered(topic, range(20)))
    both: tuple[list[Message], list[Message]] = ([], [])
    for seen in both:
        run(CompactedTopic(kafka_url, topic, seen.append).run())
    await until(lambda: len(both[0]) == len(both[1]) == 20)


async def test_an_empty_topic_is_caught_up_with_at_once(kafka_url: str, run: Callable[[Any], None]) -> None:
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic)
    follower = CompactedTopic(kafka_url, topic, lambda _message: None)
    run(follower.run())
    async with asyncio.timeout(DEADLINE):
        await follower.caught_up.wait()


async def test_a_follower_waits_for_a_topic_that_is_not_there_yet(
    kafka_url: str, publisher: KafkaPublisher, run: Callable[[Any], None]
) -> None:
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    seen: list[Message] = []
    follower = CompactedTopic(kafka_url, topic, seen.append)
    run(follower.run())
    await create(kafka_url, topic)
    async with asyncio.timeout(DEADLINE):
        await follower.caught_up.wait()
    await publisher.publish(numbered(topic, range(1)))
    await until(lambda: len(seen) == 1)


async def test_a_follower_begins_where_it_is_told_and_reads_all_when_that_is_not_in_the_log(
    kafka_url: str, publisher: KafkaPublisher, run: Callable[[Any], None]
) -> None:
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic, partitions=1)
    await publisher.publish(numbered(topic, range(10)))
    for offset, expected in ((7, 3), (10_000, 10)):
        seen: list[Message] = []
        run(CompactedTopic(kafka_url, topic, seen.append, offsets={0: offset}).run())
        await until(lambda seen=seen, expected=expected: len(seen) == expected)  # type: ignore[misc]


async def test_an_apply_that_is_a_coroutine_is_awaited_in_order(
    kafka_url: str, publisher: KafkaPublisher, run: Callable[[Any], None]
) -> None:
    topic = made_up(f"kit-{uuid4().hex[:12]}")
    await create(kafka_url, topic, partitions=1)
    await publisher.publish(numbered(topic, range(10)))
    seen: list[bytes | None] = []

    async def apply(message: Message) -> None:
        await asyncio.sleep(0)
        seen.append(message.value)

    applied: Callable[[Message], Awaitable[None]] = apply
    follower = CompactedTopic(kafka_url, topic, applied)
    run(follower.run())
    async with asyncio.timeout(DEADLINE):
        await follower.caught_up.wait()
    assert seen == [b"%d" % n for n in range(10)]


# Topics of the registry


async def test_topics_that_are_there_are_left_alone(kafka_url: str) -> None:
    assert await ensure_topics(kafka_url) == []


async def test_another_number_of_partitions_is_refused(kafka_url: str) -> None:
    with pytest.raises(ValueError, match=r"touchpoints.* exist with 8 partitions and 9 are wanted"):
        await ensure_topics(kafka_url, EMBEDDED_PARTITIONS + 1)


async def test_topics_are_as_the_registry_says(kafka_url: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_url)
    await admin.start()
    try:
        described = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(list(TOPICS))}
    finally:
        await admin.close()
    assert described == dict.fromkeys(TOPICS, EMBEDDED_PARTITIONS)
