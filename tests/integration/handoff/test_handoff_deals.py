"""Deals over HTTP, on the app itself and a real Postgres: from the acceptance by field sales to the account manager."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from services.handoff.exports.api import OF_DEAL
from services.handoff.pipeline import steps
from services.handoff.pipeline import store as deal_rows
from services.handoff.pipeline.deal import fold
from services.handoff.pipeline.desk import Asker, DealDesk
from services.handoff.pipeline.steps import Loss
from shared.kit.database import tenant_transaction
from shared.schemas.scores import RecentTouch
from tests.hinode_deals import CONFIRMED, PIPELINE, SAID

pytestmark = pytest.mark.servers

HANDOVER = {item.id: "済" for item in PIPELINE.handover if item.required}

Client = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def client(calling: Client) -> Client:
    async def make(*roles: str, name: str = "crm") -> httpx.AsyncClient:
        return await calling(name, *roles)

    return make


@pytest.fixture
async def crm(client: Client) -> httpx.AsyncClient:
    return await client("api")


@pytest.fixture
async def path(world: Any, publish: Any) -> str:
    """The path of a deal that 佐藤 of field sales has accepted, under Hinode's pipeline."""
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    return f"/v1/opportunities/{world.opportunity_id()}/deal"


async def patched(crm: httpx.AsyncClient, path: str, **given: Any) -> httpx.Response:
    return await crm.patch(path, json=given, headers={"If-Match": "*"})


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def stages(world: Any) -> list[str]:
    return [event["stage"] for event in await world.events() if event["kind"] == "stage-changed"]


async def test_a_deal_goes_from_acceptance_to_the_account_manager_and_its_history_adds_up(crm, path, world):
    begun = await crm.get(path)
    assert (begun.status_code, begun.headers["etag"]) == (200, '"0"')
    assert (begun.json()["stage"], begun.json()["in_pipeline"], begun.json()["probability"]) == ("accepted", False, 5)

    said = await crm.patch(path, json=SAID, headers={"If-Match": begun.headers["etag"]})
    assert (said.status_code, said.json()["version"], said.json()["amount"]) == (200, 1, "1200000")
    assert said.json()["currency"] == "JPY"
    for to in ("discovery", "proposal", "verbal"):
        moved = await crm.post(f"{path}/move", json={"to": to})
        assert (moved.status_code, moved.json()["stage"], moved.json()["in_pipeline"]) == (200, to, True)
    assert (moved.json()["probability"], moved.json()["yomi"], moved.json()["forecast"]) == (90, "Aヨミ", "commit")
    refused = await crm.post(f"{path}/win", json={})
    assert code_of(refused) == (409, "guard")
    assert [one["field"] for one in refused.json()["missing"]] == ["ordered_on"]
    won = await crm.post(f"{path}/win", json={"ordered_on": "2023-11-14"})
    assert (won.json()["stage"], won.json()["probability"], won.json()["in_pipeline"]) == ("won", 100, False)

    incomplete = await crm.post(f"{path}/hand-over", json={"account_manager": "tanaka", "items": {"contract": "1年"}})
    assert code_of(incomplete) == (409, "guard")
    assert [one["field"] for one in incomplete.json()["missing"]] == [
        "handover.onboarding",
        "handover.stakeholders",
        "handover.promises",
    ]
    handed = await crm.post(f"{path}/hand-over", json={"account_manager": "tanaka", "items": HANDOVER})
    assert (handed.status_code, handed.json()["account_manager"]) == (200, "tanaka")
    reviewed = await crm.post(f"{path}/review", json={"answers": {"why": "導入実績"}})
    assert reviewed.json()["review"] == {"why": "導入実績"}

    assert await stages(world) == ["offered", "accepted", "discovery", "proposal", "verbal", "won"]
    told = await world.events()
    assert [event["kind"] for event in told if event["kind"].startswith("deal-")] == [
        "deal-changed",
        "deal-handed-over",
        "deal-changed",
    ]
    assert "山田" not in str(told)
    [row] = await world.rows("opportunities", "opportunity_id")
    assert (row["stage"], row["deal_stage"], row["in_pipeline"]) == ("won", "won", False)
    assert await world.offers() == [(1, "sato", "accepted")], "who won it is kept"
    assert {state for _, _, state in await world.clocks()} <= {"met", "cancelled"}
    async with tenant_transaction(world.app, world.tenant) as connection:
        history = await deal_rows.history(connection, world.tenant, world.opportunity_id())
        stored = await deal_rows.find(connection, world.tenant, [world.opportunity_id()])
    assert fold(one.change for one in history) == stored[world.opportunity_id()]
    plain = str(
        [row["before"] or row["after"] for row in await world.rows("deal_changes", "version") if not row["sealed"]]
    )
    assert "山田" not in plain, "what is said of persons lies sealed"


async def test_a_deal_that_its_rep_moves_without_logging_anything_is_never_taken_back_as_untouched(crm, path, world):
    await patched(crm, path, **SAID)
    world.clock.advance(seconds=30)
    assert (await crm.post(f"{path}/move", json={"to": "discovery"})).status_code == 200
    world.clock.advance(days=1)
    await world.firing().fire_due()
    assert await world.offers() == [(1, "sato", "accepted")]
    one = path.removesuffix("/deal")
    shown = {clock["kind"]: clock for clock in (await crm.get(one)).json()["clocks"]}
    assert (shown["first_touch"]["state"], shown["first_touch"]["done_by"]) == ("met", "stage")
    assert shown["accept"]["done_by"] is None
    told = [event for event in await world.events() if event["kind"] == "clock-met"]
    assert [event.get("done_by") for event in told] == [None, "stage"]
    rows = (await crm.get(f"{one}/timeline", params={"kind": "clock"})).json()["items"]
    assert [row["facts"].get("done_by") for row in rows if row["what"] == "clock-met"] == ["stage", None]


@pytest.mark.parametrize(
    ("way", "body"),
    [("accept", {}), ("activities", {"type": "call_connected"}), ("calls", {"result": "connected"}), ("link", None)],
)
async def test_a_deal_is_stored_with_the_acceptance_and_counts_from_it_where_policy_says_so(
    crm, world, publish, way, body
):
    await world.policies.apply(publish(world.tenant, 60, PIPELINE.model_copy(update={"counts_from": "sal"})))
    await world.handler().handle([world.routed(is_test=False)])
    one = f"/v1/opportunities/{world.opportunity_id()}"
    assert await world.rows("deals", "version") == []
    answer = await crm.post(f"{one}/{way}", json=body)
    if way == "link":
        answer = await crm.post(answer.json()["path"], data={"do": "accept"})
    assert answer.status_code == 200, answer.text
    [row] = await world.rows("deals", "version")
    assert (row["version"], row["stage"], row["stage_since"]) == (0, "accepted", world.clock.now())
    assert (await crm.get("/v1/pipeline")).json()["without_amount"] == 1
    assert (await crm.get(one)).json()["in_pipeline"]
    assert (await crm.get(f"{one}/deal")).headers["etag"] == '"0"'
    assert await stages(world) == ["offered", "accepted"], "nothing more is told"
    assert not [event for event in await world.events() if event["kind"].startswith("deal-")]


async def test_an_export_says_what_a_deal_is_worth_when_and_how_likely_and_what_comes_next(crm, path, world):
    known = {"products": ["在庫", "受注"], "next_step": "=見積を送る", "next_step_on": "2023-11-21"}
    await patched(crm, path, **SAID, **known)
    await crm.post(f"{path}/move", json={"to": "verbal"})
    await world.handler().handle([world.routed("lead-2")])
    file = await crm.get("/v1/exports/opportunities.csv")
    rows = {row["lead_id"]: row for row in csv.DictReader(file.content.decode("utf-8-sig").splitlines())}
    deal = rows["lead-1"]
    assert [deal[name] for name in ("amount", "currency", "expected_close")] == ["1200000", "JPY", "2024-03-31"]
    assert [deal[name] for name in ("deal_stage", "probability", "yomi", "forecast")] == [
        "verbal",
        "90",
        "Aヨミ",
        "commit",
    ]
    assert [deal[name] for name in ("products", "next_step", "next_step_on")] == [
        "在庫, 受注",
        "'=見積を送る",
        "2023-11-21",
    ]
    assert {name: value for name, value in rows["lead-2"].items() if name in OF_DEAL} == dict.fromkeys(OF_DEAL, "")


async def test_who_is_handed_a_customer_sees_the_deal_from_then_on(crm, client, path, world):
    tanaka = await client("rep", name="tanaka")
    await patched(crm, path, **SAID, team=[{"rep_id": "sato", "role": "presales"}])
    await crm.post(f"{path}/win", json={"ordered_on": "2023-11-14"})
    assert (await crm.post(f"{path}/hand-over", json={"account_manager": "tanaka"})).status_code == 409
    assert (await tanaka.get(path)).status_code == 404, "not yet"
    assert (
        await crm.post(f"{path}/hand-over", json={"account_manager": "tanaka", "items": HANDOVER})
    ).status_code == 200
    assert (await tanaka.get(path)).json()["handover"] == HANDOVER
    assert [item["id"] for item in (await tanaka.get("/v1/opportunities")).json()["items"]] == [world.opportunity_id()]
    assert (await tanaka.get("/v1/exports/opportunities.csv")).text.count(world.opportunity_id()) == 1


async def test_whether_a_deal_counts_follows_the_policy_of_today_wherever_it_is_told(crm, path, world, publish):
    await patched(crm, path, amount=5)
    one = path.removesuffix("/deal")
    for sequence, counts_from, expected in ((61, "sal", True), (62, "sql", False)):
        policy = PIPELINE.model_copy(update={"counts_from": counts_from})
        await world.policies.apply(publish(world.tenant, sequence, policy))
        told = [
            (await crm.get(path)).json()["in_pipeline"],
            (await crm.get(one)).json()["in_pipeline"],
            (await crm.get("/v1/opportunities")).json()["items"][0]["in_pipeline"],
            next(csv.DictReader((await crm.get("/v1/exports/opportunities.csv")).text.splitlines()))["in_pipeline"],
        ]
        assert told == [expected] * 3 + [str(expected)], counts_from


async def test_the_history_of_a_deal_that_is_given_back_untouched_adds_up_too(crm, path, world):
    body = {"reason": "not_now", "until": "2024-04-01T00:00:00Z"}
    assert (await crm.post(path.replace("/deal", "/decline"), json=body)).status_code == 200
    async with tenant_transaction(world.app, world.tenant) as connection:
        history = await deal_rows.history(connection, world.tenant, world.opportunity_id())
        stored = await deal_rows.find(connection, world.tenant, [world.opportunity_id()])
    assert fold(one.change for one in history) == stored[world.opportunity_id()]
    assert (await crm.get(path)).json()["stage"] == "recycled"


async def test_a_deal_of_before_the_policy_begins_with_what_its_rep_does_next(crm, world, publish):
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    accepted_at = world.clock.now()
    assert await world.rows("deals", "version") == []
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    world.clock.advance(seconds=300)
    await crm.post(f"/v1/opportunities/{world.opportunity_id()}/activities", json={"type": "call_connected"})
    [row] = await world.rows("deals", "version")
    assert (row["stage"], row["stage_since"]) == ("accepted", accepted_at)


async def test_a_first_stage_of_another_name_is_told_with_the_acceptance(crm, world, publish):
    first = PIPELINE.types[0].stages[0].model_copy(update={"id": "first_contact"})
    new = PIPELINE.types[0].model_copy(update={"stages": (first, *PIPELINE.types[0].stages[1:])})
    await world.policies.apply(publish(world.tenant, 60, PIPELINE.model_copy(update={"types": (new,)})))
    await world.handler().handle([world.routed()])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    assert await stages(world) == ["offered", "accepted", "first_contact"]


async def test_a_deal_knows_where_its_lead_came_from(crm, world, publish):
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    touches = [
        RecentTouch(event_id=f"e{n}", type="page_viewed", at=n, received_at=n, campaign=campaign)
        for n, campaign in enumerate(("展示会2023", "webinar-11", None))
    ]
    await world.handler().handle([world.routed(attributes={"first_source": "trade_fair"}, touches=touches)])
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    deal = (await crm.get(f"/v1/opportunities/{world.opportunity_id()}/deal")).json()
    assert (deal["source"], deal["campaign"]) == ("trade_fair", "webinar-11")


async def test_a_guard_says_all_that_is_missing_at_once_in_both_languages(crm, path, world):
    refused = await crm.post(f"{path}/move", json={"to": "solution"})
    assert code_of(refused) == (409, "guard")
    missing = refused.json()["missing"]
    assert [one["field"] for one in missing] == [
        "first_meeting", "problem", "amount", "expected_close", "impact", "decision_process",
    ]  # fmt: skip
    assert missing[0]["label"] == {"en": "Date of the first meeting", "ja": "初回商談日"}
    assert [one["field"] for one in (await crm.get(path)).json()["next"][1]["missing"]] == [
        one["field"] for one in missing
    ]
    assert await world.rows("deal_changes", "version") == [], "what is refused stores nothing"


@pytest.mark.parametrize("gone", ["stage", "type"])
async def test_a_deal_whose_stage_or_type_the_policy_has_lost_stays_as_it_was_and_can_be_brought_on(
    crm, path, world, publish, gone
):
    renewal = PIPELINE.types[0].model_copy(update={"type": "renewal"})
    await world.policies.apply(
        publish(world.tenant, 61, PIPELINE.model_copy(update={"types": (PIPELINE.types[0], renewal)}))
    )
    await patched(crm, path, **SAID, type="renewal")
    assert (await crm.post(f"{path}/move", json={"to": "discovery"})).status_code == 200
    left = tuple(stage for stage in renewal.stages if stage.id != "discovery")
    lost = {
        "stage": (PIPELINE.types[0], renewal.model_copy(update={"stages": left, "sql": None})),
        "type": (PIPELINE.types[0],),
    }[gone]
    await world.policies.apply(publish(world.tenant, 62, PIPELINE.model_copy(update={"types": lost})))

    shown = (await crm.get(path)).json()
    assert (shown["type"], shown["stage"], shown["stage_label"], shown["probability"]) == (
        "renewal",
        "discovery",
        {},
        0,
    )
    assert not shown["in_pipeline"]
    one = path.removesuffix("/deal")
    for read in (one, "/v1/opportunities", f"{one}/timeline", f"{path}/history", "/v1/exports/opportunities.csv"):
        assert (await crm.get(read)).status_code == 200, read
    assert (await crm.get("/v1/pipeline")).status_code == 200
    world.clock.advance(days=30)
    await world.firing().fire_due()
    assert (await patched(crm, path, next_step="電話")).json()["stage"] == "discovery"

    moves = [await crm.post(f"{path}/move", json={"to": to}) for to in ("discovery", "propsal")]
    won = await crm.post(f"{path}/win", json={"ordered_on": "2023-11-14"})
    if gone == "type":
        assert [code_of(refused) for refused in (moves[1], won)] == [(422, "unknown_type")] * 2
        assert (moves[1].json()["valid"], moves[0].status_code) == (["new"], 200)
        new = (await patched(crm, path, type="new")).json()
        assert (new["type"], new["stage"]) == ("new", "discovery"), "a stage that the new type has, it keeps"
    else:
        assert code_of(moves[1]) == (422, "unknown_stage")
        assert won.status_code == 200, "with all that the stages ask for it may be won from there"
        return
    lost = await crm.post(f"{path}/lose", json={"reason": "no_response"})
    assert lost.json()["stage"] == "lost"


async def test_of_two_writers_with_the_same_etag_one_is_told_that_it_is_stale(crm, path, world):
    writers = [crm.patch(path, json={"amount": 100 + n}, headers={"If-Match": '"0"'}) for n in range(2)]
    answers = await asyncio.gather(*writers)
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    [stale] = [answer for answer in answers if answer.status_code == 412]
    assert (code_of(stale), stale.json()["version"]) == ((412, "stale"), 1)
    assert len(await world.rows("deals", "opportunity_id")) == 1


async def test_what_was_sent_twice_is_done_once_whatever_version_it_names(crm, path, world):
    for _ in range(2):
        said = await crm.patch(path, json={"amount": "5000", "problem": "在庫"}, headers={"If-Match": '"0"'})
        assert (said.status_code, said.headers["etag"]) == (200, '"1"')
    await patched(crm, path, **SAID)
    for _ in range(2):
        moved = await crm.post(f"{path}/move", json={"to": "discovery"})
        assert (moved.status_code, moved.json()["version"]) == (200, 3)
    assert (await stages(world)).count("discovery") == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (428, "if_match_required")),
        ('"7"', (412, "stale")),
        ('W/"0"', (412, "stale")),
        ("0", (422, "bad_if_match")),
        ('"-1"', (422, "bad_if_match")),
    ],
)
async def test_a_patch_names_the_version_that_it_is_of(crm, path, header, expected):
    headers = {"If-Match": header} if header else {}
    assert code_of(await crm.patch(path, json={"amount": 1}, headers=headers)) == expected


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"amount": "1.5"}, "bad_amount"),
        ({"amount": -1}, "invalid_request"),
        ({"amount": "NaN"}, "invalid_request"),
        ({"currency": "YEN"}, "invalid_request"),
        ({"problem": "a\x00b"}, "invalid_request"),
        ({"confirmed": {"users-mett": True}}, "unknown_item"),
        ({"handover": {"kontract": "x"}}, "unknown_item"),
        ({"team": [{"rep_id": "satoo", "role": "presales"}]}, "unknown_rep"),
        ({"stage": "won"}, "invalid_request"),
        ({"next_step_on": "next week"}, "invalid_request"),
        ({"type": None}, "invalid_request"),
    ],
)
async def test_what_no_deal_can_have_is_refused_with_a_code(crm, path, given, code):
    assert code_of(await patched(crm, path, **given)) == (422, code)


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "2101-01-01", "9999-12-31", 0])
async def test_no_deal_takes_a_day_that_no_clock_can_tell(crm, path, world, day):
    for name in ("expected_close", "first_meeting", "next_step_on"):
        assert code_of(await patched(crm, path, **{name: day})) == (422, "invalid_request"), name
    external = await crm.put("/v1/external/crm/1", json={"lead_id": "lead-1", "deal": {"next_step_on": day}})
    assert code_of(external) == (422, "invalid_request")
    assert code_of(await crm.post(f"{path}/win", json={"ordered_on": day})) == (422, "invalid_request")
    for name in ("back_on", "contract_end"):
        lost = await crm.post(f"{path}/lose", json={"reason": "competitor_won", "rival": "他社A", name: day})
        assert code_of(lost) == (422, "invalid_request"), name
    assert (await crm.get(path)).json()["version"] == 0


async def test_the_first_and_the_last_day_are_told(crm, path, world):
    for day in ("2000-01-01", "2100-12-31"):
        said = {"lead_id": "lead-1", "deal": {"next_step_on": day, "expected_close": day}}
        assert (await crm.put("/v1/external/crm/1", json=said)).json()["deal"]["next_step_on"] == day
        await world.firing().fire_due()


async def test_a_person_who_names_a_day_that_has_passed_is_told_so_and_a_system_is_not(crm, path, world):
    for wrong in ({"next_step_on": "2023-11-14"}, {"expected_close": "2023-11-14"}):  # in Tokyo it is the 15th
        refused = await patched(crm, path, **wrong)
        assert code_of(refused) == (422, "in_the_past")
        assert "2023-11-15" in refused.json()["detail"]
    stale = {"next_step_on": "2023-11-01", "expected_close": "2023-11-01", "amount": "900"}
    kept = await crm.put("/v1/external/crm/1", json={"lead_id": "lead-1", "deal": stale})
    assert kept.json()["deal"]["amount"] == "900"
    again = await patched(crm, path, next_step_on="2023-11-01", problem="棚卸")
    assert again.status_code == 200, "what the deal has already may be sent with the rest"
    assert (await patched(crm, path, next_step_on="2023-11-15")).status_code == 200, "today"


@pytest.mark.parametrize(
    ("act", "given"),
    [
        ("move", {"to": "discovery"}),
        ("win", {"ordered_on": "2023-11-01"}),
        ("lose", {"reason": "no_response"}),
        ("hand-over", {"account_manager": "tanaka"}),
        ("review", {"answers": {"why": "x"}}),
    ],
)
async def test_a_field_that_an_act_does_not_know_is_refused(crm, path, act, given):
    answer = await crm.post(f"{path}/{act}", json=given | {"resaon": "x"})
    assert code_of(answer) == (422, "invalid_request")


async def test_null_empties_what_a_deal_may_be_without(crm, path):
    said = {
        "amount": 5,
        "products": ["在庫"],
        "competitors": ["他社A"],
        "team": [{"rep_id": "tanaka", "role": "presales"}],
        "confirmed": CONFIRMED,
        "handover": HANDOVER,
    }
    assert (await patched(crm, path, **said)).status_code == 200
    emptied = (await patched(crm, path, **dict.fromkeys(said))).json()
    assert [emptied[name] for name in said] == [None, [], [], [], [], {}]


async def test_a_history_has_nothing_after_the_last_version_there_can_be(crm, path):
    await patched(crm, path, amount=5)
    page = await crm.get(f"{path}/history", params={"after": 2**31 - 1})
    assert (page.status_code, page.json()) == (200, {"items": [], "next": None})


async def test_a_slip_is_answered_with_what_was_meant(crm, path):
    moved = await crm.post(f"{path}/move", json={"to": "propsal"})
    assert (code_of(moved), moved.json()["suggestion"]) == ((422, "unknown_stage"), "proposal")
    lost = await crm.post(f"{path}/lose", json={"reason": "competitor-won"})
    assert (code_of(lost), lost.json()["suggestion"]) == ((422, "unknown_reason"), "competitor_won")


async def test_a_deal_goes_back_for_a_reason_that_is_kept(crm, path):
    await patched(crm, path, **SAID)
    await crm.post(f"{path}/move", json={"to": "negotiation"})
    assert code_of(await crm.post(f"{path}/move", json={"to": "solution"})) == (422, "reason_required")
    back = await crm.post(f"{path}/move", json={"to": "solution", "reason": "決裁者が交代"})
    assert (back.status_code, back.json()["stage"]) == (200, "solution")
    history = (await crm.get(f"{path}/history")).json()
    [why] = [item for item in history["items"] if item["field"] == "stage" and item["after"] == "solution"]
    assert (why["before"], why["note"], why["by"]) == ("negotiation", "決裁者が交代", "crm")
    assert history["next"] is None
    first = (await crm.get(f"{path}/history", params={"limit": 1})).json()
    assert ({item["version"] for item in first["items"]}, first["next"]) == ({1}, 1)


async def test_a_loss_has_its_reason_and_says_when_the_lead_comes_back(crm, path, world):
    refused = await crm.post(f"{path}/lose", json={"reason": "competitor_won"})
    assert [one["field"] for one in refused.json()["missing"]] == ["rival"]
    short = await crm.post(f"{path}/lose", json={"reason": "other", "text": "なんとなく"})
    assert [one["field"] for one in short.json()["missing"]] == ["text"]
    body = {"reason": "competitor_won", "rival": "他社A", "contract_end": "2025-03-31"}
    for _ in range(2):
        lost = await crm.post(f"{path}/lose", json=body)
        assert (lost.status_code, lost.json()["stage"]) == (200, "lost")
    assert lost.json()["comes_back_at"] == "2024-09-29T15:00:00.000Z", "six months before it ends, in Tokyo"
    [told] = [event for event in await world.events() if event["stage"] == "lost"]
    assert (told["kind"], told["reason"], told["until"]) == ("stage-changed", "competitor_won", 1_727_622_000_000)
    for act, given in (
        ("win", {"ordered_on": "2023-11-01"}),
        ("move", {"to": "proposal"}),
        ("lose", {"reason": "price"}),
    ):
        assert code_of(await crm.post(f"{path}/{act}", json=given)) == (409, "closed")
    declined = await crm.post(path.replace("/deal", "/decline"), json={"reason": "junk"})
    assert code_of(declined) == (409, "offer_not_open")


async def test_a_deal_whose_lead_is_given_back_ends_with_it(crm, path, world):
    await patched(crm, path, **SAID)
    await crm.post(f"{path}/move", json={"to": "discovery"})
    body = {"reason": "not_now", "until": "2024-04-01T00:00:00Z"}
    assert (await crm.post(path.replace("/deal", "/decline"), json=body)).status_code == 200
    deal = (await crm.get(path)).json()
    assert (deal["stage"], deal["closed_reason"], deal["in_pipeline"]) == ("recycled", "not_now", False)
    assert deal["comes_back_at"] == "2024-04-01T00:00:00.000Z"
    assert await stages(world) == ["offered", "accepted", "discovery", "recycled"]
    assert code_of(await crm.post(f"{path}/move", json={"to": "proposal"})) == (409, "closed")


async def test_a_deal_that_goes_to_another_rep_keeps_its_stage(crm, path, world, client):
    await patched(crm, path, **SAID)
    await crm.post(f"{path}/move", json={"to": "proposal"})
    await world.handler().handle([world.routed(assignment=2, rep="tanaka", relieves="sato")])
    assert code_of(await crm.post(f"{path}/move", json={"to": "negotiation"})) == (409, "not_accepted")
    await world.desk().accept(world.tenant, world.opportunity_id(), "tanaka")
    assert await stages(world) == ["offered", "accepted", "proposal", "offered", "proposal"]
    sato, tanaka = await client("rep", name="sato"), await client("rep", name="tanaka")
    assert code_of(await sato.post(f"{path}/move", json={"to": "negotiation"})) == (409, "not_the_holder")
    assert (await tanaka.post(f"{path}/move", json={"to": "negotiation"})).json()["stage"] == "negotiation"


async def test_a_deal_of_a_merged_lead_stays_with_its_holder_until_it_ends(crm, path, world):
    await patched(crm, path, **SAID)
    await world.handler().handle([world.withdrawn(merged_into="lead-9")])
    assert (await crm.post(f"{path}/move", json={"to": "discovery"})).json()["stage"] == "discovery"
    assert (await crm.post(f"{path}/win", json={"ordered_on": "2023-11-01"})).json()["stage"] == "won"


async def test_a_deal_that_is_given_up_after_its_lead_was_merged_ends_as_merged(crm, path, world):
    await patched(crm, path, **SAID)
    await world.handler().handle([world.withdrawn(merged_into="lead-9")])
    await crm.post(path.replace("/deal", "/decline"), json={"reason": "at_capacity"})
    deal = (await crm.get(path)).json()
    assert (deal["stage"], deal["amount"], deal["closed_reason"]) == ("merged", "1200000", "at_capacity")


async def test_a_tenant_without_the_policy_is_told_what_to_do_and_all_else_works(crm, world):
    await world.handler().handle([world.routed()])
    one = f"/v1/opportunities/{world.opportunity_id()}"
    assert (await crm.post(f"{one}/accept", json={"rep_id": "sato"})).status_code == 200
    refused = await crm.get(f"{one}/deal")
    assert code_of(refused) == (409, "no_pipeline_policy")
    assert "baton policy apply" in refused.json()["detail"]
    assert code_of(await crm.post(f"{one}/deal/win", json={})) == (409, "no_pipeline_policy")


async def test_a_deal_begins_when_field_sales_accepts_and_not_before(crm, world, publish):
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    await world.handler().handle([world.routed(), world.routed(lead="lead-2", leg="is")])
    path = f"/v1/opportunities/{world.opportunity_id()}/deal"
    assert code_of(await crm.get(path)) == (409, "not_accepted")
    inside = world.opportunity_id("lead-2")
    await world.desk().accept(world.tenant, inside, "sato")
    assert code_of(await crm.post(f"/v1/opportunities/{inside}/deal/move", json={"to": "discovery"})) == (
        409,
        "not_accepted",
    )


async def test_who_does_not_see_the_opportunity_does_not_see_its_deal(client, path, world):
    tanaka = await client("rep", name="tanaka")
    for answer in (
        await tanaka.get(path),
        await tanaka.get(f"{path}/history"),
        await patched(tanaka, path, amount=1),
        await tanaka.post(f"{path}/win", json={}),
    ):
        assert code_of(answer) == (404, "not_found")
    sato = await client("rep", name="sato")
    assert (await patched(sato, path, amount=1)).json()["amount"] == "1"
    assert code_of(await (await client("guest")).get(path)) == (403, "no_role")


async def test_the_pipeline_adds_up_what_counts_by_stage_and_forecast_and_for_whom_it_is(client, crm, path, world):
    """佐藤 has two deals of ¥1,200,000 each and one in dollars, 田中 one that is no SQL yet."""
    for lead in ("lead-2", "lead-3", "lead-4"):
        rep = "tanaka" if lead == "lead-4" else "sato"
        await world.handler().handle([world.routed(lead=lead, rep=rep, is_test=False)])
        await world.desk().accept(world.tenant, world.opportunity_id(lead), rep)
    deals = [f"/v1/opportunities/{world.opportunity_id(f'lead-{n}')}/deal" for n in range(1, 5)]
    for deal, to in zip(deals[:3], ("discovery", "negotiation", "verbal"), strict=True):
        await patched(crm, deal, **SAID)
        assert (await crm.post(f"{deal}/move", json={"to": to})).status_code == 200
    await patched(crm, deals[2], amount="999.99", currency="USD", expected_close="2024-06-30")
    await patched(crm, deals[3], amount=5)

    seen = (await crm.get("/v1/pipeline")).json()
    yen, dollars = seen["currencies"]
    assert (yen["currency"], yen["deals"], yen["amount"], yen["weighted"]) == ("JPY", 2, "2400000", "840000")
    assert [(one["stage"], one["weighted"]) for one in yen["stages"]] == [
        ("discovery", "120000"),
        ("negotiation", "720000"),
    ]
    assert {name: one["amount"] for name, one in yen["forecast"].items()} == {
        "commit": "0", "best_case": "1200000", "pipeline": "1200000",
    }  # fmt: skip
    assert (dollars["amount"], dollars["weighted"]) == ("999.99", "899.99")
    assert {name: one["amount"] for name, one in dollars["forecast"].items()} == dict.fromkeys(
        yen["forecast"], "999.99"
    )

    this_term = (await crm.get("/v1/pipeline", params={"closes_before": "2024-04-01"})).json()["currencies"]
    assert [one["currency"] for one in this_term] == ["JPY"]
    tanaka = await client("rep", name="tanaka")
    assert (await tanaka.get("/v1/pipeline")).json()["currencies"] == [], "what is no SQL does not count"
    await crm.post(f"{deals[0]}/win", json={"ordered_on": "2023-11-01"})
    await world.handler().handle([world.routed(lead="lead-2", assignment=2, rep="tanaka", relieves="sato")])
    [theirs] = (await tanaka.get("/v1/pipeline")).json()["currencies"]
    assert (theirs["deals"], theirs["amount"]) == (1, "1200000"), (
        "a deal that is handed on goes with whom it was offered to"
    )
    sato = await client("rep", name="sato")
    assert [one["currency"] for one in (await sato.get("/v1/pipeline")).json()["currencies"]] == ["USD"]
    assert (await crm.get("/v1/pipeline", params={"rep_id": "tanaka"})).json()["currencies"] == [theirs]


async def test_wherever_the_desk_dies_said_again_it_gives_the_same_rows_and_events(
    make_world, tenant, publish, crashing, crash
):
    """A loss, which writes all there is: the deal, its history, the opportunity, clocks and what is told."""

    async def accepted(name: str) -> Any:
        world = await make_world(name)
        await world.policies.apply(publish(name, 60, PIPELINE))
        await world.handler().handle([world.routed()])
        await world.desk().accept(name, world.opportunity_id(), "sato")
        return world

    async def lose(world: Any, pool: Any = None) -> None:
        desk = DealDesk(pool or world.app, world.clock, world.policies)
        loss = Loss(PIPELINE.reason("price"), "予算の二倍")
        act = lambda deal, _policy, moment: steps.lose(deal, loss, moment)  # noqa: E731
        await desk.change(world.tenant, world.opportunity_id(), act, Asker("sato"))

    async def stored(world: Any) -> Any:
        known = ("tenant", "opportunity_id")
        rows = [*await world.rows("deals", "version"), *await world.rows("deal_changes", "version, field")]
        return await world.story(), [{name: value for name, value in row.items() if name not in known} for row in rows]

    undisturbed = await accepted(f"{tenant}-0")
    await lose(undisturbed)
    expected = await stored(undisturbed)
    assert expected[1]

    died = 0
    for before in (True, False):
        for at in range(1, 100):
            world = await accepted(f"{tenant}-{'b' if before else 'a'}{at}")
            pool = crashing(world.app, at, before=before)
            try:
                await lose(world, pool)
            except crash:
                died += 1
            finished = pool.done < at
            await lose(world)
            assert await stored(world) == expected, f"died {'before' if before else 'after'} statement {at}"
            if finished:
                break
    assert died >= 12
