"""Decisions are kept with their traces for a set time; those that hold stay."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from services.router.traces import Traces

pytestmark = pytest.mark.servers
DAY = 86_400


async def test_what_is_too_old_goes_slice_by_slice_and_what_holds_stays(world):
    router = world.router()
    await router.handle([world.score(f"l{number}") for number in range(5)])
    routed = await world.routed()
    world.clock.advance(seconds=10 * DAY)
    await router.handle([world.event(one, "offer-expired", reason="accept", effect="reroute") for one in routed])
    assert await world.count("decisions") == 10
    moves, given = await world.count("stage_history"), await world.count("assignments")
    known = asyncio.Event()
    for days, removed in ((11, 0), (10, 5), (9, 0)):
        traces = Traces(world.pool, lambda: [world.tenant], known, world.clock, days=days, most=2)
        assert await traces.sweep() == removed, days
    assert await world.count("decisions") == 5
    assert (await world.count("stage_history"), await world.count("assignments")) == (moves, given)
    world.clock.advance(seconds=400 * DAY)
    assert await Traces(world.pool, lambda: [world.tenant], known, world.clock, days=1, most=2).sweep() == 0, (
        "they hold"
    )


async def test_the_first_look_comes_when_the_tenants_are_known_and_not_a_day_later(world):
    router = world.router()
    await router.handle([world.score("l1")])
    [routed] = await world.routed()
    world.clock.advance(seconds=10 * DAY)
    await router.handle([world.event(routed, "offer-expired", reason="accept", effect="reroute")])
    known = asyncio.Event()
    traces = Traces(world.pool, lambda: [world.tenant] if known.is_set() else [], known, world.clock, days=9)
    running = asyncio.create_task(traces.run())
    await asyncio.sleep(0)  # it runs until it first waits
    known.set()
    async with asyncio.timeout(60):
        while await world.count("decisions") > 1:
            await asyncio.sleep(0.02)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
