"""Mobiles, numbers of other systems and desks, over real servers."""

from __future__ import annotations

import pytest

from shared.schemas import ids

pytestmark = pytest.mark.servers

MOBILE = "090-1234-5678"


async def owners(ingest) -> dict[str, str]:
    """Event id of a message -> the lead that its touch belongs to."""
    return {touch["event_id"]: touch["lead_id"] for touch in await ingest.touches()}


async def test_a_mobile_links_a_person_and_the_same_number_under_another_name_does_not(ingest):
    taro = {"phone": MOBILE, "name": "髙﨑 太郎"}
    await ingest.send("identify", {"traits": taro | {"email": "taro@hinode-soft.co.jp"}, "messageId": "m-1"})
    await ingest.send("identify", {"traits": taro | {"name": "高崎 太郎 様"}, "messageId": "m-2"})
    await ingest.send("identify", {"traits": {"phone": MOBILE, "name": "佐藤 花子"}, "messageId": "m-3"})

    found = list((await owners(ingest)).values())
    assert len(found) == 3
    assert sorted(found.count(lead) for lead in set(found)) == [1, 2]
    kinds = {link["identity_kind"] for link in await ingest.links()}
    assert kinds == {"phone"}, "the mobile was linked to the lead of the address"


async def test_an_id_of_a_crm_joins_an_address_it_came_with(ingest, identity_secret):
    mail = {"email": "taro@hinode-soft.co.jp"}
    body = {"externalId": "HubSpot:123", "traits": mail, "messageId": "m-1"}
    await ingest.send("identify", body, key=ingest.trusted_key)
    await ingest.send("identify", {"traits": mail, "messageId": "m-2"})
    await ingest.send("identify", {"externalId": "hubspot:123", "messageId": "m-3"})

    secret = ids.tenant_secret(identity_secret.encode(), ingest.tenant)
    lead = ids.lead_id(ids.identity_id(secret, ingest.tenant, "external", "hubspot:123"))
    assert set((await owners(ingest)).values()) == {lead}


async def test_a_desk_is_one_lead_and_links_no_browser(ingest):
    for number, browser in enumerate(("a-1", "a-2")):
        desk = {"traits": {"email": "info@hinode-soft.co.jp"}, "anonymousId": browser, "messageId": f"m-{number}"}
        await ingest.send("identify", desk)
        page = {"event": "Page Seen", "anonymousId": browser, "messageId": f"p-{number}"}
        await ingest.send("track", page)

    found = list((await owners(ingest)).values())
    assert sorted(found.count(lead) for lead in set(found)) == [1, 1, 2]
    assert not await ingest.links()
