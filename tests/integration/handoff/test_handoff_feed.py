"""The change feed: every event once and in order, whoever commits when; and exports of the same opportunities."""

from __future__ import annotations

import asyncio
import csv
import io

import pytest

from services.handoff.feed import log
from services.handoff.outbound.messages import message
from shared.kit.database import tenant_transaction
from shared.kit.person import seal
from shared.schemas import ids
from tests.waiting import until_blocked

pytestmark = pytest.mark.servers


@pytest.fixture
async def crm(calling):
    return await calling("crm", "api")


async def all_of(client, after=None, limit=3):
    """Every entry from a cursor on, and where that ends."""
    entries = []
    while True:
        page = (await client.get("/v1/events", params={"limit": limit} | ({"after": after} if after else {}))).json()
        after, found = page["next"], page["items"]
        entries += found
        if not found:
            return entries, after


async def test_all_that_was_told_is_read_in_order_and_from_a_cursor_on_only_what_is_new(world, crm):
    assert (await crm.get("/v1/events")).json() == {"items": [], "next": "0"}
    await world.handler().handle([world.routed("lead-1"), world.routed("lead-2")])
    await world.desk().accept(world.tenant, world.opportunity_id("lead-1"), None)
    entries, after = await all_of(crm)
    assert [entry["id"] for entry in entries] == [event["event_id"] for event in await world.events()]
    assert [int(entry["cursor"]) for entry in entries] == list(range(1, len(entries) + 1))
    assert {entry["data"]["lead_id"] for entry in entries} == {"lead-1", "lead-2"}
    await world.desk().accept(world.tenant, world.opportunity_id("lead-2"), None)
    new, _ = await all_of(crm, after)
    assert [entry["type"] for entry in new] == ["offer.accepted", "clock.met", "stage.changed"]


async def test_what_is_committed_late_comes_after_what_was_read_before_it(world, crm):
    """A transaction that began first, and so has the lower id, ends last."""

    def told(name):
        return [message(ids.derived_id(world.tenant, name), "offer.opened", 1, {"lead_id": name})]

    async with tenant_transaction(world.app, world.tenant) as slow:
        await log.append(slow, world.tenant, told("slow"), 1)
        async with tenant_transaction(world.app, world.tenant) as quick:
            await log.append(quick, world.tenant, told("quick"), 1)
        entries, after = await all_of(crm)
        assert [entry["data"]["lead_id"] for entry in entries] == ["quick"]
    late, _ = await all_of(crm, after)
    assert [entry["data"]["lead_id"] for entry in late] == ["slow"]


async def test_readers_at_the_same_time_get_the_same_numbers(world, crm):
    for n in range(20):
        await world.handler().handle([world.routed(f"lead-{n:02}")])
    read = await asyncio.gather(*(all_of(crm, limit=7) for _ in range(4)))
    assert all(found == read[0] for found in read)
    assert len({entry["id"] for entry in read[0][0]}) == len(read[0][0]) == len(await world.events())


@pytest.mark.parametrize("at_once", [1, 2, log.FORGOTTEN_AT_ONCE])
async def test_a_cursor_that_missed_something_says_so_and_one_that_did_not_goes_on(world, crm, monkeypatch, at_once):
    await log.forget(world.workers, world.clock.now() + 1)  # what others left
    monkeypatch.setattr(log, "FORGOTTEN_AT_ONCE", at_once)
    await world.handler().handle([world.routed("lead-1")])
    first, early = await all_of(crm)
    world.clock.advance(days=31)
    await world.handler().handle([world.routed("lead-2")])  # nobody reads it before it is forgotten
    world.clock.advance(days=31)
    await log.forget(world.workers, world.clock.now() - 1)
    answer = await crm.get("/v1/events", params={"after": early})
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
    await world.handler().handle([world.routed("lead-3")])
    entries, last = await all_of(crm)
    assert {entry["data"]["lead_id"] for entry in entries} == {"lead-3"}
    assert int(entries[0]["cursor"]) > int(first[-1]["cursor"]) + 1
    assert await all_of(crm, last) == ([], last)


async def test_what_is_forgotten_of_one_tenant_is_no_matter_of_the_readers_of_another(world, make_world):
    """Wherever one waits, the others are read meanwhile, on both sides of it in the order of names."""
    others = [await make_world(f"{letter}-{world.tenant}") for letter in "az"]
    for one in (world, *others):
        await one.handler().handle([one.routed()])
        await log.read(one.app, one.tenant, None, 10)
    async with tenant_transaction(world.app, world.tenant) as reading:
        await reading.execute("SELECT FROM handoff.feed_heads FOR UPDATE")
        forgetting = asyncio.create_task(log.forget(world.workers, world.clock.now() + 1))
        await until_blocked(forgetting, reading, world.workers)
        async with asyncio.timeout(60):
            for one in others:
                await log.read(one.app, one.tenant, None, 10)
    await forgetting
    for one in (world, *others):
        assert (await log.read(one.app, one.tenant, None, 10))[0] == []


async def test_what_is_being_forgotten_takes_no_number_when_the_feed_is_read_for_the_first_time(world, crm):
    await world.handler().handle([world.routed("lead-1")])
    async with world.workers.acquire() as connection, connection.transaction():
        gone = await connection.fetchval(
            "DELETE FROM handoff.feed WHERE id = (SELECT min(id) FROM handoff.feed WHERE tenant = $1)"
            " RETURNING message_id::text",
            world.tenant,
        )
        reading = asyncio.create_task(all_of(crm))
        await until_blocked(reading, connection, world.workers)
    await world.handler().handle([world.routed("lead-2")])
    first, after = await reading
    more, _ = await all_of(crm, after)
    read = first + more
    assert [int(entry["cursor"]) for entry in read] == list(range(1, len(read) + 1))
    assert {entry["id"] for entry in read} == {event["event_id"] for event in await world.events()} - {gone}


@pytest.mark.parametrize("after", ["-1", "x", "1.2", "9" * 19, "\x00"])
async def test_a_cursor_that_is_none_is_refused(crm, after):
    answer = await crm.get("/v1/events", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")
    assert (await crm.get("/v1/events", params={"after": "12345"})).json()["code"] == "cursor_expired"


async def test_the_feed_is_for_systems_and_of_the_own_tenant(world, make_world, calling, crm):
    other = await make_world(f"{world.tenant}-other")
    await other.handler().handle([other.routed("theirs")])
    assert await all_of(crm) == ([], "0")
    for role in ("rep", "manager"):
        assert (await (await calling("sato", role)).get("/v1/events")).json()["code"] == "no_role"


def cells(answer, encoding="utf-8-sig"):
    return list(csv.DictReader(io.StringIO(answer.content.decode(encoding), newline="")))


async def test_an_export_has_what_the_caller_may_see_and_opens_in_a_spreadsheet(world, calling, crm):
    person = seal({"name": "=cmd()", "email": "hanako@hinode.example"})
    await world.handler().handle(
        [
            world.routed("lead-1", person=person, attributes={"company": "髙島屋 😀"}),
            world.routed("lead-2", rep="tanaka", attributes={"company": "〜株式会社"}),
        ]
    )
    answer = await crm.get("/v1/exports/opportunities.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = {row["lead_id"]: row for row in cells(answer)}
    assert rows.keys() == {"lead-1", "lead-2"}
    assert (rows["lead-1"]["name"], rows["lead-1"]["company"]) == ("'=cmd()", "髙島屋 😀")
    sato = await calling("sato", "rep")
    assert [row["lead_id"] for row in cells(await sato.get("/v1/exports/opportunities.csv"))] == ["lead-1"]

    old = await crm.get("/v1/exports/opportunities.csv", params={"encoding": "cp932"})
    assert old.headers["baton-unencodable"] == "1"
    assert {row["company"] for row in cells(old, "cp932")} == {"髙島屋 〓", "～株式会社"}
    [lost] = (await crm.get("/v1/exports/opportunities/unencodable")).json()["items"]
    assert (lost["column"], lost["characters"]) == ("company", "😀")


async def test_files_of_many_are_read_one_after_the_other(world, crm):
    await world.handler().handle([world.routed(f"lead-{n}") for n in range(5)])
    seen, after = [], None
    while True:
        answer = await crm.get(
            "/v1/exports/opportunities.csv", params={"limit": 2} | ({"after": after} if after else {})
        )
        seen += [row["lead_id"] for row in cells(answer)]
        after = answer.headers.get("baton-next")
        if after is None:
            break
    assert sorted(seen) == [f"lead-{n}" for n in range(5)]
