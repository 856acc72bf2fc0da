"""What a rep learns comes back to the router: from handoff by scoring, each as it is, on a real Postgres."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from services.handoff.answers.answer import Recorded
from services.handoff.answers.desk import AnswersDesk
from services.handoff.desk import Desk
from services.handoff.handler import Handoff
from services.handoff.people.desk import ANYTHING, PeopleDesk
from services.handoff.people.stakeholder import Stakeholder
from services.handoff.policies import Policies
from services.router.store import trail
from services.router.views import decision_view
from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from shared.kit.database import tenant_transaction
from shared.kit.kafka import Message
from shared.schemas import ids
from shared.schemas.handoff import HandoffEvent
from shared.schemas.policies import PolicyPublished, ScoringPolicy
from shared.schemas.routing import LeadRouted
from shared.schemas.scores import LeadScored, PolicyRef
from shared.schemas.topics import HANDOFF_EVENTS

pytestmark = pytest.mark.servers

LEAD = ids.lead_id("ann")
SCORING = {
    "kind": "scoring",
    "hand_raises": ["demo_requested"],
    "engagement": {
        "groups": {"ask": 60},
        "rules": [
            {
                "id": "demo",
                "when": {"touch.type": {"eq": "demo_requested"}},
                "points": 60,
                "half_life_days": 30,
                "group": "ask",
                "label": {"en": "Demo"},
            }
        ],
    },
    "fit": {"rules": [{"id": "all", "when": {"lead.level": {"eq": "head"}}, "points": 90}]},
}
QUALIFICATION = {
    "kind": "qualification",
    "gate": {"mql": ["A1", "A2", "B1"], "inside_sales_check": ["A3", "B2", "C1"], "hand_raise_minimum_fit": "C"},
    "framework": {"preset": "bant", "minimum_met": 1},
}
RULES = Rules(ScoringPolicy.model_validate(SCORING), PolicyRef(sequence=1, hash="h"))


@dataclass
class Story:
    """One lead on its way through scoring, router and handoff. heard: inputs of scoring;  handed: rows of the outbox read so far"""

    world: Any
    handoff: Policies
    state: LeadState = field(default_factory=LeadState)
    heard: int = 0
    handed: int = 0

    async def scored(self, *records: wire.Input) -> LeadScored:
        """What scoring says after `records`, as the router hears it."""
        self.heard += len(records)
        told = Told(self.world.tenant, LEAD, [(record, None) for record in records])
        decided = decide(told, self.state, RULES, Now(self.heard))
        assert isinstance(decided.state, LeadState)
        self.state = decided.state
        score = LeadScored.model_validate_json(decided.records[0].value)
        await self.world.router().handle([score])
        return score

    async def offered(self) -> list[LeadRouted]:
        """What the router said, applied by handoff."""
        routed: list[LeadRouted] = await self.world.routed()
        await Handoff(self.world.pool, self.world.clock, self.handoff).handle(routed)
        return routed

    async def news(self, times: int = 1) -> None:
        """What handoff said since the last time, heard so often by router and scoring."""
        rows = await self.world.workers.fetch(
            "SELECT value FROM handoff.outbox WHERE tenant = $1 ORDER BY id", self.world.tenant
        )
        new, self.handed = rows[self.handed :], len(rows)
        for _ in range(times):
            for row in new:
                await self.world.router().handle([HandoffEvent.model_validate(orjson.loads(row["value"]))])
                record = wire.decode(HANDOFF_EVENTS.name, bytes(row["value"]))
                if isinstance(record, wire.Touch):
                    await self.scored(record)

    async def decisions(self) -> list[dict[str, Any]]:
        """The latest first."""
        async with tenant_transaction(self.world.pool, self.world.tenant) as connection:
            rows = await trail.read(connection, self.world.tenant, LEAD)
            return [
                decision_view(row, await trail.playbook_of(connection, self.world.tenant, row["policies"]))
                for row in rows
            ]


@pytest.fixture
async def story(world) -> Story:
    await world.apply(QUALIFICATION)
    policies = Policies(wait_seconds=0)
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch("SELECT * FROM policy.versions WHERE tenant = $1 ORDER BY sequence", world.tenant)
    for row in rows:
        record = PolicyPublished.model_validate(
            {name: row[name] for name in PolicyPublished.model_fields if name in row}
        )
        await policies.apply(Message("policies", 0, row["sequence"], record.key(), record.model_dump_json().encode()))
    return Story(world, policies)


@pytest.fixture
async def opportunity(story, world) -> str:
    """Of a lead of whom nothing is known of BANT, so that ito of inside sales has it."""
    demo = wire.Touch(
        tenant=world.tenant,
        lead_id=LEAD,
        identity_id="ann",
        identity_kind="email",
        event_id="e1",
        source_id="web",
        type="demo_requested",
        at=world.clock.now(),
        received_at=world.clock.now(),
        attributes={"level": "head"},
    )
    await story.scored(demo)
    [offer] = await story.offered()
    assert (offer.rep_id, offer.leg) == ("ito", "is")  # nothing of BANT is known: inside sales first
    opportunity = ids.opportunity_id(world.tenant, LEAD, 1)
    desk = Desk(world.pool, world.clock, story.handoff)
    await desk.accept(world.tenant, opportunity, "ito")
    world.clock.advance(seconds=60)
    return opportunity


def learnt(world: Any, question: str, code: str, **more: Any) -> Recorded:
    return Recorded(
        answer_id=question,
        question=question,
        code=code,
        source_id="handoff/inside_sales",
        observed_at=world.clock.now(),
        recorded_at=0,
        recorded_by="ito",
        rep_id="ito",
        event_id="",
        **more,
    )


async def test_a_rep_answers_and_the_next_decision_of_the_router_names_it_as_evidence(story, world, opportunity):
    for _ in range(2):
        await AnswersDesk(world.pool, world.clock).record(
            world.tenant, opportunity, learnt(world, "B1", "secured", confidence=0.7), None, None
        )
    await story.news(times=2)
    [evidence] = (await story.scored()).evidence
    assert (evidence.code, evidence.source_id, evidence.confidence) == ("secured", "handoff/inside_sales", 0.7)
    assert await world.count("decisions") == 1  # whoever has the lead keeps it
    await Desk(world.pool, world.clock, story.handoff).qualify(world.tenant, opportunity, "ito")
    await story.news()
    latest, first = await story.decisions()
    assert first["qualification"]["criteria"]["budget"]["state"] == "missing"
    budget = latest["qualification"]["criteria"]["budget"]
    assert (budget["state"], latest["qualification"]["enough"]) == ("met", True)
    [named] = budget["answers"]
    assert (named["question"], named["answer"], named["source"]) == ("B1", "secured", "handoff/inside_sales")
    [routed] = await story.offered()
    assert (routed.leg, [one.code for one in routed.evidence]) == ("fs", ["secured"])


async def test_what_somebody_told_of_their_post_is_no_evidence_once_they_have_moved(story, world, opportunity):
    people = PeopleDesk(world.pool, world.clock, story.handoff)
    answers = AnswersDesk(world.pool, world.clock)
    yamada = Stakeholder("yamada", {"name": "山田"})
    await people.put(world.tenant, opportunity, "yamada", lambda known: known or yamada, ANYTHING, "ito")
    for question, code in (("A1", "decision"), ("B1", "secured")):
        await answers.record(world.tenant, opportunity, learnt(world, question, code, told_by="yamada"), None, None)
    await story.news()
    assert [one.criterion for one in (await story.scored()).evidence] == ["A1", "B1"]
    await people.moved(world.tenant, opportunity, "yamada", None, left=False, by="ito")
    await story.news(times=2)
    assert [one.criterion for one in (await story.scored()).evidence] == ["B1"]
    world.clock.advance(seconds=60)
    successor = replace(learnt(world, "A1", "drafting"), answer_id="later")
    await answers.record(world.tenant, opportunity, successor, None, None)
    await story.news()
    await Desk(world.pool, world.clock, story.handoff).qualify(world.tenant, opportunity, "ito")
    await story.news()
    latest, *_ = await story.decisions()
    criteria = latest["qualification"]["criteria"]
    assert (criteria["budget"]["state"], criteria["authority"]["state"]) == ("met", "unmet")
    [offer] = await story.offered()
    assert {(one.criterion, one.code) for one in offer.evidence} == {("A1", "drafting"), ("B1", "secured")}
