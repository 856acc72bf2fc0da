"""Ctrl-C while a command works."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from baton.interrupts import run


def test_work_that_is_done_gives_what_it_found_and_raises_what_it_raised() -> None:
    async def found() -> int:
        return 7

    async def failed() -> None:
        raise LookupError("nothing")

    assert run(found()) == 7
    with pytest.raises(LookupError, match="nothing"):
        run(failed())


@pytest.mark.timeout(60)
def test_an_interrupt_that_a_library_swallows_comes_again_and_the_work_tidies_up() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("swallowed")
            await asyncio.sleep(60)
        finally:
            seen.append("tidied up")

    with pytest.raises(KeyboardInterrupt):
        run(work(), again_seconds=0.1)
    assert seen == ["swallowed", "tidied up"]
