"""Two services and many hands on the same leads in the same moments: managers give them away while reps accept them and clocks run
out, thousands of times. Whoever was first, each lead has one owner in the end, and both services know the same one."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from random import Random

import orjson
import pytest

from services.handoff.desk import Desk, UnknownOpportunityError
from services.handoff.domain.rep import NotTheHolderError, OfferNotOpenError
from services.handoff.firing import Firing
from services.handoff.handler import Handoff
from services.handoff.policies import Policies
from services.router.domain.orders import Order
from services.router.ordering import Orders
from services.router.sight import Sight
from shared.kit.database import tenant_transaction
from shared.kit.kafka import FakePublisher, Message
from shared.kit.outbox import SHARDS, Relay
from shared.kit.problems import Problem
from shared.schemas import ids
from shared.schemas.handoff import HandoffEvent
from shared.schemas.policies import PolicyPublished
from shared.schemas.routing import LeadRouted, LeadWithdrawn

pytestmark = pytest.mark.servers

REPS = tuple(f"rep-{n}" for n in range(8))
LEADS = tuple(f"lead-{n:02}" for n in range(40))
ROUNDS = int(os.environ.get("BATON_RACE_ROUNDS") or 30)  # races of each lead
SLA = {"kind": "sla", "default": {"id": "score", "accept": 1, "first_touch": 2}}
SEEING_ALL = Sight(everything=True)


class TickingClock:
    """Goes on by a little whenever it is looked at: what is due within the race depends on who looks first, and nobody waits. It
    begins before the days of other tests, whose clocks are never due."""

    def __init__(self):
        self._now = 1_000_000_000_000

    def now(self):
        self._now += 1
        return self._now

    def advance(self, seconds):
        self._now += seconds * 1000


class Both:
    """Router and handoff of one tenant, with the topics between them."""

    def __init__(self, world, policies):
        self.tenant, self.pool, self.workers, self.clock = world.tenant, world.pool, world.workers, world.clock
        self.router, self.sweep = world.router(), world.sweep()
        self.orders = Orders(world.policies.following, world.clock)
        self.handoff = Handoff(world.pool, world.clock, policies)
        self.desk = Desk(world.pool, world.clock, policies)
        self.firing = Firing(world.workers, world.clock, policies, poll_seconds=1)
        self.seen = Counter()
        self.over = False

    async def deliver(self):
        """What each has written goes to the other; how many records that were."""
        delivered = 0
        for schema, take in (("router", self.to_handoff), ("handoff", self.to_router)):
            publisher = FakePublisher()
            relay = Relay(self.workers, publisher, schema)
            async with self.workers.acquire() as connection:
                for shard in range(SHARDS):
                    await relay.drain(connection, shard)
            mine = [orjson.loads(r.value) for r in publisher.records if r.key.startswith(f"{self.tenant}/".encode())]
            if mine:
                await take(mine)
            delivered += len(mine)
        return delivered

    async def to_handoff(self, bodies):
        records = {"lead-routed": LeadRouted, "lead-withdrawn": LeadWithdrawn}
        await self.handoff.handle([records[body["record"]].model_validate(body) for body in bodies])

    async def to_router(self, bodies):
        events = [HandoffEvent.model_validate(body) for body in bodies]
        self.seen.update(event.kind for event in events)
        await self.router.handle(events)

    async def keep_delivering(self):
        while not self.over:
            if not await self.deliver():
                await asyncio.sleep(0)

    async def keep_firing(self):
        while not self.over:
            await self.firing.fire_due()
            await asyncio.sleep(0)

    async def settle(self):
        """Until neither has anything to say, and what waits has been tried."""
        async with asyncio.timeout(300):
            while await self.deliver() or await self.sweep.sweep():
                pass

    async def rows(self, statement):
        async with tenant_transaction(self.pool, self.tenant) as connection:
            return await connection.fetch(statement)

    async def give(self, lead, rep):
        """A manager gives the lead away, whatever holds against it."""
        order = Order("assigned", rep, "kato", "race", ("earlier_holder", "at_capacity"))
        try:
            async with tenant_transaction(self.pool, self.tenant) as connection:
                await self.orders.give(connection, self.tenant, lead, order, SEEING_ALL)
        except Problem as problem:
            self.seen[problem.code] += 1
        else:
            self.seen["given"] += 1

    async def accept(self, lead, rep):
        try:
            await self.desk.accept(self.tenant, ids.opportunity_id(self.tenant, lead, 1), rep)
        except (UnknownOpportunityError, NotTheHolderError, OfferNotOpenError) as error:
            self.seen[type(error).__name__] += 1
        else:
            self.seen["accept"] += 1

    async def owner(self, lead):
        [row] = await self.rows(f"SELECT owner_rep FROM router.leads WHERE lead_id = '{lead}'")
        return row["owner_rep"]

    async def check(self):
        """One owner, whom both know; and nothing without a trigger that is alive."""
        held = await self.rows(
            "SELECT o.lead_id, f.rep_id, f.assignment, f.state, EXISTS (SELECT FROM handoff.clocks c WHERE"
            " c.opportunity_id = f.opportunity_id AND c.assignment = f.assignment AND c.state = 'running') AS running"
            " FROM handoff.opportunities o JOIN handoff.offers f USING (tenant, opportunity_id)"
            " WHERE f.state IN ('open', 'accepted')"
        )
        offers = {row["lead_id"]: row for row in held}
        assert len(offers) == len(held), "two offers of one lead"
        leads = await self.rows("SELECT * FROM router.leads")
        assert len(leads) == len(LEADS)
        for lead in leads:
            offer = offers.get(lead["lead_id"])
            assert lead["owner_rep"] == (offer["rep_id"] if offer else None), lead["lead_id"]
            if offer is None:
                assert lead["waiting_reason"].startswith("parked:"), "nobody has it, and the sweep does not look at it"
                continue
            assert lead["held_assignment"] == offer["assignment"]
            assert lead["accepted"] == (offer["state"] == "accepted")
            assert lead["accepted"] or offer["running"], "an offer that no clock will end"
            assert lead["waiting_reason"] is None
            assert not lead["provisional"] or lead["accepted"]
        # What router says of how assignments stand is what handoff says.
        stands = await self.rows(
            "SELECT a.lead_id, a.assignment FROM router.assignments a JOIN handoff.opportunities o USING (tenant, lead_id, cycle)"
            " LEFT JOIN handoff.offers f ON f.tenant = o.tenant AND f.opportunity_id = o.opportunity_id"
            " AND f.assignment = a.assignment"
            " WHERE (a.ended IS NULL) <> coalesce(f.state IN ('open', 'accepted'), false)"
        )
        assert not stands, "an assignment that ended for one of them only"


@pytest.fixture
async def both(bare_world, team, policy_bodies):
    bare_world.clock = TickingClock()
    body = team(field=REPS, capacity=30)
    await bare_world.apply(policy_bodies["qualification"], policy_bodies["routing"], body, SLA)
    policies = Policies(wait_seconds=0)
    record = PolicyPublished(
        tenant=bare_world.tenant, kind="sla", sequence=1, hash="h", body=SLA, activated_at=bare_world.clock.now()
    )
    await policies.apply(Message("policies", 0, 0, record.key(), record.model_dump_json().encode()))
    made = Both(bare_world, policies)
    await made.router.handle([bare_world.score(lead) for lead in LEADS])
    await made.settle()
    return made


async def run(both, races):
    """The races of all leads at once, while records travel and clocks fire."""

    async def all_leads():
        async with asyncio.TaskGroup() as tasks:
            for lead in LEADS:
                tasks.create_task(races(lead))
        both.over = True  # not cancelled: records that were taken up would be lost

    async with asyncio.timeout(600), asyncio.TaskGroup() as tasks:
        for one in (all_leads, both.keep_delivering, both.keep_firing):
            tasks.create_task(one())
    await both.settle()


async def test_a_manager_gives_leads_away_while_reps_accept_them_and_clocks_run_out(both):
    async def races(lead):
        random = Random(lead)
        for _ in range(ROUNDS):
            owner = await both.owner(lead)
            other = random.choice([rep for rep in REPS if rep != owner])
            moves = [both.give(lead, other), both.accept(lead, owner or other)]
            random.shuffle(moves)
            await asyncio.gather(*moves)

    await run(both, races)
    await both.check()
    seen = both.seen
    assert seen["given"] + seen["accept"] + seen["OfferNotOpenError"] >= len(LEADS) * ROUNDS, seen
    for kind in ("routing-refused", "offer-expired", "offer-accepted", "OfferNotOpenError"):
        assert seen[kind] >= 10, f"{kind} was hardly raced: {seen}"
    both.clock.advance(seconds=3600)
    async with asyncio.timeout(300):
        while await both.firing.fire_due() or await both.deliver():
            pass
    await both.settle()
    await both.check()
