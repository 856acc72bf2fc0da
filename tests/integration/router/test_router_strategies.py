"""Pools that do not go by the fair turn alone: what they choose by is read from Postgres, and kept apart there."""

from __future__ import annotations

import asyncio

import pytest

from services.router.domain.decision import replay
from services.router.store import trail
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers


def with_strategy(bodies, strategy):
    field, *others = bodies["pools"]
    return bodies | {"pools": [field | {"strategy": strategy}, *others]}


async def test_a_lead_of_a_new_cycle_sticks_to_who_had_accepted_it(world, team):
    await world.apply(with_strategy(team(), "sticky"))
    router = world.router()
    await router.handle([world.score("l0"), world.score("l1", hand_raise="demo_requested")])
    routed = {one.lead_id: one for one in await world.routed()}
    assert {lead: one.rep_id for lead, one in routed.items()} == {"l0": "sato", "l1": "tanaka"}
    second = routed["l1"]
    await router.handle([world.event(second, "offer-opened"), world.event(second, "offer-accepted")])
    await router.handle([world.event(second, "offer-declined", reason="not_now", effect="recycle")])
    world.clock.advance(seconds=1)
    await router.handle([world.score("l1", hand_raise="demo_requested")])
    (again,) = await world.routed()
    assert (again.rep_id, again.cycle) == ("tanaka", 2)
    async with tenant_transaction(world.pool, world.tenant) as connection:
        due = await connection.fetch("SELECT rep_id, due FROM router.pool_members WHERE pool_id = 'field'")
        ways = await connection.fetch("SELECT way, cycle FROM router.assignments WHERE lead_id = 'l1' ORDER BY 2")
        (row, *_) = await trail.read(connection, world.tenant, "l1")
        stored, playbook = trail.decision_of(row), await trail.playbook_of(connection, world.tenant, row["policies"])
    assert {row["rep_id"]: row["due"] for row in due} == {"sato": "-1/3", "tanaka": "-1/3", "mori": "2/3"}
    assert [tuple(row) for row in ways] == [("fair", 1), ("sticky", 2)]
    assert replay(stored.inputs, playbook) == (stored.trace, stored.outcome)
    # Found to be none at all, it leaves what each is owed as if it had never been given.
    await router.handle([world.event(again, "offer-declined", reason="junk", effect="disqualify")])
    async with tenant_transaction(world.pool, world.tenant) as connection:
        after = await connection.fetch("SELECT rep_id, due FROM router.pool_members WHERE pool_id = 'field'")
    assert sorted(map(tuple, after)) == sorted(map(tuple, due))


async def test_workers_at_the_same_moment_load_everybody_alike(world, team):
    await world.apply(with_strategy(team(), "least_loaded"))
    batches = [[world.score(f"{worker}-{n}") for n in range(5)] for worker in range(6)]
    await asyncio.gather(*(world.router().handle(batch) for batch in batches))
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch("SELECT owner_rep, count(*) AS leads FROM router.leads GROUP BY 1")
    assert {row["owner_rep"]: row["leads"] for row in rows} == {"sato": 10, "tanaka": 10, "mori": 10}
