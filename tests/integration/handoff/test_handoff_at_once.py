"""Everybody at once, on a real Postgres: the router, reps, managers, a CRM and those who fire clocks, with requests sent again."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from services.handoff.pipeline import store as deal_rows
from services.handoff.pipeline.deal import fold
from shared.kit.database import tenant_transaction
from shared.schemas.policies import Label, SlaPolicy
from shared.schemas.policies.sla import DealClocks, LeadClass, PauseReason
from tests.hinode_deals import PIPELINE, SAID

pytestmark = pytest.mark.servers

LEADS, ACTORS, ACTS = tuple(f"lead-{n}" for n in range(5)), 8, 25
REPS = ("sato", "tanaka")
SLA = SlaPolicy(
    default=LeadClass(id="score", accept=60, first_touch=600, remind=(50,), untouched="take_back", qualify=900),
    pauses=(PauseReason(code="waiting", label=Label(en="waiting"), most=120, times=3),),
    deals=DealClocks(manager_after=1),
)
ENDS_AN_OFFER = {"offer-declined", "offer-expired", "offer-withdrawn", "lead-qualified"}


class Crowd:
    """Acts at random, each sometimes sent twice at once with one key, as who lost an answer does."""

    def __init__(self, world: Any, crm: Any, seed: int) -> None:
        self.world, self.crm, self.random = world, crm, Random(seed)
        self.assignments = dict.fromkeys(LEADS, 0)
        self.topic: list[Any] = []
        self.statuses: Counter[int] = Counter()

    async def begin(self) -> None:
        """Each lead is with somebody, in both cycles, and in the second one a deal: whatever comes first of all that follows."""
        for lead in LEADS:
            for cycle in (1, 2):
                self.assignments[lead] += 1
                self.topic.append(self.world.routed(lead, self.assignments[lead], "sato", cycle=cycle))
        await self.world.handler().handle(self.topic)
        for lead in LEADS:
            one = f"/v1/opportunities/{self.world.opportunity_id(lead, 2)}"
            for path, body in (
                ("accept", {}),
                ("activities", {"type": "call_connected", "id": "call-0"}),
                ("deal", SAID),
            ):
                status, answer = await self.send(f"{one}/{path}", body, {"idempotency-key": f'"{uuid4()}"'})
                assert status == 200, answer
        self.statuses.clear()

    async def route(self) -> None:
        """The router's records come in order, and then some of them again, also to two processes at once."""
        for _ in range(2 * ACTS):
            lead, cycle = self.random.choice(LEADS), self.random.choice((1, 1, 1, 2))
            self.assignments[lead] += 1
            number, rep = self.assignments[lead], self.random.choice(REPS)
            routed = self.world.routed(lead, number, rep, cycle=cycle, leg=self.random.choice(("is", "fs", "fs")))
            gone = self.world.withdrawn(lead, max(1, number - self.random.randint(0, 2)))
            self.topic.append(routed if self.random.random() < 0.9 else gone)
            again = self.random.sample(self.topic, min(2, len(self.topic)))
            batch = [*again, self.topic[-1]]
            await asyncio.gather(*(self.world.handler().handle(batch) for _ in range(self.random.randint(1, 2))))
            await asyncio.sleep(0)

    async def fire(self) -> None:
        for _ in range(ACTS // 3):
            self.world.clock.advance(seconds=self.random.choice((0, 0, 0, 1, 5, 61)))
            await self.world.firing(most=2).fire_due()

    async def act(self) -> None:
        for _ in range(ACTS):
            one = f"/v1/opportunities/{self.world.opportunity_id(self.random.choice(LEADS), self.random.choice((1, 1, 2)))}"
            path, body = self.random.choice(self.acts())
            named = not path.startswith("deal") and self.random.random() < 0.5  # else whoever was asked last
            rep = {"rep_id": self.random.choice(REPS)} if named else {}
            headers = {"idempotency-key": f'"{uuid4()}"'}
            sent = [self.send(f"{one}/{path}", body | rep, headers) for _ in range(self.random.choice((1, 1, 2)))]
            answers = [one for one in await asyncio.gather(*sent) if one[0] not in (409, 503)]
            assert all(answer == answers[0] for answer in answers), "sent again, it is answered the same"

    async def send(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        method = "PATCH" if path.endswith("/deal") else "POST"
        answer = await self.crm.request(method, path, json=body, headers=headers | {"if-match": "*"})
        assert answer.status_code < 500 or answer.json()["code"] == "busy", answer.text
        self.statuses[answer.status_code] += 1
        return answer.status_code, answer.text if method == "POST" else ""

    def acts(self) -> list[tuple[str, dict[str, Any]]]:
        reason = self.random.choice(("at_capacity", "at_capacity", "at_capacity", "junk", "not_now"))
        activity = {"type": "call_connected", "id": f"call-{self.random.randint(1, 9)}"}
        return [
            *[("accept", {})] * 6,
            ("decline", {"reason": reason}),
            *[("activities", activity)] * 2,
            *[("calls", {"result": "no_answer"})] * 2,
            ("qualify", {}),
            ("pause", {"reason": "waiting"}),
            ("resume", {}),
            *[("deal", SAID)] * 3,
            *[("deal/move", {"to": self.random.choice(("discovery", "proposal", "accepted")), "reason": "changed"})]
            * 2,
            ("deal/win", {"ordered_on": "2023-11-14"}),
            ("deal/lose", {"reason": "price"}),
        ]


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_everybody_does_at_once_each_lead_has_one_owner_each_clock_ends_once_and_histories_add_up(
    world, calling, publish, owner, seed
):
    for sequence, policy in enumerate((SLA, PIPELINE), start=60):
        await world.policies.apply(publish(world.tenant, sequence, policy))
    crowd = Crowd(world, await calling("crm", "api"), seed)
    await crowd.begin()
    await asyncio.gather(crowd.route(), crowd.fire(), crowd.fire(), *(crowd.act() for _ in range(ACTORS)))
    assert crowd.statuses[200] > ACTS / 2, crowd.statuses  # how many depends on who was first

    told = await world.events()
    assert [kind for kind, times in Counter(event["event_id"] for event in told).items() if times > 1] == []
    opportunities = {row["opportunity_id"]: row for row in await world.rows("opportunities", "opportunity_id")}
    assert len(opportunities) == len({(row["lead_id"], row["cycle"]) for row in opportunities.values()}), "P4"

    held = {
        (row["opportunity_id"], row["rep_id"])
        for row in await world.rows("offers", "1")
        if row["state"] in ("open", "accepted")
    }
    assert len(held) == len({opportunity for opportunity, _ in held}), "P3: never two"
    owners: dict[str, str] = {}
    for event in told:
        if event["kind"] == "offer-opened":
            owners[event["opportunity_id"]] = event["rep_id"]
        elif event["kind"] in ENDS_AN_OFFER:
            owners.pop(event["opportunity_id"], None)
    assert {(str(opportunity), rep) for opportunity, rep in held} == set(owners.items()), (
        "P3: who reads the events knows"
    )

    ends = Counter(
        (event["opportunity_id"], event["assignment"], event["clock"])
        for event in told
        if event["kind"] in ("clock-met", "clock-breached")
    )
    for clock in await world.rows("clocks", "1"):
        if clock["assignment"] == 0:
            continue  # of the deal: they begin anew
        ended = ends[str(clock["opportunity_id"]), clock["assignment"], clock["kind"]]
        assert ended == (clock["state"] in ("met", "breached")), ("P5: once", clock)
        if clock["state"] == "breached":
            assert clock["ended_at"] == clock["due_at"] <= world.clock.now(), ("P5: never early", clock)

    logged = await owner.fetchval("SELECT count(*) FROM handoff.activities WHERE tenant = $1", world.tenant)
    assert logged == sum(event["kind"] == "activity-logged" for event in told) > 0
    stages: dict[Any, str] = {}
    for row in await world.rows("stage_history", "number"):
        stages[row["opportunity_id"]] = row["stage"]
    for key, row in opportunities.items():
        assert stages[key] == (row["deal_stage"] or "accepted" if row["stage"] == "accepted" else row["stage"])
    async with tenant_transaction(world.app, world.tenant) as connection:
        deals = await deal_rows.find(connection, world.tenant, map(str, opportunities))
        for opportunity_id, deal in deals.items():
            history = await deal_rows.history(connection, world.tenant, opportunity_id)
            assert not deal.version or fold(one.change for one in history) == deal
    assert len(deals) >= len(LEADS)
