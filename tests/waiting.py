"""Until something has come about that a test cannot be told of."""

from __future__ import annotations

import asyncio

from asyncpg import Connection, Pool

LONG_SECONDS = 60


async def until_blocked(task: asyncio.Task[object], connection: Connection, pool: Pool) -> None:
    """Until somebody waits for what `connection` has locked, which is what `task` should come to."""
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
    async with asyncio.timeout(LONG_SECONDS):
        while not await pool.fetchval(waiting, pid):
            assert not task.done(), task
            await asyncio.sleep(0.01)
