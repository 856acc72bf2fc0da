"""Whom an event belongs to, over real servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.schemas import ids
from shared.schemas.touches import Touch

pytestmark = pytest.mark.servers

MAIL = {"email": "taro.yamada@hinode-soft.co.jp"}


def lead_of(identity_secret: str, tenant: str, kind: str, value: str) -> str:
    secret = ids.tenant_secret(identity_secret.encode(), tenant)
    return ids.lead_id(ids.identity_id(secret, tenant, kind, value))


def track(name: str, **who: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, **who}


async def test_an_event_becomes_a_touch_of_its_users_lead(ingest, identity_secret):
    answer = await ingest.send("track", track("Demo Requested", userId="u-1", messageId="m-1"))

    assert answer.status_code == 200
    assert answer.json() == {"success": True, "accepted": 1, "duplicate": 0, "rejected": 0}
    (touch,) = await ingest.touches()
    expected = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    assert touch["lead_id"] == expected
    assert touch["_key"] == f"{ingest.tenant}/{expected}"
    assert Touch.model_validate_json(touch["_raw"]).type == "demo_requested"


async def test_what_a_visitor_did_before_he_is_known_can_be_handed_over(ingest, identity_secret):
    await ingest.send("track", track("Page Seen", anonymousId="a-1", messageId="m-1"))
    await ingest.send("identify", {"anonymousId": "a-1", "userId": "u-1", "messageId": "m-2"})
    await ingest.send("track", track("Page Seen", anonymousId="a-1", messageId="m-3"))

    known = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    nobody = lead_of(identity_secret, ingest.tenant, "anonymous", "a-1")
    owners = {touch["event_id"]: touch["lead_id"] for touch in await ingest.touches()}
    assert sorted(owners.values()) == sorted([nobody, known, known])
    links = await ingest.links()
    assert {(link["_key"].split("/")[1], link["owner"], link["identity_kind"]) for link in links} == {
        (nobody, known, "anonymous"),
        (known, known, "anonymous"),
    }


async def test_an_untrusted_event_never_merges_two_known_leads(ingest, identity_secret):
    await ingest.send("identify", {"userId": "u-1", "messageId": "m-1"})
    await ingest.send("identify", {"anonymousId": "x", "traits": MAIL, "messageId": "m-2"})
    await ingest.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-3"})

    by_user = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    by_mail = lead_of(identity_secret, ingest.tenant, "email", MAIL["email"])
    (conflict,) = await ingest.written("identity-conflicts")
    assert (conflict["lead_id"], conflict["other_lead_id"]) == (by_user, by_mail)
    assert [touch["lead_id"] for touch in await ingest.touches()].count(by_user) == 2
    assert all(link["owner"] != by_user for link in await ingest.links() if link["identity_kind"] == "email")


async def test_a_trusted_event_merges_two_known_leads_into_the_smaller_id(ingest, identity_secret):
    await ingest.send("identify", {"userId": "u-1", "messageId": "m-1"})
    await ingest.send("identify", {"anonymousId": "x", "traits": MAIL, "messageId": "m-2"})
    await ingest.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-3"}, key=ingest.trusted_key)

    by_user = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    by_mail = lead_of(identity_secret, ingest.tenant, "email", MAIL["email"])
    survivor, loser = sorted([by_user, by_mail])
    last = {}
    for link in await ingest.written("identity-links"):
        if link["sequence"] > last.get(link["identity_id"], {"sequence": 0})["sequence"]:
            last[link["identity_id"]] = link
    assert {link["owner"] for link in last.values()} == {survivor}, "every identity of the loser moved"
    told = {link["_key"].split("/")[1] for link in await ingest.links() if link["owner"] == survivor}
    assert {survivor, loser} <= told
    assert (await ingest.send("track", track("x", userId="u-1", messageId="m-4"))).json()["accepted"] == 1
    assert (await ingest.touches())[-1]["lead_id"] in (survivor, loser)
    assert await ingest.written("identity-conflicts") == []


async def test_an_unknown_address_joins_the_users_lead(ingest, identity_secret):
    await ingest.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-1"})
    await ingest.send("track", track("x", properties=MAIL, messageId="m-2"))

    by_user = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    touches = await ingest.touches()
    assert {touch["lead_id"] for touch in touches} == {by_user}
    assert {touch["identity_kind"] for touch in touches} == {"user", "email"}


async def test_a_tablet_at_a_fair_is_nobodys(ingest, identity_secret):
    for visitor in ("u-1", "u-2", "u-3"):
        await ingest.send("identify", {"anonymousId": "tablet", "userId": visitor, "messageId": visitor})
    await ingest.send("track", track("x", anonymousId="tablet", messageId="m-9"))

    nobody = lead_of(identity_secret, ingest.tenant, "anonymous", "tablet")
    anonymous = [touch for touch in await ingest.touches() if touch["identity_kind"] == "anonymous"]
    assert [touch["lead_id"] for touch in anonymous] == [nobody]
    assert await ingest.written("identity-conflicts") == []


async def test_an_alias_gives_what_the_visitor_did_to_the_user(ingest, identity_secret):
    await ingest.send("track", track("x", anonymousId="a-1", messageId="m-1"))
    await ingest.send("alias", {"previousId": "a-1", "userId": "u-1", "messageId": "m-2"})
    await ingest.send("track", track("x", anonymousId="a-1", messageId="m-3"))

    known = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    owners = [touch["lead_id"] for touch in await ingest.touches()]
    assert owners.count(known) == 2
    assert len(owners) == 3


async def test_an_alias_joins_a_new_user_id_to_a_known_one(ingest, identity_secret):
    await ingest.send("identify", {"userId": "old", "messageId": "m-1"})
    await ingest.send("alias", {"previousId": "old", "userId": "new", "messageId": "m-2"})

    assert {touch["lead_id"] for touch in await ingest.touches()} == {
        lead_of(identity_secret, ingest.tenant, "user", "old")
    }


async def test_redis_that_lost_everything_is_filled_from_the_topic_and_decides_as_before(ingest, wait_until):
    await ingest.send("identify", {"userId": "u-1", "anonymousId": "a-1", "traits": MAIL, "messageId": "m-1"})
    await ingest.send("identify", {"userId": "u-2", "anonymousId": "tablet", "messageId": "m-2"})
    await ingest.send("identify", {"userId": "u-3", "anonymousId": "tablet", "messageId": "m-3"})
    looks = [{"traits": MAIL}, {"anonymousId": "a-1"}, {"anonymousId": "tablet"}, {"userId": "u-2"}]

    async def owners(run: str) -> list[str]:
        found = []
        for index, who in enumerate(looks):
            answer = await ingest.send("identify", {**who, "messageId": f"{run}-{index}"})
            assert answer.status_code == 200, answer.text
        ids_of = {ids.derived_id("event", ingest.tenant, "web", f"{run}-{index}"): index for index in range(len(looks))}
        found = {ids_of[t["event_id"]]: t["lead_id"] for t in await ingest.touches() if t["event_id"] in ids_of}
        return [found[index] for index in range(len(looks))]

    before = await owners("before")
    links_before = len(await ingest.written("identity-links"))
    await ingest.redis.flushdb()

    async def taken() -> int:
        return (await ingest.send("track", track("x", userId="u-1", messageId="again"))).status_code

    assert await taken() == 503, "nothing is decided while the registers are gone"
    await ingest.ready()
    await wait_until(taken, 200)
    assert await owners("after") == before
    assert len(await ingest.written("identity-links")) == links_before, "nothing had to be decided anew"


async def test_a_tenant_that_comes_later_is_taken_in_without_a_rebuild(ingest, publish_policy, wait_until):
    newcomer = f"{ingest.tenant}-later"
    body = {"kind": "sources", "sources": [{"id": "web", "write_keys": [newcomer]}]}
    await publish_policy(newcomer, body, 1)

    async def answer() -> int:
        found = (await ingest.send("track", track("x", userId="u-1"), key=newcomer)).status_code
        assert found in (200, 401), "a new tenant is no reason to be away"
        return found

    await wait_until(answer, 200)
    await ingest.ready(seconds=1)


async def test_tenants_that_come_at_the_same_moment_are_taken_in_together(ingest, publish_policy, wait_until):
    newcomers = [f"{ingest.tenant}-later-{number}" for number in range(8)]
    for newcomer in newcomers:
        await publish_policy(newcomer, {"kind": "sources", "sources": [{"id": "web", "write_keys": [newcomer]}]}, 1)

    async def known() -> set[int]:
        return {(await ingest.send("track", b"no JSON", key=newcomer)).status_code for newcomer in newcomers}

    await wait_until(known, {400})
    calls = [ingest.send("track", track("x", userId="u-1"), key=newcomer) for _ in range(4) for newcomer in newcomers]
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}


async def test_a_policy_that_cannot_be_read_leaves_the_good_one_in_force(ingest, publish_policy, wait_until):
    await publish_policy(ingest.tenant, {"kind": "sources", "sources": "nonsense"}, 2)
    good = {"kind": "sources", "sources": [{"id": "web", "write_keys": ["another-" + ingest.key, ingest.key]}]}
    answers = {(await ingest.send("track", track("x", userId="u-1"))).status_code for _ in range(20)}
    assert answers == {200}
    await publish_policy(ingest.tenant, good, 3)

    async def answer() -> int:
        return (await ingest.send("track", track("x", userId="u-1"), key="another-" + ingest.key)).status_code

    await wait_until(answer, 200)


async def test_a_second_ingest_on_the_same_redis_decides_as_the_first(ingest, start, identity_secret):
    other = await start()
    await ingest.send("identify", {"userId": "u-1", "anonymousId": "a-1", "traits": MAIL, "messageId": "m-1"})
    await other.send("track", track("x", anonymousId="a-1", messageId="m-2"))
    again = await other.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-1"})

    assert again.json()["duplicate"] == 1
    assert {touch["lead_id"] for touch in await ingest.touches()} == {
        lead_of(identity_secret, ingest.tenant, "user", "u-1")
    }
