"""Touches that come in through ingest: kept for the timeline, and counted once as a human touch, in whatever order things come."""

from __future__ import annotations

import asyncio

import pytest

from services.handoff.domain.hearing import Heard
from services.handoff.domain.rep import Activity
from services.handoff.touches import store
from services.handoff.touches.handler import Hearing
from services.handoff.touches.stream import decode
from shared.kit.database import tenant_transaction
from shared.kit.kafka import Message
from shared.schemas.touches import LinkChanged

pytestmark = pytest.mark.servers


async def accepted(world, rep="sato"):
    await world.handler().handle([world.routed(rep=rep)])
    await world.desk().accept(world.tenant, world.opportunity_id(), rep)
    world.clock.advance(seconds=5)


async def activities(world):
    async with tenant_transaction(world.app, world.tenant) as connection:
        rows = await connection.fetch("SELECT * FROM handoff.activities ORDER BY activity_id")
    return [(row["activity_id"], row["type"], row["rep_id"], row["logged_by"]) for row in rows]


async def first_touch(world):
    return [state for _, kind, state in await world.clocks() if kind == "first_touch"]


async def test_a_call_that_the_telephone_system_tells_of_stops_the_clock_of_whoever_has_the_lead_once(world):
    await accepted(world)
    call = world.touch()
    for _ in range(2):
        await world.told(call, world.touch(event_id="e-0", type="page_viewed"))
        assert await activities(world) == [("e-1", "call_connected", "sato", "ingest/pbx")]
        assert await first_touch(world) == ["met"]
    events = [event for event in await world.events() if event["kind"] == "activity-logged"]
    assert [(event["touch"], event["activity"]) for event in events] == [("e-1", "call_connected")]
    assert len(await world.rows("touches", "event_id")) == 2


async def test_while_a_rep_is_asked_a_touch_of_theirs_accepts_and_one_of_nobody_in_particular_does_not(world):
    await world.handler().handle([world.routed("lead-1"), world.routed("lead-2"), world.routed("lead-3")])
    await world.told(world.touch(), world.touch("lead-2", "e-2", rep_id="sato"))
    await world.told(world.touch("lead-3", "e-3", rep_id="tanaka"))
    assert await activities(world) == [
        ("e-1", "call_connected", None, "ingest/pbx"),
        ("e-2", "call_connected", "sato", "ingest/pbx"),
        ("e-3", "call_connected", "tanaka", "ingest/pbx"),
    ]
    offers = {row["opportunity_id"]: row["state"] for row in await world.rows("offers", "opportunity_id")}
    states = [str(offers[row["opportunity_id"]]) for row in await world.rows("opportunities", "lead_id")]
    assert states == ["open", "accepted", "open"]
    assert sorted(await first_touch(world)) == ["met", "running", "running"]


@pytest.mark.parametrize(
    "other",
    [
        {"trusted": False},
        {"automated": True},
        {"type": "page_viewed"},
        {"type": "meeting_booked"},
        {"received_at": 1_600_000_000_000},
    ],
)
async def test_what_is_no_touch_by_a_rep_of_ours_stops_nothing(world, other):
    await accepted(world)
    await world.told(world.touch(**other))
    assert await activities(world) == []
    assert await first_touch(world) == ["running"]


async def test_a_booking_counts_where_it_says_who_took_part(world):
    await accepted(world)
    await world.told(world.touch(type="meeting_booked", rep_id="sato"))
    assert await first_touch(world) == ["met"]


async def test_a_touch_that_comes_before_its_own_lead_is_found_when_the_lead_is_offered(world):
    before = world.touch(event_id="e-0")
    world.clock.advance(seconds=1)
    routed = world.routed()
    await world.told(before, world.touch(rep_id="sato"))
    assert await activities(world) == []
    world.clock.advance(seconds=2)
    for _ in range(2):
        await world.handler().handle([routed])
        assert await activities(world) == [("e-1", "call_connected", "sato", "ingest/pbx")]
        assert await world.offers() == [(1, "sato", "accepted")]
        assert await first_touch(world) == ["met"]


async def test_what_came_before_the_lead_was_first_anybodys_is_never_looked_at_again(world, merge):
    """It stays for the timeline, years of it: each look at one touch of theirs would be one at all of it."""
    await merge("lead-0", "lead-1")
    await world.told(world.touch("lead-0", "e-0"), world.touch(event_id="e-1"), world.touch("lead-2", "e-2"))
    world.clock.advance(seconds=1)
    routed = [world.routed(), world.routed("lead-2")]
    world.clock.advance(seconds=1)
    await world.handler().handle(routed)

    async def pending(*counting):
        async with tenant_transaction(world.app, world.tenant) as connection:
            leads = ["lead-1", "lead-2"]
            return [one.event_id for _, one in await store.pending(connection, world.tenant, leads, counting)]

    assert await activities(world) == await pending("call_connected") == []
    late = world.touch("lead-0", "e-3", received_at=world.clock.now() - 500)
    async with tenant_transaction(world.app, world.tenant) as connection:
        await store.add(connection, world.tenant, [late], ["call_connected"])
    assert await pending("call_connected") == ["e-3"]
    assert await pending("meeting_held") == []


async def test_the_rep_and_the_telephone_system_may_tell_of_the_same_call(world):
    await accepted(world)
    opportunity = world.opportunity_id()
    for event_id, kind in (("e-1", "call_connected"), ("e-2", "call_attempted")):
        logged = Activity(event_id, kind, world.clock.now(), None, is_first_touch=True)
        await world.desk().log_touch(world.tenant, opportunity, logged, None, "crm")
    for _ in range(2):
        await world.told(world.touch(), world.touch(event_id="e-2"))
    assert [row[3] for row in await activities(world)] == ["crm", "crm"]


async def test_touches_of_a_merged_lead_count_for_the_one_that_is_left(world, merge):
    await accepted(world)
    await merge("lead-0", "lead-1")
    await world.told(world.touch("lead-0"))
    assert await activities(world) == [("e-1", "call_connected", "sato", "ingest/pbx")]
    assert await first_touch(world) == ["met"]


async def test_touches_of_a_lead_that_is_merged_only_later_count_then(world, merge):
    await accepted(world)
    await world.told(world.touch("lead-0"), world.touch("lead-9", "e-9"))
    assert await activities(world) == []
    await merge("lead-0", "middle")
    world.clock.advance(seconds=60)
    await merge("middle", "lead-1")
    hearing = Hearing(world.app, world.desk())
    await hearing.catch_up_merged(world.workers, world.clock.now() + 1)
    assert await activities(world) == []
    async with asyncio.TaskGroup() as tasks:
        sweeping = tasks.create_task(hearing.keep_catching_up(world.workers, world.clock))
        async with asyncio.timeout(30):
            while not await activities(world):
                await asyncio.sleep(0.02)
        sweeping.cancel()
    assert await activities(world) == [("e-1", "call_connected", "sato", "ingest/pbx")]
    assert await first_touch(world) == ["met"]


async def test_only_what_was_merged_lately_is_looked_at_and_with_it_all_that_was_merged_into_it_before(
    world, merge, monkeypatch
):
    monkeypatch.setattr(store, "MERGED_AT_ONCE", 1)
    await accepted(world)
    await world.told(world.touch("lead-0"))
    await merge("lead-0", "middle")
    world.clock.advance(seconds=3600)
    for lead in ("lead-8", "lead-9", "middle"):
        await merge(lead, "lead-1")
    await Hearing(world.app, world.desk()).catch_up_merged(world.workers, world.clock.now() - 1)
    assert [row[0] for row in await activities(world)] == ["e-1"]


async def test_wherever_either_dies_and_whichever_comes_first_the_touch_counts_once(
    make_world, tenant, crashing, crash
):
    died = 0
    for first in ("touch", "lead"):
        for before in (True, False):
            for at in range(1, 100):
                world = await make_world(f"{tenant}-{first}{'b' if before else 'a'}{at}")
                pool = crashing(world.app, at, before=before)
                routed, call = world.routed(), world.touch(rep_id="sato")

                async def lead(made, world=world, routed=routed):
                    await world.handler(made).handle([routed])

                async def dial(made, world=world, call=call):
                    await world.touches(made).handle([call])

                doing = [dial, lead] if first == "touch" else [lead, dial]
                done = 0
                try:
                    for one in doing:
                        await one(pool)
                        done += 1
                except crash:
                    died += 1
                for one in doing[done:]:
                    await one(world.app)
                assert [row[0] for row in await activities(world)] == ["e-1"], (first, before, at)
                assert await first_touch(world) == ["met"], (first, before, at)
                assert [e["kind"] for e in await world.events()].count("activity-logged") == 1
                if pool.done < at:
                    break
    assert died > 40


async def test_what_is_an_activity_of_one_opportunity_never_becomes_one_of_another(world):
    await accepted(world)
    await world.handler().handle([world.routed("lead-2")])
    call = world.touch()
    await world.told(call)
    heard = Heard("lead-1", call.event_id, call.type, call.at, call.received_at, "pbx", "sato")
    assert not await world.desk().hear(world.tenant, world.opportunity_id("lead-2"), heard)
    assert [row[0] for row in await activities(world)] == ["e-1"]


async def test_two_processes_that_read_the_same_touch_log_it_once(world):
    await accepted(world)
    calls = [world.touch(event_id=f"e-{n}") for n in range(20)]
    await asyncio.gather(*(world.told(*calls) for _ in range(4)))
    assert len(await activities(world)) == 20
    assert [event["kind"] for event in await world.events()].count("activity-logged") == 20


async def test_a_lead_that_is_routed_while_its_touch_comes_in_is_never_missed(world):
    for n in range(20):
        lead = f"lead-{n}"
        await asyncio.gather(
            world.handler().handle([world.routed(lead)]), world.told(world.touch(lead, f"e-{n}", rep_id="sato"))
        )
    assert set(await first_touch(world)) == {"met"}
    assert len(await activities(world)) == 20


async def test_what_is_older_than_is_kept_is_forgotten_but_not_what_an_opportunity_came_of(world, monkeypatch):
    monkeypatch.setattr(store, "FORGOTTEN_AT_ONCE", 2)
    await world.handler().handle([world.routed(), world.nurtured("lead-2")])
    await world.told(*(world.touch(event_id=f"e-{n}", type="page_viewed") for n in range(5)))
    world.clock.advance(seconds=60)
    await world.told(world.touch(event_id="late", type="page_viewed"))
    await store.forget(world.workers, world.clock.now() - 30_000)
    assert [row["event_id"] for row in await world.rows("touches", "event_id")] == ["late"]
    assert [row["what"] for row in await world.rows("decisions", "at")] == ["lead-routed"]


def test_links_are_told_too():
    link = LinkChanged(
        tenant="t", lead_id="l", identity_id="i", identity_kind="email", owner="o", sequence=3, received_at=5
    )
    found = decode(Message("touchpoints", 0, 0, link.key(), link.model_dump_json().encode()))
    assert (found.kind, found.type, found.event_id, found.at) == ("identity", "email", "i/3", 5)
