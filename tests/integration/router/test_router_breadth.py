"""What companies are worth together reaches the leads that wait there: once, in any order, however often it is said."""

from __future__ import annotations

import asyncio

import pytest

from services.router import handler
from services.router.domain import flow
from services.router.domain.decision import replay
from services.router.store import trail
from shared.kit.database import tenant_transaction
from shared.schemas.scores import AccountScored, PartialScore, PolicyRef, Version

pytestmark = pytest.mark.servers
COMPANY = "hinode.co.jp"


@pytest.fixture
def company(world):
    def scored(position, *, active, account=COMPANY, **more):
        return AccountScored(
            tenant=world.tenant,
            account=account,
            version=Version(1, 1, position, position),
            as_of=position,
            policy=PolicyRef(sequence=1, hash="h"),
            score=PartialScore(total=0),
            band=4,
            active=active,
            **more,
        )

    return scored


@pytest.fixture
async def broad(world, policy_bodies):
    """A gate that asks for three active people of the company."""
    asks = {"id": "breadth", "when": {"account.active": {"gte": 3}}, "otherwise": "nurture"}
    qualification = policy_bodies["qualification"]
    await world.apply(qualification | {"gate": qualification["gate"] | {"requires": [asks]}})
    return world


async def test_a_lead_below_the_gate_is_routed_when_its_company_becomes_broad_enough(broad, company):
    router = broad.router()
    await router.handle([broad.score("l1", account=COMPANY), broad.score("other", account="elsewhere.example")])
    await router.handle([company(1, active=2)])
    assert await broad.routed() == []
    await router.handle([company(2, active=3)])
    [routed] = await broad.routed()
    assert routed.lead_id == "l1"
    async with tenant_transaction(broad.pool, broad.tenant) as connection:
        latest = (await trail.read(connection, broad.tenant, "l1"))[0]
        playbook = await trail.playbook_of(connection, broad.tenant, latest["policies"])
    decision = trail.decision_of(latest)
    assert decision.inputs.cause.kind == "account_scored"
    assert decision.inputs.account.breadth.active == 3
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)


async def test_an_older_score_of_a_company_said_later_or_again_changes_nothing(broad, company):
    router = broad.router()
    await router.handle([company(5, active=1)])
    await router.handle([company(5, active=1)])
    await router.handle([company(4, active=9)])
    await router.handle([broad.score("l1", account=COMPANY)])
    before = await broad.lead("l1")
    assert before["waiting_reason"] == "below_gate"
    broad.clock.advance(seconds=9)
    await router.handle([company(6, active=1, people=7)])
    assert (await broad.lead("l1"))["tried_at"] == before["tried_at"], "nothing that the gate looks at is new"


async def test_what_was_kept_and_not_told_when_the_router_died_is_told_when_the_record_comes_again(broad, company):
    router = broad.router()
    await router.handle([broad.score("l1", account=COMPANY)])
    record = company(1, active=3)
    async with tenant_transaction(broad.pool, broad.tenant) as connection:
        from services.router.store import breadth

        await breadth.note(connection, broad.tenant, [record])  # it died here
    await router.handle([record])
    assert [routed.lead_id for routed in await broad.routed()] == ["l1"]


async def test_a_lead_that_is_decided_on_while_its_company_is_scored_first_hears_of_it(broad, company, monkeypatch):
    real, heard = handler.trail.write, []

    async def scored_meanwhile(*arguments):
        await real(*arguments)
        if not heard:
            heard.append(asyncio.create_task(broad.router().handle([company(1, active=3)])))
            await asyncio.wait(
                heard, timeout=0.5
            )  # it ends here, without having seen the lead, or waits for this transaction

    monkeypatch.setattr(handler.trail, "write", scored_meanwhile)
    await broad.router().handle([broad.score("l1", account=COMPANY)])
    await heard[0]
    assert [routed.lead_id for routed in await broad.routed()] == ["l1"]


async def test_a_lead_that_cannot_be_decided_on_keeps_its_company_from_nothing(broad, company, monkeypatch):
    router = broad.router()
    await router.handle([broad.score(f"l{n}", account=COMPANY) for n in range(3)])
    real = flow.decide

    def decide(inputs, playbook):
        if inputs.lead_id == "l0":
            raise ValueError("a fault in one lead")
        return real(inputs, playbook)

    monkeypatch.setattr(flow, "decide", decide)
    await router.handle([company(1, active=3)])
    assert {routed.lead_id for routed in await broad.routed()} == {"l1", "l2"}
    assert (await broad.lead("l0"))["waiting_reason"] == "below_gate"


async def test_where_the_gate_does_not_ask_nobody_is_decided_on_anew(world, company):
    router = world.router()
    await router.handle([world.score("l1", "B3", account=COMPANY)])
    before = (await world.lead("l1"))["tried_at"]
    world.clock.advance(seconds=9)
    await router.handle([company(1, active=3)])
    assert (await world.lead("l1"))["tried_at"] == before
