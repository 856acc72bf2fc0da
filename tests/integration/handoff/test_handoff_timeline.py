"""The timeline of an opportunity and of a lead: everything, in order, page by page, in words."""

from __future__ import annotations

import pytest

from shared.schemas.policies import SlaPolicy
from shared.schemas.policies.sla import LeadClass, PauseReason

pytestmark = pytest.mark.servers


@pytest.fixture
async def clients(world, calling, publish):
    wait = PauseReason(code="waiting_for_customer", most=3600)
    sla = SlaPolicy(default=LeadClass(id="score", accept=60, first_touch=600, remind=(50,)), pauses=(wait,))
    await world.policies.apply(publish(world.tenant, 50, sla))

    async def make(*roles, name="crm"):
        return await calling(name, *roles)

    return make


@pytest.fixture
async def story(world, clients):
    """Offered to 佐藤, who is reminded and lets it go by; then 田中 calls, pauses, and gives it back."""
    crm, path = await clients("api"), f"/v1/opportunities/{world.opportunity_id()}"
    await world.handler().handle([world.routed()])
    for seconds in (31, 30):
        world.clock.advance(seconds=seconds)
        await world.firing().fire_due()
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])
    for doing, body in (
        ("accept", None),
        ("pause", {"reason": "waiting_for_customer"}),
        ("resume", None),
        ("calls", {"result": "no_answer", "note": "留守番電話の内容"}),
        ("tasks", {"title": "見積を送る", "due": "2023-11-16"}),
        ("decline", {"reason": "not_now"}),
    ):
        world.clock.advance(seconds=1)
        answer = await crm.post(f"{path}/{doing}", json=body)
        assert answer.status_code < 300, answer.text
    return crm, path


WHAT = [
    "offer-opened", "stage-changed", "clock-started", "clock-started", "clock-reminder", "clock-breached",
    "offer-expired", "offer-opened", "clock-started", "clock-started", "offer-accepted", "clock-met",
    "stage-changed", "clocks-paused", "clocks-resumed", "activity-logged", "clock-met", "task-created",
    "task-created", "task-cancelled", "task-cancelled", "offer-declined", "stage-changed",
]  # fmt: skip


async def pages(client, path, **query):
    found, after = [], None
    while True:
        answer = await client.get(path, params=query | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if (after := answer.json()["next"]) is None:
            return found


async def test_all_that_happened_is_told_in_order_however_it_is_paged(story, world):
    crm, path = story
    whole = await pages(crm, f"{path}/timeline")
    assert [one["what"] for one in reversed(whole)] == WHAT
    assert whole == await pages(crm, f"{path}/timeline", limit=1) == await pages(crm, f"{path}/timeline", limit=7)
    assert whole == await pages(crm, "/v1/leads/lead-1/timeline", limit=3)
    assert [one["at"] for one in whole] == sorted((one["at"] for one in whole), reverse=True)


async def test_each_row_says_who_in_words_and_leads_to_more_and_tells_nothing_personal(story):
    crm, path = story
    whole = await pages(crm, f"{path}/timeline")
    by_what = {one["what"]: one for one in whole}
    assert by_what["offer-accepted"]["words"] == {"ja": "田中 太郎が受領", "en": "田中 太郎 accepted"}
    assert by_what["activity-logged"]["words"]["ja"].endswith("(不在)")
    assert by_what["activity-logged"]["words"]["en"].endswith("(nobody answered)")
    assert by_what["offer-declined"]["words"]["en"] == "田中 太郎 gave it back (not now)"
    assert by_what["stage-changed"]["words"]["ja"].startswith("ステージ: 打診")
    assert by_what["clock-reminder"]["facts"]["share"] == 50
    assert by_what["offer-declined"]["facts"]["reason"] == "not_now"
    for one in whole:
        assert one["words"]["ja"]
        assert one["words"]["en"]
        assert (await crm.get(one["link"])).status_code == 200
    assert "留守番" not in str(whole)
    assert "見積" not in str(whole)


async def test_kinds_are_chosen_and_whoever_may_not_see_the_lead_sees_nothing(story, clients):
    crm, path = story
    chosen = await pages(crm, f"{path}/timeline", kind=["activity", "task"])
    assert {one["kind"] for one in chosen} == {"activity", "task"}
    assert (await crm.get(f"{path}/timeline", params={"kind": "nonsense"})).status_code == 422
    stranger = await clients("rep", name="suzuki")
    for hidden in (f"{path}/timeline", "/v1/leads/lead-1/timeline"):
        assert (await stranger.get(hidden)).status_code == 404
    earlier = await clients("rep", name="sato")
    assert (await earlier.get("/v1/leads/lead-1/timeline")).status_code == 200
    assert (await crm.get("/v1/leads/nobody/timeline")).status_code == 404


async def test_what_is_passed_on_who_decides_and_how_the_approval_goes_is_told(world, clients):
    crm, path = await clients("api"), f"/v1/opportunities/{world.opportunity_id()}"
    await world.handler().handle([world.routed(leg="is")])
    for method, doing, body in (
        ("POST", "accept", None),
        ("POST", "qualify", {}),
        ("PUT", "stakeholders/yamada", {"name": "山田 一郎", "roles": ["drafter", "decision_maker"]}),
        ("PUT", "approval", {"steps": [{"part": part, "stakeholder": "yamada"} for part in ("drafter", "approver")]}),
        ("POST", "approval/state", {"state": "submitted", "note": "急ぎ"}),
        ("POST", "approval/state", {"state": "approved"}),
        ("POST", "stakeholders/yamada/moved", {}),
    ):
        world.clock.advance(seconds=1)
        answer = await crm.request(method, f"{path}/{doing}", json=body)
        assert answer.status_code == 200, answer.text
    whole = await pages(crm, f"{path}/timeline", kind=["offer", "person", "approval"], limit=2)
    assert [one["what"] for one in reversed(whole)] == [
        *("offer-opened", "offer-accepted", "lead-qualified", "stakeholder-entered"),
        *("approval-submitted", "approval-approved", "stakeholder-moved"),
    ]
    by_what = {one["what"]: one for one in whole}
    assert by_what["lead-qualified"]["words"]["en"] == "佐藤 花子 qualified it and passed it on"
    assert by_what["approval-approved"]["words"]["ja"] == "稟議の決裁完了(crm)"
    for one in whole:
        assert (await crm.get(one["link"])).status_code == 200
    assert "山田" not in str(whole)
    assert "急ぎ" not in str(whole)
