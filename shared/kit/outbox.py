"""The outbox: records are rows of the transaction that causes them, and a relay publishes them in the order of each key.

Rows are numbered after the lock on their subject is taken, so that numbers of one key are in order. One relay per shard of keys,
under an advisory lock; a row is deleted when its record is acknowledged, so a crash in between publishes it again, never loses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from zlib import crc32

import asyncpg
import structlog

from shared.kit import metrics
from shared.kit.database import Connection, Pool
from shared.kit.kafka import Outgoing, Publisher
from shared.kit.pause import pause

log = structlog.get_logger(__name__)

SHARDS = 4


def create_table(schema: str) -> str:
    """The SQL of an outbox in `schema`, with row-level security; for a migration."""
    return f"""
    CREATE TABLE {schema}.outbox (
        tenant text NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        shard smallint NOT NULL,
        topic text NOT NULL,
        key bytea NOT NULL,
        value bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, id)
    );
    CREATE INDEX outbox_by_shard ON {schema}.outbox (shard, id);
    ALTER TABLE {schema}.outbox ENABLE ROW LEVEL SECURITY;
    ALTER TABLE {schema}.outbox FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant_rows ON {schema}.outbox TO baton_app
        USING (tenant = current_setting('baton.tenant', true)) WITH CHECK (tenant = current_setting('baton.tenant', true));
    CREATE POLICY relay_rows ON {schema}.outbox TO baton_worker USING (true) WITH CHECK (true);
    GRANT SELECT, INSERT ON {schema}.outbox TO baton_app;
    GRANT SELECT, INSERT, DELETE ON {schema}.outbox TO baton_worker;
    """


async def enqueue(connection: Connection, schema: str, tenant: str, records: Sequence[Outgoing]) -> None:
    """Add `records` to the transaction of `connection`, after the locks on their subjects are taken."""
    if not records:
        return
    # One statement, and only the relays of these shards look: most transactions have a record or two.
    await connection.execute(
        f"WITH new AS (INSERT INTO {schema}.outbox (tenant, shard, topic, key, value)"
        " SELECT $1, * FROM unnest($2::smallint[], $3::text[], $4::bytea[], $5::bytea[]) RETURNING shard)"
        f" SELECT pg_notify('{schema}_outbox', string_agg(DISTINCT shard::text, ' ')) FROM new",
        tenant,
        [crc32(record.key) % SHARDS for record in records],
        [record.topic for record in records],
        [record.key for record in records],
        [record.value for record in records],
    )


class Relay:
    """Publishes the outbox of `schema`. Several processes may run one: each shard is served by one of them at a time.

    It holds a connection of `pool` per shard and one to listen: the pool must be larger than that.
    """

    def __init__(
        self, pool: Pool, publisher: Publisher, schema: str, *, most: int = 500, idle_seconds: float = 1.0
    ) -> None:
        self._pool, self._publisher, self._schema = pool, publisher, schema
        self._most, self._idle = most, idle_seconds
        self._wake = [asyncio.Event() for _ in range(SHARDS)]

    async def run(self) -> None:
        """Until cancelled, or until Postgres or Kafka fails: then the process restarts, and no row is lost."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            for shard in range(SHARDS):
                tasks.create_task(self._serve(shard))

    async def _listen(self) -> None:
        async with self._pool.acquire() as connection:
            await connection.add_listener(f"{self._schema}_outbox", self._woken)
            try:
                while not connection.is_closed():
                    await asyncio.sleep(5)
                    await connection.execute("SELECT 1")
            finally:
                if not connection.is_closed():
                    await connection.remove_listener(f"{self._schema}_outbox", self._woken)
        raise ConnectionError("the connection that listens for new rows was lost")

    def _woken(self, _connection: object, _process: int, _channel: str, shards: object) -> None:
        for shard in str(shards).split() or range(SHARDS):  # none are named by a version before this one
            self._wake[int(shard)].set()

    async def _serve(self, shard: int) -> None:
        async with self._pool.acquire() as connection:
            while not await connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtext($1), $2)", f"{self._schema}.outbox", shard
            ):
                await asyncio.sleep(self._idle)
            try:
                while True:
                    self._wake[shard].clear()
                    if not await self.drain(connection, shard):
                        await pause(self._idle, self._wake[shard])
            finally:
                if not connection.is_closed():
                    await connection.execute(
                        "SELECT pg_advisory_unlock(hashtext($1), $2)", f"{self._schema}.outbox", shard
                    )

    async def drain(self, connection: Connection, shard: int) -> int:
        """Publish and delete the oldest rows of a shard; how many there were."""
        rows: list[asyncpg.Record] = await connection.fetch(
            f"SELECT tenant, id, topic, key, value FROM {self._schema}.outbox WHERE shard = $1 ORDER BY id LIMIT $2",
            shard,
            self._most,
        )
        if not rows:
            return 0
        metrics.OUTBOX_PENDING.set(len(rows))
        await self._publisher.publish([Outgoing(row["topic"], row["key"], row["value"]) for row in rows])
        await connection.execute(
            f"DELETE FROM {self._schema}.outbox o USING unnest($1::text[], $2::bigint[]) AS done(tenant, id)"
            " WHERE o.tenant = done.tenant AND o.id = done.id",
            [row["tenant"] for row in rows],
            [row["id"] for row in rows],
        )
        metrics.OUTBOX_PUBLISHED.inc(len(rows))
        metrics.OUTBOX_PENDING.set(0)
        return len(rows)
