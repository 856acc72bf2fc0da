"""Leads of the night wait for the morning; who is away gets none; both are told, and end at the very moment."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from services.router.api import Leads, routes
from services.router.availability_api import availability_routes
from services.router.store import leads as lead_rows
from services.router.sweep import Sweep
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers

HOUR = 3_600_000
BLOCKS = [{"open": "09:00", "close": "12:00"}, {"open": "13:00", "close": "18:00"}]
CALENDARS = [{"id": "tokyo", "zone": "Asia/Tokyo", "blocks": BLOCKS, "holidays": {"country": "JP"}}]


def at(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)


def move(world, text):
    """The clock to a time in Tokyo."""
    world.clock.advance(milliseconds=at(text) - world.clock.now())


@pytest.fixture
def hours(team):
    def make(field=("sato",), **rep):
        return team(field=field, **({"calendar": "tokyo"} | rep)) | {"calendars": CALENDARS}

    return make


@pytest.fixture
async def token(database_url, world):
    """Makes tokens, as the command line does."""
    connection = await asyncpg.connect(database_url)

    async def make(*roles, name="desk", tenant=None):
        made = f"token-{uuid4().hex}"
        await connection.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)",
            tenant or world.tenant,
            token_hash(made),
            name,
            list(roles),
        )
        return {"authorization": f"Bearer {made}"}

    yield make
    await connection.close()


@pytest.fixture
async def api(world, identity_secret):
    """A client without a token."""
    app = FastAPI()
    problems.install(app)
    tokens, follow = Tokens(world.pool), world.policies.following
    app.include_router(availability_routes(world.pool, tokens, follow, world.clock, world.policies.changed.set))
    app.include_router(routes(Leads(world.pool, follow, world.clock), tokens, identity_secret.encode()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://router") as client:
        yield client


async def test_a_lead_of_friday_evening_is_parked_and_taken_when_they_open_after_the_holiday(world, hours):
    move(world, "2026-11-20T18:30")
    await world.apply(hours())
    await world.router().handle([world.score("l1")])
    lead = await world.lead("l1")
    assert (lead["waiting_reason"], lead["waiting_for"]) == ("parked:not_at_work", ["sato"])
    assert lead["waiting_until"] == at("2026-11-24T09:00"), "Monday is 勤労感謝の日"
    world.clock.advance(milliseconds=60_000)
    assert await world.sweep().sweep() == 0
    assert (await world.lead("l1"))["tried_at"] == lead["tried_at"], "not tried over and over through the night"
    world.clock.advance(milliseconds=at("2026-11-24T09:00") - world.clock.now() - 1)
    assert await world.sweep().sweep() == 0
    world.clock.advance(milliseconds=1)
    assert await world.sweep().sweep() == 1
    [routed] = await world.routed()
    assert (routed.lead_id, routed.rep_id, routed.decided_at) == ("l1", "sato", at("2026-11-24T09:00"))
    assert (await world.lead("l1"))["waiting_until"] is None


async def test_the_api_says_when_a_parked_lead_will_be_taken(world, hours, api, token):
    move(world, "2026-11-20T18:30")
    await world.apply(hours())
    await world.router().handle([world.score("l1")])
    waiting = (await api.get("/v1/leads/l1", headers=await token("manager"))).json()["waiting"]
    assert waiting["until"] == "2026-11-24T00:00:00.000Z"
    assert waiting["trigger"] == {
        "en": "the first of them is at work again: 2026-11-24 09:00 (Asia/Tokyo)",
        "ja": "担当可能者の営業開始または復帰: 2026-11-24 09:00(Asia/Tokyo)",
    }


async def test_only_who_is_at_work_gets_leads_and_the_others_are_owed_nothing_for_it(world, hours):
    move(world, "2026-11-25T20:00")
    night = hours(field=("sato", "tanaka"))
    night["reps"][1]["calendar"] = None
    await world.apply(night)
    await world.router().handle([world.score(f"n{n}") for n in range(10)])
    assert {routed.rep_id for routed in await world.routed()} == {"tanaka"}
    move(world, "2026-11-26T10:00")
    await world.router().handle([world.score(f"d{n}") for n in range(10)])
    by_rep = [routed.rep_id for routed in await world.routed()]
    assert (by_rep.count("sato"), by_rep.count("tanaka")) == (5, 5)


async def test_the_sweep_wakes_at_the_moment_of_opening_and_not_after_its_usual_pause(world, hours, running_clock):
    move(world, "2026-11-25T08:59")
    world.clock.advance(milliseconds=59_500)
    await world.apply(hours())
    await world.router().handle([world.score("l1")])
    clock = running_clock(world.clock.now())
    policies = world.policies
    policies.changed.clear()
    wake = asyncio.Event()
    sweep = Sweep(world.pool, world.workers, policies.following, policies.tenants, clock, wake, every_seconds=3600)
    running = asyncio.create_task(sweep.run())
    try:
        async with asyncio.timeout(20):
            while (await world.lead("l1"))["owner_rep"] is None:
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
    [routed] = await world.routed()
    assert at("2026-11-25T09:00") <= routed.decided_at < at("2026-11-25T09:00") + 15_000


async def test_a_lead_whose_rep_says_they_are_away_longer_waits_for_the_new_moment(world, hours, api, token):
    move(world, "2026-11-26T08:58")
    await world.apply(hours())
    await world.router().handle([world.score("l1")])
    desk = await token("manager")
    said = await api.put(
        "/v1/reps/sato/availability", headers=desk, json={"away_until": "2026-11-26T15:00:00+09:00", "reason": "客先"}
    )
    assert said.status_code == 200, said.text
    move(world, "2026-11-26T09:00")
    assert await world.sweep().sweep() == 0
    assert (await world.lead("l1"))["waiting_until"] == at("2026-11-26T15:00")
    move(world, "2026-11-26T15:00")
    assert await world.sweep().sweep() == 1


async def test_who_is_away_gets_no_leads_until_they_take_it_back_which_wakes_the_sweep(world, hours, api, token):
    move(world, "2026-11-25T10:00")
    await world.apply(hours(field=("sato", "tanaka")))
    sato, changed = await token("rep", name="sato"), world.policies.changed
    answer = await api.put("/v1/reps/sato/availability", headers=sato, json={})
    assert answer.json() == {
        "rep_id": "sato",
        "at_work": False,
        "why_not": "away",
        "until": None,
        "zone": "Asia/Tokyo",
        "away": {
            "away_from": "2026-11-25T01:00:00.000Z",
            "away_until": None,
            "reason": None,
            "said_by": "sato",
            "said_at": "2026-11-25T01:00:00.000Z",
        },
    }
    await world.router().handle([world.score(f"l{n}") for n in range(4)])
    assert {routed.rep_id for routed in await world.routed()} == {"tanaka"}
    manager = await token("manager")
    lead = (await api.get("/v1/leads/l0", headers=manager)).json()
    candidates = {one["rep_id"]: one for one in lead["decision"]["candidates"]}
    assert candidates["sato"]["why_not"]["code"] == "away"
    assert candidates["sato"]["why_not"]["text"]["ja"] == "離席中(再開は未定)"
    tanaka = await api.put("/v1/reps/tanaka/availability", headers=await token("admin"), json={"reason": "病院"})
    assert tanaka.json()["away"]["reason"] == "病院"
    await world.router().handle([world.score("l9")])
    waiting = (await api.get("/v1/leads/l9", headers=manager)).json()["waiting"]
    assert (waiting["reason"], waiting["waiting_for"], waiting["until"]) == (
        "parked:not_at_work",
        ["sato", "tanaka"],
        None,
    )
    changed.clear()
    back = await api.delete("/v1/reps/sato/availability", headers=sato)
    assert (back.json()["at_work"], back.json()["away"]) == (True, None)
    assert changed.is_set(), "and at once, not at the next sweep"
    assert await world.sweep().sweep() == 1
    [routed] = await world.routed()
    assert (routed.lead_id, routed.rep_id) == ("l9", "sato")
    again = await api.delete("/v1/reps/sato/availability", headers=sato)
    assert again.status_code == 200, "taking back what is not there changes nothing"


async def test_a_rep_speaks_for_nobody_else_and_who_has_no_role_for_nobody(world, hours, api, token):
    move(world, "2026-11-25T10:00")
    await world.apply(hours(field=("sato", "tanaka")))
    tanaka, reader, stranger = await token("rep", name="tanaka"), await token("guest"), None
    for method in ("put", "delete"):
        call = getattr(api, method)
        body = {"json": {}} if method == "put" else {}
        refused = await call("/v1/reps/sato/availability", headers=tanaka, **body)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_name")
        refused = await call("/v1/reps/sato/availability", headers=reader, **body)
        assert (refused.status_code, refused.json()["code"]) == (403, "no_role")
        refused = await call("/v1/reps/sato/availability", headers=stranger, **body)
        assert refused.status_code == 401
        unknown = await call("/v1/reps/nobody/availability", headers=await token("manager"), **body)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "rep_not_found")
    assert await world.count("availability") == 0
    await api.put("/v1/reps/sato/availability", headers=await token("api"), json={"reason": "private"})
    assert (await api.get("/v1/reps/sato/availability", headers=tanaka)).json()["away"]["reason"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"away_until": "2026-11-25T09:59:00+09:00"}, "ends_before_it_begins"),
        (
            {"away_from": "2026-11-26T12:00:00+09:00", "away_until": "2026-11-26T12:00:00+09:00"},
            "ends_before_it_begins",
        ),
        ({"away_until": "2026-11-26T12:00:00"}, "invalid_request"),  # in which zone?
        ({"reason": "x" * 201}, "invalid_request"),
        ({"away_until": "9999-12-31T23:59:59-12:00"}, "too_far_ahead"),
        ({"away_from": "9999-12-31T23:59:59-12:00"}, "too_far_ahead"),
        (
            {"away_from": "2026-11-25T09:00:00+09:00", "away_until": "0001-01-01T00:00:00+09:00"},
            "ends_before_it_begins",
        ),
    ],
)
async def test_being_away_that_makes_no_sense_is_refused(world, hours, api, token, body, code):
    move(world, "2026-11-25T10:00")
    await world.apply(hours())
    answer = await api.put("/v1/reps/sato/availability", headers=await token("manager"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await world.count("availability") == 0


async def test_being_away_begins_when_it_was_said_to_and_ends_by_itself(world, hours, api, token):
    move(world, "2026-11-25T10:00")
    await world.apply(hours())
    desk = await token("manager")
    times = {"away_from": "2026-11-25T11:00:00+09:00", "away_until": "2026-11-25T14:00:00+09:00"}
    assert (await api.put("/v1/reps/sato/availability", headers=desk, json=times)).json()["at_work"] is True
    for time, works, why, until in (
        ("2026-11-25T11:00", False, "away", "2026-11-25T05:00:00.000Z"),
        ("2026-11-25T14:00", True, None, None),
        ("2026-11-25T18:00", False, "closed", "2026-11-26T00:00:00.000Z"),
    ):
        move(world, time)
        found = (await api.get("/v1/reps/sato/availability", headers=desk)).json()
        assert (found["at_work"], found["why_not"], found["until"]) == (works, why, until)
    assert found["away"] is None, "it is over"


async def test_tenants_see_and_change_their_own_reps_only(world, hours, api, token):
    await world.apply(hours())
    foreign = await token("admin", tenant=f"other-{uuid4().hex[:8]}")
    answer = await api.put("/v1/reps/sato/availability", headers=foreign, json={})
    assert answer.status_code == 404, "the other tenant has no such rep"
    async with tenant_transaction(world.pool, world.tenant) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO router.availability (tenant, rep_id, away_from, said_by, said_at) VALUES ('x', 'r', 1, 'y', 1)"
            )


async def test_a_lead_that_waits_for_the_morning_is_not_late_and_one_without_an_end_is(world, hours, api, token):
    move(world, "2026-11-25T20:00")
    await world.apply(hours())
    await world.router().handle([world.score("l1")])
    world.clock.advance(milliseconds=12 * HOUR)
    async with world.workers.acquire() as connection:
        [mine] = [
            row for row in await lead_rows.count_parked(connection, world.clock.now()) if row["tenant"] == world.tenant
        ]
    assert (mine["leads"], mine["since"]) == (1, None)
    await api.put("/v1/reps/sato/availability", headers=await token("manager"), json={})
    move(world, "2026-11-26T09:00")
    await world.sweep().sweep()
    async with world.workers.acquire() as connection:
        [mine] = [
            row for row in await lead_rows.count_parked(connection, world.clock.now()) if row["tenant"] == world.tenant
        ]
    assert mine["since"] == at("2026-11-25T20:00")
    assert REGISTRY.get_sample_value("baton_router_parked_leads", {"reason": "not_at_work"}) >= 1
