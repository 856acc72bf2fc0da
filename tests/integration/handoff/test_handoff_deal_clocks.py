"""Clocks of deals on a real Postgres: begun with the deal, moved by what reps write, told once, and over with it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from shared.schemas.policies import SlaPolicy, TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.sla import DealClocks, LeadClass, PauseReason
from shared.schemas.policies.teams import Member, Pool, Rep
from tests.hinode_deals import PIPELINE

pytestmark = pytest.mark.servers

LONG = 90 * 86_400
DAY = 86_400_000
SLA = SlaPolicy(
    default=LeadClass(id="score", accept=LONG, first_touch=LONG),
    deals=DealClocks(manager_after=2),
    pauses=(PauseReason(code="waiting", most=14 * 86_400, times=3),),
)
TEAMS = TeamsPolicy(
    reps=(Rep(id="sato", name="佐藤", calendar="office"),),
    pools=(Pool(id="tokyo", members=(Member(rep="sato"),)),),
    calendars=(Calendar(id="office", blocks=(Block(open="09:00", close="18:00"),)),),
)


def tokyo(day, hour):
    return round(datetime(2026, 5, day, hour, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)


@pytest.fixture
async def crm(world, calling, publish):
    """A system's client; 佐藤 has accepted a lead on Friday the 22nd of May 2026 at ten."""
    for sequence, policy in enumerate((PIPELINE, SLA, TEAMS), start=70):
        await world.policies.apply(publish(world.tenant, sequence, policy))
    at(world, 22, 10)
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), None)
    return await calling("crm", "api")


def at(world, day, hour, milliseconds=0):
    world.clock.advance(milliseconds=tokyo(day, hour) + milliseconds - world.clock.now())


async def write(crm, world, **said):
    path = f"/v1/opportunities/{world.opportunity_id()}/deal"
    answer = await crm.patch(path, json=said, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text


async def told(world):
    """Of clocks of the deal: what, and when."""
    return [
        (event["kind"], event["clock"], event.get("effect"), event["at"])
        for event in await world.events()
        if event.get("clock") in ("next_step", "stage_rot")
    ]


async def fire(world):
    await asyncio.gather(world.firing().fire_due(), world.firing().fire_due())


async def test_a_next_step_that_was_not_taken_is_told_to_its_rep_and_later_to_the_manager_once(world, crm):
    await write(crm, world, next_step="見積をお送りする", next_step_on="2026-05-22")
    at(world, 22, 18, -1)
    await fire(world)
    assert await told(world) == []
    late = ("clock-breached", "next_step", "tell_holder", tokyo(22, 18))
    at(world, 22, 18)
    await fire(world)
    assert await told(world) == [late]
    at(world, 26, 18)
    await fire(world)
    await fire(world)
    assert await told(world) == [late, ("clock-escalated", "next_step", "tell_manager", tokyo(26, 18))]
    assert await world.offers() == [(1, "sato", "accepted")]


async def test_a_step_that_gets_another_day_in_time_is_late_only_then_and_a_taken_one_never(world, crm):
    await write(crm, world, next_step="電話", next_step_on="2026-05-22")
    await write(crm, world, next_step="訪問", next_step_on="2026-05-25")
    at(world, 25, 9)
    await fire(world)
    assert await told(world) == []
    at(world, 25, 18)
    await fire(world)
    await write(crm, world, next_step="提案", next_step_on="2026-05-29")
    assert [kind for kind, *_ in await told(world)] == ["clock-breached", "clock-met-late"]
    await write(crm, world, next_step=None, next_step_on=None)
    at(world, 29, 20)
    await fire(world)
    assert len([one for one in await told(world) if one[1] == "next_step"]) == 2


async def test_a_deal_to_which_nobody_ever_writes_rots_too(world, crm):
    at(world, 29, 18, -1)
    await fire(world)
    assert await told(world) == []
    at(world, 29, 18)
    await fire(world)
    assert await told(world) == [("clock-breached", "stage_rot", "tell_holder", tokyo(29, 18))]


@pytest.mark.parametrize("change", ["no rot any more", "no stage any more", "rot all the same"])
async def test_a_stage_that_no_longer_rots_is_not_late(world, crm, publish, change):
    first, *others = PIPELINE.types[0].stages
    left = {
        "no rot any more": (first.model_copy(update={"rot": None}), *others),
        "no stage any more": (first.model_copy(update={"id": "received"}), *others),
        "rot all the same": (first, *others),
    }[change]
    new = PIPELINE.types[0].model_copy(update={"stages": left})
    await world.policies.apply(publish(world.tenant, 80, PIPELINE.model_copy(update={"types": (new,)})))
    at(world, 29, 18)
    await fire(world)
    assert [kind for kind, *_ in await told(world)] == (["clock-breached"] if "same" in change else [])


async def test_a_deal_in_which_nothing_changes_rots_and_one_that_is_lost_does_not(world, crm):
    """Hinode lets a deal stand in its first stage for five working days."""
    await write(crm, world, problem="在庫の棚卸")
    at(world, 29, 18, -1)
    await fire(world)
    assert await told(world) == []
    at(world, 29, 18)
    await fire(world)
    assert await told(world) == [("clock-breached", "stage_rot", "tell_holder", tokyo(29, 18))]
    path = f"/v1/opportunities/{world.opportunity_id()}/deal"
    answer = await crm.post(f"{path}/lose", json={"reason": "no_response"})
    assert answer.status_code == 200, answer.text
    world.clock.advance(days=60)
    await fire(world)
    assert [kind for kind, *_ in await told(world)] == ["clock-breached", "clock-met-late"]


async def test_while_the_rep_waits_for_the_customer_neither_the_next_step_nor_the_stage_is_late(world, crm):
    one = f"/v1/opportunities/{world.opportunity_id()}"

    async def say(what, **body):
        answer = await crm.post(f"{one}/{what}", json=body)
        assert answer.status_code == 200, answer.text

    await write(crm, world, next_step="ご検討結果の確認", next_step_on="2026-05-25")
    at(world, 25, 10)
    await say("pause", reason="waiting", until="2026-05-29T12:00:00+09:00")
    at(world, 26, 10)
    await write(crm, world, problem="在庫の棚卸")
    at(world, 28, 10)
    await fire(world)
    assert await told(world) == []
    await say("resume")
    await say("resume")
    at(world, 28, 18)
    await fire(world)
    late = ("clock-breached", "next_step", "tell_holder", tokyo(28, 18))
    assert await told(world) == [late]
    at(world, 28, 19)
    await say("pause", reason="waiting", until="2026-05-29T20:00:00+09:00")
    world.clock.advance(days=60)
    await fire(world)
    june = tokyo(31, 18)  # the last of May
    assert sorted(await told(world), key=lambda one: one[3]) == [
        late,
        ("clock-escalated", "next_step", "tell_manager", june + 2 * DAY),  # Friday did not count
        ("clock-breached", "stage_rot", "tell_holder", june + 4 * DAY),  # nor for rot: it was Thursday, 1, 2, 3, 4 June
        ("clock-escalated", "stage_rot", "tell_manager", june + 8 * DAY),
    ]


async def test_the_timeline_keeps_what_was_late_however_often_the_clock_begins_anew(world, crm, owner):
    async def late():
        answer = await crm.get(f"/v1/opportunities/{world.opportunity_id()}/timeline", params={"kind": "clock"})
        rows = [one for one in answer.json()["items"] if one["facts"]["clock"] == "next_step"]
        told = ("clock-breached", "clock-met-late")
        return [(one["what"], one["at"][:16]) for one in reversed(rows) if one["what"] in told]

    await write(crm, world, next_step="電話", next_step_on="2026-05-22")
    at(world, 22, 18)
    await fire(world)
    first = [("clock-breached", "2026-05-22T09:00")]
    assert await late() == first
    at(world, 25, 10)
    await write(crm, world, next_step="訪問", next_step_on="2026-05-25")
    first += [("clock-met-late", "2026-05-25T01:00")]
    assert await late() == first
    at(world, 25, 18)
    await fire(world)
    at(world, 26, 10)
    await write(crm, world, next_step=None, next_step_on=None)
    both = [*first, ("clock-breached", "2026-05-25T09:00"), ("clock-met-late", "2026-05-26T01:00")]
    assert await late() == both
    # What was late before steps were kept of it is told by the clock itself.
    await owner.execute("DELETE FROM handoff.clock_steps WHERE tenant = $1", world.tenant)
    assert await late() == both[2:]
