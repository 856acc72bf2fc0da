"""The API: where a lead stands, who has it and why; each tenant its own."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.router.api import Leads, normalise_email, routes
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash
from shared.schemas.ids import identity_id, tenant_secret
from shared.schemas.scores import Better, Evidence, IdentityRef, PartialScore, ScorePart, Suggestion

pytestmark = pytest.mark.servers


@pytest.fixture
async def api(world, identity_secret, servers_connection):
    """A client with a token of the world's tenant."""
    app = FastAPI()
    problems.install(app)
    master = identity_secret.encode()
    app.include_router(routes(Leads(world.pool, world.policies.following, world.clock), Tokens(world.pool), master))
    token = await servers_connection(world.tenant)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://router", headers={"authorization": f"Bearer {token}"}
    ) as client:
        client.identity = lambda mail: identity_id(tenant_secret(master, world.tenant), world.tenant, "email", mail)
        yield client


@pytest.fixture
async def servers_connection(database_url):
    """Makes tokens, as the command line does."""
    import asyncpg

    connection = await asyncpg.connect(database_url)

    async def token(tenant):
        made = f"token-{uuid4().hex}"
        await connection.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'test', '{api}')",
            tenant,
            token_hash(made),
        )
        return made

    yield token
    await connection.close()


async def scored(world, api, lead_id="l1", mail="kato@example.com", grade="A1", **more):
    identities = (IdentityRef(identity_id=api.identity(mail), kind="email"),)
    score = world.score(lead_id, grade, identities=identities, **more)
    await world.router().handle([score])
    return score


async def test_a_lead_is_found_by_any_spelling_of_its_address(world, api):
    await scored(world, api, mail="kato@example.com", hand_raise="demo_requested")
    for spelling in ("kato@example.com", "  Kato@EXAMPLE.com ", "ｋａｔｏ@example.com"):
        answer = await api.get("/v1/leads", params={"email": spelling})
        assert answer.status_code == 200, answer.text
        assert answer.json()["lead_id"] == "l1"
    assert normalise_email(" ﾀﾛｳ@X.JP") == "タロウ@x.jp"


async def test_an_address_that_nobody_has_is_a_problem_with_a_code(api):
    for answer in (await api.get("/v1/leads", params={"email": "nobody@x.jp"}), await api.get("/v1/leads/none")):
        assert (answer.status_code, answer.json()["code"]) == (404, "lead_not_found")
    assert (await api.get("/v1/leads/none/decisions")).json()["code"] == "lead_not_found"


async def test_a_routed_lead_says_who_has_it_and_why_not_the_others(world, api):
    label = {"en": "Head of a department", "ja": "部長級"}
    part = ScorePart(rule_id="level", given=80_000, cut=10_000, cut_total=10_000, kept=70_000, label=label)
    fit = PartialScore(total=70_000, parts=(part,))
    score = await scored(world, api, hand_raise="demo_requested", attributes={"employees": 450})
    await world.router().handle([score.model_copy(update={"fit": fit, "version": score.version._replace(position=99)})])
    lead = (await api.get("/v1/leads/l1")).json()
    assert (lead["stage"], lead["owner"]["rep_id"], lead["waiting"]) == ("mql", "sato", None)
    assert lead["person"] == {"email": "l1@example.com"}
    assert lead["score"]["fit"] == 70
    [part] = lead["score"]["parts"]["fit"]
    assert (part["rule_id"], part["points"], part["given"], part["cut"], part["times"]) == ("level", 70, 80, 10, 1)
    assert (part["cut_by_group"], part["cut_by_total"]) == (0, 10)
    assert part["why_cut"]["en"] == "of 80 given 70 kept: the cap of 70 for all cut 10"
    assert lead["summary"]["reasons"][0] == {"en": "Head of a department: +70 points", "ja": "部長級: +70点"}
    decision = lead["decision"]
    assert (decision["outcome"], decision["pool"], decision["leg"]) == ("routed", "field", "fs")
    assert [reason["code"] for reason in decision["reasons"]] == ["gate_mql", "bant", "rule", "fair_turn"]
    assert all(reason["text"]["en"] and reason["text"]["ja"] for reason in decision["reasons"])
    why_not = {one["rep_id"]: one["why_not"] and one["why_not"]["code"] for one in decision["candidates"]}
    assert why_not == {"sato": None, "tanaka": "not_their_turn", "mori": "not_their_turn"}
    assert decision["cheapest_missing_question"] is None, "no answer would change to whom it goes"
    assert set(decision["policies"]) == {"qualification", "routing", "teams", "sla"}


async def test_an_answer_that_came_after_the_decision_stands_in_the_lead_and_not_in_the_decision(world, api):
    await scored(world, api, hand_raise="demo_requested")
    evidence = (Evidence(criterion="B1", code="secured", source_id="web", observed_at=world.clock.now()),)
    await scored(world, api, hand_raise="demo_requested", evidence=evidence)
    lead = (await api.get("/v1/leads/l1")).json()
    assert lead["decision"]["qualification"]["criteria"]["budget"]["state"] == "missing"
    assert lead["qualification"]["criteria"]["budget"]["state"] == "met"
    world.clock.advance(days=3650)
    assert (await api.get("/v1/leads/l1")).json()["qualification"]["criteria"]["budget"]["state"] == "expired"


BETTER = (
    Better(grade="A3", by=(Suggestion(rule_id="level", points=20_000, attribute="lead.level"),)),
    Better(grade="B2", by=(Suggestion(rule_id="webinar", points=15_000, label={"en": "Webinar", "ja": "ウェビナー"}),)),
)


async def test_a_lead_below_the_gate_says_what_it_waits_for_and_what_would_raise_it(world, api):
    evidence = (Evidence(criterion="B1", code="secured", source_id="web", observed_at=world.clock.now()),)
    await scored(world, api, grade="B3", evidence=evidence, better=BETTER)
    lead = (await api.get("/v1/leads/l1")).json()
    assert (lead["owner"], lead["waiting"]["reason"]) == (None, "below_gate")
    assert lead["waiting"]["trigger"]["ja"]
    assert [one["grade"] for one in lead["better"]] == ["A3", "B2"]
    assert {one["verdict"] for one in lead["better"]} == {"inside_sales_check"}
    assert lead["better"][1]["text"]["ja"] == "「ウェビナー」(+15点)があれば B2"
    assert lead["decision"]["qualification"]["criteria"]["budget"]["state"] == "met"


async def test_nobody_is_told_how_to_raise_a_lead_that_the_policy_counts_against(world, api):
    score = await scored(world, api, grade="D3", better=BETTER)
    student = {"fit": PartialScore(total=-100_000), "version": score.version._replace(position=99)}
    assert (await api.get("/v1/leads/l1")).json()["better"]
    await world.router().handle([score.model_copy(update=student)])
    assert (await api.get("/v1/leads/l1")).json()["better"] == []


async def test_a_lead_is_told_at_a_glance_alone_and_in_the_list(world, api):
    seen = {"temperature": "hot", "trend": "rising", "account": "kumo.example"}
    await scored(world, api, hand_raise="demo_requested", better=BETTER, region="germany", cause="time", **seen)
    lead = (await api.get("/v1/leads/l1")).json()
    [listed] = (await api.get("/v1/leads")).json()["leads"]
    for told in (lead, listed):
        assert {name: told[name] for name in seen} == seen
        assert told["summary"]["sentence"]["ja"].endswith("ホットリード(A1)で、最近の反応は増えています。")
        assert told["summary"]["reasons"] == [{"en": "Demo requested (hand-raise)", "ja": "デモ依頼(手挙げ)"}]
        assert [one["grade"] for one in told["better"]] == ["A3", "B2"]
        assert told["internal"] is False
    assert (lead["score"]["region"], lead["score"]["cause"]) == ("germany", "time")


async def test_a_score_by_time_alone_is_shown_at_once_and_decided_on_only_when_the_gate_sees_it(world, api):
    first = await scored(world, api, grade="B3")
    moment = first.as_of + 1
    later = {"version": first.version._replace(as_of=moment), "as_of": moment, "cause": "time", "change_id": "c"}
    faded = first.model_copy(update=later | {"engagement": PartialScore(total=11_000), "temperature": "warm"})
    await world.router().handle([faded])
    lead = (await api.get("/v1/leads/l1")).json()
    assert (lead["score"]["engagement"], lead["temperature"], lead["score"]["cause"]) == (11, "warm", "time")
    assert await world.count("decisions") == 1
    later |= {"version": first.version._replace(as_of=moment + 1), "as_of": moment + 1}
    await world.router().handle([faded.model_copy(update=later | {"grade": "A1"})])
    lead = (await api.get("/v1/leads/l1")).json()
    assert (lead["grade"], lead["owner"] is not None) == ("A1", True), "what held it down has faded"
    assert await world.count("decisions") == 2


async def test_one_of_ourselves_is_shown_and_has_no_owner(world, api):
    await scored(world, api, hand_raise="demo_requested", internal=True)
    lead = (await api.get("/v1/leads/l1")).json()
    assert (lead["owner"], lead["waiting"]["reason"], lead["internal"]) == (None, "below_gate", True)
    assert lead["summary"]["sentence"]["ja"] == "社内の関係者のため、スコアと振り分けの対象外です。"
    assert lead["decision"]["reasons"][0]["text"]["ja"] == "社内の関係者のため振り分け対象外"
    assert await world.published() == []


async def test_a_merged_lead_tells_where_it_went(world, api):
    await scored(world, api)
    await world.router().handle([world.score("l1", merged_into="l2", identities=())])
    lead = (await api.get("/v1/leads/l1")).json()
    assert (lead["merged_into"], lead["stage"], lead["waiting"]["reason"]) == ("l2", "merged", "merged")


async def test_all_decisions_and_moves_are_kept(world, api):
    await scored(world, api)
    [routed] = await world.routed()
    await world.router().handle(
        [
            world.event(routed, "offer-opened"),
            world.event(routed, "offer-accepted"),
            world.event(routed, "offer-expired", effect="reroute"),
        ]
    )
    told = (await api.get("/v1/leads/l1/decisions")).json()
    assert [decision["owner"]["rep_id"] for decision in told["decisions"]] == ["tanaka", "sato"]
    assert [(move["cause"]["kind"], move["from"]["stage"], move["to"]["stage"]) for move in told["history"]] == [
        ("offer-expired", "sal", "mql"),
        ("offer-accepted", "mql", "sal"),
        ("scored", "inquiry", "mql"),
    ]


async def test_a_decision_is_told_in_the_words_of_the_policies_it_followed(world, api, policy_bodies):
    async def told_rules():
        decisions = (await api.get("/v1/leads/l1/decisions")).json()["decisions"]
        rules = [reason for made in decisions for reason in made["reasons"] if reason["code"] == "rule"]
        return [reason["text"]["en"] for reason in rules]

    await scored(world, api)
    routing = policy_bodies["routing"]
    named = [rule | {"label": {"en": f"Named {rule['id']}"}} for rule in routing["rules"]]
    await world.apply(routing | {"rules": named})
    for _ in range(2):
        [routed] = await world.routed()
        await world.router().handle([world.event(routed, "offer-expired", effect="reroute")])
    newer, older = (f"rule “{rule}” leads to pool “inside”" for rule in ("Named inside", "inside"))
    assert [text.replace("field", "inside") for text in await told_rules()] == [newer, newer, older]
    await world.apply(routing)
    assert [text.replace("field", "inside") for text in await told_rules()] == [newer, newer, older]


async def test_pools_show_their_balances_to_the_last_digit(world, api):
    await scored(world, api)
    pools = {pool["pool_id"]: pool for pool in (await api.get("/v1/pools")).json()["pools"]}
    assert pools["field"]["deviation"] == pytest.approx(2 / 3)
    members = {member["rep_id"]: member for member in pools["field"]["members"]}
    assert (members["sato"]["due_exact"], members["sato"]["received"], members["sato"]["open_leads"]) == ("-2/3", 1, 1)
    assert (members["tanaka"]["due_exact"], members["tanaka"]["name"]) == ("1/3", "Tanaka")


async def test_leads_are_listed_page_by_page(world, api):
    await world.router().handle([world.score(f"l{n}", "D4" if n % 2 else "A1") for n in range(7)])
    seen, after = [], None
    while True:
        page = (await api.get("/v1/leads", params={"limit": 3} | ({"after": after} if after else {}))).json()
        seen += [lead["lead_id"] for lead in page["leads"]]
        if (after := page["next"]) is None:
            break
    assert seen == [f"l{n}" for n in range(7)]
    ripe = (await api.get("/v1/leads", params={"stage": "mql"})).json()
    assert [lead["lead_id"] for lead in ripe["leads"]] == ["l0", "l2", "l4", "l6"]


async def test_a_token_opens_its_own_tenant_only(world, api, servers_connection):
    await scored(world, api)
    stranger = {"authorization": f"Bearer {await servers_connection('t-stranger')}"}
    for path in ("/v1/leads/l1", "/v1/leads/l1/decisions", "/v1/leads?email=kato@example.com"):
        assert (await api.get(path, headers=stranger)).status_code == 404, path
    assert (await api.get("/v1/leads", headers=stranger)).json() == {"leads": [], "next": None}
    assert (await api.get("/v1/pools", headers=stranger)).json() == {"pools": []}
    assert (await api.get("/v1/leads/l1", headers={"authorization": "Bearer wrong"})).status_code == 401


async def test_what_cannot_be_asked_is_refused_in_words(api):
    answer = await api.get("/v1/leads", params={"limit": 0})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    weird = await api.get("/v1/leads", params={"email": "\x00"})
    assert weird.status_code == 404
    assert (await api.get("/v1/leads/%00")).status_code in (404, 422)


async def test_the_description_names_every_route_and_what_it_answers(api):
    described = (await api.get("/openapi.json")).json()
    paths = {path for path in described["paths"] if path.startswith("/v1/")}
    leads = {"/v1/leads", "/v1/leads/{lead_id}", "/v1/leads/{lead_id}/decisions"}
    assert paths == leads | {"/v1/pools", "/v1/parked", "/v1/dispatch", "/v1/claims"}
    assert "LeadBody" in described["components"]["schemas"]
    assert described["components"]["securitySchemes"]
