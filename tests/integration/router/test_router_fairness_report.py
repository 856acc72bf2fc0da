"""Share against what was received, counted from what Postgres keeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from baton.fairness_words import told
from services.router.fairness_api import fairness_routes
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash

pytestmark = pytest.mark.servers


@pytest.fixture
async def report(world, database_url):
    """report(pool, **parameters): what the API answers."""
    app = FastAPI()
    problems.install(app)
    app.include_router(fairness_routes(world.pool, Tokens(world.pool), world.policies.following, world.clock))
    token = f"token-{uuid4().hex}"
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'desk', $3)",
        world.tenant,
        token_hash(token),
        ["manager"],
    )
    await connection.close()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://router") as client:

        async def get(pool, status=200, **parameters):
            headers = {"authorization": f"Bearer {token}"}
            answer = await client.get(f"/v1/pools/{pool}/fairness", params=parameters, headers=headers)
            assert answer.status_code == status, answer.text
            return answer.json()

        yield get


def numbers(body, *names):
    return {one["rep_id"]: tuple(one[name] for name in names) for one in body["members"]}


def weighted(team, **more):
    bodies = team(field=("sato", "tanaka"))
    bodies["pools"][0] |= {"members": [{"rep": "sato", "weight": 2}, {"rep": "tanaka"}]} | more
    return bodies


def moment(world):
    return datetime.fromtimestamp(world.clock.now() / 1000, UTC).isoformat()


async def test_what_each_received_stands_against_the_share_and_what_was_none_apart(world, team, report):
    await world.apply(weighted(team))
    for number in range(10):
        await world.router().handle([world.score(f"l{number}")])
        [routed] = await world.routed()
        if number == 3:
            await world.router().handle([world.event(routed, "offer-declined", reason="junk", effect="disqualify")])
        elif number == 4:
            opened, accepted = world.event(routed, "offer-opened"), world.event(routed, "offer-accepted")
            await world.router().handle([opened, accepted])
    world.clock.advance(milliseconds=1)
    body = await report("field")
    assert (body["leads"], body["furthest"], body["promised"]) == (9, 0, True)
    assert numbers(body, "weight", "share", "received", "due_exact", "ways") == {
        "sato": (2, 6, 6, "0", {"fair": 6}),
        "tanaka": (1, 3, 3, "0", {"fair": 3}),
    }
    assert sum(given for given, *_ in numbers(body, "given_back", "declined").values()) == 1
    assert sum(accepted for (accepted,) in numbers(body, "accepted").values()) == 1
    assert numbers(body, "balance") == {"sato": (0,), "tanaka": (0,)}


async def test_who_could_not_take_a_lead_has_no_share_of_it(world, team, report):
    await world.apply(weighted(team))
    await world.router().handle([world.score("l1")])
    [routed] = await world.routed()
    await world.router().handle([world.event(routed, "offer-declined", reason="at_capacity", effect="reroute")])
    world.clock.advance(milliseconds=1)
    body = await report("field")
    assert numbers(body, "share", "received", "due", "declined") == {
        "sato": (pytest.approx(2 / 3), 1, pytest.approx(-1 / 3), 1),
        "tanaka": (pytest.approx(4 / 3), 1, pytest.approx(1 / 3), 0),
    }, "the second lead was for Tanaka alone, and the declined one was Sato's turn"


async def test_only_the_period_counts_and_the_balance_is_of_all_time(world, team, report):
    await world.apply(weighted(team))
    await world.router().handle([world.score("l1")])
    world.clock.advance(seconds=60)
    between = moment(world)
    await world.router().handle([world.score("l2")])
    world.clock.advance(seconds=1)
    assert numbers(await report("field", until=between), "received") == {"sato": (1,), "tanaka": (0,)}
    later = await report("field", since=between)
    assert numbers(later, "received", "balance") == {
        "sato": (0, pytest.approx(1 / 3)),
        "tanaka": (1, pytest.approx(-1 / 3)),
    }
    await world.apply(team(field=("sato",)))
    gone = await report("field")
    assert numbers(gone, "weight", "received") == {"sato": (1, 1), "tanaka": (None, 1)}
    assert (await report("field", status=422, since=moment(world)))["code"] == "ends_before_it_begins"
    assert (await report("nowhere", status=404))["code"] == "pool_not_found"


async def test_what_sticks_is_shared_with_nobody(world, team, report):
    await world.apply(weighted(team, strategy="sticky"))
    await world.router().handle([world.score("l1", hand_raise="demo_requested")])
    [routed] = await world.routed()
    opened, accepted = world.event(routed, "offer-opened"), world.event(routed, "offer-accepted")
    await world.router().handle(
        [opened, accepted, world.event(routed, "offer-declined", reason="not_now", effect="recycle")]
    )
    world.clock.advance(seconds=1)
    await world.router().handle([world.score("l1", hand_raise="demo_requested")])
    world.clock.advance(seconds=1)
    body = await report("field")
    assert body["leads"] == 1
    assert numbers(body, "received", "sticky", "balance") == {
        "sato": (1, 1, pytest.approx(-1 / 3)),
        "tanaka": (0, 0, pytest.approx(1 / 3)),
    }


async def test_what_workers_gave_at_the_same_moment_is_fair_and_both_accounts_of_it_agree(world, team, report):
    """The report adds up decisions, the balances were moved lead by lead under their lock: two ways to the same numbers."""
    await world.apply(weighted(team))
    batches = [[world.score(f"{worker}-{n}") for n in range(7)] for worker in range(8)]
    await asyncio.gather(*(world.router().handle(batch) for batch in batches))
    routed = await world.routed()
    junk = [world.event(one, "offer-declined", reason="junk", effect="disqualify") for one in routed[::5]]
    gone = [world.event(one, "offer-expired", effect="reroute") for one in routed[1::5]]
    await asyncio.gather(*(world.router().handle([event]) for event in [*junk, *gone]))
    world.clock.advance(milliseconds=1)
    body = await report("field")
    assert body["leads"] == 56 - len(junk) + len(gone)
    assert all(due == balance for due, balance in numbers(body, "due", "balance").values())
    assert sum(back for (back,) in numbers(body, "given_back").values()) == len(junk)
    assert sum(expired for (expired,) in numbers(body, "expired").values()) == len(gone)


async def test_who_is_next_is_who_gets_the_next_lead_and_it_is_told_in_words(world, team, report):
    await world.apply(weighted(team))
    for number in range(6):
        world.clock.advance(milliseconds=1)
        body = await report("field")
        told_en, told_ja = (told(body, lang=lang, zone="Asia/Tokyo") for lang in ("en", "ja"))
        await world.router().handle([world.score(f"l{number}")])
        [routed] = await world.routed()
        assert routed.rep_id == body["next"]["rep_id"]
        assert f"Next for a lead that asks for nothing more: {routed.rep_name} is next of 2 eligible" in told_en
        assert f"対象 2 名のうち {routed.rep_name} の番" in told_ja
    await world.apply(weighted(team) | {"reps": [rep | {"capacity": 1} for rep in team(("sato", "tanaka"))["reps"]]})
    body = await report("field")
    assert body["next"]["rep_id"] is None
    assert "Nobody would get a lead now: everybody who could take it is at capacity" in told(
        body, lang="en", zone="UTC"
    )


async def test_what_was_explored_is_told_apart_with_what_became_of_it(world, report, policy_bodies):
    qualification = policy_bodies["qualification"]
    explore = {"explore": {"share": 0.5, "grades": ["B3"]}}
    await world.apply(qualification | {"gate": qualification["gate"] | explore})
    await world.router().handle([world.score(f"l{n}", "B3") for n in range(40)])
    routed = await world.routed()
    assert 5 < len(routed) < 35
    assert all(one.explored and one.leg == "is" for one in routed)
    first, second = routed[:2]
    await world.router().handle([world.event(first, "offer-accepted"), world.event(first, "lead-qualified")])
    await world.router().handle([world.event(second, "offer-declined", reason="junk", effect="disqualify")])
    world.clock.advance(seconds=1)
    body = await report("inside")
    assert body["explored"] == {"given": len(routed), "accepted": 1, "passed_on": 1, "declined": 1}
    assert f"looked at on purpose: {len(routed)}" in told(body, lang="en", zone="UTC")
    assert f"探索分: {len(routed)} 件" in told(body, lang="ja", zone="UTC")
