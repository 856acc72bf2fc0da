"""Clocks in the time of who holds the lead, in a real Postgres, while policies and people change their minds."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.handoff.domain.rep import Activity
from services.handoff.moving import Moving
from shared.schemas.policies import SlaPolicy, TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.sla import LeadClass
from shared.schemas.policies.teams import Member, Pool, Rep

pytestmark = pytest.mark.servers

HOUR = 3_600_000
FRIDAY = round(datetime(2026, 5, 22, 17, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)
MONDAY = FRIDAY + 64 * HOUR  # 9:00
OFFICE = Calendar(id="office", blocks=(Block(open="09:00", close="18:00"),))


def sla(**more):
    return SlaPolicy(default=LeadClass(id="score", **{"accept": 7200, "first_touch": 14400, "time": "business"} | more))


def teams(**sato):
    return TeamsPolicy(
        reps=(Rep(id="sato", name="佐藤", calendar="office", **sato), Rep(id="tanaka", name="田中", calendar="office")),
        pools=(Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),),
        calendars=(OFFICE,),
    )


@pytest.fixture
async def office(world, publish):
    """A Friday at five in Tokyo, where people go home at six."""
    world.clock.advance(milliseconds=FRIDAY - world.clock.now())
    world.sequence = 10

    async def apply(*policies):
        for policy in policies:
            world.sequence += 1
            await world.policies.apply(publish(world.tenant, world.sequence, policy))

    world.apply = apply
    await apply(sla(), teams())
    return world


def sweep(world, pool=None, most=200):
    return Moving(pool or world.workers, world.clock, world.policies, most=most).sweep()


async def say_away(world, rep, start, until):
    async with world.app.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('baton.tenant', $1, true)", world.tenant)
        await connection.execute(
            "INSERT INTO router.availability (tenant, rep_id, away_from, away_until, said_by, said_at)"
            " VALUES ($1, $2, $3, $4, 'test', $3)",
            world.tenant,
            rep,
            start,
            until,
        )


async def due(world, kind="accept"):
    return [row["due_at"] for row in await world.rows("clocks", "opportunity_id") if row["kind"] == kind]


async def test_two_hours_from_friday_at_five_are_over_on_monday_at_ten(office):
    await office.handler().handle([office.routed()])
    assert await due(office) == [MONDAY + HOUR]
    office.clock.advance(milliseconds=MONDAY + HOUR - 1 - FRIDAY)
    assert await office.firing().fire_due() == []
    office.clock.advance(milliseconds=1)
    assert [event.at for event in await office.firing().fire_due()] == [MONDAY + HOUR]


async def test_reminders_come_at_shares_of_the_holders_time_and_once(office):
    await office.apply(sla(remind=(50, 75)))
    await office.handler().handle([office.routed()])
    for at, told in ((MONDAY - 1, 1), (MONDAY + HOUR // 2 - 1, 1), (MONDAY + HOUR // 2, 2), (MONDAY + HOUR - 1, 2)):
        office.clock.advance(milliseconds=at - office.clock.now())
        await office.firing().fire_due()
        await office.firing().fire_due()
        reminders = [e for e in await office.events() if e["kind"] == "clock-reminder" and e["clock"] == "accept"]
        assert [event["share"] for event in reminders] == [50, 75][:told]
    assert [event["at"] for event in reminders] == [FRIDAY + HOUR, MONDAY + HOUR // 2]
    assert await office.clocks() == [(1, "accept", "running"), (1, "first_touch", "running")]


async def test_who_says_that_they_are_away_has_the_time_after_it_and_nothing_fires_meanwhile(office):
    await office.handler().handle([office.routed()])
    await say_away(office, "sato", FRIDAY + HOUR // 2, MONDAY + 9 * HOUR)
    office.clock.advance(milliseconds=MONDAY + HOUR - FRIDAY)
    assert await office.firing().fire_due() == [], "who fires looks first, even where the sweep has not been"
    tuesday = MONDAY + 24 * HOUR
    assert await due(office) == [tuesday + HOUR + HOUR // 2]
    assert await sweep(office) == 0, "who fires has moved all clocks of the offer"


async def test_a_sweep_moves_what_a_policy_changed_and_touches_no_other_row(office, owner):
    await office.handler().handle([office.routed("lead-1"), office.routed("lead-2", rep="tanaka")])
    versions = "SELECT c.xmin::text FROM handoff.clocks c WHERE tenant = $1 AND rep_id = $2 ORDER BY kind"
    before = {rep: await owner.fetch(versions, office.tenant, rep) for rep in ("sato", "tanaka")}
    assert await sweep(office) == 0
    await office.apply(teams(on_call=({"start": "2026-05-23T10:00", "end": "2026-05-23T14:00"},)))
    assert await sweep(office) == 2
    after = {rep: await owner.fetch(versions, office.tenant, rep) for rep in ("sato", "tanaka")}
    assert after["tanaka"] == before["tanaka"]
    assert sorted(await due(office)) == [FRIDAY + 18 * HOUR, MONDAY + HOUR]  # Saturday at eleven
    assert await sweep(office) == 0, "once is enough"


async def test_a_shorter_promise_counts_from_now_and_is_never_due_before_it_was_made(office):
    await office.handler().handle([office.routed()])
    office.clock.advance(milliseconds=HOUR // 2)
    await office.apply(sla(accept=600))
    assert await sweep(office) == 2
    assert await due(office) == [FRIDAY + HOUR // 2]


async def test_a_sweep_that_dies_anywhere_goes_on_where_it_was(make_world, office, crashing, crash):
    await office.handler().handle([office.routed(f"lead-{n}") for n in range(6)])
    await office.apply(sla(accept=3600))
    died, moved = 0, 0
    for at in range(1, 100):
        pool = crashing(office.workers, at, before=bool(at % 2))
        try:
            await sweep(office, pool, most=2)
            break
        except crash:
            died += 1
    await sweep(office, most=2)
    moved = await due(office)
    assert died > 3
    assert moved == [FRIDAY + HOUR] * 6
    assert await sweep(office) == 0


async def test_two_sweeps_at_once_and_a_firing_lose_and_double_nothing(office):
    await office.handler().handle([office.routed(f"lead-{n:02}") for n in range(40)])
    office.clock.advance(milliseconds=HOUR // 2)
    await office.apply(sla(accept=600))

    async def fire():
        fired = []
        while batch := await office.firing(most=7).fire_due():
            fired += batch
        return fired

    await asyncio.gather(sweep(office, most=5), sweep(office, most=5), fire())
    await sweep(office)
    await fire()
    breaches = [event for event in await office.events() if event["kind"] == "clock-breached"]
    assert len(breaches) == len({event["event_id"] for event in breaches}) == 40
    assert {event["at"] for event in breaches} == {FRIDAY + HOUR // 2}


async def test_at_most_so_long_however_little_the_holder_is_at_work(office):
    await office.apply(sla(at_most=86_400))
    await office.handler().handle([office.routed()])
    assert await due(office) == [FRIDAY + 24 * HOUR]


async def test_the_lead_of_who_is_away_for_ever_does_not_wait_for_ever(office):
    await say_away(office, "sato", FRIDAY - HOUR, None)
    await office.handler().handle([office.routed()])
    assert await due(office) == [FRIDAY + 2 * HOUR]


async def test_a_breach_that_is_told_to_the_manager_leaves_the_lead_and_goes_on_being_tracked(office):
    await office.apply(sla(untouched="tell_manager", qualify=3600))
    await office.handler().handle([office.routed(leg="is")])
    one = office.opportunity_id()
    await office.desk().accept(office.tenant, one, "sato")
    assert await due(office, "qualify") == [FRIDAY + HOUR]
    office.clock.advance(milliseconds=MONDAY + 4 * HOUR - FRIDAY)
    fired = await office.firing().fire_due()
    assert [(event.clock, event.effect) for event in fired] == [
        ("qualify", "tell_manager"),
        ("first_touch", "tell_manager"),
    ]
    assert await office.firing().fire_due() == []
    assert await office.offers() == [(1, "sato", "accepted")]
    touch = Activity("a-1", "call_connected", office.clock.now(), "sato", is_first_touch=True)
    await office.desk().log_touch(office.tenant, one, touch, None, "sato")
    done = {row["kind"]: row["done_at"] for row in await office.rows("clocks", "kind")}
    assert done == {"accept": None, "first_touch": office.clock.now(), "qualify": None}
    assert [event["kind"] for event in await office.events()][-1] == "clock-met-late"


async def test_a_trade_fairs_cards_are_due_together_when_the_holder_goes_home(office):
    await office.apply(sla(accept=32_400, first_touch=32_400, due_date=True))
    for n in range(3):
        await office.handler().handle([office.routed(f"lead-{n}")])
        office.clock.advance(seconds=1200)
    assert await due(office) == [MONDAY + 9 * HOUR] * 3


async def test_after_a_breach_the_steps_of_policy_follow_in_the_holders_time_each_once(office):
    """Of a lead that nobody touches: due at noon on Monday, after an hour of Friday; told on two hours of work later."""
    steps = ({"at": 150, "do": "tell_their_manager"}, {"at": 225, "do": "take_back"})
    await office.apply(sla(untouched="tell_manager", escalate=steps))
    await office.handler().handle([office.routed(mode="assign")])
    acts = [("clock-breached", 3), ("clock-escalated", 5), ("offer-expired", 8)]  # hours after nine on Monday
    for told, (_, hours) in enumerate(acts):
        for moment, expected in ((MONDAY + hours * HOUR - 1, told), (MONDAY + hours * HOUR, told + 1)):
            office.clock.advance(milliseconds=moment - office.clock.now())
            await asyncio.gather(office.firing().fire_due(), office.firing().fire_due())
            events = [e for e in await office.events() if e["kind"] in dict(acts)]
            assert [(e["kind"], (e["at"] - MONDAY) / HOUR) for e in events] == acts[:expected]
    assert [event["effect"] for event in events] == ["tell_manager", "tell_their_manager", "reroute"]
    assert await office.clocks() == [(1, "first_touch", "breached")]
    assert await office.offers() == [(1, "sato", "expired")]
