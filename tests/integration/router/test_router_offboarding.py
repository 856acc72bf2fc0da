"""A rep leaves: every open lead goes to somebody else by the full rules, once, whatever crashes meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from baton.offboarding_words import preview
from services.router import metrics, offboarding_api
from services.router import offboarding as module
from services.router.fairness_api import fairness_routes
from services.router.offboarding import Offboarding
from services.router.offboarding_api import offboarding_routes
from services.router.store import departures, trail
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers


@pytest.fixture
def offboarding(world):
    """offboarding(most): what moves leads, in slices of so many."""
    return lambda most=100: Offboarding(world.pool, world.workers, world.policies.following, world.clock, most=most)


@pytest.fixture
async def desk(world, offboarding, database_url):
    """desk(method, rep, status, role, **body): what the API answers."""
    app, tokens, follow = FastAPI(), Tokens(world.pool), world.policies.following
    problems.install(app)
    app.include_router(offboarding_routes(world.pool, tokens, follow, offboarding(), world.clock, lambda: None))
    app.include_router(fairness_routes(world.pool, tokens, follow, world.clock))
    connection = await asyncpg.connect(database_url)
    known = {role: f"token-{uuid4().hex}" for role in ("manager", "rep")}
    for role, token in known.items():
        await connection.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'desk', $3)",
            world.tenant,
            token_hash(token),
            [role],
        )
    await connection.close()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://router") as client:

        async def call(method, rep, status=200, role="manager", **body):
            headers = {"authorization": f"Bearer {known[role]}"}
            path = rep if rep.startswith("/") else f"/v1/reps/{rep}/offboard"
            answer = await client.request(method, path, headers=headers, json=body if method == "POST" else None)
            assert answer.status_code == status, answer.text
            return answer.json()

        yield call


async def owned(world):
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch(
            "SELECT owner_rep, count(*) AS n FROM router.leads WHERE tenant = $1 GROUP BY 1", world.tenant
        )
    return {row["owner_rep"]: row["n"] for row in rows}


async def balances(world):
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch(
            "SELECT rep_id, due FROM router.pool_members WHERE tenant = $1 AND pool_id = 'field'", world.tenant
        )
    return {row["rep_id"]: row["due"] for row in rows}


async def given(world, leads):
    """So many leads in turn to Sato, Tanaka and Mori; every other one accepted."""
    await world.router().handle([world.score(f"l{number:02}") for number in range(leads)])
    routed = await world.routed()
    await world.router().handle([world.event(one, "offer-opened") for one in routed])
    await world.router().handle([world.event(one, "offer-accepted") for one in routed[::2]])
    return routed


async def test_a_dry_run_says_what_would_become_of_each_lead_and_changes_nothing(world, desk):
    await given(world, 9)
    before, due = await owned(world), await balances(world)
    told = await desk("POST", "sato", dry_run=True, reason="moves to marketing")
    assert (told["open"], told["moved"], told["left"], told["preview"]["staying"]) == (3, 0, False, 0)
    assert sum(told["preview"]["to"].values()) == len(told["preview"]["moves"]) == 3
    assert {one["rep_id"] for one in told["preview"]["moves"]} == {"tanaka", "mori"}
    assert "eligible" in told["preview"]["moves"][0]["why"]["en"]
    assert (await owned(world), await balances(world), await world.published()) == (before, due, [])
    assert not (await desk("GET", "sato"))["left"]


async def test_a_dry_run_of_very_many_leads_looks_at_the_first_in_one_go_and_says_so(world, desk, monkeypatch):
    await given(world, 15)
    monkeypatch.setattr(offboarding_api, "SHOWN", 2)
    real, decided = module.decide_and_apply, []

    async def counted(connection, tenant, tasks, *arguments):
        decided.append(len(tasks))
        return await real(connection, tenant, tasks, *arguments)

    monkeypatch.setattr(module, "decide_and_apply", counted)
    told = await desk("POST", "sato", dry_run=True)
    assert decided == [2], "a second slice would lock accounts after pools"
    assert (told["open"], told["preview"]["looked_at"], sum(told["preview"]["to"].values())) == (5, 2, 2)
    assert "of the first 2:" in preview(told, "en")


async def test_all_open_leads_of_who_left_go_to_others_and_handoff_is_told_whom_they_relieve(world, offboarding, desk):
    routed = await given(world, 9)
    mine = {one.lead_id: one.assignment for one in routed if one.rep_id == "sato"}
    foretold = {one["lead_id"]: one["rep_id"] for one in (await desk("POST", "sato", dry_run=True))["preview"]["moves"]}
    assert (await desk("POST", "sato", reason="moves to marketing"))["open"] == 3
    assert await offboarding().sweep() == 3
    moves = await world.routed()
    assert {one.lead_id: one.rep_id for one in moves} == foretold
    assert {one.lead_id: (one.replaces, one.relieves) for one in moves} == {
        lead_id: (assignment, "sato") for lead_id, assignment in mine.items()
    }
    assert " gets this lead: Sato has left, and the lead moves on; " in moves[0].reasons[0].text["en"]
    assert moves[0].reasons[1].text == {
        "en": "Sato has left, and the lead moves on",
        "ja": "Sato の退職・異動により引き継ぎ",
    }
    done = await desk("GET", "sato")
    assert (done["open"], done["moved"], done["finished"], done["reason"]) == (0, 3, True, "moves to marketing")
    assert await offboarding().sweep() == 0
    assert (await desk("POST", "sato"))["at"] == done["at"], "said again, it changes nothing"
    assert await world.published() == []


async def test_who_left_gets_nothing_more_and_what_they_were_owed_goes_to_the_others(world, offboarding, desk, team):
    await given(world, 4)  # Sato had two
    await desk("POST", "sato")
    await offboarding().sweep()
    due = await balances(world)
    assert set(due) == {"tanaka", "mori"}
    assert sum(map(float, due.values())) == pytest.approx(0)
    await world.apply(team())  # which still names Sato
    await world.router().handle([world.score(f"m{number}") for number in range(6)])
    assert {one.rep_id for one in await world.routed()} == {"tanaka", "mori"}
    report = await desk("GET", "/v1/pools/field/fairness")
    sato = next(one for one in report["next"]["members"] if one["rep_id"] == "sato")
    assert sato["why_not"]["code"] == "left"


async def test_a_decision_keeps_who_left_only_while_the_policies_name_them(world, desk, team):
    await desk("POST", "sato")
    kept = {}
    for lead_id, field in (("l1", ("sato", "tanaka")), ("l2", ("tanaka",))):
        await world.apply(team(field=field))
        await world.router().handle([world.score(lead_id)])
        async with tenant_transaction(world.pool, world.tenant) as connection:
            kept[lead_id] = trail.decision_of((await trail.read(connection, world.tenant, lead_id))[0]).inputs.left
    assert kept == {"l1": ("sato",), "l2": ()}


async def test_who_comes_back_waits_for_the_pools_in_the_order_of_whoever_decides(world, desk):
    """Whoever decides locks `field`, then `inside`: who holds `inside` and wants `field` would deadlock with them."""
    await world.router().handle([world.score("f"), world.score("i", "A3")])
    await desk("POST", "sato")
    tenant, locked = world.tenant, "SELECT FROM router.pools WHERE tenant = $1 AND pool_id = $2 FOR UPDATE NOWAIT"

    async def come_back():
        async with tenant_transaction(world.pool, tenant) as connection:
            # Read as they lie in the table, where `inside` is now the first.
            await connection.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
            await departures.take_back(connection, tenant, "sato")

    async with tenant_transaction(world.pool, tenant) as connection:
        moved = "UPDATE router.pools SET joined = joined WHERE tenant = $1 AND pool_id = 'field'"
        await connection.execute(moved, tenant)
    async with tenant_transaction(world.pool, tenant) as connection:
        await connection.fetch(locked, tenant, "field")
        coming = asyncio.create_task(come_back())
        await asyncio.wait({coming}, timeout=0.5)  # it waits for `field`
        await connection.fetch(locked, tenant, "inside")
    await coming


async def test_a_crash_between_two_slices_leaves_the_rest_to_the_next_sweep(world, offboarding, desk, monkeypatch):
    await given(world, 15)
    await desk("POST", "sato")
    real, slices = module.decide_and_apply, []

    async def dies_at_the_second(*arguments):
        slices.append(1)
        if len(slices) == 2:
            raise ConnectionError("killed")
        return await real(*arguments)

    monkeypatch.setattr(module, "decide_and_apply", dies_at_the_second)
    with pytest.raises(ConnectionError):
        await offboarding(most=2).sweep()
    monkeypatch.undo()
    assert (await desk("GET", "sato"))["moved"] == 2
    assert await offboarding(most=2).sweep() == 3
    assert (await desk("GET", "sato"))["finished"]
    assert len({one.lead_id for one in await world.routed()}) == 5


async def test_two_sweeps_at_once_move_each_lead_once(world, offboarding, desk):
    await given(world, 30)
    await desk("POST", "sato")
    moved = await asyncio.gather(*(offboarding(most=2).sweep() for _ in range(4)))
    moved.append(await offboarding().sweep())
    assert sum(moved) == len(await world.routed()) == 10
    assert "sato" not in await owned(world)


async def test_what_nobody_can_take_stays_until_somebody_can(world, offboarding, desk, team):
    await given(world, 3)
    full = team(capacity=1)
    await world.apply(full)
    await desk("POST", "sato")
    told = await desk("POST", "sato", dry_run=True)
    assert [one["waiting"] for one in told["preview"]["stays"]] == ["parked:at_capacity"]
    moving = offboarding()
    assert await moving.sweep() == 0
    assert metrics.LEFT_BEHIND._value.get() == 1
    lead = next(row for row in [await world.lead(f"l0{n}") for n in range(3)] if row["owner_rep"] == "sato")
    assert (lead["waiting_reason"], lead["decisions"]) == (None, 1), "it is as it was"
    await world.apply(team())
    assert await moving.sweep() == 1, "new policies are tried at once"
    await moving.sweep()
    assert metrics.LEFT_BEHIND._value.get() == 0


async def test_a_large_book_is_moved_in_parts_and_the_next_sweep_goes_on_at_once(world, desk, monkeypatch):
    monkeypatch.setattr(module, "SLICE", 2)
    await given(world, 18)
    await desk("POST", "sato")
    world.policies.changed.clear()
    sweep = world.sweep()
    sweep._offboarding._most = 2
    left = []
    for _ in range(3):
        await sweep.sweep()
        left.append((await owned(world)).get("sato", 0))
    assert left == [4, 2, 0], "others wait no longer than for one part"
    assert world.policies.changed.is_set(), "it goes on at once"
    world.policies.changed.clear()
    await sweep.sweep()
    assert not world.policies.changed.is_set()


async def test_of_a_large_book_that_nobody_can_take_each_lead_is_tried_once_a_minute(
    world, offboarding, desk, monkeypatch, team
):
    monkeypatch.setattr(module, "SLICE", 2)
    await given(world, 15)
    await world.apply(team(capacity=1))
    await desk("POST", "sato")
    real, tried = module.decide_and_apply, []

    async def noted(connection, tenant, tasks, *arguments):
        tried.extend(task.lead.lead_id for task in tasks)
        return await real(connection, tenant, tasks, *arguments)

    monkeypatch.setattr(module, "decide_and_apply", noted)
    moving = offboarding(most=2)
    for _ in range(5):
        assert await moving.sweep() == 0
    assert len(tried) == len(set(tried)) == 5
    assert metrics.LEFT_BEHIND._value.get() == 5
    world.clock.advance(milliseconds=module.AGAIN)
    await moving.sweep()
    assert len(tried) == 7


async def test_a_lead_that_cannot_be_decided_on_keeps_no_other_of_who_left_and_is_tried_once_a_minute(
    world, offboarding, desk, monkeypatch
):
    await given(world, 9)
    await desk("POST", "sato")
    real, tried = module.decide_and_apply, []

    async def decide_and_apply(connection, tenant, tasks, *arguments):
        tried.append([task.lead.lead_id for task in tasks])
        async with tenant_transaction(world.pool, tenant) as other:
            await other.fetch("SELECT FROM router.pools WHERE tenant = $1 FOR UPDATE NOWAIT", tenant)
        done = await real(connection, tenant, tasks, *arguments)
        if "l03" in tried[-1]:
            raise ValueError("a fault in one lead")
        return done

    monkeypatch.setattr(module, "decide_and_apply", decide_and_apply)
    shown = await desk("POST", "sato", 409, dry_run=True)
    assert (shown["code"], tried.pop()) == ("undecidable", ["l00", "l03", "l06"])
    moving = offboarding()
    assert await moving.sweep() == 2
    assert tried == [["l00", "l03", "l06"], ["l00"], ["l03"], ["l06"]], (
        "each on its own, and without the locks of others"
    )
    assert metrics.LEFT_BEHIND._value.get() == 1
    assert await moving.sweep() == 0
    assert len(tried) == 4, "and not at every sweep"


async def test_who_left_with_nothing_but_merged_leads_costs_no_sweep_a_transaction(
    world, offboarding, desk, monkeypatch
):
    [first, *_] = await given(world, 3)
    await world.router().handle([world.score(first.lead_id, merged_into="l02")])
    await desk("POST", first.rep_id)
    assert (await owned(world)).get(first.rep_id) == 1, "in handoff it is theirs until it is withdrawn"
    looked, real = [], module.departures.read_open

    async def read_open(*arguments):
        looked.append(arguments)
        return await real(*arguments)

    monkeypatch.setattr(module.departures, "read_open", read_open)
    moving = offboarding()
    for _ in range(3):
        assert await moving.sweep() == 0
    assert len(looked) == 1


async def test_what_the_whole_pool_had_goes_to_the_manager(world, offboarding, desk, team):
    bodies = team(field=("sato", "tanaka"))
    bodies["reps"].append({"id": "chief", "name": "Chief"})
    bodies["pools"][0]["manager"] = "chief"
    await world.apply(bodies)
    await world.router().handle([world.score("l1")])
    [first] = await world.routed()
    await world.router().handle([world.event(first, "offer-declined", reason="at_capacity", effect="reroute")])
    [second] = await world.routed()
    await desk("POST", second.rep_id)
    await offboarding().sweep()
    [third] = await world.routed()
    assert (third.rep_id, third.pool_id, third.mode) == ("chief", "manager:field", "assign")
    assert third.reasons[-1].code == "manager"
    assert set(third.excluded) == {"sato", "tanaka"}


async def test_who_comes_back_is_in_the_pools_again_and_starts_at_nothing(world, offboarding, desk):
    await given(world, 6)
    await desk("POST", "sato")
    await offboarding().sweep()
    await world.routed()
    assert not (await desk("DELETE", "sato"))["left"]
    world.clock.advance(milliseconds=1)
    await world.router().handle([world.score(f"m{number}") for number in range(9)])
    assert "sato" in {one.rep_id for one in await world.routed()}
    assert set(await balances(world)) == {"sato", "tanaka", "mori"}


async def test_who_may_say_so_and_of_whom(world, desk):
    assert (await desk("POST", "sato", status=403, role="rep"))["code"] == "no_role"
    assert (await desk("POST", "nobody", status=404))["code"] == "rep_not_found"
    started = datetime.fromtimestamp(world.clock.now() / 1000, UTC)
    told = await desk("POST", "sato")
    assert (told["open"], told["finished"], told["said_by"]) == (0, True, "desk")
    assert datetime.fromisoformat(told["at"]) >= started.replace(microsecond=0)


async def test_a_manager_says_so_of_the_own_team_only_and_why_they_left_is_for_managers(world, desk, team):
    bodies = team()
    bodies["reps"] += [{"id": "desk", "name": "Desk"}, {"id": "other", "name": "Other"}]
    for rep in bodies["reps"][:4]:
        rep["manager"] = "other" if rep["id"] == "sato" else "desk"
    await world.apply(bodies)
    for asked in ({"dry_run": True}, {"reason": "moves to marketing"}):
        assert (await desk("POST", "sato", status=403, **asked))["code"] == "not_your_team"
    assert (await desk("DELETE", "sato", status=403))["code"] == "not_your_team"
    assert (await desk("GET", "sato"))["left"] is False
    said = await desk("POST", "mori", reason="moves to marketing")
    assert (said["reason"], said["said_by"]) == ("moves to marketing", "desk")
    assert (await desk("GET", "mori"))["reason"] == "moves to marketing"
    seen = await desk("GET", "mori", role="rep")
    assert (seen["left"], seen["reason"], seen["said_by"]) == (True, None, None)
