"""Events kept in the order in which a reader gets them: every one that was committed, each once, none before an older cursor.

Writers only append: a number of its own would have to be given in the order of commits, and so make the tenant's writers wait for
each other. Whoever reads numbers what has been committed since, under a lock that readers of the tenant share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.handoff.outbound.messages import Message
from shared.kit.database import Connection, Pool, tenant_transaction

NUMBERED_AT_ONCE = 5_000
FORGOTTEN_AT_ONCE = 5_000


class CursorExpiredError(Exception):
    """What came after this place is not kept any more, or the place has never been."""


@dataclass(frozen=True, slots=True)
class Entry:
    """number: its place, from 1 on;  body: as webhooks carry it"""

    number: int
    message_id: str
    body: str


async def append(connection: Connection, tenant: str, messages: Sequence[Message], now: int) -> None:
    """Keep `messages`, in the transaction of `connection`."""
    if messages:
        await connection.execute(
            "INSERT INTO handoff.feed (tenant, message_id, body, at)"
            " SELECT $1, new.*, $4 FROM unnest($2::uuid[], $3::text[]) AS new",
            tenant,
            [message.message_id for message in messages],
            [message.body for message in messages],
            now,
        )


async def read(pool: Pool, tenant: str, after: int | None, limit: int) -> tuple[list[Entry], int]:
    """At most `limit` entries after the place `after` (None: after what is no longer kept), the oldest first, and the place that
    one has reached. Raises CursorExpiredError."""
    async with tenant_transaction(pool, tenant) as connection:
        last, forgotten = await _number(connection, tenant)
        start = forgotten if after is None else after
        if not forgotten <= start <= last:
            raise CursorExpiredError
        rows = await connection.fetch(
            "SELECT number, message_id::text, body FROM handoff.feed WHERE tenant = $1 AND number > $2"
            " ORDER BY number LIMIT $3",
            tenant,
            start,
            limit,
        )
    found = [Entry(row["number"], row["message_id"], row["body"]) for row in rows]
    return found, found[-1].number if found else start


async def _number(connection: Connection, tenant: str) -> tuple[int, int]:
    """Number what has been committed since somebody looked; the last number given, and the last that is forgotten."""
    await connection.execute(
        "INSERT INTO handoff.feed_heads (tenant) VALUES ($1) ON CONFLICT (tenant) DO NOTHING", tenant
    )
    [(last, forgotten)] = await connection.fetch(
        "SELECT last, forgotten FROM handoff.feed_heads WHERE tenant = $1 FOR UPDATE", tenant
    )
    # A statement of its own, after the lock: what it sees holds all that whoever had the lock before has numbered.
    numbered: int = await connection.fetchval(
        """
        WITH fresh AS (
            SELECT id, $2 + row_number() OVER (ORDER BY id) AS number FROM (
                SELECT id FROM handoff.feed WHERE tenant = $1 AND number IS NULL ORDER BY id LIMIT $3
                FOR UPDATE -- of a feed that is read for the first time some may be forgotten just now: none of them is counted
            ) AS oldest
        ), given AS (
            UPDATE handoff.feed f SET number = fresh.number FROM fresh
            WHERE f.tenant = $1 AND f.id = fresh.id RETURNING 1
        )
        SELECT count(*) FROM given
        """,
        tenant,
        last,
        NUMBERED_AT_ONCE,
    )
    if numbered:
        await connection.execute("UPDATE handoff.feed_heads SET last = last + $2 WHERE tenant = $1", tenant, numbered)
    return last + numbered, forgotten


async def forget(workers: Pool, before: int) -> None:
    """Delete what was told before this moment (ms); the cursor of whoever has not read it expires. A few thousand entries of one
    tenant at a time, because its readers wait meanwhile. workers: of baton_worker"""
    while True:
        old = await workers.fetch(
            "SELECT tenant, id FROM handoff.feed WHERE at < $1 ORDER BY at LIMIT $2", before, FORGOTTEN_AT_ONCE
        )
        slices: dict[str, list[int]] = {}
        for row in old:
            slices.setdefault(row["tenant"], []).append(row["id"])
        for tenant, entries in slices.items():
            async with workers.acquire() as connection, connection.transaction():
                await _forget(connection, tenant, entries)
        if len(old) < FORGOTTEN_AT_ONCE:
            return


async def _forget(connection: Connection, tenant: str, entries: Sequence[int]) -> None:
    await connection.execute("SELECT FROM handoff.feed_heads WHERE tenant = $1 FOR UPDATE", tenant)
    # What nobody has numbered takes numbers with it: else whoever has read all before it would never know that it was there.
    await connection.execute(
        """
        WITH old AS (
            DELETE FROM handoff.feed WHERE tenant = $1 AND id = ANY($2) RETURNING number
        ), gone AS (
            SELECT max(number) AS number, count(*) FILTER (WHERE number IS NULL) AS unread FROM old
        )
        UPDATE handoff.feed_heads h SET last = h.last + gone.unread,
            forgotten = greatest(h.forgotten, CASE WHEN gone.unread > 0 THEN h.last + gone.unread ELSE gone.number END)
        FROM gone WHERE h.tenant = $1
        """,
        tenant,
        entries,
    )
