"""`Idempotency-Key`: what is sent again is done once, and answered the same; the key and the effect are one transaction."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from shared.kit import problems
from shared.kit.auth import Caller
from shared.kit.clock import FakeClock
from shared.kit.database import open_pool, tenant_transaction
from shared.kit.idempotency import SLICE, Key, Once, forget
from shared.kit.problems import Problem
from tests.waiting import until_blocked

pytestmark = pytest.mark.servers
DAY = 86_400_000


class Shop:
    """A service whose effect is a row of the transaction that it is given."""

    def __init__(self, pool, tenant, clock):
        self.tenant, self.name, self.roles = tenant, "sato", ("api",)
        self.hold, self.entered = asyncio.Event(), asyncio.Event()
        self.hold.set()
        self.crash = False
        once, self.app = Once(pool, "router", clock), FastAPI()
        problems.install(self.app)

        @self.app.post("/things/{thing}")
        async def make(request: Request, response: Response, thing: str, key: Key = None):
            async def effect(connection):
                if thing == "refused":
                    raise Problem(409, "refused", "not this one")
                await connection.execute(
                    "INSERT INTO router.pools (tenant, pool_id) VALUES ($1, $2)", self.tenant, f"{thing}-{uuid4().hex}"
                )
                self.entered.set()
                await self.hold.wait()
                return {"made": uuid4().hex}

            answer = await once.do(request, response, Caller(self.tenant, self.name, self.roles), key, effect)
            if self.crash:
                raise ConnectionError("the answer is lost")
            return answer

    def client(self):
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://shop")

    async def made(self, pool):
        async with tenant_transaction(pool, self.tenant) as connection:
            return await connection.fetchval("SELECT count(*) FROM router.pools")

    async def keys(self, pool):
        async with tenant_transaction(pool, self.tenant) as connection:
            return [row["key"] for row in await connection.fetch("SELECT key FROM router.idempotency_keys ORDER BY 1")]


@pytest.fixture
async def pools(database_url):
    app = await open_pool(database_url, "baton_app", application="test")
    workers = await open_pool(database_url, "baton_worker", application="test")
    yield app, workers
    await app.close()
    await workers.close()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def shop(pools, tenant, clock):
    return Shop(pools[0], tenant, clock)


async def post(client, key, thing="a", **body):
    return await client.post(f"/things/{thing}", json=body, headers={"idempotency-key": key} if key else {})


async def test_a_request_that_is_sent_again_is_done_once_and_answered_the_same(shop, pools):
    async with shop.client() as client:
        first, again = await post(client, '"k 1"', n=1), await post(client, '"k 1"', n=1)
        assert first.status_code == again.status_code == 200, first.text
        assert first.json() == again.json()
        assert [answer.headers.get("idempotency-replayed") for answer in (first, again)] == [None, "true"]
        assert await shop.made(pools[0]) == 1
        await post(client, None)
        await post(client, None)
    assert await shop.made(pools[0]) == 3, "without a key every request is one"


async def test_a_lost_answer_is_given_when_it_is_asked_for_again(shop, pools):
    async with shop.client() as client:
        shop.crash = True
        assert (await post(client, "k")).status_code == 500
        shop.crash = False
        assert (await post(client, "k")).headers["idempotency-replayed"] == "true"
    assert await shop.made(pools[0]) == 1


async def test_another_request_with_the_same_key_is_refused(shop):
    async with shop.client() as client:
        await post(client, "k", n=1)
        for answer in (await post(client, "k", n=2), await post(client, "k", thing="b", n=1)):
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("name", "roles"), [("tanaka", ("api",)), ("sato", ("rep",)), ("sato", ("api", "rep"))])
async def test_keys_of_two_callers_never_meet_though_they_have_one_name(shop, pools, name, roles):
    async with shop.client() as client:
        await post(client, "k", n=1)
        shop.name, shop.roles = name, roles
        assert (await post(client, "k", n=2)).status_code == 200
        shop.roles = roles[::-1]
        assert (await post(client, "k", n=2)).headers["idempotency-replayed"] == "true", "in whatever order"
    assert await shop.made(pools[0]) == 2


async def test_what_a_program_of_before_kept_is_known_when_it_is_asked_for_again(shop, pools, tenant):
    """Programs are replaced while requests are under way: just then they are sent again."""
    async with shop.client() as client:
        first = await post(client, "k", n=1)
        async with tenant_transaction(pools[0], tenant) as connection:
            await connection.execute("UPDATE router.idempotency_keys SET caller = 'sato'")
        assert (await post(client, "k", n=1)).json() == first.json()
    assert await shop.made(pools[0]) == 1


async def test_another_version_to_be_changed_is_another_request(shop):
    async with shop.client() as client:
        seen = [{"idempotency-key": "k", "if-match": f'"{version}"'} for version in (1, 1, 2)]
        answers = [await client.post("/things/a", headers=headers) for headers in seen]
    assert [answer.status_code for answer in answers] == [200, 200, 422]
    assert answers[2].json()["code"] == "idempotency_key_reused"


async def test_while_the_first_is_at_work_the_second_is_told_so(shop, pools):
    shop.hold.clear()
    async with shop.client() as client:
        first = asyncio.create_task(post(client, "k"))
        async with asyncio.timeout(60):
            await shop.entered.wait()
        second = await post(client, "k")
        assert (second.status_code, second.json()["code"]) == (409, "request_in_progress")
        shop.hold.set()
        assert (await first).status_code == 200
        assert (await post(client, "k")).json() == (await first).json()
    assert await shop.made(pools[0]) == 1


async def test_a_process_that_dies_before_the_commit_has_done_nothing(shop, pools):
    shop.hold.clear()
    async with shop.client() as client:
        dying = asyncio.create_task(post(client, "k"))
        async with asyncio.timeout(60):
            await shop.entered.wait()
        dying.cancel()
        await asyncio.wait([dying])
        assert await shop.made(pools[0]) == 0
        shop.hold.set()
        again = await post(client, "k")
    assert (again.status_code, again.headers.get("idempotency-replayed")) == (200, None)
    assert await shop.made(pools[0]) == 1


async def test_what_was_refused_is_looked_at_anew(shop):
    async with shop.client() as client:
        for _ in range(2):
            answer = await post(client, "k", thing="refused")
            assert (answer.status_code, answer.json()["code"]) == (409, "refused")


async def test_a_key_is_kept_for_a_day_and_then_forgotten(shop, pools, clock):
    async with shop.client() as client:
        await post(client, "old", n=1)
        clock.advance(milliseconds=DAY - 1)
        await post(client, "young", n=1)
        await forget(pools[1], "router", clock.now())
        assert await shop.keys(pools[0]) == ["old", "young"]
        clock.advance(milliseconds=1)
        assert (await post(client, "old", n=2)).status_code == 200, "its day is over, swept or not"
        clock.advance(milliseconds=DAY - 1)
        await forget(pools[1], "router", clock.now())
        assert await shop.keys(pools[0]) == ["old"], "the young one has become older than the second of the old name"
        assert (await post(client, "old", n=2)).headers["idempotency-replayed"] == "true"


async def test_a_key_that_is_kept_anew_while_it_is_being_forgotten_stays(shop, pools, clock, tenant):
    async with shop.client() as client:
        await post(client, "k", n=1)
        clock.advance(milliseconds=DAY)
        now = clock.now()
        async with tenant_transaction(pools[0], tenant) as connection:
            await connection.execute("UPDATE router.idempotency_keys SET at = $1", now)
            forgetting = asyncio.create_task(forget(pools[1], "router", now))
            await until_blocked(forgetting, connection, pools[1])
        await forgetting
    assert await shop.keys(pools[0]) == ["k"]


async def test_all_that_is_old_is_forgotten_however_much_it_is(shop, pools, clock, tenant):
    async with tenant_transaction(pools[0], tenant) as connection:
        await connection.execute(
            "INSERT INTO router.idempotency_keys (tenant, caller, key, digest, answer, at)"
            " SELECT $1, 'c', n::text, '', '{}', 0 FROM generate_series(1, $2) n",
            tenant,
            SLICE + 1,
        )
    assert await forget(pools[1], "router", clock.now()) > SLICE
    assert await shop.keys(pools[0]) == []


@pytest.mark.parametrize("key", ["", '""', "two words", "ü", "x" * 256])
async def test_a_key_that_is_none_is_refused(shop, key):
    async with shop.client() as client:
        answer = await client.post("/things/a", headers=[(b"idempotency-key", key.encode())])
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
