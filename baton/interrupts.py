"""Ctrl-C for work that lasts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

import uvloop

from shared.kit.service import cancel

T = TypeVar("T")


def run(work: Coroutine[None, None, T], *, again_seconds: float = 10) -> T:
    """Do it in a loop of its own. Raises KeyboardInterrupt on Ctrl-C, once it has tidied up.

    again_seconds: after which work that goes on is cancelled once more

    `asyncio.run` cancels only once, which Python 3.11 can lose where it meets a timeout within a library: the command would go on.
    """
    done = uvloop.run(_until_interrupted(work, again_seconds))
    if done is None:
        raise KeyboardInterrupt
    return done.result()


async def _until_interrupted(work: Coroutine[None, None, T], again_seconds: float) -> asyncio.Task[T] | None:
    """The work when it has ended by itself."""
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(interrupted.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return task
    await cancel({task}, again_seconds=again_seconds)
    return None
