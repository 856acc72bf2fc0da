"""The API, over HTTP, on a live server and a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.handoff.app import http_app
from shared.kit.auth import token_hash
from shared.kit.person import seal
from shared.kit.service import Probes
from shared.schemas.policies import Label, PipelinePolicy, QualificationPolicy, SlaPolicy
from shared.schemas.policies.pipeline import DealStage, LossReason, Pipeline
from shared.schemas.policies.sla import LeadClass, PauseReason

pytestmark = pytest.mark.servers

HOOK = "https://crm.example.com/hooks"
QUALIFICATION = QualificationPolicy.model_validate(
    {"gate": {"mql": ["A1"]}, "framework": {"preset": "bant", "minimum_met": 2}, "handover": ["memo"]}
)
PIPELINE = PipelinePolicy(
    types=(Pipeline(type="new", stages=(DealStage(id="talks", label=Label(en="Talks"), probability=50),)),),
    loss_reasons=(LossReason(code="price", label=Label(en="Price")),),
)


class Live:
    """A live server, and clients of it by role."""

    def __init__(self, url, world, owner):
        self.url, self._world, self._owner = url, world, owner
        self._clients = []

    async def token(self, *roles, name="crm", tenant=None):
        token = uuid4().hex
        await self._owner.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)",
            tenant or self._world.tenant,
            token_hash(token),
            name,
            list(roles),
        )
        return token

    async def client(self, *roles, name="crm", tenant=None):
        headers = {"authorization": f"Bearer {await self.token(*roles, name=name, tenant=tenant)}"}
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)
        self._clients.append(client)
        return client

    async def close(self):
        for client in self._clients:
            await client.aclose()


@pytest.fixture
async def live(world, owner):
    app = http_app(world.app, world.policies, world.clock, Probes(), b"m" * 32)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    made = Live(f"http://127.0.0.1:{port}", world, owner)
    yield made
    await made.close()
    server.should_exit = True
    await serving


@pytest.fixture
async def pausing(world, publish):
    """Policy lets reps wait for the customer twice, for an hour at most."""
    wait = PauseReason(code="waiting_for_customer", most=3600, times=2)
    default = LeadClass(id="score", accept=60, first_touch=600)
    other = PauseReason(code="waiting_for_partner", most=60)
    await world.policies.apply(publish(world.tenant, 50, SlaPolicy(default=default, pauses=(wait, other))))


@pytest.fixture
async def crm(live):
    return await live.client("api")


@pytest.fixture
async def opportunity(world):
    """The path of an opportunity that was offered to 佐藤."""
    person = seal({"email": "hanako@hinode.example", "name": "山田 花子"})
    await world.handler().handle([world.routed(person=person, attributes={"company": "日の出工業"})])
    return f"/v1/opportunities/{world.opportunity_id()}"


def code_of(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_an_offered_lead_is_found_by_its_lead_id_and_read_with_all_that_a_rep_needs(crm, opportunity, world):
    [item] = (await crm.get("/v1/opportunities", params={"lead_id": "lead-1"})).json()["items"]
    read = (await crm.get(opportunity)).json()

    assert item["id"] == read["id"] == world.opportunity_id()
    assert read["owner"] == {"rep_id": "sato", "name": "佐藤 花子", "state": "offered"}
    assert read["person"] == {"email": "hanako@hinode.example", "name": "山田 花子"}
    assert (read["stage"], read["type"], read["in_pipeline"]) == ("offered", "new", False)
    assert (read["score"]["fit"], read["score"]["engagement"], read["score"]["grade"]) == (50.0, 64.25, "B1")
    assert [(clock["kind"], clock["state"]) for clock in read["clocks"]] == [
        ("accept", "running"),
        ("first_touch", "running"),
    ]
    assert read["clocks"][0]["due_at"] == "2023-11-14T22:14:20.000Z"
    assert [step["stage"] for step in read["history"]] == ["offered"]
    assert read["reasons"][0]["code"] == "rule"


async def test_accepting_twice_is_accepting_once(crm, opportunity, world):
    first = await crm.post(f"{opportunity}/accept", json={"rep_id": "sato"})
    again = await crm.post(f"{opportunity}/accept", json={"rep_id": "sato"})

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["owner"]["state"] == "accepted"
    assert first.json()["stage"] == "accepted"
    assert [event["kind"] for event in await world.events()].count("offer-accepted") == 1


async def test_a_rep_accepts_with_their_own_token_and_in_no_other_name(live, opportunity):
    sato, tanaka = await live.client("rep", name="sato"), await live.client("rep", name="tanaka")
    assert code_of(await sato.post(f"{opportunity}/accept", json={"rep_id": "tanaka"})) == (403, "not_your_name")
    assert code_of(await tanaka.post(f"{opportunity}/accept")) == (404, "not_found")
    assert (await sato.post(f"{opportunity}/accept")).status_code == 200


async def test_an_offer_that_has_expired_cannot_be_accepted(crm, opportunity, world):
    world.clock.advance(seconds=60)
    refused = await crm.post(f"{opportunity}/accept", json={"rep_id": "sato"})
    assert code_of(refused) == (409, "offer_not_open")
    assert refused.json()["state"] == "expired"


async def test_a_decline_has_its_effect_and_its_note_stays_out_of_the_events(crm, opportunity, world):
    body = {"rep_id": "sato", "reason": "junk", "note": "山田様はご退職"}
    declined = await crm.post(f"{opportunity}/decline", json=body)

    assert declined.status_code == 200
    assert (declined.json()["stage"], declined.json()["owner"]) == ("disqualified", None)
    offer = declined.json()["offers"][0]
    assert (offer["state"], offer["reason"], offer["effect"], offer["note"]) == (
        "declined", "junk", "disqualify", "山田様はご退職",
    )  # fmt: skip
    told = [event for event in await world.events() if event["kind"] == "offer-declined"]
    assert told[0]["note_given"] is True
    assert "退職" not in str(told)
    assert (await crm.post(f"{opportunity}/decline", json=body)).json() == declined.json()


async def test_a_lead_that_wants_to_be_called_later_says_from_which_midnight_of_the_reps_zone(crm, opportunity, world):
    for until, reason, code in (
        ("2023-12-01", "junk", "comes_back_never"),
        ("2023-11-14", "not_now", "not_in_the_future"),
        ("2033-11-14", "not_now", "not_in_the_future"),
    ):
        refused = await crm.post(f"{opportunity}/decline", json={"reason": reason, "until": until})
        assert code_of(refused) == (422, code)
    body = {"reason": "not_now", "until": "2023-12-01"}
    assert (await crm.post(f"{opportunity}/decline", json=body)).status_code == 200
    [told] = [event for event in await world.events() if event["kind"] == "offer-declined"]
    assert told["until"] == 1_701_356_400_000, "2023-12-01 in Tokyo"


async def test_inside_sales_passes_an_accepted_lead_on_and_it_is_offered_anew(crm, world):
    await world.handler().handle([world.routed(leg="is")])
    path = f"/v1/opportunities/{world.opportunity_id()}"
    assert code_of(await crm.post(f"{path}/qualify", json={"rep_id": "sato"})) == (409, "offer_not_open")
    await crm.post(f"{path}/accept", json={"rep_id": "sato"})
    for _ in range(2):
        passed = await crm.post(f"{path}/qualify", json={"rep_id": "sato"})
        assert (passed.status_code, passed.json()["owner"], passed.json()["stage"]) == (200, None, "offered")
    assert [event["kind"] for event in await world.events()].count("lead-qualified") == 1
    await world.handler().handle([world.routed(assignment=2, replaces=1, rep="tanaka", leg="fs")])
    assert (await crm.get(path)).json()["owner"]["rep_id"] == "tanaka"


async def test_field_sales_has_nobody_to_pass_a_lead_on_to(crm, opportunity):
    await crm.post(f"{opportunity}/accept", json={"rep_id": "sato"})
    assert code_of(await crm.post(f"{opportunity}/qualify", json={"rep_id": "sato"})) == (409, "not_inside_sales")


async def test_a_slip_in_a_reason_is_answered_with_the_reason_that_was_meant(crm, opportunity):
    refused = await crm.post(f"{opportunity}/decline", json={"rep_id": "sato", "reason": "at-capacty"})
    assert code_of(refused) == (422, "unknown_reason")
    assert refused.json()["suggestion"] == "at_capacity"
    assert refused.json()["valid"] == ["at_capacity", "junk", "not_now"]


async def test_a_logged_call_accepts_the_offer_and_stops_both_clocks(crm, opportunity, world):
    call = {"type": "call_connected", "note": "折り返しのお約束", "id": "call-1"}
    logged = (await crm.post(f"{opportunity}/activities", json=call)).json()

    assert logged["stage"] == "accepted"
    assert [clock["state"] for clock in logged["clocks"]] == ["met", "met"]
    [activity] = logged["activities"]
    assert (activity["type"], activity["rep_id"], activity["note"]) == ("call_connected", "sato", "折り返しのお約束")
    world.clock.advance(days=1)
    assert await world.firing().fire_due() == []


async def test_an_activity_sent_again_is_logged_once_and_its_id_is_not_given_to_another(crm, opportunity, world):
    call = {"type": "call_attempted", "at": "2023-11-14T22:13:15+00:00", "id": "k1"}
    for _ in range(3):
        assert (await crm.post(f"{opportunity}/activities", json=call)).status_code == 200
    assert [activity["id"] for activity in (await crm.get(opportunity)).json()["activities"]] == ["k1"]
    assert [event["kind"] for event in await world.events()].count("activity-logged") == 1
    other = await crm.post(f"{opportunity}/activities", json={"type": "meeting_held", "id": "k1"})
    assert code_of(other) == (409, "activity_id_taken")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "telepathy"}, "unknown_type"),
        ({"type": "call_conected"}, "unknown_type"),
        ({"type": "call_connected", "at": "2999-01-01T00:00:00Z"}, "in_the_future"),
        ({"type": "call_connected", "at": "0001-01-01T00:00:00Z"}, "invalid_request"),
        ({"type": "call_connected", "at": "2023-11-14T22:13:15"}, "invalid_request"),
        ({"type": "call_connected", "at": 1e300}, "invalid_request"),
        ({"type": 7}, "invalid_request"),
        ({"type": "call_connected", "note": "a\x00b"}, "invalid_request"),
        ({"type": "call_connected", "id": ""}, "invalid_request"),
        ({"type": "call_connected", "note": "x" * 4001}, "invalid_request"),
        (["call_connected"], "invalid_request"),
        (None, "invalid_request"),
    ],
)
async def test_a_wrong_activity_is_refused_in_words(crm, opportunity, body, code):
    refused = await crm.post(f"{opportunity}/activities", json=body)
    assert code_of(refused) == (422, code)
    assert refused.json()["detail"]


async def test_half_a_surrogate_pair_and_broken_json_are_refused(crm, opportunity):
    for body in (b'{"type": "call_connected", "note": "\\ud800"}', b'{"\\ud800": 1}', b'{"type": ', b'"\\ud800"'):
        refused = await crm.post(
            f"{opportunity}/activities", content=body, headers={"content-type": "application/json"}
        )
        assert code_of(refused) == (422, "invalid_request")


async def test_a_body_that_is_too_large_is_refused(crm, opportunity):
    large = b'{"type": "call_connected", "note": "' + b"x" * 70_000 + b'"}'
    refused = await crm.post(f"{opportunity}/activities", content=large, headers={"content-type": "application/json"})
    assert refused.status_code == 413


@pytest.mark.parametrize("unknown", ["no-such-id", "9a0d6b4e-0000-5000-8000-000000000000", "%00", "x" * 500])
async def test_an_unknown_opportunity_is_not_found_by_anyone(crm, unknown, opportunity):
    base = f"/v1/opportunities/{unknown}"
    assert code_of(await crm.get(base)) == (404, "not_found")
    assert code_of(await crm.post(f"{base}/accept", json={"rep_id": "sato"})) == (404, "not_found")
    assert code_of(await crm.post(f"{base}/decline", json={"rep_id": "sato", "reason": "junk"})) == (404, "not_found")
    assert code_of(await crm.post(f"{base}/activities", json={"type": "call_attempted"})) == (404, "not_found")


async def test_without_a_token_or_a_role_nothing_is_told(live, opportunity):
    async with httpx.AsyncClient(base_url=live.url) as nobody:
        assert code_of(await nobody.get(opportunity)) == (401, "no_token")
    assert code_of(await (await live.client("billing")).get(opportunity)) == (403, "no_role")


async def test_a_system_that_names_no_rep_acts_for_whoever_was_asked_last(live, opportunity):
    system = await live.client("api")
    asked = (await system.get(opportunity)).json()["owner"]["rep_id"]
    accepted = (await system.post(f"{opportunity}/accept")).json()
    assert (accepted["owner"]["rep_id"], accepted["owner"]["state"]) == (asked, "accepted")
    declined = await system.post(f"{opportunity}/decline", json={"reason": "at_capacity"})
    again = await system.post(f"{opportunity}/decline", json={"reason": "at_capacity"})
    assert declined.json()["owner"] is None
    assert again.json() == declined.json()


async def test_a_token_never_shows_or_changes_the_rows_of_another_tenant(live, opportunity, world, make_world):
    other = await make_world(f"{world.tenant}-b")
    await other.handler().handle([other.routed("lead-of-b")])
    stranger = await live.client("api", "admin", tenant=other.tenant)

    assert code_of(await stranger.get(opportunity)) == (404, "not_found")
    assert code_of(await stranger.post(f"{opportunity}/accept", json={"rep_id": "sato"})) == (404, "not_found")
    assert code_of(await stranger.post(f"{opportunity}/activities", json={"type": "call_attempted"})) == (
        404,
        "not_found",
    )
    items = (await stranger.get("/v1/opportunities", params={"limit": 200})).json()["items"]
    assert [item["lead_id"] for item in items] == ["lead-of-b"]
    assert await world.offers() == [(1, "sato", "open")]


async def test_row_level_security_holds_even_without_a_condition(world, make_world):
    other = await make_world(f"{world.tenant}-b")
    await world.handler().handle([world.routed()])
    for table in ("opportunities", "offers", "clocks", "stage_history", "outbox"):
        for tenant, seen in ((world.tenant, {world.tenant}), (other.tenant, set()), (None, set())):
            async with world.app.acquire() as connection, connection.transaction():
                if tenant:
                    await connection.execute("SELECT set_config('baton.tenant', $1, true)", tenant)
                rows = await connection.fetch(f"SELECT tenant FROM handoff.{table}")
                assert {row["tenant"] for row in rows} == seen, table


async def test_pages_show_every_opportunity_once_and_filters_hold(crm, world):
    for n in range(7):
        rep = "sato" if n % 2 else "tanaka"
        await world.handler().handle([world.routed(f"lead-{n}", rep=rep)])
        world.clock.advance(milliseconds=1 if n % 3 else 0)
    await world.desk().accept(world.tenant, world.opportunity_id("lead-1"), "sato")

    seen, after = [], None
    while True:
        page = (await crm.get("/v1/opportunities", params={"limit": 2} | ({"after": after} if after else {}))).json()
        seen += [item["lead_id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == [f"lead-{n}" for n in range(7)]
    held = (await crm.get("/v1/opportunities", params={"rep_id": "sato"})).json()["items"]
    assert {item["lead_id"] for item in held} == {"lead-1", "lead-3", "lead-5"}
    accepted = (await crm.get("/v1/opportunities", params={"stage": "accepted"})).json()["items"]
    assert [item["lead_id"] for item in accepted] == ["lead-1"]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": "x"}, {"stage": "won?"}, {"after": "x"}, {"lead_id": "a\x00b"}, {"rep_id": ""}]
)
async def test_a_wrong_query_is_refused(crm, query):
    assert (await crm.get("/v1/opportunities", params=query)).status_code == 422


async def test_no_request_that_the_description_allows_or_forbids_is_a_fault_of_ours(live, opportunity, world, publish):
    for sequence, policy in enumerate((PIPELINE, QUALIFICATION), start=60):
        await world.policies.apply(publish(world.tenant, sequence, policy))
    await world.handler().handle([world.routed(lead="lead-2")])
    await world.desk().accept(world.tenant, world.opportunity_id("lead-2"), "sato")
    token = await live.token("api", "rep", name="sato")
    document = await asyncio.to_thread(schemathesis.openapi.from_url, f"{live.url}/openapi.json")
    crm = await live.client("api")
    endpoint = (await crm.post("/v1/endpoints", json={"url": HOOK})).json()["id"]
    message = (await crm.post(f"/v1/endpoints/{endpoint}/test")).json()["message_id"]
    person = f"/v1/opportunities/{world.opportunity_id()}/stakeholders/yamada"
    assert (await crm.put(person, json={"name": "山田"})).status_code == 200
    ids = {"opportunity_id": world.opportunity_id(), "endpoint_id": endpoint, "message_id": message}
    ids["stakeholder_id"] = "yamada"
    task = await crm.post(f"{opportunity}/tasks", json={"title": "call", "due": "2024-01-01"})
    ids |= {"task_id": task.json()["id"]}
    deals = ids | {"opportunity_id": world.opportunity_id("lead-2")}
    tried = []

    def hammer(operation):
        @given(case=operation.as_strategy(), known=st.booleans())
        @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def try_it(case, known):
            if known and case.path_parameters:
                known_ids = deals if "/deal" in operation.path else ids
                case.path_parameters = {
                    name: known_ids.get(name, other) for name, other in case.path_parameters.items()
                }
            answer = case.call(headers={"authorization": f"Bearer {token}"})
            assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text)
            tried.append(operation.label)

        try_it()

    operations = [found.ok() for found in document.get_all_operations()]
    for operation in operations:
        await asyncio.to_thread(hammer, operation)
    assert len(operations) >= 18
    assert set(tried) == {operation.label for operation in operations}


async def test_the_description_names_every_route_and_how_to_authenticate(live):
    async with httpx.AsyncClient(base_url=live.url) as anyone:
        document = (await anyone.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]
    routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert len(routes) >= 18
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert {"401", "403", "422"} <= operation["responses"].keys()


async def test_a_rep_who_waits_for_the_customer_pauses_the_clocks_and_resumes_them(
    pausing, live, world, crm, opportunity
):
    sato = await live.client("rep", name="sato")
    await sato.post(f"{opportunity}/accept")
    due = (await crm.get(opportunity)).json()["clocks"][-1]["due_at"]
    world.clock.advance(seconds=60)
    wait = {"reason": "waiting_for_customer"}
    first = await sato.post(f"{opportunity}/pause", json=wait)
    again = await sato.post(f"{opportunity}/pause", json=wait)
    assert first.status_code == again.status_code == 200
    assert first.json()["pauses"] == again.json()["pauses"]
    assert first.json()["clocks"][-1]["due_at"] == later(due, seconds=3600)
    world.clock.advance(seconds=600)
    assert await world.firing().fire_due() == [], "a clock that stands does not fire"
    for _ in range(2):
        resumed = (await sato.post(f"{opportunity}/resume")).json()
        assert resumed["clocks"][-1]["due_at"] == later(due, seconds=600)
    [pause] = resumed["pauses"]
    assert (pause["reason"], pause["paused_by"], pause["resumed_by"]) == ("waiting_for_customer", "sato", "sato")
    assert pause["resumed_at"] == later(pause["paused_at"], seconds=600)
    told = [(event["kind"], event["reason"]) for event in await world.events() if event["kind"].startswith("clocks-")]
    assert told == [("clocks-paused", "waiting_for_customer"), ("clocks-resumed", "waiting_for_customer")]


async def test_what_a_pause_may_not(pausing, live, world, crm, opportunity):
    sato, tanaka = [await live.client("rep", name=name) for name in ("sato", "tanaka")]
    wait = {"reason": "waiting_for_customer"}

    async def refused(client, code, **body):
        answer = await client.post(f"{opportunity}/pause", json=body or wait)
        assert answer.json()["code"] == code, answer.json()
        return answer.status_code

    assert await refused(sato, "offer_not_open") == 409, "not accepted yet"
    await sato.post(f"{opportunity}/accept")
    assert await refused(tanaka, "not_found") == 404, "tanaka was never asked"
    assert await refused(tanaka, "not_your_name", reason="waiting_for_customer", rep_id="sato") == 403
    assert await refused(sato, "unknown_reason", reason="no_such") == 422
    assert await refused(sato, "not_in_the_future", reason="waiting_for_customer", until="2001-01-01T00:00:00Z") == 422
    for _ in range(2):
        assert (await sato.post(f"{opportunity}/pause", json=wait)).status_code == 200
        assert await refused(sato, "paused_already", reason="waiting_for_partner") == 409
        world.clock.advance(seconds=3600)  # as long as policy lets: it has gone on by itself
    assert await refused(sato, "pause_limit") == 409
    await crm.post(f"{opportunity}/activities", json={"type": "call_connected"})
    assert await refused(sato, "nothing_runs", reason="waiting_for_partner") == 409


async def test_a_pause_ends_by_itself_and_the_clock_fires_when_the_rest_has_passed(pausing, live, world, opportunity):
    sato = await live.client("rep", name="sato")
    await sato.post(f"{opportunity}/accept")
    await sato.post(f"{opportunity}/pause", json={"reason": "waiting_for_customer"})
    world.clock.advance(seconds=3600 + 599)
    assert await world.firing().fire_due() == []
    world.clock.advance(seconds=1)
    assert [event.clock for event in await world.firing().fire_due()] == ["first_touch"]


def later(iso, *, seconds):
    moment = datetime.fromisoformat(iso) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_a_secret_is_shown_when_it_is_made_and_never_again(crm, opportunity):
    made = await crm.post("/v1/endpoints", json={"url": HOOK, "event_types": ["offer.opened"]})
    assert made.status_code == 201
    endpoint, secret = f"/v1/endpoints/{made.json()['id']}", made.json()["secret"]
    assert secret.startswith("whsec_")
    later = [
        await crm.get("/v1/endpoints"),
        await crm.get(endpoint),
        await crm.patch(endpoint, json={"description": "the CRM"}),
        await crm.post(f"{endpoint}/test"),
        await crm.get(f"{endpoint}/deliveries"),
    ]
    assert [answer.status_code for answer in later] == [200, 200, 200, 202, 200]
    assert all("whsec_" not in answer.text and "secret" not in answer.json() for answer in later)
    rotated = (await crm.post(f"{endpoint}/secret/rotate", json={"overlap_seconds": 60})).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != secret
    assert rotated["overlap_until"]
    mine = "whsec_" + "QUJD" * 10
    assert (await crm.post(f"{endpoint}/secret/rotate", json={"secret": mine})).json()["secret"] == mine
    refused = await crm.post(f"{endpoint}/secret/rotate", json={"secret": "whsec_c2hvcnQ="})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_secret")
    assert "c2hvcnQ" not in refused.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://crm.example.com/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://169.254.169.254/latest"},
        {"url": HOOK, "event_types": ["offer.exploded"]},
        {"url": HOOK, "secrets": "x"},
        {},
    ],
)
async def test_an_endpoint_that_is_wrong_is_refused(crm, wrong):
    assert (await crm.post("/v1/endpoints", json=wrong)).status_code == 422
    assert (await crm.get("/v1/endpoints")).json() == {"items": []}


async def test_endpoints_are_changed_disabled_enabled_and_deleted(crm):
    endpoint = f"/v1/endpoints/{(await crm.post('/v1/endpoints', json={'url': HOOK})).json()['id']}"
    moved = (await crm.patch(endpoint, json={"url": f"{HOOK}/2", "event_types": ["clock.breached"]})).json()
    assert (moved["url"], moved["event_types"], moved["enabled"]) == (f"{HOOK}/2", ["clock.breached"], True)
    assert (await crm.patch(endpoint, json={"url": "https://10.0.0.1/"})).json()["code"] == "bad_url"
    off = (await crm.patch(endpoint, json={"enabled": False})).json()
    assert (off["enabled"], off["disabled_reason"]) == (False, "by hand")
    assert (await crm.post(f"{endpoint}/test")).json()["code"] == "endpoint_disabled"
    on = (await crm.patch(endpoint, json={"enabled": True})).json()
    assert (on["enabled"], on["disabled_reason"], on["disabled_at"]) == (True, None, None)
    assert (await crm.delete(endpoint)).status_code == 204
    assert (await crm.get(endpoint)).status_code == 404
    assert (await crm.delete(endpoint)).status_code == 404


async def test_the_log_is_paged_and_tells_what_is_sent(crm):
    endpoint = f"/v1/endpoints/{(await crm.post('/v1/endpoints', json={'url': HOOK})).json()['id']}"
    sent = [(await crm.post(f"{endpoint}/test")).json()["message_id"] for _ in range(3)]
    first = (await crm.get(f"{endpoint}/deliveries", params={"limit": 2, "state": "pending"})).json()
    rest = (await crm.get(f"{endpoint}/deliveries", params={"limit": 2, "after": first["next"]})).json()
    assert sorted(item["message_id"] for item in first["items"] + rest["items"]) == sorted(sent)
    assert rest["next"] is None
    one = (await crm.get(f"{endpoint}/deliveries/{sent[0]}")).json()
    assert '"type":"endpoint.test"' in one["body"]
    assert (one["state"], one["attempts"], one["tries"]) == ("pending", 0, [])
    assert (await crm.post(f"{endpoint}/deliveries/{sent[0]}/resend")).json() == {"queued": 1}
    assert (await crm.post(f"{endpoint}/resend", json={"since": "2020-01-01T00:00:00Z"})).json() == {"queued": 3}
    unknown = await crm.get(f"{endpoint}/deliveries/{uuid4()}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_endpoints_are_for_systems_and_admins_of_their_own_tenant(live, crm):
    endpoint = f"/v1/endpoints/{(await crm.post('/v1/endpoints', json={'url': HOOK})).json()['id']}"
    for role in ("rep", "manager"):
        assert (await (await live.client(role)).get("/v1/endpoints")).status_code == 403
    assert (await (await live.client("admin")).get(endpoint)).status_code == 200
    stranger = await live.client("api", tenant=f"t-{uuid4().hex[:8]}")
    assert (await stranger.get("/v1/endpoints")).json() == {"items": []}
    for path in (endpoint, f"{endpoint}/deliveries"):
        assert (await stranger.get(path)).status_code == 404
    assert (await stranger.delete(endpoint)).status_code == 404
    assert (await crm.get(endpoint)).status_code == 200


async def test_a_tenant_has_fifty_endpoints_at_most(crm):
    made = await asyncio.gather(*(crm.post("/v1/endpoints", json={"url": f"{HOOK}/{n}"}) for n in range(52)))
    assert sorted(answer.status_code for answer in made) == [201] * 50 + [409] * 2


async def _link(crm, opportunity):
    made = await crm.post(f"{opportunity}/link")
    assert made.status_code == 200
    assert made.json()["rep_id"] == "sato"
    return made.json()["path"]


async def test_whoever_looks_at_a_link_changes_nothing_and_the_button_takes_the_lead_once(live, crm, opportunity):
    path = await _link(crm, opportunity)
    async with httpx.AsyncClient(base_url=live.url, headers={"accept-language": "ja,en;q=0.8"}) as browser:
        for _ in range(3):  # scanners of mails and chats
            page = await browser.get(path)
            assert (await browser.head(path)).status_code == 200
        assert "佐藤" in page.text or "Sato" in page.text
        assert "日の出工業" in page.text
        assert "山田" not in page.text, "nothing personal for who only looks"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await crm.get(opportunity)).json()["owner"]["state"] == "offered"
        for nothing in ({"do": "explode"}, {}):
            unsaid = await browser.post(path, data=nothing)
            assert (unsaid.status_code, "受け取るか差し戻すか" in unsaid.text) == (422, True)
        assert "理由を選んで" in (await browser.post(path, data={"do": "decline"})).text
        taken = await browser.post(path, data={"do": "accept"})
        assert (taken.status_code, "担当です" in taken.text) == (200, True)
        assert (await crm.get(opportunity)).json()["owner"]["state"] == "accepted"
        again = await browser.post(path, data={"do": "decline", "reason": "at_capacity"})
        assert (again.status_code, "すでに受け取り済み" in again.text) == (409, True)
        assert "<button" not in again.text
    assert (await crm.get(opportunity)).json()["owner"]["state"] == "accepted"
    assert (await crm.post(f"{opportunity}/link")).json()["code"] == "offer_not_open"


async def test_a_link_gives_the_lead_back_with_a_reason_that_policy_knows(live, crm, opportunity):
    path = await _link(crm, opportunity)
    async with httpx.AsyncClient(base_url=live.url, headers={"accept-language": "en"}) as browser:
        page = (await browser.get(path)).text
        assert '<option value="at_capacity">at capacity</option>' in page
        assert (await browser.post(path, data={"do": "decline", "reason": "bored"})).status_code == 422
        assert (await browser.post(path, data={"do": "decline", "reason": "at_capacity"})).status_code == 200
        assert "gave this lead back" in (await browser.get(path)).text
        assert "before" in (await browser.post(path, data={"do": "accept"})).text
        for unsaid in ("", "fr"):
            same = await browser.get(path, headers={"accept-language": unsaid})
            assert "差し戻しました" in same.text, "the language in which 佐藤 is written to"
    offers = (await crm.get(opportunity)).json()["offers"]
    assert [(offer["state"], offer["reason"]) for offer in offers] == [("declined", "at_capacity")]


async def test_a_link_ends_with_its_offer_and_its_time(live, world, crm, opportunity):
    path = await _link(crm, opportunity)
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])
    async with httpx.AsyncClient(base_url=live.url, headers={"accept-language": "en"}) as browser:
        assert "too late" in (await browser.get(path)).text
        assert (await browser.post(path, data={"do": "accept"})).status_code == 409
        assert (await crm.get(opportunity)).json()["owner"]["rep_id"] == "tanaka"
        world.clock.advance(days=7)
        assert (await browser.post(path, data={"do": "accept"})).status_code == 410
        changed = path[:-2] + ("AA" if path[-2:] != "AA" else "BB")
        for wrong in (changed, "/o/x", "/o/" + "A" * 400, path + "?x=1#"):
            answer = await browser.post(wrong, data={"do": "accept"})
            assert answer.status_code in (404, 410)


async def test_a_rep_makes_no_links_and_nobody_for_what_is_not_there(live, crm, opportunity):
    for unknown in ("x", str(uuid4())):
        assert (await crm.post(f"/v1/opportunities/{unknown}/link")).status_code == 404
    assert (await (await live.client("rep", name="sato")).post(f"{opportunity}/link")).status_code == 403
