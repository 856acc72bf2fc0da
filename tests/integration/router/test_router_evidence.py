"""Evidence that expires, leads held until they are enriched, breadth and exclusions, on a real Postgres."""

from __future__ import annotations

from typing import Any

import pytest

from services.router.domain.decision import replay
from services.router.store import trail
from services.router.views import decision_view
from shared.kit.database import tenant_transaction
from shared.schemas.scores import Evidence

pytestmark = pytest.mark.servers

GATE = {"mql": ["A1", "A2", "B1"], "inside_sales_check": ["A3", "B2", "C1"]}
DAY = 86_400_000


def qualification(framework: dict[str, Any] | None = None, **gate: Any) -> dict[str, Any]:
    asked = framework or {"preset": "bant", "minimum_met": 1}
    return {"kind": "qualification", "gate": GATE | gate, "framework": asked}


def answer(world: Any, question: str, code: str) -> Evidence:
    return Evidence(criterion=question, code=code, source_id="web", observed_at=world.clock.now())


async def decisions(world: Any, lead_id: str) -> list[dict[str, Any]]:
    """All decisions, the latest first, as they are shown; each of them repeats itself from what was stored."""
    shown = []
    async with tenant_transaction(world.pool, world.tenant) as connection:
        for row in await trail.read(connection, world.tenant, lead_id):
            stored = trail.decision_of(row)
            playbook = await trail.playbook_of(connection, world.tenant, row["policies"])
            assert replay(stored.inputs, playbook) == (stored.trace, stored.outcome)
            shown.append(decision_view(row, playbook))
    return shown


async def test_evidence_that_expires_by_the_clock_alone_sends_a_waiting_lead_another_way(world, team):
    await world.apply(qualification(), team(field=("sato",), capacity=1))
    router, sweep = world.router(), world.sweep()
    full = world.score("full", "A1", evidence=(answer(world, "T1", "now"),))
    await router.handle([full])
    lead = world.score("l1", "A1", evidence=(answer(world, "T1", "now"),))
    ends = world.clock.now() + 90 * DAY
    await router.handle([lead])
    waiting = await world.lead("l1")
    assert (waiting["waiting_reason"], waiting["leg"], waiting["next_change"]) == ("parked:at_capacity", "fs", ends)
    world.clock.advance(milliseconds=90 * DAY - 1)
    await sweep.sweep()
    assert (await world.lead("l1"))["waiting_reason"] == "parked:at_capacity"
    world.clock.advance(milliseconds=1)
    assert await sweep.sweep() == 1
    taken = await world.lead("l1")
    assert (taken["owner_rep"], taken["leg"], taken["next_change"]) == ("ito", "is", None)
    latest, first = await decisions(world, "l1")
    assert latest["cause"]["kind"] == "swept"
    states = [decision["qualification"]["criteria"]["timeline"]["state"] for decision in (first, latest)]
    assert states == ["met", "expired"]


async def test_a_lead_waits_for_its_fields_and_goes_on_when_they_come(world):
    hold = {"until": ["lead.employees"], "at_most_hours": 2}
    await world.apply(qualification(hold=hold))
    await world.router().handle([world.score("l1", "A1")])
    held = await world.lead("l1")
    assert (held["waiting_reason"], held["waiting_until"]) == ("parked:enriching", world.clock.now() + 2 * 3_600_000)
    [decision] = await decisions(world, "l1")
    reason = decision["reasons"][-1]
    assert (reason["code"], reason["detail"]["fields"]) == ("enriching", ["lead.employees"])
    assert "lead.employees" in reason["text"]["en"]
    assert "lead.employees" in reason["text"]["ja"]
    assert await world.sweep().sweep() == 0
    await world.router().handle([world.score("l1", "A1", attributes={"employees": 450})])
    assert (await world.lead("l1"))["owner_rep"] == "ito"


async def test_a_lead_waits_for_its_fields_no_longer_than_the_limit_and_is_not_held_again(world, team):
    await world.apply(qualification(hold={"until": ["lead.employees"], "at_most_hours": 2}), team(capacity=0))
    await world.router().handle([world.score("l1", "A1")])
    world.clock.advance(milliseconds=2 * 3_600_000 - 1)
    await world.sweep().sweep()
    assert (await world.lead("l1"))["waiting_reason"] == "parked:enriching"
    world.clock.advance(milliseconds=1)
    await world.sweep().sweep()
    assert (await world.lead("l1"))["waiting_reason"] == "parked:at_capacity"
    await world.router().handle([world.score("l1", "A2")])
    assert (await world.lead("l1"))["waiting_reason"] == "parked:at_capacity"
    await world.apply(team(capacity=9))
    assert await world.sweep().sweep() == 1
    await decisions(world, "l1")


async def test_who_asks_to_be_contacted_is_not_held(world):
    await world.apply(qualification(hold={"until": ["lead.employees"], "at_most_hours": 2}))
    await world.router().handle([world.score("l1", "A1", hand_raise="demo_requested")])
    assert (await world.lead("l1"))["owner_rep"] is not None


async def test_one_persons_interest_is_damped_until_somebody_else_of_the_company_is_active(world):
    await world.apply(qualification({"preset": "bant", "minimum_met": 0}, one_person={}))
    router = world.router()
    await router.handle([world.score("alone", "A1", account="kumo.example")])
    assert (await world.lead("alone"))["stage"] == "aql"
    [decision] = await decisions(world, "alone")
    assert decision["reasons"][0]["code"] == "gate_inside_sales_check"
    assert decision["reasons"][0]["detail"]["lowered_by"] == ["one_person"]
    # Neither who did nothing of late, nor one of ourselves, nor somebody of another company is breadth; a colleague is.
    await router.handle([world.score("idle", "D4", account="sora.example")])
    await router.handle([world.score("ours", "A1", account="sora.example", internal=True)])
    await router.handle([world.score("second", "A1", account="sora.example")])
    assert (await world.lead("second"))["stage"] == "aql"
    await router.handle([world.score("third", "A1", account="kumo.example")])
    assert (await world.lead("third"))["stage"] == "mql"
    [decision] = await decisions(world, "third")
    # Two who come at the same moment see each other.
    await router.handle([world.score(name, "A1", account="umi.example") for name in ("x", "y")])
    assert {(await world.lead(name))["stage"] for name in ("x", "y")} == {"mql"}


async def test_excluded_leads_wait_by_their_outcome_and_nobody_but_a_person_brings_back_who_is_disqualified(world):
    rules = [
        {"id": "student", "when": {"lead.kind": {"eq": "student"}}, "outcome": "disqualify", "label": {"ja": "学生"}},
        {"id": "rival", "when": {"lead.kind": {"eq": "competitor"}}, "outcome": "never"},
    ]
    await world.apply(qualification(exclude=rules))
    router = world.router()
    await router.handle([world.score("s", "A1", attributes={"kind": "student"})])
    await router.handle([world.score("r", "A1", attributes={"kind": "competitor"}, hand_raise="demo_requested")])
    student, rival = await world.lead("s"), await world.lead("r")
    assert (student["waiting_reason"], student["disposition"]) == ("disqualified", "disqualified")
    assert (rival["waiting_reason"], rival["disposition"]) == ("below_gate", "nurture")
    [decision] = await decisions(world, "s")
    assert decision["reasons"][0]["text"]["ja"] == "ルール「学生」により対象外"
    await decisions(world, "r")
    world.clock.advance(seconds=1)
    await router.handle([world.score("s", "A1", hand_raise="demo_requested")])
    assert (await world.lead("s"))["waiting_reason"] == "disqualified"
    await router.handle([world.score("r", "A1", hand_raise="demo_requested")])
    assert (await world.lead("r"))["owner_rep"] is not None, "it is no competitor any more"


async def test_who_is_not_ripe_goes_to_marketing_automation_with_a_scenario_and_leaves_it_when_ripe(world, team):
    nurture = {
        "scenarios": [
            {"id": "again", "when": {"score.band": {"in": ["3"]}}, "label": {"en": "Come back", "ja": "再訪促進"}},
            {"id": "newsletter", "when": {"score.fit_grade": {"in": ["A", "B", "C"]}}},
        ],
        "may_email": {"lead.country": {"eq": "JP"}},
    }
    await world.apply(qualification() | {"nurture": nurture}, team(capacity=0))
    router, japan = world.router(), {"country": "JP"}
    await router.handle([world.score("l1", "B3", attributes=japan)])
    await router.handle([world.score("l1", "B3", attributes=japan | {"employees": 10})])
    await router.handle([world.score("l1", "C4")])
    await router.handle([world.score("none", "D4")])
    await router.handle([world.score("test", "B3", is_test=True)])
    told = [(r["record"], r["lead_id"], r.get("scenario"), r["may_email"]) for r in await world.published()]
    assert told == [("lead-nurtured", "l1", "again", True), ("lead-nurtured", "l1", "newsletter", False)]
    await router.handle([world.score("l1", "A1")])
    assert (await world.lead("l1"))["waiting_reason"] == "parked:at_capacity"
    [stop] = await world.published()
    assert (stop["record"], stop.get("scenario"), stop["may_email"]) == ("lead-nurtured", None, False)
    assert stop["reasons"][0]["code"] == "gate_mql"
    shown = await decisions(world, "l1")
    assert shown[-1]["reasons"][-2]["text"] == {
        "en": "scenario “Come back”; may be written to",
        "ja": "シナリオ「再訪促進」(メール可)",
    }
