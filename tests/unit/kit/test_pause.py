"""A pause ends when it is woken, and a task told to stop in that very moment stops."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from shared.kit.pause import pause


async def test_a_pause_ends_when_it_is_woken() -> None:
    woken, began = asyncio.Event(), monotonic()
    pausing = asyncio.create_task(pause(60, woken))
    await asyncio.sleep(0)
    assert not pausing.done()
    woken.set()
    await pausing
    assert monotonic() - began < 30


async def test_a_pause_ends_after_its_time() -> None:
    await pause(0.01, asyncio.Event())


@pytest.mark.parametrize("turns", range(6))
async def test_told_to_stop_in_the_moment_it_is_woken_it_stops(turns: int) -> None:
    """`turns`: how often the loop goes round between the two. `asyncio.wait_for` of Python 3.11 loses the second at one of them."""
    woken = asyncio.Event()

    async def forever() -> None:
        while True:
            await pause(60, woken)
            woken.clear()

    serving = asyncio.create_task(forever())
    await asyncio.sleep(0)
    woken.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    serving.cancel()
    await asyncio.wait([serving], timeout=5)
    stopped = serving.cancelled()
    serving.cancel()  # again, where it did not, so that this test ends
    assert stopped
