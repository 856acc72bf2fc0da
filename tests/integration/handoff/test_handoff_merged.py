"""Leads that were merged: by the id of the one that is left, what the others had is found."""

from __future__ import annotations

import pytest

from tests.hinode_deals import PIPELINE

pytestmark = pytest.mark.servers


@pytest.fixture
async def crm(world, calling, publish):
    """A client; 佐藤 has accepted lead-1."""
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), None)
    return await calling("crm", "api")


async def found(client, lead):
    """The leads whose opportunities are found by the id of `lead`: in the list, then in the timeline."""
    listed = (await client.get("/v1/opportunities", params={"lead_id": lead})).json()["items"]
    told = await client.get(f"/v1/leads/{lead}/timeline")
    timeline = told.json()["items"] if told.status_code == 200 else []
    return sorted(one["lead_id"] for one in listed), len({one["opportunity_id"] for one in timeline})


async def test_what_a_merged_lead_had_is_found_by_the_one_that_is_left_along_the_whole_chain(world, crm, merge):
    assert await found(crm, "lead-3") == ([], 0)
    assert (await crm.get("/v1/leads/lead-3/timeline")).status_code == 404
    await merge("lead-1", "lead-2")
    await merge("lead-2", "lead-3")
    for lead in ("lead-1", "lead-2", "lead-3"):
        assert await found(crm, lead) == (["lead-1"], 1), lead
    await merge("lead-3", "lead-1")  # nobody says so, and nobody waits for ever
    assert await found(crm, "lead-3") == (["lead-1"], 1)
    await merge("lead-3", None)

    await world.handler().handle([world.routed("lead-3", rep="tanaka")])
    assert await found(crm, "lead-3") == (["lead-1", "lead-3"], 2)
    assert await found(crm, "lead-1") == (["lead-1"], 1), "what the other had does not become theirs"
    await merge("lead-2", None)
    assert await found(crm, "lead-3") == (["lead-3"], 1)
    assert await found(crm, "lead-2") == (["lead-1"], 1)


async def test_a_crm_finds_the_deal_of_a_merged_lead_and_prefers_the_leads_own(world, crm, merge):
    lost = await crm.put("/v1/external/salesforce/1", json={"lead_id": "lead-2"})
    assert (lost.status_code, lost.json()["code"]) == (404, "not_found")
    await merge("lead-1", "lead-2")
    for status in (201, 200):
        linked = await crm.put("/v1/external/salesforce/1", json={"lead_id": "lead-2", "deal": {"amount": 5}})
        assert (linked.status_code, linked.json()["opportunity_id"]) == (status, world.opportunity_id("lead-1"))
    both = {"lead_id": "lead-2", "opportunity_id": world.opportunity_id("lead-1")}
    assert (await crm.put("/v1/external/kintone/1", json=both)).status_code == 201

    await world.handler().handle([world.routed("lead-2")])
    await world.desk().accept(world.tenant, world.opportunity_id("lead-2"), None)
    own = await crm.put("/v1/external/salesforce/2", json={"lead_id": "lead-2"})
    assert (own.status_code, own.json()["opportunity_id"]) == (201, world.opportunity_id("lead-2"))


async def test_merging_shows_nobody_what_they_did_not_see_before(world, crm, merge, calling):
    await merge("lead-1", "lead-2")
    await world.handler().handle([world.routed("lead-2", rep="tanaka")])
    tanaka, sato = await calling("tanaka", "rep"), await calling("sato", "rep")
    assert await found(tanaka, "lead-2") == (["lead-2"], 1)
    assert await found(sato, "lead-2") == (["lead-1"], 1)
    await world.handler().handle([world.routed("lead-9")])
    await merge("lead-9", "lead-2", tenant=f"{world.tenant}-other")  # their leads, whatever they are called
    assert await found(crm, "lead-2") == (["lead-1", "lead-2"], 2)


@pytest.mark.parametrize("order", ["merged before", "merged after"])
async def test_what_inside_sales_handed_over_with_a_lead_reaches_field_sales_by_the_one_that_is_left(
    world, crm, merge, calling, order
):
    await world.handler().handle([world.routed("lead-5", leg="is")])
    await world.desk().accept(world.tenant, world.opportunity_id("lead-5"), None)
    if order == "merged before":
        await merge("lead-5", "lead-6")
    said = {"first_meeting": "2023-11-20T01:00:00Z", "participants": ["情シス 山田様"], "memo": "棚卸に月120時間"}
    answer = await crm.post(f"/v1/opportunities/{world.opportunity_id('lead-5')}/qualify", json=said)
    assert answer.status_code == 200, answer.text
    if order == "merged after":
        await merge("lead-5", "lead-6")
    # As the router says it then: the merged one is taken back, and the other is of field sales.
    taken_back = world.withdrawn("lead-5", merged_into="lead-6")
    await world.handler().handle([taken_back, world.routed("lead-6", rep="tanaka"), taken_back])
    gone = (await crm.get(f"/v1/opportunities/{world.opportunity_id('lead-5')}")).json()
    assert (gone["stage"], gone["owner"]) == ("merged", None)

    tanaka = await calling("tanaka", "rep")
    await tanaka.post(f"/v1/opportunities/{world.opportunity_id('lead-6')}/accept", json={})
    left = (await tanaka.get(f"/v1/opportunities/{world.opportunity_id('lead-6')}")).json()
    assert [(one["rep_id"], one["memo"], one["participants"]) for one in left["handovers"]] == [
        ("sato", "棚卸に月120時間", ["情シス 山田様"])
    ]
    deal = (await tanaka.get(f"/v1/opportunities/{world.opportunity_id('lead-6')}/deal")).json()
    assert deal["first_meeting"] == "2023-11-20"
