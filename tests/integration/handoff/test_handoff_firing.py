"""Clocks fire once, the oldest first, whoever else is at work."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from services.handoff import store
from services.handoff.domain.rep import OfferNotOpenError
from services.handoff.firing import SHORTEST_SLEEP
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers

ACCEPT = 60  # seconds: see conftest


async def test_nothing_fires_early_and_everything_when_due(world):
    await world.handler().handle([world.routed()])
    world.clock.advance(milliseconds=ACCEPT * 1000 - 1)
    assert await world.firing().fire_due() == []
    world.clock.advance(milliseconds=1)
    assert len(await world.firing().fire_due()) == 1
    assert await world.offers() == [(1, "sato", "expired")]
    assert await world.clocks() == [(1, "accept", "breached"), (1, "first_touch", "cancelled")]
    expired = (await world.events())[-1]
    assert (expired["kind"], expired["clock"], expired["effect"]) == ("offer-expired", "accept", "reroute")


async def test_two_workers_on_500_due_clocks_fire_each_once_and_the_oldest_first(world):
    for n in range(500):
        await world.handler().handle([world.routed(f"lead-{n:03}")])
        world.clock.advance(milliseconds=10)
    world.clock.advance(seconds=ACCEPT)
    one, other = world.firing(most=20), world.firing(most=20)

    async def work(firing):
        fired = []
        while batch := await firing.fire_due():
            fired += [event.due_at for event in batch]
        return fired

    by_one, by_other = await asyncio.gather(work(one), work(other))

    assert by_one == sorted(by_one)
    assert by_other == sorted(by_other)
    breaches = [event for event in await world.events() if event["kind"] == "clock-breached"]
    assert len(by_one + by_other) == len(breaches) == len({event["event_id"] for event in breaches}) == 500
    assert sorted(by_one + by_other) == sorted(event["at"] for event in breaches)


async def test_one_worker_after_an_outage_fires_strictly_by_due_time(world):
    for n in range(30):
        await world.handler().handle([world.routed(f"lead-{n:02}")])
        world.clock.advance(seconds=1)
    world.clock.advance(days=2)
    while await world.firing(most=7).fire_due():
        pass
    due = [event["due_at"] for event in await world.events() if event["kind"] == "clock-breached"]
    assert due == sorted(due)
    assert len(due) == 30
    ended = [row["ended_at"] for row in await world.rows("clocks", "due_at") if row["state"] == "breached"]
    assert ended == due


async def test_what_another_holds_is_left_to_them_and_does_not_stop_the_rest(world):
    await world.handler().handle([world.routed("lead-1"), world.routed("lead-2")])
    world.clock.advance(seconds=ACCEPT)
    async with tenant_transaction(world.app, world.tenant) as connection:
        await connection.execute(
            "SELECT 1 FROM handoff.opportunities WHERE opportunity_id = $1 FOR UPDATE", world.opportunity_id("lead-1")
        )
        assert len(await world.firing().fire_due()) == 1
    assert len(await world.firing().fire_due()) == 1


async def test_accepting_and_expiring_at_once_has_one_winner(world):
    leads = [f"lead-{n}" for n in range(40)]
    await world.handler().handle([world.routed(lead) for lead in leads])

    async def accept(lead):
        try:
            await world.desk().accept(world.tenant, world.opportunity_id(lead), "sato")
        except OfferNotOpenError:
            return False
        return True

    async def fire():
        world.clock.advance(seconds=ACCEPT)  # in the middle of the accepting
        while await world.firing(most=10).fire_due():
            pass

    answers, *_ = await asyncio.gather(asyncio.gather(*map(accept, leads)), fire(), fire())
    while await world.firing().fire_due():
        pass

    told = {}
    for event in await world.events():
        told.setdefault(event["lead_id"], set()).add(event["kind"])
    for lead, accepted in zip(leads, answers, strict=True):
        assert ("offer-accepted" in told[lead]) == accepted
        assert ("offer-expired" in told[lead]) == (not accepted)
    assert sum(answers) == sum(state == "accepted" for _, _, state in await world.offers())


async def test_accepting_and_re_routing_at_once_has_one_winner(world):
    leads = [f"lead-{n}" for n in range(40)]
    await world.handler().handle([world.routed(lead) for lead in leads])

    async def accept(lead):
        try:
            await world.desk().accept(world.tenant, world.opportunity_id(lead), "sato")
        except OfferNotOpenError:
            return False
        return True

    async def route_again(some):
        await world.handler().handle([world.routed(lead, 2, "tanaka") for lead in some])

    answers, *_ = await asyncio.gather(
        asyncio.gather(*map(accept, leads)), *(route_again(leads[n : n + 10]) for n in range(0, 40, 10))
    )
    holders = {
        row["opportunity_id"]: row["rep_id"]
        for row in await world.rows("offers", "assignment")
        if row["state"] in ("open", "accepted")
    }
    refused = {
        event["lead_id"]: event["holder"] for event in await world.events() if event["kind"] == "routing-refused"
    }
    assert len(holders) == 40
    for lead, accepted in zip(leads, answers, strict=True):
        holder = next(rep for key, rep in holders.items() if str(key) == world.opportunity_id(lead))
        assert holder == ("sato" if accepted else "tanaka")
        assert refused.get(lead) == ("sato" if accepted else None)


async def test_the_running_task_fires_what_falls_due_while_it_sleeps(world):
    await world.handler().handle([world.routed()])
    firing = asyncio.create_task(world.firing().run())
    try:
        world.clock.advance(seconds=ACCEPT)
        async with asyncio.timeout(20):
            while await world.offers() != [(1, "sato", "expired")]:
                assert not firing.done()
                await asyncio.sleep(0)
    finally:
        firing.cancel()
        await asyncio.gather(firing, return_exceptions=True)


async def test_the_oldest_due_clocks_are_found_by_the_index(world, owner):
    await world.handler().handle([world.routed()])
    async with owner.transaction():
        await owner.execute("SET LOCAL enable_seqscan = off")
        plan = await owner.fetch(f"EXPLAIN {store.CLAIM_DUE}", world.clock.now(), 200, [])
    assert any("clocks_acting" in row[0] for row in plan), [row[0] for row in plan]


async def test_what_cannot_be_fired_stops_nothing_else_and_is_tried_again(world, owner, monkeypatch):
    """A due time before time began: no event can be of it."""
    await world.handler().handle([world.routed("broken"), world.routed("well")])
    world.clock.advance(seconds=ACCEPT)
    ruin = "UPDATE handoff.clocks SET due_at = $3, basis = '' WHERE (tenant, opportunity_id) = ($1, $2::uuid)"
    await owner.execute(ruin, world.tenant, world.opportunity_id("broken"), -1000)
    firing = world.firing()
    assert [event.lead_id for event in await firing.fire_due()] == ["well"]
    assert await firing.fire_due() == []
    assert await firing._sleep_seconds() > SHORTEST_SLEEP, "it is not looked for again and again"
    await owner.execute(ruin, world.tenant, world.opportunity_id("broken"), world.clock.now())
    assert await firing.fire_due() == [], "only after a while"
    monkeypatch.setattr("services.handoff.firing.monotonic", lambda: monotonic() + 301)
    assert [event.lead_id for event in await firing.fire_due()] == ["broken"]


async def test_what_older_programs_left_of_ended_offers_is_cleared_and_holds_up_nobody(world, owner):
    """A program that knows no steps ends an offer and leaves the steps of its breached clock behind."""
    await world.handler().handle([world.routed("lead-1"), world.routed("lead-1", assignment=2, rep="tanaka")])
    left = (
        "UPDATE handoff.clocks SET state = 'breached', ended_at = due_at, remind_shares = '{150}', remind_at = '{1}'"
        " WHERE (tenant, assignment, kind) = ($1, 1, 'first_touch')"
    )
    assert await owner.execute(left, world.tenant) == "UPDATE 1"
    await world.handler().handle([world.routed("lead-2")])
    world.clock.advance(seconds=ACCEPT)
    fired = [event for _ in range(5) for event in await world.firing(most=1).fire_due()]
    assert {event.lead_id for event in fired} == {"lead-1", "lead-2"}
    [left] = [
        row for row in await world.rows("clocks", "kind") if (row["kind"], row["state"]) == ("first_touch", "breached")
    ]
    assert (left["assignment"], left["remind_at"]) == (1, [])
