"""What is stored and told, on a real Postgres."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.servers


async def test_a_routed_lead_becomes_one_opportunity_with_an_offer_and_two_clocks(world):
    await world.handler().handle([world.routed()])

    assert await world.offers() == [(1, "sato", "open")]
    assert await world.clocks() == [(1, "accept", "running"), (1, "first_touch", "running")]
    assert [event["kind"] for event in await world.events()] == ["stage-changed", "offer-opened"]
    [row] = await world.rows("opportunities", "lead_id")
    assert (row["stage"], row["in_pipeline"], row["type"]) == ("offered", False, "new")


async def test_the_same_batch_again_changes_nothing(world):
    batch = [world.routed(f"lead-{n}") for n in range(20)]
    await world.handler().handle(batch)
    story = await world.story()
    world.clock.advance(seconds=5)
    await world.handler().handle(batch)
    assert await world.story() == story
