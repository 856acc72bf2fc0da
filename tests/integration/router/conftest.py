"""A tenant with policies, reps and scores, around the real store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from services.router.handler import Router
from services.router.policies import Policies
from services.router.sweep import Sweep
from shared.kit.clock import FakeClock
from shared.kit.database import Pool, open_pool, tenant_transaction
from shared.kit.kafka import FakePublisher, Message
from shared.kit.outbox import SHARDS, Relay
from shared.kit.person import seal
from shared.schemas.handoff import HandoffEvent
from shared.schemas.ids import derived_id
from shared.schemas.policies import PolicyPublished
from shared.schemas.routing import LeadRouted
from shared.schemas.scores import HandRaise, IdentityRef, LeadScored, PartialScore, PolicyRef, Version

CRITERION = {"questions": {"B1": ["secured"]}, "ask": {"en": "Budget?", "ja": "ご予算は?"}, "cost": 4}
QUALIFICATION = {
    "kind": "qualification",
    "gate": {"mql": ["A1", "A2", "B1"], "inside_sales_check": ["A3", "B2", "C1"], "hand_raise_minimum_fit": "C"},
    "bant": dict.fromkeys(("budget", "authority", "need", "timeline"), CRITERION),
}
ROUTING = {
    "kind": "routing",
    "rules": [
        {"id": "inside", "legs": ["is"], "when": {"score.grade": {"exists": True}}, "pool": "inside"},
        {"id": "field", "legs": ["fs"], "when": {"score.grade": {"exists": True}}, "pool": "field"},
    ],
    "decline_reasons": [
        {"code": "at_capacity", "kind": "decline", "label": {"en": "at capacity"}, "effect": "reroute"},
        {"code": "junk", "kind": "quality", "label": {"en": "junk"}, "effect": "disqualify", "credit_back": True},
        {"code": "not_now", "kind": "recycle", "label": {"en": "not now"}, "effect": "recycle"},
        {"code": "wrong_person", "kind": "quality", "label": {"en": "wrong person"}, "effect": "return_to_is"},
    ],
}
SLA = {
    "kind": "sla",
    "classes": [{"id": "hand_raise", "touch_types": ["demo_requested"], "accept": 900, "first_touch": 1800}],
    "default": {"id": "score", "accept": 3600, "first_touch": 86400},
}


def teams(field: tuple[str, ...] = ("sato", "tanaka", "mori"), capacity: int = 1000, **rep: Any) -> dict[str, Any]:
    names = (*field, "ito")
    return {
        "kind": "teams",
        "reps": [{"id": name, "name": name.title(), "capacity": capacity, **rep} for name in names],
        "pools": [
            {"id": "field", "members": [{"rep": name} for name in field]},
            {"id": "inside", "members": [{"rep": "ito"}]},
        ],
    }


@dataclass
class World:
    """One tenant, its clock, its policies, and the router's parts on the real Postgres."""

    tenant: str
    pool: Pool
    workers: Pool
    clock: FakeClock = field(default_factory=FakeClock)
    policies: Policies = field(default_factory=Policies)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    sequence: int = 0
    position: int = 0

    def router(self) -> Router:
        return Router(self.pool, self.policies.following, self.clock)

    def sweep(self, most: int = 200) -> Sweep:
        policies = self.policies
        return Sweep(
            self.pool, self.workers, policies.following, policies.tenants, self.clock, policies.changed, most=most
        )

    async def apply(self, *bodies: dict[str, Any]) -> None:
        """Bring policies into force, as `baton policy apply` does: stored, then published."""
        for body in bodies:
            self.sequence += 1
            record = PolicyPublished(
                tenant=self.tenant,
                kind=body["kind"],
                sequence=self.sequence,
                hash=derived_id(orjson.dumps(body).decode()),
                body=body,
                activated_at=self.clock.now(),
            )
            async with tenant_transaction(self.pool, self.tenant) as connection:
                await connection.execute(
                    "INSERT INTO policy.versions (tenant, sequence, kind, hash, body, activated_at)"
                    " VALUES ($1, $2, $3, $4, $5, $6)",
                    self.tenant,
                    record.sequence,
                    record.kind,
                    record.hash,
                    body,
                    record.activated_at,
                )
            self.policies.apply(Message("policies", 0, 0, record.key(), record.model_dump_json().encode()))

    def score(self, lead_id: str, grade: str = "A1", **more: Any) -> LeadScored:
        """A score newer than all before."""
        self.position += 1
        as_of = self.clock.now()
        raised = more.pop("hand_raise", None)
        return LeadScored(
            tenant=self.tenant,
            lead_id=lead_id,
            version=more.pop("version", Version(1, 1, self.position, as_of)),
            as_of=as_of,
            policy=PolicyRef(sequence=1, hash="h"),
            fit=PartialScore(total=70_000),
            engagement=PartialScore(total=60_000),
            grade=grade,
            hand_raise=HandRaise(type=raised, event_id=f"e{self.position}", at=as_of, received_at=as_of)
            if raised
            else None,
            identities=more.pop("identities", (IdentityRef(identity_id=f"id-{lead_id}", kind="email"),)),
            person=seal({"email": f"{lead_id}@example.com"}),
            **more,
        )

    def event(self, routed: LeadRouted, kind: str, **more: Any) -> HandoffEvent:
        self.clock.advance(milliseconds=1)
        fields = {
            "tenant": self.tenant,
            "lead_id": routed.lead_id,
            "opportunity_id": "o",
            "cycle": routed.cycle,
            "assignment": routed.assignment,
            "rep_id": routed.rep_id,
            "at": self.clock.now(),
            "event_id": derived_id(kind, routed.lead_id, routed.assignment),
        }
        return HandoffEvent.model_validate(fields | {"kind": kind} | more)

    async def published(self) -> list[dict[str, Any]]:
        """Everything that the outbox holds for this tenant, published and deleted, in order."""
        relay = Relay(self.workers, self.publisher, "router")
        async with self.workers.acquire() as connection:
            for shard in range(SHARDS):
                while await relay.drain(connection, shard):
                    pass
        prefix = f"{self.tenant}/".encode()
        mine = [record for record in self.publisher.records if record.key.startswith(prefix)]
        self.publisher.records.clear()
        return [orjson.loads(record.value or b"") for record in mine]

    async def routed(self) -> list[LeadRouted]:
        return [LeadRouted.model_validate(r) for r in await self.published() if r["record"] == "lead-routed"]

    async def lead(self, lead_id: str) -> dict[str, Any]:
        async with tenant_transaction(self.pool, self.tenant) as connection:
            row = await connection.fetchrow(
                "SELECT * FROM router.leads WHERE tenant = $1 AND lead_id = $2", self.tenant, lead_id
            )
        assert row is not None
        return dict(row)

    async def count(self, table: str) -> int:
        async with tenant_transaction(self.pool, self.tenant) as connection:
            return int(await connection.fetchval(f"SELECT count(*) FROM router.{table}"))


@pytest.fixture
async def pools(database_url: str) -> AsyncIterator[tuple[Pool, Pool]]:
    app = await open_pool(database_url, "baton_app", application="test")
    workers = await open_pool(database_url, "baton_worker", application="test")
    yield app, workers
    await app.close()
    await workers.close()


@pytest.fixture
async def world(tenant: str, pools: tuple[Pool, Pool]) -> World:
    made = World(tenant, *pools)
    await made.apply(QUALIFICATION, ROUTING, teams(), SLA)
    return made


@pytest.fixture
def bare_world(tenant: str, pools: tuple[Pool, Pool]) -> World:
    """A tenant without policies."""
    return World(tenant, *pools)


@pytest.fixture
def team() -> Callable[..., dict[str, Any]]:
    return teams


@pytest.fixture
def policy_bodies() -> dict[str, dict[str, Any]]:
    return {"qualification": QUALIFICATION, "routing": ROUTING, "teams": teams(), "sla": SLA}


@dataclass
class RunningClock:
    """A clock that goes on from `start` (ms) as time does."""

    start: int
    began: float = field(default_factory=time.monotonic)

    def now(self) -> int:
        return self.start + round((time.monotonic() - self.began) * 1000)


@pytest.fixture
def running_clock() -> Callable[[int], RunningClock]:
    return RunningClock
