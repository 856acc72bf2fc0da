"""People who choose, over HTTP: a manager gives leads out, reps take them, and what the router would decide is asked."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.router.api import Leads, routes
from services.router.offboarding import Offboarding
from services.router.offboarding_api import offboarding_routes
from services.router.ordering import Orders
from services.router.orders_api import order_routes
from services.router.reps_api import rep_routes
from services.router.why_not_api import why_not_routes
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash
from shared.kit.idempotency import Once

pytestmark = pytest.mark.servers
HOUR = 3600


@pytest.fixture
async def calls(world, identity_secret, database_url):
    """calls(name, *roles): a client with a token of that name."""
    app = FastAPI()
    problems.install(app)
    follow, tokens = world.policies.following, Tokens(world.pool)
    once = Once(world.pool, "router", world.clock)
    app.include_router(order_routes(Orders(follow, world.clock), once, tokens, follow, world.policies.changed.set))
    moving = Offboarding(world.pool, world.workers, follow, world.clock)
    app.include_router(offboarding_routes(world.pool, tokens, follow, moving, world.clock, lambda: None))
    app.include_router(rep_routes(world.pool, tokens, follow, world.clock))
    app.include_router(why_not_routes(world.pool, tokens, follow, world.clock))
    app.include_router(routes(Leads(world.pool, follow, world.clock), tokens, identity_secret.encode()))
    owner, opened = await asyncpg.connect(database_url), []

    async def client(name, *roles):
        token = f"token-{uuid4().hex}"
        insert = "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)"
        await owner.execute(insert, world.tenant, token_hash(token), name, list(roles))
        made = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://router",
            headers={"authorization": f"Bearer {token}"},
        )
        opened.append(made)
        return made

    yield client
    for one in opened:
        await one.aclose()
    await owner.close()


def with_mode(team, mode, *, manager=None, **queue):
    body = team()
    body["pools"][0] |= {"mode": mode, "queue": {"within": HOUR} | queue} | ({"manager": manager} if manager else {})
    return body


async def demo(world, *leads, **more):
    """Leads that field sales would get."""
    await world.router().handle([world.score(lead, hand_raise="demo_requested", **more) for lead in leads])


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()


def code(answer):
    return answer.status_code, answer.json()["code"]


async def listed(client, path, **params):
    seen = []
    while True:
        page = ok(await client.get(path, params={"limit": 2} | params))
        seen += [lead["lead_id"] for lead in page["leads"]]
        if page["next"] is None:
            return seen
        params["after"] = page["next"]


async def test_a_manager_gives_out_what_waits_in_the_queue_and_handoff_is_told(world, team, calls):
    await world.apply(with_mode(team, "dispatch"))
    await demo(world, "l1", "l2", "l3")
    desk = await calls("kato", "manager")
    assert await listed(desk, "/v1/dispatch") == ["l1", "l2", "l3"]
    assert await world.published() == []
    waiting = ok(await desk.get("/v1/leads/l1"))["waiting"]
    assert (waiting["reason"], waiting["until"]) == ("parked:dispatch", "2023-11-14T23:13:20.000Z")
    given = ok(await desk.post("/v1/leads/l2/assign", json={"rep_id": "mori", "reason": "knows the firm"}))
    assert (given["rep_id"], given["pool"], given["provisional"], given["decision"]["way"]) == (
        "mori",
        "field",
        True,
        "dispatched",
    )
    assert given["decision"]["order"] == {"by": "kato", "reason": "knows the firm", "despite": []}
    [record] = await world.routed()
    assert (record.lead_id, record.rep_id, record.mode, record.pool_id) == ("l2", "mori", "assign", "field")
    assert await listed(desk, "/v1/dispatch", pool="field") == ["l1", "l3"]
    assert await listed(desk, "/v1/dispatch", pool="inside") == []
    decisions = ok(await desk.get("/v1/leads/l2/decisions"))["decisions"]
    assert [one["by"] for one in decisions] == ["person", "pool"]


async def test_a_queue_that_runs_over_is_emptied_by_the_fair_turn(world, team, calls):
    await world.apply(with_mode(team, "dispatch"))
    await demo(world, "l1")
    world.clock.advance(seconds=HOUR - 1)
    assert await world.sweep().sweep() == 0
    world.clock.advance(seconds=1)
    assert await world.sweep().sweep() == 1
    [record] = await world.routed()
    assert (record.rep_id, record.mode) == ("sato", "offer")
    assert [reason.code for reason in record.reasons][-2:] == ["dispatch_overdue", "fair_turn"]


async def test_what_ran_out_or_was_declined_goes_back_into_the_queue_and_not_to_who_had_it(world, team, calls):
    await world.apply(with_mode(team, "claim"))
    await demo(world, "l1")
    sato = await calls("sato", "rep")
    ok(await sato.post("/v1/leads/l1/claim"))
    [record] = await world.routed()
    await world.router().handle([world.event(record, "offer-opened"), world.event(record, "offer-expired")])
    assert await listed(sato, "/v1/claims") == ["l1"]
    refused = await sato.post("/v1/leads/l1/claim")
    assert code(refused) == (409, "not_eligible")
    assert refused.json()["excluded"] == ["earlier_holder"]
    tanaka = await calls("tanaka", "rep")
    assert ok(await tanaka.post("/v1/leads/l1/claim"))["assignment"] == 2


async def test_of_many_reps_who_take_the_same_leads_at_once_one_gets_each(world, team, calls):
    names = [f"rep-{n}" for n in range(6)]
    body = with_mode(team, "claim")
    body["reps"] += [{"id": name, "name": name, "capacity": 3} for name in names]
    body["pools"][0]["members"] = [{"rep": name} for name in names]
    await world.apply(body)
    leads = [f"l{n}" for n in range(12)]
    await demo(world, *leads)
    reps = {name: await calls(name, "rep") for name in names}
    answers = await asyncio.gather(
        *(client.post(f"/v1/leads/{lead}/claim") for lead in leads for client in reps.values())
    )
    taken = [answer.json()["lead_id"] for answer in answers if answer.status_code == 200]
    assert sorted(taken) == sorted(leads)
    codes = {code(answer) for answer in answers if answer.status_code != 200}
    assert codes <= {(409, "lead_taken"), (409, "not_eligible")}
    loads = [ok(await client.get("/v1/leads", params={"owner": name})) for name, client in reps.items()]
    assert max(len(page["leads"]) for page in loads) <= 3, "capacity holds for who takes leads, too"
    assert len(await world.routed()) == 12


async def test_a_lead_is_taken_from_one_rep_and_given_to_another(world, team, calls):
    await demo(world, "l1")
    desk = await calls("kato", "manager")
    ok(await desk.post("/v1/leads/l1/assign", json={"rep_id": "tanaka", "reason": "r", "mode": "offer"}))
    first, second = await world.routed()
    assert (first.rep_id, second.rep_id, second.replaces, second.mode) == ("sato", "tanaka", 1, "offer")
    back = await desk.post("/v1/leads/l1/assign", json={"rep_id": "sato", "reason": "r"})
    assert (code(back), back.json()["excluded"]) == ((409, "not_eligible"), ["earlier_holder"])
    meant = {"rep_id": "sato", "reason": "r", "despite": ["earlier_holder"]}
    given = ok(await desk.post("/v1/leads/l1/assign", json=meant))
    assert (given["assignment"], given["decision"]["way"], given["decision"]["order"]["despite"]) == (
        3,
        "manual",
        ["earlier_holder"],
    )
    pools = {one["pool_id"]: one for one in ok(await (await calls("x", "api")).get("/v1/pools"))["pools"]}
    assert {one["rep_id"]: one["received"] for one in pools["field"]["members"]}["tanaka"] == 0
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('baton.tenant', $1, true)", world.tenant)
        rows = await connection.fetch("SELECT way, ended FROM router.assignments ORDER BY assignment")
    assert [(row["way"], row["ended"]) for row in rows] == [
        ("fair", "reassigned"),
        ("manual", "reassigned"),
        ("manual", None),
    ]


async def test_many_leads_go_to_a_rep_at_once_after_a_preview_and_what_cannot_stays(world, team, calls):
    body = team()
    body["reps"] = [rep | ({"capacity": 2} if rep["id"] == "tanaka" else {}) for rep in body["reps"]]
    await world.apply(body)
    await demo(world, "l1", "l2", "l3", "l4")
    desk = await calls("kato", "manager")
    owners = {lead: ok(await desk.get(f"/v1/leads/{lead}"))["owner"] for lead in ("l1", "l2", "l3", "l4")}
    had = {lead: owner["rep_id"] for lead, owner in owners.items()}
    theirs = [lead for lead, rep in had.items() if rep == "tanaka"]
    others = [lead for lead, rep in had.items() if rep != "tanaka"]
    asked = {"leads": [*had, "no-such"], "rep_id": "tanaka", "reason": "r"}
    assert len(await world.routed()) == 4
    preview = ok(await desk.post("/v1/leads/assign", json=asked | {"dry_run": True}))
    assert await world.routed() == [], "a preview tells nobody"
    done = ok(await desk.post("/v1/leads/assign", json=asked))
    assert (preview["dry_run"], done["dry_run"]) == (True, False)
    assert [preview[name] for name in ("given", "refused")] == [done[name] for name in ("given", "refused")]
    room = 2 - len(theirs)
    assert [one["lead_id"] for one in done["given"]] == others[:room]
    assert {one["lead_id"]: (one["code"], one["excluded"]) for one in done["refused"]} == {
        **dict.fromkeys(theirs, ("already_theirs", [])),
        **dict.fromkeys(others[room:], ("not_eligible", ["at_capacity"])),
        "no-such": ("lead_not_found", []),
    }
    assert [record.rep_id for record in await world.routed()] == ["tanaka"] * room
    again = ok(await desk.post("/v1/leads/assign", json=asked))
    assert again["given"] == []


async def test_all_that_a_rep_has_goes_to_another_and_one_says_which(world, calls):
    await demo(world, "l1", "l2", "l3")
    desk = await calls("kato", "manager")
    assert code(await desk.post("/v1/leads/assign", json={"rep_id": "mori", "reason": "r"})) == (422, "which_leads")
    rep = await calls("sato", "rep")
    order = {"from_rep": "sato", "rep_id": "mori", "reason": "r"}
    assert code(await rep.post("/v1/leads/assign", json=order)) == (403, "no_role")
    held = [lead["lead_id"] for lead in ok(await desk.get("/v1/leads", params={"owner": "sato"}))["leads"]]
    assert held
    done = ok(await desk.post("/v1/leads/assign", json=order))
    assert [(one["lead_id"], one["from_rep"]) for one in done["given"]] == [(lead, "sato") for lead in held]
    assert (done["refused"], done["more"]) == ([], False)
    assert ok(await desk.get("/v1/leads", params={"owner": "sato"}))["leads"] == []


async def test_what_inside_sales_qualified_just_before_a_manager_gave_it_away_goes_to_field_sales(world, calls):
    await world.router().handle([world.score("l1", "A3")])
    [first] = await world.routed()
    await world.router().handle([world.event(first, "offer-accepted")])
    desk = await calls("kato", "manager")
    ok(await desk.post("/v1/leads/l1/assign", json={"rep_id": "sato", "reason": "r", "mode": "offer"}))
    await world.router().handle([world.event(first, "lead-qualified")])
    given, passed = (await world.routed())[-2:]
    assert (first.leg, given.leg, given.relieves) == ("is", "is", first.rep_id)
    assert (passed.leg, passed.relieves, passed.replaces) == ("fs", None, given.assignment)
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('baton.tenant', $1, true)", world.tenant)
        rows = await connection.fetch("SELECT ended FROM router.assignments ORDER BY assignment")
    assert [row["ended"] for row in rows] == ["passed_on", "withdrawn", None]


async def test_a_lead_that_was_put_on_hold_just_before_a_manager_gave_it_away_comes_again_on_its_day(world, calls):
    await demo(world, "l1")
    [first] = await world.routed()
    desk = await calls("kato", "manager")
    ok(await desk.post("/v1/leads/l1/assign", json={"rep_id": "tanaka", "reason": "r", "mode": "offer"}))
    second = (await world.routed())[-1]
    day = world.clock.now() + 30 * 86_400_000
    held = {"reason": "not_now", "effect": "on_hold", "until": day}
    refused = {"reason": "closed", "stage": "recycled"}
    await world.router().handle([world.event(first, "offer-declined", **held)])
    await world.router().handle([world.event(second, "routing-refused", **refused)])
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('baton.tenant', $1, true)", world.tenant)
        lead = await connection.fetchrow("SELECT owner_rep, waiting_reason, waiting_until FROM router.leads")
        rows = await connection.fetch("SELECT ended, reason FROM router.assignments ORDER BY assignment")
    assert tuple(lead) == (None, "on_hold", day)
    assert [row["ended"] for row in rows] == ["declined", "refused"]
    assert rows[0]["reason"] == "not_now"


async def test_the_same_order_sent_again_is_done_once(world, calls):
    await demo(world, "l1")
    desk = await calls("kato", "manager")
    order = {"json": {"rep_id": "tanaka", "reason": "r"}, "headers": {"idempotency-key": f'"{uuid4()}"'}}
    first, again = [await desk.post("/v1/leads/l1/assign", **order) for _ in range(2)]
    assert ok(first) == ok(again)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await world.routed()) == 2, "by the router, and by the manager, once"
    other = await desk.post("/v1/leads/l1/assign", **(order | {"json": {"rep_id": "mori", "reason": "r"}}))
    assert code(other) == (422, "idempotency_key_reused")


async def test_of_the_same_claim_sent_twice_at_once_one_is_done(world, team, calls):
    await world.apply(with_mode(team, "claim"))
    await demo(world, "l1")
    sato = await calls("sato", "rep")
    answers = await asyncio.gather(
        *(sato.post("/v1/leads/l1/claim", headers={"idempotency-key": "k"}) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {code(answer) for answer in answers if answer.status_code == 409} <= {(409, "request_in_progress")}
    bodies = [answer.json() for answer in answers if answer.status_code == 200]
    assert bodies
    assert all(body == bodies[0] for body in bodies)
    assert len(await world.routed()) == 1


async def test_orders_that_cannot_be_done_say_why(world, team, calls):
    await demo(world, "l1", "ours", "gone")
    await world.router().handle([world.score("ours", internal=True), world.score("gone", merged_into="l1")])
    desk = await calls("kato", "manager")

    async def assign(lead, **body):
        return code(await desk.post(f"/v1/leads/{lead}/assign", json={"rep_id": "mori", "reason": "r"} | body))

    assert await assign("nobody") == (404, "lead_not_found")
    assert await assign("l1", rep_id="nobody") == (422, "unknown_rep")
    assert await assign("l1", reason="") == (422, "invalid_request")
    assert await assign("l1", despite=["inactive"]) == (422, "invalid_request")
    assert await assign("l1", rep="mori") == (422, "invalid_request")
    assert await assign("ours") == (409, "never_routed")
    assert await assign("gone") == (409, "lead_merged")
    assert code(await desk.post("/v1/leads/l1/claim", json={"rep_id": "mori"})) == (409, "lead_taken")
    assert code(await desk.post("/v1/leads/l1/claim")) == (422, "no_rep")
    await world.apply(team(per_day=1))
    await demo(world, "l2", "l3")
    assert await assign("l2") == (409, "not_eligible")
    body = {"rep_id": "mori", "reason": "r", "despite": ["daily_cap"]}
    assert ok(await desk.post("/v1/leads/l2/assign", json=body))["rep_id"] == "mori"


async def test_roles_decide_what_is_seen_and_who_may_choose(world, team, calls):
    body = with_mode(team, "claim")
    for rep in body["reps"]:
        rep["manager"] = {"sato": "kato", "tanaka": "kato", "mori": "abe"}.get(rep["id"])
    body["reps"] += [{"id": "kato", "name": "Kato"}, {"id": "abe", "name": "Abe"}]
    body["pools"].append({"id": "other", "mode": "dispatch", "members": [{"rep": "mori"}]})
    await world.apply(body)
    await demo(world, "l1", "l2", "l3")
    await world.router().handle([world.score("low", "D4"), world.score("ito-has-it", "A3")])
    reps = {name: await calls(name, "rep") for name in ("sato", "mori", "ito")}
    ok(await reps["sato"].post("/v1/leads/l1/claim"))
    ok(await reps["mori"].post("/v1/leads/l2/claim"))
    assert await listed(reps["sato"], "/v1/leads") == ["l1", "l3"], "their own, and what they may take"
    assert await listed(reps["ito"], "/v1/leads") == ["ito-has-it"]
    assert code(await reps["sato"].get("/v1/leads/l2")) == (404, "lead_not_found")
    assert code(await reps["sato"].get("/v1/leads/l2/decisions")) == (404, "lead_not_found")
    assert code(await reps["sato"].get("/v1/leads/l2/why-not/sato")) == (404, "lead_not_found")
    assert code(await reps["sato"].get("/v1/leads/l2/replay")) == (404, "no_decision")
    assert ok(await reps["sato"].get("/v1/leads/l3/why-not/sato"))["why"]["code"] == "in_queue"
    assert code(await reps["sato"].post("/v1/leads/l2/claim")) == (409, "lead_taken")
    assert code(await reps["ito"].post("/v1/leads/l2/claim")) == (404, "lead_not_found")
    assert code(await reps["sato"].post("/v1/leads/l3/claim", json={"rep_id": "tanaka"})) == (403, "not_your_name")
    assert code(await reps["sato"].get("/v1/dispatch")) == (403, "no_role")
    assign = {"json": {"rep_id": "tanaka", "reason": "r"}}
    assert code(await reps["sato"].post("/v1/leads/l1/assign", **assign)) == (403, "no_role")
    kato, abe = await calls("kato", "manager"), await calls("abe", "manager")
    assert await listed(kato, "/v1/leads") == ["l1", "l3"]
    assert await listed(abe, "/v1/leads") == ["l2", "l3"]
    assert code(await abe.post("/v1/leads/l1/assign", json={"rep_id": "mori", "reason": "r"})) == (
        404,
        "lead_not_found",
    )
    assert code(await abe.post("/v1/leads/l2/assign", **assign)) == (403, "not_your_team")
    ok(await kato.post("/v1/leads/l1/assign", **assign))
    assert await listed(await calls("x", "api"), "/v1/leads") == ["ito-has-it", "l1", "l2", "l3", "low"]
    assert code(await (await calls("nobody")).get("/v1/leads")) == (403, "no_role")


async def test_leads_are_found_by_what_they_are_and_since_when(world, team, calls):
    await demo(world, "l1", "l2", account="corporate:1")
    await world.apply(team(capacity=1))
    await world.router().handle([world.score(f"m{n}") for n in range(3)])
    changed = "2023-11-14T22:13:30Z"
    world.clock.advance(seconds=10)
    await world.router().handle([world.score("low", "D4")])
    client = await calls("x", "api")
    assert await listed(client, "/v1/leads", owner="sato") == ["l1"]
    assert await listed(client, "/v1/leads", account="corporate:1") == ["l1", "l2"]
    assert await listed(client, "/v1/leads", stage="mql", parked=False) == ["l1", "l2", "m0"]
    assert await listed(client, "/v1/leads", pool="field", owner="mori", grade="A1") == ["m0"]
    assert await listed(client, "/v1/leads", parked=True) == ["m1", "m2"]
    assert await listed(client, "/v1/leads", waiting="below_gate", disposition="nurture") == ["low"]
    assert await listed(client, "/v1/leads", changed_since=changed) == ["low"]
    assert await listed(client, "/v1/parked") == ["m1", "m2"]
    assert await listed(client, "/v1/parked", reason="at_capacity", pool="field", limit=1) == ["m1", "m2"]
    assert await listed(client, "/v1/parked", reason="no_rule") == []
    assert code(await client.get("/v1/parked", params={"after": "x"})) == (422, "bad_cursor")


async def test_the_best_of_a_queue_stands_first_and_then_who_waits_longest(world, team, calls):
    await world.apply(with_mode(team, "claim"))
    for lead, grade in (("young", "A1"), ("good", "B1"), ("old", "A1")):
        await demo(world, lead, grade=grade) if lead != "young" else None
        world.clock.advance(seconds=1)
    await demo(world, "young", grade="A1")
    assert await listed(await calls("sato", "rep"), "/v1/claims") == ["old", "young", "good"]


async def test_reps_are_listed_with_what_they_have_and_a_rep_sees_themselves_alone(world, team, calls):
    body = team(field=("sato", "tanaka"))
    body["reps"][0]["manager"] = "tanaka"
    await world.apply(body)
    await demo(world, "l1")
    desk = await calls("desk", "api")
    every, after = [], None
    while True:
        page = ok(await desk.get("/v1/reps", params={"limit": 2} | ({"after": after} if after else {})))
        every += page["reps"]
        if (after := page["next"]) is None:
            break
    assert [rep["rep_id"] for rep in every] == sorted({rep["rep_id"] for rep in every})
    known = {rep["rep_id"]: rep for rep in every}
    holder = (await world.lead("l1"))["owner_rep"]
    assert {rep for rep, one in known.items() if one["open"]} == {holder}
    assert (known["sato"]["pools"], known["sato"]["at_work"], known["sato"]["takes_leads"]) == (["field"], True, True)
    assert [rep["rep_id"] for rep in ok(await (await calls("sato", "rep")).get("/v1/reps"))["reps"]] == ["sato"]
    seen = ok(await (await calls("tanaka", "manager")).get("/v1/reps"))["reps"]
    assert [rep["rep_id"] for rep in seen] == ["sato", "tanaka"]
    assert code(await (await calls("nobody")).get("/v1/reps")) == (403, "no_role")
    ok(await desk.post("/v1/reps/sato/offboard", json={}))
    gone = ok(await desk.get("/v1/reps", params={"after": "mori"}))["reps"][0]
    assert (gone["rep_id"], gone["takes_leads"]) == ("sato", False)


async def test_what_would_be_decided_is_told_in_full_and_nothing_is_written(world, team, calls, policy_bodies):
    await demo(world, "l1")
    await world.router().handle([world.score("low", "D4")])
    await world.published()
    before = [await world.count(table) for table in ("decisions", "assignments", "stage_history", "outbox", "pools")]
    rows = [await world.lead("l1"), await world.lead("low")]
    client = await calls("x", "api")

    async def what_if(lead, **body):
        return ok(await client.post(f"/v1/leads/{lead}/what-if", json=body))["decision"]

    now = await what_if("l1")
    assert (now["outcome"], now["owner"]["rep_id"], now["order"]) == ("routed", "tanaka", None)
    assert len(now["candidates"]) == 3
    assert (await what_if("low"))["outcome"] == "below_gate"
    assert (await what_if("low", facts={"score.grade": "A3"}))["pool"] == "inside"
    assert (await what_if("low", facts={"score.grade": "A1"}, answers={"B1": "secured"}))["qualification"]["met"] == 4
    rules = [
        {"id": "all", "when": {"lead.industry": {"eq": "jsic:E"}}, "pool": "new"},
        *policy_bodies["routing"]["rules"],
    ]
    teams = policy_bodies["teams"] | {
        "pools": [*policy_bodies["teams"]["pools"], {"id": "new", "members": [{"rep": "mori"}]}]
    }
    policies = {"routing": policy_bodies["routing"] | {"rules": rules}, "teams": teams}
    other = await what_if("l1", facts={"lead.industry": "jsic:E"}, policies=policies)
    assert (other["pool"], other["owner"]["rep_id"], other["policies"]["routing"]["hash"]) == ("new", "mori", "what-if")
    assert (await what_if("l1", policies=policies))["pool"] == "field"
    assert [
        await world.count(table) for table in ("decisions", "assignments", "stage_history", "outbox", "pools")
    ] == before
    assert [await world.lead("l1"), await world.lead("low")] == rows


async def test_what_would_be_decided_by_other_policies_follows_the_lifecycle_in_force(world, calls, policy_bodies):
    stages = [{"id": "inquiry", "label": {"en": "inquiry"}, "definition": {"en": "anybody"}}]
    await world.apply({"kind": "lifecycle", "form": "waterfall", "stages": stages})
    await demo(world, "l1")
    client = await calls("x", "api")
    for policies in ({}, {"sla": policy_bodies["sla"]}):
        answer = ok(await client.post("/v1/leads/l1/what-if", json={"policies": policies}))["decision"]
        assert (answer["pool"], answer["policies"]["lifecycle"]["sequence"]) == ("inside", world.sequence), policies


async def test_a_question_that_makes_no_sense_is_answered_with_what_is_wrong(world, calls):
    await demo(world, "l1")
    client = await calls("x", "api")

    async def asked(lead="l1", **body):
        return await client.post(f"/v1/leads/{lead}/what-if", json=body)

    typo = await asked(facts={"lead.industri": "x"})
    assert code(typo) == (422, "unknown_field")
    assert "`lead.industry`" in typo.json()["detail"]
    assert code(await asked(facts={"lead.employees": "many"})) == (422, "bad_value")
    assert code(await asked(facts={"score.grade": "Z9"})) == (422, "bad_value")
    assert code(await asked(answers={"Z9": "none"})) == (422, "unknown_question")
    assert code(await asked(answers={"B1": "rubbish"})) == (422, "bad_value")
    assert code(await asked(policies={"sla": {"default": {}}})) == (422, "bad_policy")
    assert code(await asked(policies={"scoring": {}})) == (422, "invalid_request")
    assert code(await asked("nobody")) == (404, "lead_not_found")


async def test_every_route_is_described_with_what_it_refuses(calls):
    described = ok(await (await calls("x", "api")).get("/openapi.json"))
    for path in ("assign", "claim", "what-if"):
        post = described["paths"][f"/v1/leads/{{lead_id}}/{path}"]["post"]
        assert {"200", "404", "409", "422"} <= set(post["responses"])
        assert [one["name"] for one in post["parameters"] if one["in"] == "header"] == ["Idempotency-Key"]
    assert described["components"]["schemas"]["Assign"]["properties"]["despite"]["examples"]


async def test_who_has_left_is_said_once_and_not_of_another_by_the_same_key(world, calls):
    desk = await calls("kato", "manager")
    key = {"headers": {"idempotency-key": "gone"}}
    for _ in range(2):
        assert ok(await desk.post("/v1/reps/mori/offboard", json={}, **key))["left"] is True
    assert code(await desk.post("/v1/reps/sato/offboard", json={}, **key)) == (422, "idempotency_key_reused")
    await demo(world, "l1")
    assert code(await desk.post("/v1/leads/l1/assign", json={"rep_id": "mori", "reason": "r"})) == (409, "not_eligible")
