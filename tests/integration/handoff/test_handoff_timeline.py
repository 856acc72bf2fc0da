"""The timeline of an opportunity and of a lead: everything, in order, page by page, in words."""

from __future__ import annotations

from urllib.parse import quote

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
    "lead-routed", "offer-opened", "stage-changed", "clock-started", "clock-started", "clock-reminder", "clock-breached",
    "offer-expired", "lead-routed", "offer-opened", "clock-started", "clock-started", "offer-accepted", "clock-met",
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
    told = {one["words"]["ja"] for one in whole if one["what"] == "task-created"}
    assert "田中 太郎の予定: タスク(期日 2023-11-16)" in told
    assert by_what["offer-declined"]["facts"]["reason"] == "not_now"
    for one in whole:
        assert one["words"]["ja"]
        assert one["words"]["en"]
        there = one["link"] == "/v1/leads/lead-1/decisions"  # of the router
        assert there == (one["kind"] == "decision")
        assert there or (await crm.get(one["link"])).status_code == 200
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
        ("PATCH", "stakeholders/yamada", {"stance": "concern", "name": "山田 次郎"}),
        ("PUT", "approval/pack/roi", {"link": "https://files.example/山田"}),
        ("POST", "stakeholders/yamada/moved", {}),
    ):
        world.clock.advance(seconds=1)
        answer = await crm.request(method, f"{path}/{doing}", json=body)
        assert answer.status_code == 200, answer.text
    whole = await pages(crm, f"{path}/timeline", kind=["offer", "person", "approval"], limit=2)
    assert [one["what"] for one in reversed(whole)] == [
        *("offer-opened", "offer-accepted", "lead-qualified", "stakeholder-entered"),
        *("approval-changed", "approval-submitted", "approval-approved"),
        *("stakeholder-changed", "approval-changed", "stakeholder-moved"),
    ]
    by_what = {one["what"]: one for one in whole}
    assert by_what["lead-qualified"]["words"]["en"] == "佐藤 花子 qualified it and passed it on"
    assert by_what["approval-approved"]["words"]["ja"] == "稟議の決裁完了(crm)"
    assert by_what["stakeholder-changed"]["words"]["ja"] == "Crmが関係者yamadaを更新: 氏名、スタンス"
    drawn = [one["facts"]["fields"] for one in whole if one["what"] == "approval-changed"]
    assert drawn == [["pack.roi"], ["state", "steps"]]
    await world.handler().handle([world.routed(assignment=2)])
    await crm.put(f"{path}/stakeholders/mori", json={"name": "森"})
    for doing in ("moved", None):
        await (crm.post(f"{path}/stakeholders/mori/{doing}") if doing else crm.delete(f"{path}/stakeholders/mori"))
    told = await pages(crm, f"{path}/timeline", kind=["person", "task"])
    assert {
        one["words"]["ja"].partition("(期日")[0]
        for one in told
        if one["what"] in ("task-created", "stakeholder-removed")
    } == {
        "佐藤 花子の予定: 在籍確認",
        "Crmが関係者を削除: mori",
    }
    for one in whole:
        assert (await crm.get(one["link"])).status_code == 200
    assert "山田" not in str(whole)
    assert "急ぎ" not in str(whole)


# --- touches and decisions -------------------------------------------------------------------------------------------------


async def test_touches_and_decisions_of_the_lead_stand_among_the_rest_each_once(world, clients):
    crm, path = await clients("api"), f"/v1/opportunities/{world.opportunity_id()}"
    viewed = {"type": "page_viewed", "path": "/pricing", "source_id": "site", "trusted": False}
    await world.told(world.touch(event_id="seen", **viewed), world.linked("lead-1", "lead-0"))
    world.clock.advance(seconds=1)
    await world.handler().handle([world.nurtured(scenario="newsletter")])
    world.clock.advance(seconds=1)
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    world.clock.advance(seconds=1)
    await world.told(world.touch(event_id="called"), world.touch(event_id="bot", automated=True, **viewed))

    chosen = {"kind": ["touch", "identity", "decision", "activity"]}
    whole = await pages(crm, f"{path}/timeline", **chosen)
    assert [one["what"] for one in reversed(whole)] == [
        *("identity-linked", "touch", "lead-nurtured", "lead-routed", "touch", "activity-logged"),
    ]
    assert whole == await pages(crm, f"{path}/timeline", limit=1, **chosen)
    assert whole == await pages(crm, "/v1/leads/lead-1/timeline", limit=2, **chosen)
    activity, bot, routed, nurtured, seen, linked = whole
    assert (activity["facts"]["id"], activity["facts"]["by"], activity["who"]) == ("called", "ingest/pbx", "sato")
    assert bot["words"]["en"] == "Page viewed (automated) · site · /pricing"
    assert (seen["words"]["ja"], seen["facts"]["id"]) == ("ページ閲覧 · site · /pricing", "seen")
    assert (seen["opportunity_id"], seen["cycle"], seen["lead_id"]) == (None, None, "lead-1")
    assert linked["words"]["en"] == "Email identity… belongs to lead lead-0"
    assert nurtured["words"] == {
        "ja": "マーケティングへ(newsletter): 基準未満",
        "en": "Left to marketing (newsletter): not ripe",
    }
    assert routed["words"]["en"] == "Rule all"
    assert (routed["facts"]["pool_id"], routed["facts"]["reasons"], routed["cycle"]) == ("tokyo", ["rule"], 1)
    assert routed["opportunity_id"] == world.opportunity_id()
    for one in whole:
        assert one["kind"] == "decision" or (await crm.get(one["link"])).status_code == 200


async def test_what_is_told_of_a_lead_without_an_opportunity_is_for_whoever_sees_everything(world, clients):
    await world.told(world.touch("lead-9"))
    path = "/v1/leads/lead-9/timeline"
    for role in ("api", "admin", "viewer"):
        found = await (await clients(role, name=role)).get(path)
        assert [one["what"] for one in found.json()["items"]] == ["touch"]
        assert found.json()["touches_from"] == "2022-10-10T22:13:20.000Z"
    assert (await (await clients("rep", name="sato")).get(path)).status_code == 404
    crm = await clients("api")
    assert (await crm.get(path, params={"kind": "offer"})).json()["items"] == []


async def test_a_rep_sees_the_touches_of_a_lead_until_the_opportunity_that_they_see_has_ended(world, clients, merge):
    await world.handler().handle([world.routed()])
    await world.told(world.touch(event_id="e-1", type="page_viewed"), world.touch("lead-0", "e-0", type="page_viewed"))
    await world.told(world.touch("survivor", "e-9", type="page_viewed"))
    sato = await clients("rep", name="sato")
    await merge("lead-0", "lead-1")
    await merge("lead-1", "survivor")
    await world.handler().handle([world.withdrawn()])
    world.clock.advance(seconds=1)
    await world.told(world.touch(event_id="e-2", type="page_viewed"))
    of_deal, crm = f"/v1/opportunities/{world.opportunity_id()}/timeline", await clients("api")

    async def seen(client, path):
        return sorted(one["facts"]["id"] for one in await pages(client, path, kind="touch"))

    for path in (of_deal, "/v1/leads/lead-1/timeline", "/v1/leads/survivor/timeline"):
        assert await seen(sato, path) == ["e-0", "e-1"], path
    assert await seen(crm, "/v1/leads/survivor/timeline") == ["e-0", "e-1", "e-2", "e-9"]
    assert await seen(crm, of_deal) == ["e-0", "e-1"]


async def test_a_touch_that_is_known_of_two_leads_of_a_family_is_told_once(world, clients, merge):
    both = [world.touch(lead, "e-1", type="page_viewed") for lead in ("lead-1", "lead-2")]
    await world.told(*both, *(world.linked(lead, "lead-2") for lead in ("lead-1", "lead-2")))
    await merge("lead-1", "lead-2")
    whole = await pages(await clients("api"), "/v1/leads/lead-2/timeline", limit=1)
    assert [one["what"] for one in whole] == ["touch", "identity-linked"]


async def test_however_long_the_names_of_a_lead_and_of_its_touches_are_pages_lead_on(world, clients):
    lead, events = "😀" * 200, ["😀" * 199 + str(n) for n in range(3)]
    await world.told(*(world.touch(lead, event_id, type="page_viewed") for event_id in events))
    whole = await pages(await clients("api"), f"/v1/leads/{quote(lead)}/timeline", limit=1)
    assert [one["facts"]["id"] for one in reversed(whole)] == events
