"""What is old is deleted: every hour, slice by slice, so that nobody waits long for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from shared.kit.clock import Clock
from shared.kit.database import Pool

EVERY_SECONDS = 3600.0  # from one look for what is old to the next


async def keep_forgetting(
    forget: Callable[[Pool, int], Awaitable[object]], workers: Pool, clock: Clock, kept: int
) -> None:
    """`forget` what is older than so many ms, every hour; until cancelled."""
    while True:
        await forget(workers, clock.now() - kept)
        await asyncio.sleep(EVERY_SECONDS)


async def delete_slices(workers: Pool, delete: str, before: int) -> int:
    """Run the statement, which deletes a slice of what is of before that time (ms, `$1`), until it finds none; how many rows."""
    gone = 0
    while found := int((await workers.execute(delete, before)).rsplit(" ", 1)[1]):
        gone += found
    return gone
