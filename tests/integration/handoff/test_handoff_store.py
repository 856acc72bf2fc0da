"""What is stored and told, on a real Postgres."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from services.handoff.handler import Handoff
from services.handoff.policies import Policies
from shared.kit.dead_letters import Reject
from shared.schemas.policies import SlaPolicy
from shared.schemas.policies.sla import LeadClass
from shared.schemas.routing import ScoreSummary

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


def a_busy_batch(world):
    """New leads, one routed twice, one routed and taken back, one told again."""
    return [
        world.routed("lead-1"),
        world.routed("lead-2", rep="tanaka", person=None, attributes={"company": "日の出工業"}),
        world.routed("lead-1", 2, "tanaka"),
        world.routed("lead-3"),
        world.withdrawn("lead-3"),
        world.routed("lead-2", rep="tanaka"),
        world.routed("lead-4", mode="assign"),
    ]


async def test_wherever_the_handler_dies_the_batch_again_gives_the_same_rows_and_events(
    make_world, tenant, crashing, crash
):
    undisturbed = await make_world(f"{tenant}-0")
    await undisturbed.handler().handle(a_busy_batch(undisturbed))
    expected = await undisturbed.story()
    assert expected["told"]

    died = 0
    for before in (True, False):
        for at in range(1, 100):
            world = await make_world(f"{tenant}-{'b' if before else 'a'}{at}")
            pool = crashing(world.app, at, before=before)
            try:
                await world.handler(pool).handle(a_busy_batch(world))
            except crash:
                died += 1
            finished = pool.done < at
            await world.handler().handle(a_busy_batch(world))
            assert await world.story() == expected, f"died {'before' if before else 'after'} statement {at}"
            if finished:
                break
    assert died >= 12


async def test_wherever_the_firing_of_clocks_dies_firing_again_gives_the_same_rows_and_events(
    make_world, tenant, crashing, crash
):
    async def due(name):
        world = await make_world(name)
        await world.handler().handle([world.routed(f"lead-{n}") for n in range(3)])
        await world.desk().accept(name, world.opportunity_id("lead-2"), "sato")
        world.clock.advance(seconds=700)
        return world

    undisturbed = await due(f"{tenant}-0")
    assert len(await undisturbed.firing().fire_due()) == 3
    expected = await undisturbed.story()

    died = 0
    for before in (True, False):
        for at in range(1, 100):
            world = await due(f"{tenant}-{'b' if before else 'a'}{at}")
            pool = crashing(world.workers, at, before=before)
            try:
                await world.firing(pool).fire_due()
            except crash:
                died += 1
            finished = pool.done < at
            await world.firing().fire_due()
            assert await world.story() == expected, f"died {'before' if before else 'after'} statement {at}"
            if finished:
                break
    assert died >= 12


async def test_a_re_routed_lead_shows_what_the_router_said_last(world):
    await world.handler().handle([world.routed(attributes={"company": "旧社名"})])
    await world.handler().handle([world.routed(assignment=2, rep="tanaka", attributes={"company": "新社名"})])

    assert await world.offers() == [(1, "sato", "superseded"), (2, "tanaka", "open")]
    [row] = await world.rows("opportunities", "lead_id")
    assert row["attributes"] == {"company": "新社名"}


async def test_two_processes_that_read_the_same_leads_create_them_once(world):
    batch = [world.routed(f"lead-{n}") for n in range(50)]
    await asyncio.gather(
        world.handler().handle(batch),
        world.handler().handle(list(reversed(batch))),
        world.handler().handle(batch[25:]),
    )
    assert len(await world.rows("opportunities", "lead_id")) == 50
    assert len(await world.offers()) == 50
    assert len(await world.events()) == 100


async def test_a_lead_of_a_tenant_without_sla_policy_is_rejected_with_the_reason(world):
    stranger = world.routed().model_copy(update={"tenant": f"{world.tenant}-none"})
    with pytest.raises(Reject) as reject:
        await world.handler().handle([stranger])
    assert reject.value.code == "no_policy"


async def test_a_record_that_no_row_can_hold_is_rejected_and_stops_nobody_else(world):
    beyond = ScoreSummary(fit=10**30, engagement=0, grade="A1", as_of=0)
    odd, even = world.routed("lead-1").model_copy(update={"score": beyond}), world.routed("lead-2")
    with pytest.raises(Reject):
        await world.handler().handle([odd, even])  # the loop tries them one by one then
    with pytest.raises(Reject) as reject:
        await world.handler().handle([odd])
    assert reject.value.code == "inapplicable"
    await world.handler().handle([even])
    assert [row["lead_id"] for row in await world.rows("opportunities", "lead_id")] == ["lead-2"]


async def test_a_lead_that_is_faster_than_its_policy_waits_for_it(world, publish):
    policies = Policies(wait_seconds=30)
    handling = asyncio.create_task(Handoff(world.app, world.clock, policies).handle([world.routed()]))
    await asyncio.sleep(0)  # it is under way
    assert not handling.done()
    sla = SlaPolicy(default=LeadClass(id="score", accept=60, first_touch=600))
    await policies.apply(publish(world.tenant, 1, sla))
    await handling
    assert await world.offers() == [(1, "sato", "open")]


async def test_postgres_itself_refuses_a_second_holder(world, owner):
    await world.handler().handle([world.routed()])
    with pytest.raises(asyncpg.UniqueViolationError, match="one_holder"):
        await owner.execute(
            "INSERT INTO handoff.offers SELECT tenant, opportunity_id, 2, 'tanaka', rep_name, mode, leg, pool_id, 'open',"
            " offered_at FROM handoff.offers WHERE tenant = $1",
            world.tenant,
        )


async def test_the_clock_rows_refuse_to_end_without_a_time_or_to_breach_early(world, owner):
    await world.handler().handle([world.routed()])
    for wrong in ("state = 'met'", "state = 'breached', ended_at = due_at - 1"):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(f"UPDATE handoff.clocks SET {wrong} WHERE tenant = $1", world.tenant)
