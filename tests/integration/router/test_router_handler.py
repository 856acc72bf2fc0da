"""The router on a real Postgres: leads get one owner, whatever is retried, replayed or refused."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest

pytestmark = pytest.mark.servers


async def test_a_ripe_lead_goes_to_a_rep_and_handoff_is_told(world: Any) -> None:
    await world.router().handle([world.score("l1", hand_raise="demo_requested")])
    [routed] = await world.routed()
    lead = await world.lead("l1")
    assert (routed.lead_id, routed.assignment, routed.pool_id, routed.leg) == ("l1", 1, "field", "fs")
    assert (routed.lead_class, routed.qualifying_at) == ("hand_raise", world.clock.now())
    assert (lead["owner_rep"], lead["stage"], lead["provisional"], lead["waiting_reason"]) == (
        routed.rep_id,
        "mql",
        True,
        None,
    )
    assert [reason.code for reason in routed.reasons] == ["gate_mql", "bant", "rule", "fair_turn"]


async def test_a_batch_that_comes_again_writes_nothing(world: Any) -> None:
    batch = [world.score(f"l{n}", grade) for n, grade in enumerate(("A1", "B2", "D4"))]
    await world.router().handle(batch)
    before = await world.published()
    rows = [await world.lead(f"l{n}") for n in range(3)]
    await world.router().handle(batch)
    assert await world.published() == []
    assert [await world.lead(f"l{n}") for n in range(3)] == rows
    assert len(before) == 2
    assert await world.count("decisions") == 3


async def test_leads_of_a_pool_are_shared_fairly(world: Any) -> None:
    await world.router().handle([world.score(f"l{n}") for n in range(30)])
    given = Counter(routed.rep_id for routed in await world.routed())
    assert given == {"sato": 10, "tanaka": 10, "mori": 10}
    assert Fraction(0) == 0
