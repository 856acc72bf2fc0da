"""`Idempotency-Key` on every POST of handoff: done once, with its effect in one transaction, and answered the same."""

from __future__ import annotations

import asyncio
import re
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from services.handoff.app import http_app
from shared.kit import auth, database
from shared.kit.auth import token_hash
from shared.kit.database import open_pool, tenant_transaction
from shared.kit.person import seal
from shared.kit.service import Probes
from tests.waiting import until_blocked

pytestmark = pytest.mark.servers
HIDDEN = "hanako@hinode.example"


def in_process(world, pool=None):
    return http_app(pool or world.app, world.policies, world.clock, Probes(), b"m" * 32)


@pytest.fixture
async def token(world, owner):
    token = uuid4().hex
    await owner.execute(
        "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'crm', '{api}')",
        world.tenant,
        token_hash(token),
    )
    return token


def client_of(app, token):
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://handoff", headers=headers)


@pytest.fixture
async def crm(world, token):
    async with client_of(in_process(world), token) as client:
        yield client


@pytest.fixture
async def opportunity(world):
    await world.handler().handle([world.routed(person=seal({"email": HIDDEN}))])
    return f"/v1/opportunities/{world.opportunity_id()}"


def key(name="k-1"):
    return {"idempotency-key": f'"{name}"'}


async def test_every_post_of_the_api_takes_a_key(crm):
    described = (await crm.get("/openapi.json")).json()["paths"]
    posts = {path: way["post"] for path, way in described.items() if "post" in way}
    assert len(posts) > 8
    for path, post in posts.items():
        named = [one["name"] for one in post["parameters"] if one["in"] == "header"]
        assert "Idempotency-Key" in named, path
        assert {"400", "409"} <= post["responses"].keys(), path


async def test_a_request_sent_again_is_answered_the_same_although_the_lead_went_on(crm, opportunity, world):
    call = {"type": "call_connected", "note": "折り返しのお約束"}
    first = await crm.post(f"{opportunity}/activities", json=call, headers=key())
    world.clock.advance(seconds=5)
    await crm.post(f"{opportunity}/activities", json={"type": "meeting_held"})
    again = await crm.post(f"{opportunity}/activities", json=call, headers=key())

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    types = [activity["type"] for activity in (await crm.get(opportunity)).json()["activities"]]
    assert types == ["call_connected", "meeting_held"]


async def test_the_key_is_of_one_request_and_what_was_refused_is_not_kept(crm, opportunity):
    refused = await crm.post(f"{opportunity}/decline", json={"reason": "nonsense"}, headers=key())
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_reason")
    accepted = await crm.post(f"{opportunity}/accept", headers=key())
    assert accepted.json()["stage"] == "accepted"
    for path, body in (("accept", {"rep_id": "sato"}), ("decline", {"reason": "junk"})):
        other = await crm.post(f"{opportunity}/{path}", json=body, headers=key())
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    bad = await crm.post(f"{opportunity}/accept", headers={"idempotency-key": "two words"})
    assert (bad.status_code, bad.json()["code"]) == (400, "bad_idempotency_key")


async def test_while_the_first_request_is_at_work_the_second_is_told_so(crm, opportunity, world):
    async with tenant_transaction(world.app, world.tenant) as connection:
        await connection.execute("SELECT 1 FROM handoff.opportunities WHERE tenant = $1 FOR UPDATE", world.tenant)
        first = asyncio.create_task(crm.post(f"{opportunity}/accept", headers=key()))
        await until_blocked(first, connection, world.workers)
        second = await crm.post(f"{opportunity}/accept", headers=key())
    assert (second.status_code, second.json()["code"]) == (409, "request_in_progress")
    assert (await first).status_code == 200


async def test_a_secret_is_told_again_and_nothing_of_an_answer_can_be_read_in_the_table(crm, opportunity, world):
    hook = {"url": "https://crm.example.com/hooks"}
    made = await crm.post("/v1/endpoints", json=hook, headers=key("e"))
    again = await crm.post("/v1/endpoints", json=hook, headers=key("e"))
    await crm.post(f"{opportunity}/accept", headers=key("a"))

    assert made.status_code == again.status_code == 201
    assert made.json()["secret"] == again.json()["secret"]
    assert len((await crm.get("/v1/endpoints")).json()["items"]) == 1
    async with tenant_transaction(world.app, world.tenant) as connection:
        kept = str(await connection.fetch("SELECT * FROM handoff.idempotency_keys"))
    assert "'a'" in kept
    assert not re.search(f"whsec_|{HIDDEN}", kept)


async def test_a_token_of_the_same_name_or_that_lost_its_role_is_not_told_the_answer(
    opportunity, calling, world, owner, monkeypatch
):
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0)

    async def call(client):
        answer = await client.post(f"{opportunity}/activities", json={"type": "call_connected"}, headers=key())
        return answer.status_code, answer.headers.get("idempotency-replayed")

    system, rep, nobody = await calling("sato", "api"), await calling("sato", "rep"), await calling("sato")
    assert await call(system) == (200, None)
    assert await call(system) == (200, "true")
    assert await call(rep) == (200, None)
    assert await call(nobody) == (403, None)
    await owner.execute("UPDATE auth.tokens SET roles = '{}' WHERE tenant = $1", world.tenant)
    assert await call(system) == (403, None)


async def test_the_headers_of_an_answer_are_given_again(opportunity, crm):
    person = {"name": "木村", "roles": ["user"]}
    first = await crm.post(f"{opportunity}/stakeholders", json=person, headers=key())
    again = await crm.post(f"{opportunity}/stakeholders", json=person, headers=key())
    assert first.headers["etag"]
    assert dict(again.headers) == dict(first.headers) | {"idempotency-replayed": "true"}
    assert again.content == first.content


async def test_a_request_with_a_key_needs_one_connection_however_long_its_caller_has_been_known(
    world, token, opportunity, database_url, monkeypatch
):
    """Else those that hold one and wait for another, as many as the pool has, hold up all others with them."""
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0)
    monkeypatch.setattr(database, "ACQUIRE_SECONDS", 3)
    posts = [
        ("accept", {}),
        ("activities", {"type": "call_connected"}),
        ("calls", {"result": "no_answer"}),
        ("tasks", {"title": "見積もり", "due": "2024-01-10"}),
        ("stakeholders", {"name": "木村", "roles": ["user"]}),
        ("decline", {"reason": "junk"}),
    ]
    pool = await open_pool(database_url, "baton_app", application="test", size=1)
    try:
        async with client_of(in_process(world, pool), token) as client:
            for path, body in posts:
                answer = await client.post(f"{opportunity}/{path}", json=body, headers=key(path))
                assert answer.status_code < 300, f"{path}: {answer.text}"
    finally:
        await pool.close()


class Changing:
    """A pool that is another one whenever it is told so."""

    def __init__(self, pool):
        self.now = pool

    def __getattr__(self, name):
        return getattr(self.now, name)


async def test_whenever_it_crashes_the_key_is_kept_just_where_the_effect_is(world, token, crashing):
    """Dies at every statement, before and after it; sent again, it is done, and done once."""
    at, ended, pool = 0, False, Changing(world.app)
    async with client_of(in_process(world, pool), token) as client:
        while not ended:
            at += 1
            for before in (True, False):
                lead = f"lead-{at}-{before}"
                await world.handler().handle([world.routed(lead)])
                path = f"/v1/opportunities/{world.opportunity_id(lead)}/activities"
                body, name = {"type": "call_connected"}, key(lead)
                pool.now = crashing(world.app, at, before=before)
                pool.now.fetchrow = world.app.fetchrow  # of the token
                with capture_logs():  # tracebacks with all locals would take seconds each
                    ended = (await client.post(path, json=body, headers=name)).status_code == 200
                pool.now = world.app
                world.clock.advance(seconds=1)  # so that it would be another activity
                assert (await client.post(path, json=body, headers=name)).status_code == 200
                told = [event["kind"] for event in await world.events() if event["lead_id"] == lead]
                assert (told.count("activity-logged"), len(told)) == (1, 7), (at, before)
    assert at > 8
    assert len(await kept(world, "activities")) == 2 * at


async def kept(world, table):
    async with tenant_transaction(world.app, world.tenant) as connection:
        return await connection.fetch(f"SELECT FROM handoff.{table}")
