"""The outbox: a record is published if and only if its transaction was, in the order of its key, whatever dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4
from zlib import crc32

import asyncpg
import pytest
from aiokafka.errors import KafkaError

from shared.kit.database import Pool, open_pool, tenant_transaction
from shared.kit.kafka import FakePublisher, Outgoing
from shared.kit.outbox import SHARDS, Relay, create_table, enqueue

pytestmark = pytest.mark.servers
DEADLINE = 60


@pytest.fixture
async def schema(database_url: str) -> AsyncIterator[str]:
    """A schema of this test's own, with an outbox."""
    name = f"kit_{uuid4().hex[:10]}"
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.execute(f"GRANT USAGE ON SCHEMA {name} TO baton_app, baton_worker")
    await connection.execute(create_table(name))
    yield name
    await connection.execute(f"DROP SCHEMA {name} CASCADE")
    await connection.close()


@pytest.fixture
async def closing(schema: str) -> AsyncIterator[AsyncExitStack]:
    """Unwound before the schema goes: first what runs, then the pools it runs on."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def app(database_url: str, closing: AsyncExitStack) -> Pool:
    pool = await open_pool(database_url, "baton_app", application="test", size=4)
    closing.push_async_callback(pool.close)
    return pool


@pytest.fixture
def worker(database_url: str, closing: AsyncExitStack) -> Callable[[], Any]:
    """worker(): a pool such as a process's relay has."""

    async def open_one() -> Pool:
        pool = await open_pool(database_url, "baton_worker", application="test", size=SHARDS + 2)
        closing.push_async_callback(pool.close)
        return pool

    return open_one


@pytest.fixture
def start(closing: AsyncExitStack) -> Callable[[Relay], asyncio.Task[None]]:
    """start(relay): it runs until it is stopped, or the test ends."""

    def run(relay: Relay) -> asyncio.Task[None]:
        task = asyncio.create_task(relay.run())
        closing.push_async_callback(stop, task)
        return task

    return run


def record(key: str, value: int) -> Outgoing:
    return Outgoing("lead-routed", key.encode(), b"%d" % value)


KEYS = [f"t/{n}" for n in range(12)]
assert {crc32(key.encode()) % SHARDS for key in KEYS} == set(range(SHARDS)), "the keys fall into every shard"


async def fill(app: Pool, schema: str, tenant: str, values: range) -> None:
    """One transaction per value, with a record of every key."""
    for value in values:
        async with tenant_transaction(app, tenant) as connection:
            await enqueue(connection, schema, tenant, [record(key, value) for key in KEYS])


async def left(worker: Pool, schema: str) -> int:
    return int(await worker.fetchval(f"SELECT count(*) FROM {schema}.outbox"))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():
            await asyncio.sleep(0.02)


async def until_empty(worker: Pool, schema: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while await left(worker, schema):
            await asyncio.sleep(0.02)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


def by_key(publisher: FakePublisher) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for each in publisher.records:
        found.setdefault(each.key, []).append(int(each.value or b""))
    return found


async def test_every_record_is_published_once_in_the_order_of_its_key(
    app: Pool, worker: Callable[[], Any], schema: str, tenant: str, start: Callable[[Relay], asyncio.Task[None]]
) -> None:
    await fill(app, schema, tenant, range(20))
    publisher, pool = FakePublisher(), await worker()
    relay = start(Relay(pool, publisher, schema, most=7))
    await until_empty(pool, schema)
    await stop(relay)
    assert by_key(publisher) == {key.encode(): list(range(20)) for key in KEYS}


async def test_a_transaction_that_was_rolled_back_publishes_nothing(
    app: Pool, worker: Callable[[], Any], schema: str, tenant: str
) -> None:
    async def fail() -> None:
        async with tenant_transaction(app, tenant) as connection:
            await enqueue(connection, schema, tenant, [record(KEYS[0], 1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    publisher, pool = FakePublisher(), await worker()
    async with pool.acquire() as connection:
        drained = [await Relay(pool, publisher, schema).drain(connection, shard) for shard in range(SHARDS)]
    assert drained == [0] * SHARDS
    assert publisher.records == []


@pytest.mark.parametrize("failure", ["fail_next", "fail_after"])
async def test_a_failed_publish_stops_the_relay_and_the_next_one_publishes_again_in_order(
    app: Pool,
    worker: Callable[[], Any],
    schema: str,
    tenant: str,
    start: Callable[[Relay], asyncio.Task[None]],
    failure: str,
) -> None:
    await fill(app, schema, tenant, range(5))
    publisher, pool = FakePublisher(), await worker()
    setattr(publisher, failure, True)
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(DEADLINE):
            await Relay(pool, publisher, schema).run()
    assert caught.group_contains(KafkaError)
    relay = start(Relay(pool, publisher, schema))
    await until_empty(pool, schema)
    await stop(relay)
    for values in by_key(publisher).values():
        assert values[-5:] == list(range(5))
        assert set(values) == set(range(5))


async def test_two_relays_share_the_shards_and_one_takes_over_what_the_other_leaves(
    app: Pool, worker: Callable[[], Any], schema: str, tenant: str, start: Callable[[Relay], asyncio.Task[None]]
) -> None:
    publishers = FakePublisher(), FakePublisher()
    pools = [await worker(), await worker()]
    relays = [
        start(Relay(pool, publisher, schema, idle_seconds=0.05))
        for pool, publisher in zip(pools, publishers, strict=True)
    ]
    await fill(app, schema, tenant, range(10))
    await until_empty(pools[0], schema)
    keys = [set(by_key(publisher)) for publisher in publishers]
    assert not keys[0] & keys[1], "a key has one relay at a time"
    assert keys[0] | keys[1] == {key.encode() for key in KEYS}
    assert sum(len(publisher.records) for publisher in publishers) == 10 * len(KEYS)
    await stop(relays[0])
    await fill(app, schema, tenant, range(10, 12))
    await until_empty(pools[1], schema)
    await stop(relays[1])
    together = by_key(publishers[0]), by_key(publishers[1])
    for key in KEYS:
        assert together[0].get(key.encode(), []) + together[1].get(key.encode(), []) == list(range(12))


@pytest.mark.parametrize("key", {crc32(key.encode()) % SHARDS: key for key in KEYS}.values())
@pytest.mark.parametrize("before", ["", ", as an older version does"])
async def test_a_row_of_any_shard_wakes_its_relay(
    app: Pool,
    worker: Callable[[], Any],
    schema: str,
    tenant: str,
    start: Callable[[Relay], asyncio.Task[None]],
    database_url: str,
    key: str,
    before: str,
) -> None:
    publisher, pool = FakePublisher(), await worker()
    await fill(app, schema, tenant, range(1))
    start(Relay(pool, publisher, schema, idle_seconds=10 * DEADLINE))
    await until_empty(pool, schema)
    await until_listening(database_url, schema)
    async with tenant_transaction(app, tenant) as connection:
        if before:
            await connection.execute(
                f"INSERT INTO {schema}.outbox (tenant, shard, topic, key, value) VALUES ($1, $2, 'lead-routed', $3, '1')",
                tenant,
                crc32(key.encode()) % SHARDS,
                key.encode(),
            )
            await connection.execute(f"NOTIFY {schema}_outbox")
        else:
            await enqueue(connection, schema, tenant, [record(key, 1)])
    await until(lambda: by_key(publisher)[key.encode()] == [0, 1])


async def until_listening(database_url: str, schema: str) -> None:
    """Until the last statement of some connection was the relay's LISTEN, or what it asks then to hold it."""
    owner = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(DEADLINE):
            while not await owner.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND (query LIKE $1 OR query = 'SELECT 1')",
                f"LISTEN%{schema}%",
            ):
                await asyncio.sleep(0.02)
    finally:
        await owner.close()


async def test_a_service_sees_and_writes_the_rows_of_the_tenant_it_names_and_no_others(
    app: Pool, schema: str, tenant: str
) -> None:
    await fill(app, schema, tenant, range(1))
    async with tenant_transaction(app, "another") as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await enqueue(connection, schema, tenant, [record(KEYS[0], 1)])
