"""People of a deal and what reps learn: over HTTP, on the app itself and a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest

from services.handoff.app import http_app
from services.handoff.people import store as people_rows
from services.handoff.people.history import fold, of_person
from services.handoff.pipeline.deal import FieldChange
from shared.kit.auth import token_hash
from shared.kit.service import Probes
from shared.schemas import ids
from shared.schemas.policies import QualificationPolicy, RoutingPolicy, TeamsPolicy
from shared.schemas.policies.teams import Member, Pool, Rep
from shared.schemas.scores import Evidence

pytestmark = pytest.mark.servers

DAY = 86_400_000
QUALIFICATION = QualificationPolicy.model_validate(
    {"gate": {"mql": ["A1", "B1"]}, "framework": {"preset": "bant", "minimum_met": 3}}
)
TEAMS = TeamsPolicy(
    reps=(Rep(id="sato", name="佐藤", manager="suzuki"), Rep(id="tanaka", name="田中"), Rep(id="suzuki", name="鈴木")),
    pools=(Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),),
)
YAMADA = {"name": "山田 一郎", "title": "情報システム部長", "email": "yamada@example.jp", "roles": ["decision_maker"]}
Client = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def client(world, calling, publish) -> Client:
    """client(name, *roles): one with a token of this name and these roles."""
    for sequence, policy in enumerate((TEAMS, QUALIFICATION), start=50):
        await world.policies.apply(publish(world.tenant, sequence, policy))
    return calling


@pytest.fixture
async def deal(world) -> str:
    """佐藤's, of whose lead a form has told the timeline."""
    form = Evidence(criterion="T1", code="3m", source_id="web", observed_at=world.clock.now() - DAY)
    await world.handler().handle([world.routed(evidence=(form,))])
    return f"/v1/opportunities/{world.opportunity_id()}"


@pytest.fixture
async def sato(client, deal) -> httpx.AsyncClient:
    return await client("sato", "rep")


def code_of(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


def risks(page: httpx.Response) -> list[str]:
    return [risk["code"] for risk in page.json()["risks"]]


async def told(world, kind: str) -> list[dict[str, Any]]:
    return [event for event in await world.events() if event["kind"] == kind]


async def as_owner(owner, world) -> tuple[Any, str, str]:
    """What rows are read by, whoever they are of."""
    await owner.set_type_codec("jsonb", schema="pg_catalog", encoder=orjson.dumps, decoder=orjson.loads)
    return owner, world.tenant, world.opportunity_id()


# --- people ---------------------------------------------------------------------------------------------------------------


async def test_a_person_is_entered_read_changed_and_forgotten(sato, deal, world, owner):
    entered = await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA | {"influence": "high"})
    assert (entered.status_code, entered.headers["etag"]) == (200, '"1"')
    seen = (await sato.get(f"{deal}/stakeholders/yamada")).json()
    assert seen == entered.json()
    assert (seen["name"], seen["department_id"], seen["influence"]) == ("山田 一郎", "it", 3)
    assert seen["roles"] == [{"code": "decision_maker", "label": {"en": "Decision maker", "ja": "決裁者"}}]
    changed = await sato.patch(f"{deal}/stakeholders/yamada", json={"stance": "concern"})
    assert changed.json() == seen | {
        "version": 2,
        "stance": {"code": "concern", "label": {"en": "Has concerns", "ja": "懸念"}},
    }
    assert (await sato.delete(f"{deal}/stakeholders/yamada")).status_code == 204
    assert (await sato.delete(f"{deal}/stakeholders/yamada")).status_code == 204
    assert code_of(await sato.get(f"{deal}/stakeholders/yamada")) == (404, "no_stakeholder")
    kept = "SELECT count(*) FROM handoff.stakeholders WHERE tenant = $1 AND person IS NOT NULL"
    assert await owner.fetchval(kept, world.tenant) == 0
    again = await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA)
    assert again.json()["version"] == 4
    events = await told(world, "stakeholder-changed")
    assert [event["reason"] for event in events] == ["entered", "changed", "removed", "entered"]
    assert len({event["event_id"] for event in events}) == 4
    assert not any("山田" in str(event) or "yamada@" in str(event) for event in await world.events())


async def test_the_same_said_again_changes_nothing(sato, deal, world):
    for _ in range(2):
        entered = await sato.post(f"{deal}/stakeholders", json=YAMADA)
        assert entered.json()["version"] == 1
    await sato.put(f"{deal}/stakeholders/{entered.json()['id']}", json=YAMADA)
    assert len((await sato.get(f"{deal}/stakeholders")).json()["items"]) == 1
    assert len(await told(world, "stakeholder-changed")) == 1


async def test_an_id_of_ours_tells_nobody_who_it_is(client, sato, deal, world):
    entered = (await sato.post(f"{deal}/stakeholders", json=YAMADA)).json()
    whole = (world.opportunity_id(), YAMADA["name"], YAMADA["email"], YAMADA["title"])
    assert entered["id"] != ids.derived_id("stakeholder", *whole)
    assert entered["id"] == ids.keyed_id(ids.tenant_secret(b"m" * 32, world.tenant), "stakeholder", *whole)
    assert [event["subject"] for event in await told(world, "stakeholder-changed")] == [entered["id"]]


async def test_what_is_changed_of_nemawashi_leaves_the_rest_of_it(sato, deal):
    one = f"{deal}/stakeholders/yamada"
    await sato.put(one, json=YAMADA | {"nemawashi": {"state": "explained", "on": "2023-11-10", "by": "sato"}})
    changed = (await sato.patch(one, json={"nemawashi": {"by": "tanaka"}})).json()["nemawashi"]
    assert (changed["code"], changed["on"], changed["by"]) == ("explained", "2023-11-10", "tanaka")
    emptied = (await sato.patch(one, json={"nemawashi": {"on": None}})).json()["nemawashi"]
    assert (emptied["code"], emptied["on"], emptied["by"]) == ("explained", None, "tanaka")
    whole = (await sato.put(one, json=YAMADA | {"nemawashi": {"by": "sato"}})).json()["nemawashi"]
    assert (whole["code"], whole["on"], whole["by"]) == ("untouched", None, "sato")
    assert code_of(await sato.patch(one, json={"nemawashi": {"who": "sato"}})) == (422, "invalid_request")


async def test_who_has_not_seen_the_last_version_changes_nothing(sato, deal):
    one = f"{deal}/stakeholders/yamada"
    assert code_of(await sato.put(one, json=YAMADA, headers={"if-match": '"1"'})) == (412, "changed_meanwhile")
    assert (await sato.put(one, json=YAMADA, headers={"if-none-match": "*"})).status_code == 200
    assert code_of(await sato.put(one, json=YAMADA, headers={"if-none-match": "*"})) == (412, "changed_meanwhile")
    assert (await sato.patch(one, json={"stance": "support"}, headers={"if-match": '"1"'})).status_code == 200
    refused = await sato.patch(one, json={"stance": "against"}, headers={"if-match": '"1"'})
    assert (*code_of(refused), refused.json()["version"]) == (412, "changed_meanwhile", 2)
    assert code_of(await sato.delete(one, headers={"if-match": '"1"'})) == (412, "changed_meanwhile")
    assert code_of(await sato.delete(one, headers={"if-match": "yes"})) == (422, "bad_etag")
    assert (await sato.get(one)).json()["stance"]["code"] == "support"


async def test_nobody_reports_to_themselves_by_any_way(sato, deal):
    for name, above in (("a", None), ("b", "a"), ("c", "b")):
        body = {"name": name, "reports_to": above}
        assert (await sato.put(f"{deal}/stakeholders/{name}", json=body)).status_code == 200
    refused = await sato.patch(f"{deal}/stakeholders/a", json={"reports_to": "c"})
    assert (*code_of(refused), refused.json()["way"]) == (409, "reports_in_a_circle", ["a", "c", "b", "a"])
    unknown = await sato.patch(f"{deal}/stakeholders/a", json={"reports_to": "d"})
    assert (*code_of(unknown), unknown.json()["valid"]) == (422, "unknown_reports_to", ["a", "b", "c"])
    await sato.delete(f"{deal}/stakeholders/b")
    people = {one["id"]: one for one in (await sato.get(f"{deal}/stakeholders")).json()["items"]}
    assert (people["c"]["reports_to"], people["c"]["version"]) == (None, 2)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a\x00"},
        {"name": ""},
        {},
        {"name": "a", "roles": ["boss"]},
        {"name": "a", "influence": 4},
        {"name": "a", "x": 1},
    ],
)
async def test_what_cannot_be_kept_is_refused(sato, deal, body):
    assert (await sato.put(f"{deal}/stakeholders/a", json=body)).status_code == 422
    assert (await sato.put(f"{deal}/stakeholders/a%40b.jp", json={"name": "a"})).status_code == 422


async def test_what_is_missing_among_the_people_is_shown(sato, deal, world):
    assert risks(await sato.get(f"{deal}/stakeholders")) == ["no_decision_maker", "no_drafter"]
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA | {"met_on": "2026-11-02"})
    world.clock.advance(days=30)
    found = (await sato.get(f"{deal}/stakeholders")).json()["risks"]
    assert [risk["code"] for risk in found] == ["no_drafter", "one_department", "users_not_met", "no_contact"]
    assert found[1] == {
        "code": "one_department",
        "text": {"en": "All contacts are of one department", "ja": "接点が一部門に限られています"},
        "about": ["yamada"],
    }


# --- answers --------------------------------------------------------------------------------------------------------------


async def test_what_a_rep_learns_is_weighed_with_what_forms_told(sato, deal, world):
    before = (await sato.get(f"{deal}/answers")).json()
    assert {name: one["is"] for name, one in before["criteria"].items()} == {
        "need": "unknown",
        "timeline": "met",
        "authority": "unknown",
        "budget": "unknown",
    }
    assert before["next_question"]["question"] == "N1"
    body = {"question": "B1", "value": "secured", "source": "meeting", "note": "今期で確保済とのこと"}
    after = (await sato.post(f"{deal}/answers", json=body)).json()
    assert (after["met"], after["enough"], after["criteria"]["budget"]["is"]) == (2, False, "met")
    [made_so] = after["criteria"]["budget"]["answers"]
    assert (made_so["source"], made_so["confidence"]) == ("handoff/meeting", 0.9)
    [recorded] = after["answers"]
    assert (recorded["recorded_by"], recorded["note"]) == ("sato", "今期で確保済とのこと")
    [event] = await told(world, "answer-recorded")
    assert (event["evidence"], event["source"]) == ({"B1": "secured"}, "handoff/meeting")
    assert not any("確保" in str(event) for event in await world.events())


async def in_an_account_whose_year_ends_with_october(world, owner) -> None:
    """lead-1 is."""
    await owner.execute(
        "INSERT INTO router.accounts (tenant, account_id, name, kind, level, root, entity, fiscal_month, updated_at)"
        " VALUES ($1, 'acme', 'Acme', 'customer', 'entity', 'acme', 'acme', 10, 0)",
        world.tenant,
    )
    matched = (
        "INSERT INTO router.account_leads (tenant, lead_id, account_id, code) VALUES ($1, 'lead-1', 'acme', 'named')"
    )
    await owner.execute(matched, world.tenant)


async def test_a_lead_without_a_budget_this_year_rests_until_some_time_before_the_customers_next_one(
    sato, deal, world, owner, publish
):
    kept = {
        "code": "no_budget",
        "kind": "recycle",
        "label": {"en": "no budget"},
        "effect": "on_hold",
        "before_fiscal_year": 3,
    }
    rules = [{"id": "all", "when": {}, "pool": "tokyo"}]
    await world.policies.apply(
        publish(world.tenant, 70, RoutingPolicy.model_validate({"rules": rules, "decline_reasons": [kept]}))
    )
    await in_an_account_whose_year_ends_with_october(world, owner)
    await world.handler().handle([world.routed("lead-2"), world.routed("lead-3")])
    for lead, said in (("lead-1", {}), ("lead-2", {}), ("lead-3", {"until": "2023-12-01"})):
        one = f"/v1/opportunities/{world.opportunity_id(lead)}"
        assert (await sato.post(f"{one}/decline", json={"reason": "no_budget"} | said)).status_code == 200
    until = {event["lead_id"]: event["until"] for event in await told(world, "offer-declined")}
    days = {lead: datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Tokyo")).isoformat() for lead, at in until.items()}
    assert days == {
        "lead-1": "2024-08-01T00:00:00+09:00",
        "lead-2": "2024-01-01T00:00:00+09:00",
        "lead-3": "2023-12-01T00:00:00+09:00",
    }


async def test_a_budget_is_good_until_the_fiscal_year_of_the_leads_account_ends(sato, deal, world, owner):
    body = {"question": "B1", "value": "secured", "source": "meeting", "at": "2023-10-15T00:00:00Z"}
    known = (await sato.post(f"{deal}/answers", json=body)).json()["criteria"]["budget"]
    assert (known["state"], known["expires_at"][:7]) == ("met", "2024-03")
    await in_an_account_whose_year_ends_with_october(world, owner)
    known = (await sato.get(f"{deal}/answers")).json()["criteria"]["budget"]
    assert (known["state"], known["expires_at"][:7]) == ("expired", "2023-10")


async def test_an_answer_sent_again_is_recorded_once(sato, deal, world):
    body = {"criterion": "budget", "value": "secured", "source": "document", "id": "a1"}
    for _ in range(2):
        assert (await sato.post(f"{deal}/answers", json=body)).status_code == 200
    assert len(await told(world, "answer-recorded")) == 1
    assert code_of(await sato.post(f"{deal}/answers", json=body | {"value": "none"})) == (409, "answer_id_taken")


async def test_the_later_answer_of_a_source_stands_however_late_the_other_is_entered(sato, deal):
    new = {"question": "B1", "value": "none", "source": "meeting"}
    await sato.post(f"{deal}/answers", json=new)
    old = new | {"value": "secured", "at": "2020-01-01T00:00:00Z"}
    after = (await sato.post(f"{deal}/answers", json=old)).json()
    assert after["criteria"]["budget"]["is"] == "not_met"
    assert len(after["answers"]) == 2


async def test_a_correction_stands_whichever_moment_it_is_of(sato, deal, world):
    body = {"question": "B1", "source": "meeting", "at": "2023-11-01T14:00:00+09:00"}
    for value, state in (("applied", "met"), ("secured", "met"), ("applied", "met"), ("none", "not_met")):
        for _ in range(2):
            answers = (await sato.post(f"{deal}/answers", json=body | {"value": value})).json()
            assert [one["value"] for one in answers["criteria"]["budget"]["answers"]] == [value]
            assert answers["criteria"]["budget"]["is"] == state
    assert [one["value"] for one in answers["answers"]] == ["applied", "secured", "applied", "none"]
    events = await told(world, "answer-recorded")
    assert len({event["event_id"] for event in events}) == len(events) == 4
    assert [event["at"] for event in events] == sorted({event["at"] for event in events})


async def test_the_same_answer_with_another_confidence_is_another_answer(sato, deal):
    body = {"question": "B1", "value": "secured", "source": "meeting", "at": "2023-11-01T14:00:00+09:00"}
    assert (await sato.post(f"{deal}/answers", json=body)).status_code == 200
    sure = await sato.post(f"{deal}/answers", json=body | {"confidence": 0.4})
    assert (sure.status_code, sure.json()["criteria"]["budget"]["answers"][0]["confidence"]) == (200, 0.4)


@pytest.mark.parametrize("own", [{}, {"id": "a1"}])
async def test_a_void_answer_that_is_given_again_stands_again_as_often_as_it_takes(sato, deal, world, own):
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA)
    body = {"question": "A1", "value": "decision", "source": "meeting", "at": "2023-01-01T00:00:00Z"}
    body |= {"told_by": "yamada", **own}
    for times in range(1, 4):
        for _ in range(2):
            given = (await sato.post(f"{deal}/answers", json=body)).json()
            assert [one["value"] for one in given["criteria"]["authority"]["answers"]] == ["decision"]
            assert len(given["answers"]) == times
        assert own.get("id", given["answers"][-1]["id"]) in [
            one["id"] for one in given["answers"] if one["voided_at"] is None
        ]
        await sato.post(f"{deal}/stakeholders/yamada/moved")
        assert (await sato.get(f"{deal}/answers")).json()["criteria"]["authority"]["answers"] == []
        await sato.post(f"{deal}/stakeholders/yamada/verified", json={"gone": False})
    recorded = [event["event_id"] for event in await told(world, "answer-recorded")]
    voids = [event["voids"] for event in await told(world, "answer-voided")]
    assert len(set(recorded)) == 3
    assert sorted(voids) == sorted(recorded)


async def test_what_others_said_stands_when_somebody_has_moved(sato, deal):
    for name, at in (("tanaka", "2023-01-01T00:00:00Z"), ("yamada", "2023-01-02T00:00:00Z")):
        await sato.put(f"{deal}/stakeholders/{name}", json=YAMADA | {"name": name})
        body = {"question": "A1", "value": "decision", "source": "meeting", "at": at, "told_by": name}
        assert (await sato.post(f"{deal}/answers", json=body)).status_code == 200
    await sato.post(f"{deal}/stakeholders/yamada/moved")
    after = (await sato.get(f"{deal}/answers")).json()["criteria"]["authority"]
    assert [one["observed_at"] for one in after["answers"]] == ["2023-01-01T00:00:00.000Z"]


async def test_what_is_void_of_a_merged_lead_is_void_of_the_one_that_is_left(sato, deal, world, owner):
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA)
    body = {"question": "A1", "value": "decision", "source": "meeting", "told_by": "yamada"}
    assert (await sato.post(f"{deal}/answers", json=body)).status_code == 200
    learnt = Evidence(
        criterion="A1", code="decision", source_id="handoff/meeting", observed_at=world.clock.now(), trusted=True
    )
    await world.handler().handle([world.routed("lead-2", evidence=(learnt,))])
    left = f"/v1/opportunities/{world.opportunity_id('lead-2')}"
    merged = "INSERT INTO router.leads (tenant, lead_id, merged_into) VALUES ($1, 'lead-1', 'lead-2')"
    await owner.execute(merged, world.tenant)
    assert len((await sato.get(f"{left}/answers")).json()["criteria"]["authority"]["answers"]) == 1
    assert (await sato.post(f"{deal}/stakeholders/yamada/moved")).status_code == 200
    after = (await sato.get(f"{left}/answers")).json()
    assert after["criteria"]["authority"]["answers"] == []
    assert after["answers"][0]["voided_because"] == "moved"


@pytest.mark.parametrize(
    ("change", "code", "near"),
    [
        ({"question": "b1"}, "unknown_question", "B1"),
        ({"value": "secure"}, "unknown_value", "secured"),
        ({"source": "meetings"}, "unknown_source", "meeting"),
        ({"question": None, "criterion": "budgets"}, "unknown_criterion", "budget"),
        ({"told_by": "nobody"}, "unknown_stakeholder", None),
        ({"question": None, "criterion": "authority"}, "which_question", None),
        ({"at": "2100-01-01T00:00:00Z"}, "in_the_future", None),
        ({"confidence": 2}, "invalid_request", None),
        ({"question": None}, "invalid_request", None),
        ({"note": "\x00"}, "invalid_request", None),
    ],
)
async def test_an_answer_that_means_nothing_is_refused_with_what_would(sato, deal, change, code, near):
    body = {"question": "B1", "value": "secured", "source": "meeting"} | change
    refused = await sato.post(f"{deal}/answers", json=body)
    assert code_of(refused) == (422, code)
    assert refused.json().get("suggestion") == near


async def test_answers_need_a_qualification_policy(client, world, deal, make_world, owner):
    app = http_app(world.app, (await make_world(world.tenant)).policies, world.clock, Probes(), b"m" * 32)
    token = uuid4().hex
    insert = "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'crm', '{api}')"
    await owner.execute(insert, world.tenant, token_hash(token))
    headers = {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://handoff", headers=headers) as crm:
        assert code_of(await crm.get(f"{deal}/answers")) == (409, "no_policy")


# --- moved ----------------------------------------------------------------------------------------------------------------


async def test_what_somebody_told_of_their_post_is_void_once_they_have_moved(sato, deal, world):
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA | {"roles": ["decision_maker", "champion"]})
    await sato.put(f"{deal}/stakeholders/suzuki", json={"name": "鈴木", "roles": ["drafter"], "department": "総務部"})
    for question, value in (("A1", "decision"), ("B1", "secured")):
        body = {"question": question, "value": value, "source": "meeting", "told_by": "yamada"}
        await sato.post(f"{deal}/answers", json=body)
    assert (await sato.get(f"{deal}/answers")).json()["criteria"]["authority"]["is"] == "met"
    for _ in range(2):
        moved = await sato.post(f"{deal}/stakeholders/yamada/moved", json={"successor": "suzuki"})
        assert (moved.status_code, moved.json()["successor"]) == (200, "suzuki")
    after = (await sato.get(f"{deal}/answers")).json()
    assert {name: after["criteria"][name]["is"] for name in ("authority", "budget")} == {
        "authority": "unknown",
        "budget": "met",
    }
    [void] = await told(world, "answer-voided")
    assert (void["evidence"], void["reason"]) == ({"A1": "decision"}, "moved")
    assert len(await told(world, "stakeholder-moved")) == 1
    gaps = ["no_decision_maker", "one_department", "champion_moved", "verify_move"]
    assert risks(await sato.get(f"{deal}/stakeholders")) == gaps
    world.clock.advance(seconds=1)
    asked = {"question": "A1", "value": "decision", "source": "meeting", "told_by": "yamada"}
    assert code_of(await sato.post(f"{deal}/answers", json=asked)) == (409, "stakeholder_moved")
    assert (await sato.post(f"{deal}/stakeholders/yamada/verified", json={"gone": True})).status_code == 200
    assert "verify_move" not in risks(await sato.get(f"{deal}/stakeholders"))


async def test_whoever_has_the_lead_is_to_verify_a_move_within_a_week_until_it_is_known(sato, deal, world):
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA)
    for _ in range(2):
        await sato.post(f"{deal}/stakeholders/yamada/moved")
    [task] = (await sato.get("/v1/tasks", params={"rep_id": "sato", "state": "open"})).json()["items"]
    assert (task["stakeholder"], task["kind"], task["created_by"]) == ("yamada", "todo", "sato")
    assert task["due_on"] == "2023-11-22", "a week from the 15th, which it is where the rep is"
    await sato.post(f"{deal}/stakeholders/yamada/verified", json={"gone": False})
    await sato.post(f"{deal}/stakeholders/yamada/moved")
    await sato.delete(f"{deal}/stakeholders/yamada")
    tasks = (await sato.get(f"{deal}/tasks")).json()["items"]
    assert sorted((one["stakeholder"], one["state"]) for one in tasks) == [("yamada", "cancelled"), ("yamada", "done")]
    kinds = [event["kind"] for event in await world.events() if event["kind"].startswith("task-")]
    assert kinds == ["task-created", "task-done", "task-created", "task-cancelled"]


async def test_what_is_known_of_a_person_has_a_history_of_every_field_that_adds_up_and_forgets_with_them(
    client, sato, deal, world, owner
):
    one = f"{deal}/stakeholders/yamada"
    await sato.put(one, json=YAMADA | {"influence": "high", "note": "阪神ファン"})
    world.clock.advance(seconds=60)
    manager = await client("suzuki", "manager")
    await manager.patch(one, json={"stance": "concern", "nemawashi": {"state": "explained", "on": "2023-11-10"}})
    await sato.patch(one, json={"title": "執行役員"})
    pages, after = [], 0
    while after is not None:
        page = (await sato.get(f"{one}/history", params={"limit": 1, "after": after})).json()
        pages, after = [*pages, *page["items"]], page["next"]
    said = {(row["version"], row["field"]): (row["before"], row["after"], row["by"]) for row in pages}
    assert said[2, "stance"] == ("unknown", "concern", "suzuki")
    assert said[2, "nemawashi"] == ("untouched", "explained", "suzuki")
    assert said[3, "title"] == ("情報システム部長", "執行役員", "sato")
    changes = [FieldChange(row["version"], row["field"], row["before"], row["after"]) for row in pages]
    [stored] = await people_rows.find(*await as_owner(owner, world))
    assert fold(changes) == of_person(stored)
    plain = "SELECT coalesce(string_agg(before::text || after::text, ''), '') FROM handoff.people_changes"
    assert "執行役員" not in await owner.fetchval(f"{plain} WHERE NOT sealed AND tenant = $1", world.tenant)

    await sato.delete(one)
    assert await owner.fetchval(f"{plain} WHERE sealed AND tenant = $1", world.tenant) == ""
    left = (await sato.get(f"{one}/history")).json()["items"]
    assert [(row["before"], row["after"]) for row in left if (row["version"], row["field"]) == (4, "stance")] == [
        ("concern", None)
    ]
    assert not any("山田" in str(row) or "阪神" in str(row) for row in left)
    await sato.put(one, json=YAMADA)
    [stored] = await people_rows.find(*await as_owner(owner, world))
    rows = (await sato.get(f"{one}/history")).json()["items"]
    assert fold(FieldChange(row["version"], row["field"], row["before"], row["after"]) for row in rows) == of_person(
        stored
    )
    assert code_of(await sato.get(f"{deal}/stakeholders/nobody/history")) == (404, "no_stakeholder")
    assert (await (await client("tanaka", "rep")).get(f"{one}/history")).status_code == 404


async def test_what_an_older_program_changed_is_told_with_the_next_change(sato, deal, world, owner):
    one = f"{deal}/stakeholders/yamada"
    await sato.put(one, json=YAMADA)
    older = "UPDATE handoff.stakeholders SET version = 2, stance = 'against' WHERE tenant = $1"
    await owner.execute(older, world.tenant)
    await sato.patch(one, json={"stance": "support"})
    rows = (await sato.get(f"{one}/history", params={"after": 1})).json()["items"]
    assert [(row["version"], row["before"], row["after"], row["by"]) for row in rows] == [
        (2, "unknown", "against", "handoff"),
        (3, "against", "support", "sato"),
    ]


async def test_who_has_not_moved_is_there_again_and_is_asked_anew(sato, deal):
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA)
    assert code_of(await sato.post(f"{deal}/stakeholders/yamada/verified", json={"gone": False})) == (409, "not_moved")
    await sato.post(f"{deal}/stakeholders/yamada/moved")
    back = (await sato.post(f"{deal}/stakeholders/yamada/verified", json={"gone": False})).json()
    assert (back["moved_at"], back["verified_at"]) == (None, None)
    assert "no_decision_maker" not in risks(await sato.get(f"{deal}/stakeholders"))
    unknown = await sato.post(f"{deal}/stakeholders/yamada/moved", json={"successor": "yamata"})
    assert (*code_of(unknown), unknown.json()["suggestion"]) == (422, "unknown_successor", "yamada")
    assert code_of(await sato.post(f"{deal}/stakeholders/nobody/moved")) == (404, "no_stakeholder")


# --- approval -------------------------------------------------------------------------------------------------------------

ROUTE = {
    "steps": [
        {"part": "drafter", "stakeholder": "suzuki"},
        {"part": "circulator", "title": "情報システム部長"},
        {"part": "approver", "stakeholder": "yamada", "planned": "2023-12-10"},
    ],
    "limit": "500",
    "currency": "JPY",
    "decide_on": "2023-12-10",
}


async def enter(sato: httpx.AsyncClient, deal: str) -> None:
    for name in ("suzuki", "yamada"):
        assert (await sato.put(f"{deal}/stakeholders/{name}", json={"name": name})).status_code == 200


async def test_an_approval_is_drawn_up_submitted_and_decided_with_its_course(sato, deal, world):
    await enter(sato, deal)
    assert (await sato.get(f"{deal}/approval")).json()["version"] == 0
    for _ in range(2):
        drawn = await sato.put(f"{deal}/approval", json=ROUTE)
        assert (drawn.status_code, drawn.headers["etag"]) == (200, '"1"')
    view = drawn.json()
    assert [(step["part"], step["stakeholder"], step["title"]) for step in view["steps"]] == [
        ("drafter", "suzuki", None),
        ("circulator", None, "情報システム部長"),
        ("approver", "yamada", None),
    ]
    assert (view["limit"], view["currency"], view["state"], view["next"]) == ("500", "JPY", "draft", ["submitted"])
    for state, on in (("submitted", "2023-12-01"), ("returned", "2023-12-02"), ("submitted", "2023-12-03")):
        for _ in range(2):
            gone = await sato.post(f"{deal}/approval/state", json={"state": state, "on": on, "note": "部長より"})
            assert gone.status_code == 200
    approved = (await sato.post(f"{deal}/approval/state", json={"state": "approved", "on": "2023-12-09"})).json()
    assert [(passed["state"], passed["on"]) for passed in approved["history"]] == [
        ("submitted", "2023-12-01"),
        ("returned", "2023-12-02"),
        ("submitted", "2023-12-03"),
        ("approved", "2023-12-09"),
    ]
    assert (approved["history"][0]["note"], approved["submitted_on"], approved["decided_on"]) == (
        "部長より",
        "2023-12-03",
        "2023-12-09",
    )
    assert code_of(await sato.put(f"{deal}/approval", json=ROUTE | {"limit": "9"})) == (409, "approved_already")
    reasons = [event["reason"] for event in await told(world, "approval-changed")]
    assert reasons == ["drawn", "submitted", "returned", "submitted", "approved"]
    assert not any("部長" in str(event) for event in await world.events())


async def test_an_approval_has_a_history_of_every_field(sato, deal, owner, world):
    await sato.put(f"{deal}/stakeholders/yamada", json=YAMADA)
    steps = [{"part": "drafter", "title": "課長 鈴木"}, {"part": "approver", "stakeholder": "yamada"}]
    await sato.put(f"{deal}/approval", json={"steps": steps, "limit": "5E+6", "currency": "JPY"})
    await sato.put(f"{deal}/approval", json={"steps": steps, "limit": "300000.50", "currency": "USD"})
    await sato.put(f"{deal}/approval/pack/roi", json={"present": True, "link": "https://files.example/roi"})
    await sato.post(f"{deal}/approval/state", json={"state": "submitted", "on": "2023-11-10"})
    rows = (await sato.get(f"{deal}/approval/history")).json()["items"]
    assert [(row["version"], row["field"], row["before"], row["after"]) for row in rows if row["version"] > 1] == [
        (2, "currency", "JPY", "USD"),
        (2, "limit", "5000000", "300000.50"),
        (3, "pack.roi", None, {"present": True, "link": "https://files.example/roi", "given_on": None}),
        (4, "state", "draft", "submitted"),
        (4, "submitted_on", None, "2023-11-10"),
    ]
    assert [step["part"] for row in rows if row["field"] == "steps" for step in row["after"]] == ["drafter", "approver"]
    kept = "SELECT string_agg(after::text, '') FROM handoff.people_changes WHERE NOT sealed AND tenant = $1"
    assert "鈴木" not in await owner.fetchval(kept, world.tenant)


async def test_an_approval_goes_nowhere_that_does_not_follow(sato, deal):
    await enter(sato, deal)
    state = f"{deal}/approval/state"
    incomplete = await sato.post(state, json={"state": "submitted"})
    assert (*code_of(incomplete), incomplete.json()["missing"]) == (409, "route_incomplete", ["drafter", "approver"])
    await sato.put(f"{deal}/approval", json=ROUTE)
    early = await sato.post(state, json={"state": "approved"})
    assert (*code_of(early), early.json()["valid"]) == (409, "not_from_here", ["submitted"])
    stale = await sato.put(f"{deal}/approval", json=ROUTE | {"limit": "9"}, headers={"if-match": '"0"'})
    assert (*code_of(stale), stale.json()["version"]) == (412, "changed_meanwhile", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [{"part": "drafter"}]},
        {"steps": [{"part": "approver", "title": "a"}, {"part": "drafter", "title": "b"}]},
        {"steps": [{"part": "approver", "title": "a"}, {"part": "approver", "title": "b"}]},
        {"steps": [{"part": "drafter", "stakeholder": "nobody"}]},
        {"currency": None},
        {"currency": "XXX"},
        {"decide_on": "1999-12-31"},
        {"submit_on": "2101-01-01"},
        {"limit": "NaN"},
        {"limit": -1},
        {"steps": [{"part": "drafter", "title": "a\x00"}]},
    ],
)
async def test_a_route_that_cannot_be_is_refused(sato, deal, change):
    await enter(sato, deal)
    assert (await sato.put(f"{deal}/approval", json=ROUTE | change)).status_code == 422
    script = {"link": "javascript:alert(1)"}
    assert (await sato.put(f"{deal}/approval/pack/roi", json=script)).status_code == 422
    assert (await sato.put(f"{deal}/approval/pack/poem", json={})).status_code == 422


async def test_what_was_submitted_keeps_who_drafts_and_who_approves_and_is_not_decided_before(sato, deal):
    await enter(sato, deal)
    path, state = f"{deal}/approval", f"{deal}/approval/state"
    await sato.put(path, json=ROUTE)
    await sato.post(state, json={"state": "submitted", "on": "2023-12-01"})
    emptied = await sato.put(path, json=ROUTE | {"steps": []})
    assert (*code_of(emptied), emptied.json()["missing"]) == (409, "route_incomplete", ["drafter", "approver"])
    early = await sato.post(state, json={"state": "approved", "on": "2023-11-30"})
    assert (*code_of(early), early.json()["since"]) == (422, "too_early", "2023-12-01")
    for day in ("1999-12-31", "2101-01-01"):
        assert code_of(await sato.post(state, json={"state": "approved", "on": day})) == (422, "invalid_request")
    assert (await sato.get(path)).json()["state"] == "submitted"
    assert (await sato.post(state, json={"state": "returned", "on": "2023-12-02"})).status_code == 200
    assert (await sato.put(path, json=ROUTE | {"steps": []})).status_code == 200, "what came back may be drawn anew"


async def test_days_of_an_approval_are_those_of_the_rep_who_has_it(sato, deal, world, publish):
    tokyo = Rep(id="sato", name="佐藤", zone="Asia/Tokyo")
    await world.policies.apply(publish(world.tenant, 60, TEAMS.model_copy(update={"reps": (tokyo, *TEAMS.reps[1:])})))
    await enter(sato, deal)
    now = datetime.fromtimestamp(world.clock.now() / 1000, UTC)
    assert now.hour >= 15, "which is the day after in Tokyo"
    today = now.date()
    await sato.put(f"{deal}/approval", json=ROUTE | {"submit_on": str(today), "decide_on": None})
    assert "approval_late" in risks(await sato.get(f"{deal}/approval"))
    assert "approval_late" in risks(await sato.get(f"{deal}/stakeholders"))
    submitted = (await sato.post(f"{deal}/approval/state", json={"state": "submitted"})).json()
    assert submitted["submitted_on"] == str(today + timedelta(days=1))


async def test_what_speaks_against_an_approval_is_shown_with_the_amount_of_the_deal(sato, deal, world, owner):
    await enter(sato, deal)
    await sato.put(f"{deal}/approval", json=ROUTE)
    await sato.put(f"{deal}/approval/pack/roi", json={"link": "https://example.com/roi.pdf", "given_on": "2023-11-01"})
    await owner.execute(
        "INSERT INTO handoff.deals (tenant, opportunity_id, version, type, stage, stage_since, amount, currency, products,"
        " competitors, confirmed, team, created_at, updated_at, updated_by)"
        " VALUES ($1, $2, 1, 'new', 'talks', 0, 501, 'JPY', '{}', '{}', '{}', '[]', 0, 0, 'test')",
        world.tenant,
        world.opportunity_id(),
    )
    submitted = (await sato.post(f"{deal}/approval/state", json={"state": "submitted"})).json()
    against = ["limit_below_amount", "unprepared", "pack_incomplete"]
    assert [risk["code"] for risk in submitted["risks"]][-3:] == against
    assert submitted["pack"][-1] == {
        "item": "roi",
        "label": {"en": "Return on investment", "ja": "投資回収(ROI)"},
        "present": True,
        "link": "https://example.com/roi.pdf",
        "given_on": "2023-11-01",
    }
    assert submitted["risks"] == (await sato.get(f"{deal}/stakeholders")).json()["risks"]
    await sato.delete(f"{deal}/stakeholders/yamada")
    after = (await sato.get(f"{deal}/approval")).json()
    assert {risk["code"]: risk["about"] for risk in after["risks"]}["step_moved"] == ["yamada"]
    assert (await sato.put(f"{deal}/approval", json=ROUTE | {"limit": "600"})).status_code == 200


# --- at once --------------------------------------------------------------------------------------------------------------


async def test_of_those_who_have_seen_the_same_only_one_changes_it(sato, deal, world):
    one = f"{deal}/stakeholders/yamada"
    await sato.put(one, json=YAMADA)
    changes = [{"stance": stance} for stance in ("support", "neutral", "concern", "against")]
    answers = await asyncio.gather(*(sato.patch(one, json=change, headers={"if-match": '"1"'}) for change in changes))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    assert (await sato.get(one)).json()["version"] == 2
    assert len(await told(world, "stakeholder-changed")) == 2


async def test_an_answer_that_is_sent_many_times_at_once_is_told_once(sato, deal, world):
    body = {"question": "B1", "value": "secured", "source": "document", "id": "a1"}
    answers = await asyncio.gather(*(sato.post(f"{deal}/answers", json=body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await told(world, "answer-recorded")) == 1


async def test_what_somebody_tells_while_they_move_never_stands(sato, deal, world):
    for n in range(5):
        person = f"{deal}/stakeholders/p{n}"
        await sato.put(person, json={"name": "山田"})
        body = {"question": "A1", "value": "decision", "source": "meeting", "told_by": f"p{n}", "id": f"a{n}"}
        recorded, moved = await asyncio.gather(
            sato.post(f"{deal}/answers", json=body), sato.post(f"{person}/moved", json={"left": True})
        )
        assert (moved.status_code, recorded.status_code in (200, 409)) == (200, True)
    after = (await sato.get(f"{deal}/answers")).json()
    assert after["criteria"]["authority"]["is"] == "unknown"
    assert all(one["voided_because"] == "moved" for one in after["answers"])
    assert len(await told(world, "answer-voided")) == len(after["answers"])


# --- who sees it ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role", "read", "written"),
    [
        ("sato", "rep", 200, 200),
        ("tanaka", "rep", 404, 404),
        ("suzuki", "manager", 200, 200),
        ("nobody", "manager", 404, 404),
        ("crm", "api", 200, 200),
        ("guest", "guest", 403, 403),
        ("board", "viewer", 200, 403),
    ],
)
async def test_people_and_answers_are_for_who_sees_the_lead(client, deal, name, role, read, written):
    caller = await client(name, role)
    assert (await caller.get(f"{deal}/stakeholders")).status_code == read
    assert (await caller.get(f"{deal}/answers")).status_code == read
    assert (await caller.put(f"{deal}/stakeholders/a", json={"name": "a"})).status_code == written
    answer = {"question": "B1", "value": "secured", "source": "meeting"}
    assert (await caller.post(f"{deal}/answers", json=answer)).status_code == written
    assert (await caller.get(f"{deal}/approval")).status_code == read
    assert (await caller.put(f"{deal}/approval", json={})).status_code == written
    assert (await caller.put(f"{deal}/approval/pack/roi", json={})).status_code == written


async def test_a_lead_that_went_to_somebody_else_is_theirs_to_change(client, deal, world):
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])
    sato, tanaka = await client("sato", "rep"), await client("tanaka", "rep")
    assert (await sato.get(f"{deal}/stakeholders")).status_code == 200
    assert code_of(await sato.put(f"{deal}/stakeholders/a", json={"name": "a"})) == (403, "not_yours_now")
    assert (await tanaka.put(f"{deal}/stakeholders/a", json={"name": "a"})).status_code == 200
