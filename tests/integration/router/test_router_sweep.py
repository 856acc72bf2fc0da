"""What waits is freed by what it waits for, the best first, and by nobody twice."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from services.router import sweep as sweep_module
from services.router.domain import flow
from services.router.handler import Router
from services.router.store.leads import RETRY_AFTER, RETRY_WITHIN
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers


async def test_a_lead_without_policies_is_parked_and_freed_when_they_come(bare_world, policy_bodies):
    world = bare_world
    await world.router().handle([world.score("l1")])
    assert (await world.lead("l1"))["waiting_reason"] == "parked:no_policy"
    await world.apply(*list(policy_bodies.values())[:3])
    assert await world.sweep().sweep() == 0
    await world.apply(policy_bodies["sla"])
    assert world.policies.changed.is_set(), "and at once, not at the next sweep"
    assert await world.sweep().sweep() == 1
    [routed] = await world.routed()
    assert (routed.lead_id, routed.assignment) == ("l1", 1)


async def test_freed_capacity_goes_to_the_best_grade_and_then_to_the_longest_wait(world, team):
    await world.apply(team(field=("sato",), capacity=2))
    router = world.router()
    for lead_id, grade in (("a", "A1"), ("b", "A1"), ("c", "B1"), ("d", "A2"), ("e", "A2")):
        world.clock.advance(seconds=1)
        await router.handle([world.score(lead_id, grade)])
    first = {routed.lead_id: routed for routed in await world.routed()}
    assert set(first) == {"a", "b"}
    waiting = await world.lead("d")
    assert (waiting["waiting_reason"], waiting["waiting_for"]) == ("parked:at_capacity", ["sato"])
    assert await world.sweep().sweep() == 0
    await router.handle([world.event(first["a"], "offer-declined", reason="junk", effect="disqualify")])
    assert await world.sweep().sweep() == 1
    assert [routed.lead_id for routed in await world.routed()] == ["d"]
    await router.handle([world.event(first["b"], "offer-declined", reason="not_now", effect="recycle")])
    await world.sweep().sweep()
    assert [routed.lead_id for routed in await world.routed()] == ["e"]


async def test_leads_below_an_older_gate_are_looked_at_again_under_a_new_one(world, policy_bodies):
    await world.router().handle([world.score(f"l{n}", "B3") for n in range(7)])
    assert await world.routed() == []
    qualification = policy_bodies["qualification"]
    await world.apply(qualification | {"gate": qualification["gate"] | {"mql": ["A1", "A2", "B1", "B3"]}})
    assert await world.sweep(most=3).sweep() == 7
    assert len(await world.routed()) == 7


async def test_a_lead_decided_on_while_the_gate_changed_is_looked_at_again_after_a_while(world, policy_bodies):
    older, sweep = world.policies.following(world.tenant), world.sweep()
    qualification = policy_bodies["qualification"]
    await world.apply(qualification | {"gate": qualification["gate"] | {"mql": ["A1", "A2", "B1", "B3"]}})
    assert await sweep.sweep() == 0
    # A batch that had begun under the older gate ends now, behind the sweep's back.
    await Router(world.pool, lambda _: older, world.clock).handle([world.score("l1", "B3")])
    assert (await world.lead("l1"))["waiting_reason"] == "below_gate"
    world.clock.advance(milliseconds=RETRY_AFTER + 1)
    assert await sweep.sweep() == 1


async def test_a_trigger_that_was_missed_is_found_after_a_while(world, team):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score("l1")])
    await world.apply(team(field=("sato",), capacity=1))
    async with tenant_transaction(world.pool, world.tenant) as connection:
        # As if the policy had been noted without the lead being tried.
        await connection.execute("UPDATE router.leads SET decided_under = 999, waiting_for = '[]'")
    sweep = world.sweep()
    assert await sweep.sweep() == 0
    world.clock.advance(milliseconds=RETRY_AFTER + 1)
    assert await sweep.sweep() == 1


async def test_what_waits_long_is_tried_again_less_often_and_every_lead_once_a_sweep(world, team):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score(f"l{n}", ("A1", "A2", "B1")[n % 3]) for n in range(7)])

    async def tried():
        await world.sweep(most=2).sweep()
        rows = [await world.lead(f"l{n}") for n in range(7)]
        assert len({row["tried_at"] for row in rows}) == 1, "all of them, or none"
        return rows[0]["tried_at"] == world.clock.now()

    world.clock.advance(milliseconds=RETRY_AFTER + 1)
    assert await tried()
    world.clock.advance(milliseconds=RETRY_AFTER + 2)
    assert await tried()
    world.clock.advance(milliseconds=RETRY_AFTER + 2)
    assert not await tried(), "it had waited twice as long by then"
    world.clock.advance(milliseconds=RETRY_AFTER + 2)
    assert await tried()
    world.clock.advance(days=7)
    assert await tried()
    world.clock.advance(milliseconds=RETRY_WITHIN + 1)
    assert await tried(), "and never less often than that"


async def test_a_lead_that_stays_parked_keeps_its_time_and_gets_no_second_decision(world, team):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score("l1")])
    before = await world.lead("l1")
    world.clock.advance(milliseconds=RETRY_AFTER + 1)
    await world.apply(team(field=("sato",), capacity=0))
    assert await world.sweep().sweep() == 0
    after = await world.lead("l1")
    assert after["waiting_since"] == before["waiting_since"]
    assert after["tried_at"] > before["tried_at"]
    assert await world.count("decisions") == 1


async def test_sweeps_and_handlers_at_once_give_no_lead_twice(world, team):
    await world.apply(team(field=("sato", "tanaka"), capacity=0))
    scores = [world.score(f"l{n:02}") for n in range(40)]
    await world.router().handle(scores)
    await world.apply(team(field=("sato", "tanaka"), capacity=30))
    newer = [world.score(f"l{n:02}", "A2") for n in range(40)]
    found = await asyncio.gather(
        world.sweep(most=7).sweep(),
        world.sweep(most=5).sweep(),
        *(world.router().handle(newer[start : start + 4]) for start in range(0, 40, 4)),
    )
    await world.sweep().sweep()
    routed = await world.routed()
    assert sorted(record.lead_id for record in routed) == [f"l{n:02}" for n in range(40)]
    by_rep = [record.rep_id for record in routed]
    assert by_rep.count("sato") == by_rep.count("tanaka") == 20
    assert sum(found[:2]) <= 40


async def test_capacity_is_never_exceeded_by_processes_that_work_at_once(world, team):
    await world.apply(team(field=("sato", "tanaka"), capacity=5))
    scores = [world.score(f"l{n:02}") for n in range(30)]
    await asyncio.gather(*(world.router().handle(scores[start : start + 3]) for start in range(0, 30, 3)))
    by_rep = [record.rep_id for record in await world.routed()]
    assert (by_rep.count("sato"), by_rep.count("tanaka")) == (5, 5)


async def test_a_lead_that_cannot_be_decided_on_keeps_no_other_waiting(world, team, monkeypatch):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score(f"l{n}") for n in range(5)])
    real = flow.decide

    def decide(inputs, playbook):
        if inputs.lead_id == "l2":
            raise ValueError("a fault in one lead")
        return real(inputs, playbook)

    await world.apply(team(field=("sato",), capacity=10))
    with monkeypatch.context() as patch:
        patch.setattr(flow, "decide", decide)
        assert await world.sweep(most=2).sweep() == 4
    assert (await world.lead("l2"))["waiting_reason"] == "parked:at_capacity"
    world.clock.advance(milliseconds=RETRY_AFTER + 1)
    assert await world.sweep().sweep() == 1, "and it is tried again later"


async def test_lead_by_lead_no_lock_is_kept_from_one_to_the_next(world, team, monkeypatch):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score(f"l{n}") for n in range(3)])
    await world.apply(team(field=("sato",), capacity=10))
    real, alone = sweep_module.decide_and_apply, []

    async def decide_and_apply(connection, tenant, tasks, *arguments):
        leads = [task.lead.lead_id for task in tasks]
        if "l2" in leads:
            raise ValueError("a fault in one lead")
        async with tenant_transaction(world.pool, tenant) as other:
            await other.fetch("SELECT FROM router.pools WHERE tenant = $1 FOR UPDATE NOWAIT", tenant)
        alone.extend(leads)
        return await real(connection, tenant, tasks, *arguments)

    monkeypatch.setattr(sweep_module, "decide_and_apply", decide_and_apply)
    assert await world.sweep().sweep() == 2
    assert alone == ["l0", "l1"]


async def test_what_waits_is_measured(world, team):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score("l1")])
    await world.sweep().sweep()
    assert REGISTRY.get_sample_value("baton_router_parked_leads", {"reason": "at_capacity"}) >= 1


async def test_where_very_many_wait_a_sweep_tries_a_slice_and_the_next_one_goes_on(world, team, monkeypatch):
    monkeypatch.setattr(sweep_module, "SLICE", 4)
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score(f"l{n}") for n in range(7)])
    await world.apply(team(field=("sato",), capacity=10))
    world.policies.changed.clear()
    sweep = world.sweep(most=2)
    assert await sweep.sweep() == 4
    assert world.policies.changed.is_set(), "it goes on at once"
    assert await sweep.sweep() == 3
    await world.apply(team(field=("sato",), capacity=7))
    await world.router().handle([world.score(f"m{n}") for n in range(7)])
    await world.apply(team(field=("sato",), capacity=6))
    world.policies.changed.clear()
    tried = []
    for _ in range(2):
        world.clock.advance(milliseconds=1)
        assert await sweep.sweep() == 0
        tried.append(sum([(await world.lead(f"m{n}"))["tried_at"] == world.clock.now() for n in range(7)]))
    assert tried == [4, 3], "none of them before all have had their turn"
    assert not world.policies.changed.is_set(), "nobody was free: there is time"
