"""Sleeping until there is something to do."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def pause(seconds: float, woken: asyncio.Event) -> None:
    """Sleeps so long, or until `woken` is set.

    Not with `asyncio.wait_for`: until Python 3.12 it swallows a cancellation that comes in the moment in which what it waits for is
    done, and the task that was told to stop goes on for ever. ruff refuses it everywhere.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
