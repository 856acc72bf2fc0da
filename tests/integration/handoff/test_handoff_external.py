"""A CRM that knows deals by its own ids: links one, and says what it knows as often as it likes."""

from __future__ import annotations

import asyncio

import pytest

from tests.hinode_deals import PIPELINE

pytestmark = pytest.mark.servers

AT = "/v1/external/salesforce/0065g"
SAID = {"amount": 1_200_000, "expected_close": "2024-03-31", "first_meeting": "2023-11-20", "problem": "在庫の棚卸"}


@pytest.fixture
async def crm(world, calling, publish):
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    for lead in ("lead-1", "lead-2"):
        await world.handler().handle([world.routed(lead)])
        await world.desk().accept(world.tenant, world.opportunity_id(lead), None)
    return await calling("crm", "api")


def code_of(answer):
    return answer.status_code, answer.json().get("code")


async def test_an_id_is_linked_once_and_then_enough(world, crm):
    assert code_of(await crm.put(AT, json={"deal": SAID})) == (404, "not_linked")
    first = await crm.put(AT, json={"lead_id": "lead-1", "deal": SAID})
    assert (first.status_code, first.json()["opportunity_id"]) == (201, world.opportunity_id("lead-1"))
    told = len(await world.events())
    again = await crm.put(AT, json={"lead_id": "lead-1", "deal": SAID})
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await world.events()) == told, "the same again tells nothing"
    later = await crm.put(AT, json={"deal": {"amount": 1_500_000}, "stage": "discovery"})
    deal = later.json()["deal"]
    assert (deal["amount"], deal["expected_close"], deal["stage"]) == ("1500000", "2024-03-31", "discovery")
    assert (await crm.get(AT)).json() == later.json()
    read = await crm.get(f"/v1/opportunities/{world.opportunity_id('lead-1')}/deal")
    assert read.json() == deal


async def test_an_id_stands_for_one_opportunity_and_an_opportunity_has_one_id_of_a_system(world, crm):
    assert (await crm.put(AT, json={"lead_id": "lead-1"})).status_code == 201
    other = {"opportunity_id": world.opportunity_id("lead-2")}
    assert code_of(await crm.put(AT, json=other)) == (409, "linked_elsewhere")
    assert code_of(await crm.put("/v1/external/salesforce/another", json={"lead_id": "lead-1"})) == (
        409,
        "linked_elsewhere",
    )
    assert (await crm.put("/v1/external/kintone/17", json={"lead_id": "lead-1"})).status_code == 201


async def test_two_that_link_at_once_link_once(world, crm, owner):
    answers = await asyncio.gather(*(crm.put(AT, json={"lead_id": "lead-1", "deal": SAID}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    count = "SELECT count(*) FROM handoff.external_ids WHERE tenant = $1"
    assert await owner.fetchval(count, world.tenant) == 1


async def test_guards_and_slips_are_told_as_elsewhere(world, crm):
    await crm.put(AT, json={"lead_id": "lead-1"})
    guarded = await crm.put(AT, json={"stage": "proposal"})
    assert code_of(guarded) == (409, "guard")
    assert guarded.json()["missing"]
    wrong = await crm.put(AT, json={"stage": "discovry"})
    assert (code_of(wrong), wrong.json()["suggestion"]) == ((422, "unknown_stage"), "discovery")
    assert code_of(await crm.put(AT, json={"deal": {"team": [{"rep_id": "nobody", "role": "presales"}]}})) == (
        422,
        "unknown_rep",
    )
    for body in ({"lead_id": "nobody"}, {"opportunity_id": "x"}, {"opportunity_id": world.opportunity_id("none")}):
        assert code_of(await crm.put("/v1/external/salesforce/new", json=body)) == (404, "not_found")
    assert code_of(await crm.get("/v1/external/salesforce/new")) == (404, "not_linked")


async def test_what_is_refused_links_nothing(world, crm):
    await world.handler().handle([world.routed("lead-9")])
    assert code_of(await crm.put(AT, json={"lead_id": "lead-9"})) == (409, "not_accepted")
    assert code_of(await crm.put(AT, json={"lead_id": "lead-1", "stage": "proposal"})) == (409, "guard")
    assert code_of(await crm.get(AT)) == (404, "not_linked")
    assert (await crm.put(AT, json={"lead_id": "lead-2"})).status_code == 201, "the id is still free"


async def test_a_lead_and_an_opportunity_that_are_named_together_belong_together(world, crm):
    named = {"lead_id": "lead-1", "opportunity_id": world.opportunity_id("lead-2")}
    assert code_of(await crm.put(AT, json=named)) == (422, "not_of_lead")
    assert code_of(await crm.get(AT)) == (404, "not_linked")
    assert (await crm.put(AT, json=named | {"lead_id": "lead-2"})).status_code == 201


@pytest.mark.parametrize("name", ["a%0Ab", "a%00b", "a%0A", "%7F", "%C2%85", "%FF"])
async def test_an_id_of_characters_that_nobody_sees_is_refused(crm, name):
    for answer in (
        await crm.put(f"/v1/external/salesforce/{name}", json={"lead_id": "lead-1"}),
        await crm.get(f"/v1/external/salesforce/{name}"),
    ):
        assert code_of(answer) == (422, "invalid_request")


async def test_it_is_for_systems_of_the_own_tenant(world, crm, calling):
    await crm.put(AT, json={"lead_id": "lead-1"})
    for role in ("rep", "manager"):
        client = await calling("sato", role)
        assert code_of(await client.get(AT)) == (403, "no_role")
        assert code_of(await client.put(AT, json={"lead_id": "lead-1"})) == (403, "no_role")
