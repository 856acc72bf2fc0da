"""A cycle that ended begins again by itself when its day has come, and at no cost while it has not."""

from __future__ import annotations

import asyncpg
import pytest

from services.router.domain.lead import CLOSED
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers
DAY = 86_400_000


@pytest.fixture
def lifecycle():
    names = ("inquiry", "aql", "mql", "tal", "tql", "sal", "sql", "won", "lost")
    stages = [{"id": name, "label": {"en": name}, "definition": {"en": name}} for name in names]
    return {"kind": "lifecycle", "stages": stages, "cool_off_days": {"recycled": 60}}


async def test_a_lead_that_wanted_to_be_called_later_is_with_sales_again_on_that_very_day(world):
    router = world.router()
    await router.handle([world.score("l1", "A1")])
    [first] = await world.routed()
    until = world.clock.now() + 30 * DAY
    declined = world.event(first, "offer-declined", reason="not_now", effect="on_hold", until=until)
    await router.handle([declined, world.score("l1", "D4")])
    assert (await world.lead("l1"))["waiting_until"] == until
    world.clock.advance(milliseconds=until - world.clock.now() - 1)
    assert await world.sweep().sweep() == 0
    world.clock.advance(milliseconds=1)
    assert await world.sweep().sweep() == 1, "although its grade is the lowest by now"
    [again] = await world.routed()
    assert (again.cycle, again.assignment, again.qualifying_at) == (2, 2, until)
    assert [reason.code for reason in again.reasons][:2] == ["sentence", "call_later"]
    assert await world.sweep().sweep() == 0


async def test_a_recycled_lead_is_judged_by_the_gate_when_its_cool_off_ends(world, lifecycle):
    await world.apply(lifecycle)
    router = world.router()
    await router.handle([world.score("ripe", "A1"), world.score("idle", "A1")])
    for routed in await world.routed():
        await router.handle([world.event(routed, "offer-declined", reason="not_now", effect="recycle")])
    await router.handle([world.score("idle", "D4")])
    world.clock.advance(days=59)
    assert await world.sweep().sweep() == 0
    world.clock.advance(days=1)
    assert await world.sweep(most=1).sweep() == 1
    assert [routed.lead_id for routed in await world.routed()] == ["ripe"]
    idle = await world.lead("idle")
    assert (idle["cycle"], idle["waiting_reason"], idle["waiting_until"]) == (2, "below_gate", None)


async def test_leads_whose_day_has_not_come_are_not_even_read(world, database_url):
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(
            "INSERT INTO router.leads (tenant, lead_id, waiting_reason, waiting_until)"
            " SELECT $1, 'idle-' || n, 'recycled', $2::bigint + n FROM generate_series(1, 3000) n",
            world.tenant,
            world.clock.now() + 365 * DAY,
        )
        await owner.execute("ANALYZE router.leads")
        plan = await owner.fetch(
            "EXPLAIN SELECT lead_id FROM router.leads WHERE tenant = $1 AND waiting_until <= $2"
            " AND waiting_reason = ANY($3::text[]) ORDER BY waiting_until, lead_id LIMIT 200",
            world.tenant,
            world.clock.now(),
            CLOSED,
        )
        assert "leads_by_opening" in "".join(row[0] for row in plan), plan
        assert await world.sweep().sweep() == 0
    finally:
        await owner.execute("DELETE FROM router.leads WHERE tenant = $1", world.tenant)
        await owner.close()


async def test_a_move_says_under_which_policies_it_was_made(world, lifecycle):
    await world.apply(lifecycle)
    await world.router().handle([world.score("l1", "A1")])
    [routed] = await world.routed()
    await world.router().handle([world.event(routed, "offer-accepted")])
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch("SELECT stage, cause, policies FROM router.stage_history ORDER BY seq")
    assert [(row["stage"], row["cause"]["kind"]) for row in rows] == [("mql", "scored"), ("sal", "offer-accepted")]
    assert all(row["policies"]["lifecycle"]["sequence"] == world.sequence for row in rows)


async def test_a_lead_that_sales_gave_back_goes_on_in_a_scenario_for_its_reason(world, policy_bodies):
    scenarios = [
        {"id": "later", "when": {"lead.given_back_for": {"eq": "not_now"}}},
        {"id": "rest", "when": {}},
    ]
    nurture = {"scenarios": scenarios, "may_email": {"lead.country": {"eq": "JP"}}}
    await world.apply(policy_bodies["qualification"] | {"nurture": nurture})
    router = world.router()
    await router.handle([world.score("l1", "A1", attributes={"country": "JP"})])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-declined", reason="not_now", effect="nurture")])
    [told] = await world.published()
    assert (told["record"], told["scenario"], told["may_email"]) == ("lead-nurtured", "later", True)
    assert [reason["code"] for reason in told["reasons"]] == ["nurture", "scenario"]
    world.clock.advance(milliseconds=1)
    await router.handle([world.score("l1", "A1", attributes={"country": "JP"}, hand_raise="demo_requested")])
    [back] = await world.published()
    assert (back["record"], back["cycle"]) == ("lead-routed", 2)


async def test_what_inside_sales_qualified_goes_to_field_sales_in_the_same_cycle(world, lifecycle):
    await world.apply(lifecycle | {"form": "waterfall"})
    router = world.router()
    await router.handle([world.score("l1", "A1")])
    [inside] = await world.routed()
    assert (inside.leg, (await world.lead("l1"))["stage"]) == ("is", "mql")
    await router.handle([world.event(inside, "offer-accepted"), world.event(inside, "lead-qualified")])
    [field] = await world.routed()
    assert (field.leg, field.cycle, field.assignment, field.replaces) == ("fs", 1, 2, 1)
    assert (await world.lead("l1"))["stage"] == "tql"
