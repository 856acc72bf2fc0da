"""What inside sales hands over when it passes a lead on: over HTTP, on the app itself and a real Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest

from shared.schemas.policies import QualificationPolicy
from tests.hinode_deals import PIPELINE

pytestmark = pytest.mark.servers

QUALIFICATION = QualificationPolicy.model_validate(
    {
        "gate": {"mql": ["A1"]},
        "framework": {"preset": "bant", "minimum_met": 2},
        "handover": ["first_meeting", "participants", "memo"],
    }
)
SAID = {
    "first_meeting": "2026-12-01T14:00:00+09:00",
    "participants": ["山田部長", "鈴木 様"],
    "memo": "帳票入力の手間が課題",
}
Client = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def client(calling) -> Client:
    async def make(name: str) -> httpx.AsyncClient:
        return await calling(name, "rep")

    return make


@pytest.fixture
async def lead(world, client) -> str:
    """佐藤 of inside sales has accepted it."""
    await world.handler().handle([world.routed(leg="is")])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    return f"/v1/opportunities/{world.opportunity_id()}"


async def test_a_lead_is_not_passed_on_while_something_is_missing_and_all_of_it_is_named(client, lead, world, publish):
    await world.policies.apply(publish(world.tenant, 50, QUALIFICATION))
    sato = await client("sato")
    for said, missing in (
        ({}, ["first_meeting", "participants", "memo"]),
        (SAID | {"participants": [" "], "memo": " "}, ["participants", "memo"]),
    ):
        refused = await sato.post(f"{lead}/qualify", json=said)
        assert (refused.status_code, refused.json()["code"]) == (422, "handover_incomplete")
        assert refused.json()["missing"] == missing
    assert "lead-qualified" not in [event["kind"] for event in await world.events()]
    assert (await sato.post(f"{lead}/qualify", json=SAID)).status_code == 200
    assert (await sato.post(f"{lead}/qualify", json={})).status_code == 200  # passing on twice is passing on once
    assert [event["kind"] for event in await world.events()].count("lead-qualified") == 1


async def test_field_sales_sees_what_inside_sales_said_and_nothing_of_it_is_told(client, lead, world):
    assert (await (await client("sato")).post(f"{lead}/qualify", json=SAID)).status_code == 200
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])
    [seen] = (await (await client("tanaka")).get(lead)).json()["handovers"]
    assert (seen["rep_id"], seen["participants"], seen["memo"]) == ("sato", SAID["participants"], SAID["memo"])
    assert seen["first_meeting"].startswith("2026-12-01T05:00:00")
    assert not any("山田" in str(event) or "帳票" in str(event) for event in await world.events())


@pytest.mark.parametrize(
    ("said", "day"),
    [("2026-12-01T23:30:00Z", "2026-12-02"), ("9999-12-31T23:59:59Z", None), (None, None)],
    ids=["the next day in Tokyo", "a day that no deal has", "none"],
)
async def test_the_deal_begins_with_the_first_meeting_that_was_handed_over(client, lead, world, publish, said, day):
    await world.policies.apply(publish(world.tenant, 50, PIPELINE))
    sato, tanaka = await client("sato"), await client("tanaka")
    assert (await sato.post(f"{lead}/qualify", json={"first_meeting": said})).status_code == 200
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])
    assert (await tanaka.post(f"{lead}/accept", json={})).status_code == 200
    assert (await tanaka.get(f"{lead}/deal")).json()["first_meeting"] == day


@pytest.mark.parametrize(("before", "status"), [(0.5, 200), (2, 422)], ids=["the day it came", "before it came"])
async def test_a_first_meeting_may_have_been_but_not_before_there_was_a_lead(client, lead, world, before, status):
    said = datetime.fromtimestamp(world.clock.now() / 1000 - before * 86_400, UTC).isoformat()
    answer = await (await client("sato")).post(f"{lead}/qualify", json=SAID | {"first_meeting": said})
    assert (answer.status_code, answer.json().get("code")) == (status, None if status == 200 else "in_the_past")


async def test_without_a_policy_a_lead_is_passed_on_without_a_word(client, lead, world):
    sato = await client("sato")
    assert (await sato.post(f"{lead}/qualify", json={})).status_code == 200
    assert (await sato.get(lead)).json()["handovers"] == []


@pytest.mark.parametrize("wrong", [{"first_meeting": "1970-01-01T00:00:00Z"}, {"memo": "\x00"}, {"participants": [""]}])
async def test_what_cannot_be_kept_is_refused(client, lead, wrong):
    assert (await (await client("sato")).post(f"{lead}/qualify", json=SAID | wrong)).status_code == 422
