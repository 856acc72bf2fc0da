"""What of an opportunity does not outlive it: tasks that are still open when it is won, lost, given back or merged."""

from __future__ import annotations

import pytest

from tests.hinode_deals import PIPELINE, SAID

pytestmark = pytest.mark.servers


@pytest.fixture
async def crm(world, calling, publish):
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    return await calling("crm", "api")


@pytest.mark.parametrize("end", ["won", "lost", "recycled", "merged"])
async def test_what_was_still_to_do_is_cancelled_with_the_end_of_the_deal_and_told(crm, world, end):
    one = f"/v1/opportunities/{world.opportunity_id()}"
    said = await crm.patch(f"{one}/deal", json=SAID, headers={"If-Match": "*"})
    assert said.status_code == 200, said.text
    for rep_id in ("sato", "tanaka"):
        task = {"title": "見積を送る", "due": "2023-11-16", "rep_id": rep_id}
        assert (await crm.post(f"{one}/tasks", json=task)).status_code == 201
    if end == "merged":
        await world.handler().handle([world.withdrawn(merged_into="lead-9")])
        assert {row["state"] for row in await world.rows("tasks", "task_id")} == {"open"}, "the holder keeps the deal"
    doing, body = {
        "won": ("deal/win", {"ordered_on": "2023-11-01"}),
        "lost": ("deal/lose", {"reason": "no_response"}),
        "recycled": ("decline", {"reason": "not_now"}),
        "merged": ("decline", {"reason": "at_capacity"}),
    }[end]
    for _ in range(2):
        await crm.post(f"{one}/{doing}", json=body)
    assert (await crm.get(one)).json()["stage"] == end
    assert (await crm.get("/v1/tasks", params={"state": "open"})).json()["items"] == []
    told = [event["rep_id"] for event in await world.events() if event["kind"] == "task-cancelled"]
    assert sorted(told) == ["sato", "tanaka"]
    later = {"title": "導入の立ち会い", "due": "2023-12-16"}
    assert (await crm.post(f"{one}/tasks", json=later)).status_code == 201
    assert len((await crm.get("/v1/tasks", params={"state": "open"})).json()["items"]) == 1
