"""Turns: whatever has something due is served by one process at a time, many at once, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shared.kit.pause import pause

T = TypeVar("T")
TURN_SECONDS = 10.0  # after which who is served makes room for the next one
COUNT_SECONDS = 15.0  # from one count of what is late to the next
FORGET_SECONDS = 3600.0  # from one look for what is old to the next
DAY = 86_400_000  # ms


async def take_turns(
    claim: Callable[[int], Awaitable[Sequence[T]]],
    turn: Callable[[T], Awaitable[object]],
    *,
    most: int,
    poll_seconds: float,
) -> None:
    """Claim what may be served, at most `most` at once, and give each its turn; until cancelled, or until one of them raises.

    claim: as many as it is asked for, each of them ours until its turn has released it
    """
    turns: set[asyncio.Task[object]] = set()
    served = asyncio.Event()

    async def one(claimed: T) -> None:
        try:
            await turn(claimed)
        finally:
            served.set()

    async with asyncio.TaskGroup() as tasks:
        while True:
            served.clear()
            claimed = await claim(most - len(turns)) if len(turns) < most else ()
            for each in claimed:
                task = tasks.create_task(one(each))
                turns.add(task)
                task.add_done_callback(turns.discard)
            if not claimed:
                await pause(poll_seconds, served)
