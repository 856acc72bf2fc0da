"""Leads a day and a week: counted in Postgres, by each rep's own clocks, under the pools' locks."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.router.domain.decision import replay
from services.router.store import trail
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers


def move(world, text, zone="Asia/Tokyo"):
    """The clock to a time in `zone`."""
    to = round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    world.clock.advance(milliseconds=to - world.clock.now())
    return to


async def owners(world, *leads):
    return [(await world.lead(lead))["owner_rep"] for lead in leads]


async def test_a_lead_above_the_cap_waits_until_the_reps_own_midnight(world, team):
    move(world, "2031-06-03T12:00")
    await world.apply(team(field=("sato",), per_day=1, zone="America/New_York"))
    await world.router().handle([world.score("a"), world.score("b"), world.score("c")])
    second = await world.lead("b")
    assert second["waiting_reason"] == "parked:cap_reached"
    # It is eleven in the evening of the day before in New York.
    assert second["waiting_until"] == move(world, "2031-06-03T00:00", "America/New_York")
    world.clock.advance(milliseconds=-1)
    await world.sweep().sweep()
    assert await owners(world, "a", "b", "c") == ["sato", None, None]
    world.clock.advance(milliseconds=1)
    assert await world.sweep().sweep() == 1, "a new day brings one more, and not two"
    assert await owners(world, "a", "b", "c") == ["sato", "sato", None]


async def test_a_lead_that_did_not_count_frees_its_place_and_a_declined_one_does_not(world, team):
    move(world, "2031-06-03T12:00")
    await world.apply(team(field=("sato",), per_week=1))
    await world.router().handle([world.score("a")])
    await world.router().handle([world.score("b")])
    (routed,) = await world.routed()
    await world.router().handle([world.event(routed, "offer-declined", reason="at_capacity")])
    await world.sweep().sweep()
    assert await owners(world, "a", "b") == [None, None]
    await world.apply(team(field=("sato",), per_week=2))
    await world.sweep().sweep()
    assert await owners(world, "b") == ["sato"]
    await world.router().handle([world.score("c")])
    assert await owners(world, "c") == [None]
    (routed,) = await world.routed()
    await world.router().handle([world.event(routed, "offer-declined", reason="junk")])
    await world.sweep().sweep()
    assert await owners(world, "c") == ["sato"]
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch(
            "SELECT lead_id, way, ended, reason, given_back FROM router.assignments ORDER BY lead_id"
        )
    assert [tuple(row) for row in rows] == [
        ("a", "fair", "declined", "at_capacity", False),
        ("b", "fair", "declined", "junk", True),
        ("c", "fair", None, None, False),
    ]


async def test_workers_at_the_same_moment_give_nobody_more_than_the_cap(world, team):
    await world.apply(team(field=("sato", "tanaka"), per_day=3))
    batches = [[world.score(f"{worker}-{n}") for n in range(3)] for worker in range(6)]
    await asyncio.gather(*(world.router().handle(batch) for batch in batches))
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch("SELECT rep_id, count(*) AS leads FROM router.assignments GROUP BY 1")
        waiting = await connection.fetchval(
            "SELECT count(*) FROM router.leads WHERE waiting_reason = 'parked:cap_reached'"
        )
    assert {row["rep_id"]: row["leads"] for row in rows} == {"sato": 3, "tanaka": 3}
    assert waiting == 12


async def test_a_stored_decision_repeats_itself_when_counts_have_moved_on(world, team):
    await world.apply(team(field=("sato",), per_day=1))
    await world.router().handle([world.score(lead) for lead in "abc"])
    async with tenant_transaction(world.pool, world.tenant) as connection:
        for lead in "abc":
            (row,) = await trail.read(connection, world.tenant, lead)
            stored = trail.decision_of(row)
            playbook = await trail.playbook_of(connection, world.tenant, row["policies"])
            assert replay(stored.inputs, playbook) == (stored.trace, stored.outcome)
            assert stored.inputs.taken["sato"].day == (lead != "a")
