"""Second looks at a lead's decisions, by the API and in words."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest
from fastapi import FastAPI

from baton.explaining.again import replay_words, why_not_words
from services.router.why_not_api import why_not_routes
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash

pytestmark = pytest.mark.servers


@pytest.fixture
async def get(world, database_url):
    """get(path): what the API answers."""
    app = FastAPI()
    problems.install(app)
    app.include_router(why_not_routes(world.pool, Tokens(world.pool), world.policies.following, world.clock))
    token = f"token-{uuid4().hex}"
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'desk', '{manager}')",
        world.tenant,
        token_hash(token),
    )
    await connection.close()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://router") as client:

        async def call(path, status=200):
            answer = await client.get(f"/v1/leads/{path}", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status, answer.text
            return answer.json()

        yield call


async def test_why_not_says_how_it_was_decided_and_when_the_turn_comes(world, get):
    await world.router().handle([world.score("l1")])
    [first] = await world.routed()
    assert first.rep_id == "sato"
    assert (await get("l1/why-not/sato"))["has_it"]
    mori = await get("l1/why-not/mori")
    assert (mori["why"]["code"], mori["after"]) == ("not_their_turn", 1)
    await world.router().handle([world.score("l2"), world.score("l3")])
    assert {one.lead_id: one.rep_id for one in await world.routed()} == {"l2": "tanaka", "l3": "mori"}, (
        "as was foretold"
    )
    await world.router().handle([world.event(first, "offer-declined", reason="at_capacity", effect="reroute")])
    gone = await get("l1/why-not/sato")
    assert (gone["why"]["code"], gone["why"]["detail"]) == (
        "earlier_holder",
        {"ended": "declined", "reason": "at_capacity"},
    )
    assert why_not_words(gone, "en").splitlines()[1].startswith("As things stand now: Sato ")
    assert why_not_words(gone, "ja").splitlines()[1].startswith("現在の状況では: ")
    assert "Ito is not in pool “field”" in (await get("l1/why-not/ito"))["why"]["text"]["en"]
    assert (await get("nobody/why-not/sato", status=404))["code"] == "lead_not_found"


async def test_replaying_gives_the_same_and_tells_what_does_not(world, get, database_url):
    await world.router().handle([world.score("l1")])
    [first] = await world.routed()
    await world.router().handle([world.event(first, "offer-expired", reason="accept", effect="reroute")])
    told = await get("l1/replay")
    assert [one["same"] for one in told["decisions"]] == [True, True]
    assert "2 decisions, each repeated" in replay_words(told, lang="en", zone="UTC")
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE router.decisions SET outcome = outcome || $2 WHERE tenant = $1 AND seq = 1",
        world.tenant,
        orjson.dumps({"rep_id": "mori"}).decode(),
    )
    await connection.close()
    told = await get("l1/replay")
    assert [(one["same"], one["differs"]) for one in told["decisions"]] == [(True, []), (False, ["outcome.rep_id"])]
    assert "COMES OUT OTHERWISE: outcome.rep_id" in replay_words(told, lang="en", zone="UTC")
    assert (await get("nobody/replay", status=404))["code"] == "no_decision"
