"""Turns: whatever has something due is served by one process at a time, many at once, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shared.kit.pause import pause

T = TypeVar("T")
TURN_SECONDS = 10.0  # after which who is served makes room for the next one
COUNT_SECONDS = 15.0  # from one count of what is late to the next
DAY = 86_400_000  # ms


def waits_since(served: str, things: str, *, by: str, when: str = "true") -> str:
    """SQL: since when (ms) what waits longest could have been sent, and was not: who serves it was free all that time, as of `$1`.

    served, things: tables of handoff;  by: the column of both that says whose a thing is;  when: of whoever is served, as `s`
    """
    return (
        f"SELECT min(greatest(t.due_at, s.paused_until, s.served_at)) FROM handoff.{served} s"
        f" CROSS JOIN LATERAL (SELECT due_at FROM handoff.{things} t WHERE (t.tenant, t.{by}) = (s.tenant, s.{by})"
        f" AND t.state = 'pending' ORDER BY due_at LIMIT 1) AS t WHERE s.claimed_until <= $1 AND {when}"
    )


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
