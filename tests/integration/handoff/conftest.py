"""A tenant of Hinode's kind in a real Postgres: its policies, what the router would say, and what is then stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest

from services.handoff.app import http_app
from services.handoff.desk import Desk
from services.handoff.firing import Firing
from services.handoff.handler import Handoff
from services.handoff.policies import Policies
from services.handoff.touches.handler import Hearing, Touches
from services.handoff.touches.stream import Told, decode
from shared.kit.auth import token_hash
from shared.kit.clock import FakeClock
from shared.kit.database import open_pool
from shared.kit.kafka import Message
from shared.kit.service import Probes
from shared.schemas import ids
from shared.schemas.policies import Label, PolicyPublished, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.policies.routing import DeclineReason, RoutingRule
from shared.schemas.policies.sla import LeadClass
from shared.schemas.policies.teams import Member, Pool, Rep
from shared.schemas.routing import LeadNurtured, LeadRouted, LeadWithdrawn, Reason, ScoreSummary
from shared.schemas.touches import LinkChanged, Touch

ACCEPT, FIRST_TOUCH = 60, 600  # seconds

SLA = SlaPolicy(default=LeadClass(id="score", accept=ACCEPT, first_touch=FIRST_TOUCH))
ROUTING = RoutingPolicy(
    rules=(RoutingRule(id="all", when={"score.grade": {"exists": True}}, pool="tokyo"),),
    decline_reasons=(
        DeclineReason(code="at_capacity", kind="decline", label=Label(en="at capacity"), effect="reroute"),
        DeclineReason(code="junk", kind="quality", label=Label(en="junk"), effect="disqualify", credit_back=True),
        DeclineReason(code="not_now", kind="recycle", label=Label(en="not now"), effect="on_hold"),
    ),
)
TEAMS = TeamsPolicy(
    reps=(Rep(id="sato", name="佐藤 花子"), Rep(id="tanaka", name="田中 太郎")),
    pools=(Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),),
)


def published(tenant: str, sequence: int, policy: Any) -> Message:
    record = PolicyPublished(
        tenant=tenant,
        kind=policy.kind,
        sequence=sequence,
        hash="h",
        body=policy.model_dump(mode="json"),
        activated_at=0,
    )
    return Message("policies", 0, sequence, record.key(), record.model_dump_json().encode())


def _told(record: Touch | LinkChanged) -> Told:
    return decode(Message("touchpoints", 0, 0, record.key(), record.model_dump_json(exclude_none=True).encode()))


@dataclass
class World:
    """Handoff over a real database, with a clock that stands."""

    app: Any
    workers: Any
    tenant: str
    policies: Policies
    clock: FakeClock = field(default_factory=FakeClock)

    def handler(self, pool: Any = None) -> Handoff:
        return Handoff(pool or self.app, self.clock, self.policies)

    def desk(self, pool: Any = None) -> Desk:
        return Desk(pool or self.app, self.clock, self.policies)

    def firing(self, pool: Any = None, most: int = 200) -> Firing:
        return Firing(pool or self.workers, self.clock, self.policies, poll_seconds=0.05, most=most)

    def routed(self, lead: str = "lead-1", assignment: int = 1, rep: str = "sato", **more: Any) -> LeadRouted:
        return LeadRouted(
            tenant=self.tenant,
            lead_id=lead,
            cycle=more.pop("cycle", 1),
            assignment=assignment,
            decision_id=f"{lead}-{assignment}",
            decided_at=self.clock.now(),
            leg=more.pop("leg", "fs"),
            pool_id="tokyo",
            rep_id=rep,
            rep_name=rep.title(),
            lead_class="score",
            qualifying_at=more.pop("qualifying_at", self.clock.now()),
            reasons=(Reason(code="rule", text={"en": "rule all"}),),
            score=ScoreSummary(fit=50_000, engagement=64_250, grade="B1", as_of=self.clock.now()),
            **more,
        )

    def withdrawn(self, lead: str = "lead-1", assignment: int = 1, **more: Any) -> LeadWithdrawn:
        return LeadWithdrawn(
            tenant=self.tenant,
            lead_id=lead,
            cycle=1,
            assignment=assignment,
            reason=Reason(code="merged"),
            decided_at=self.clock.now(),
            **more,
        )

    def nurtured(self, lead: str = "lead-1", **more: Any) -> LeadNurtured:
        fields: dict[str, Any] = {
            "tenant": self.tenant,
            "lead_id": lead,
            "cycle": 1,
            "decision_id": f"{lead}-nurtured",
            "decided_at": self.clock.now(),
            "reasons": (Reason(code="below_gate", text={"en": "not ripe", "ja": "基準未満"}),),
            "score": ScoreSummary(fit=0, engagement=0, grade="D4", as_of=self.clock.now()),
        }
        return LeadNurtured(**(fields | more))

    def touch(self, lead: str = "lead-1", event_id: str = "e-1", **more: Any) -> Told:
        """A call that the telephone system tells of, now."""
        now = self.clock.now()
        fields: dict[str, Any] = {
            "tenant": self.tenant,
            "lead_id": lead,
            "identity_id": "identity",
            "identity_kind": "email",
            "event_id": event_id,
            "source_id": "pbx",
            "trusted": True,
            "type": "call_connected",
            "at": now,
            "received_at": now,
        }
        return _told(Touch(**(fields | more)))

    def linked(self, lead: str, owner: str) -> Told:
        """The lead is told that an identity belongs to `owner`."""
        return _told(
            LinkChanged(
                tenant=self.tenant,
                lead_id=lead,
                identity_id="identity",
                identity_kind="email",
                owner=owner,
                sequence=1,
                received_at=self.clock.now(),
            )
        )

    def touches(self, pool: Any = None) -> Touches:
        hearing = Hearing(pool or self.app, self.desk(pool))
        return Touches(pool or self.app, hearing, self.policies)

    async def told(self, *told: Told) -> None:
        await self.touches().handle(told)

    def opportunity_id(self, lead: str = "lead-1", cycle: int = 1) -> str:
        return ids.opportunity_id(self.tenant, lead, cycle)

    async def rows(self, table: str, order: str) -> list[dict[str, Any]]:
        """What is stored of this tenant, as the relay's role sees it."""
        found = await self.workers.fetch(
            f"SELECT * FROM handoff.{table} WHERE tenant = $1 ORDER BY {order}", self.tenant
        )
        return [dict(row) for row in found]

    async def offers(self) -> list[tuple[int, str, str]]:
        return [
            (r["assignment"], r["rep_id"], r["state"]) for r in await self.rows("offers", "opportunity_id, assignment")
        ]

    async def clocks(self) -> list[tuple[int, str, str]]:
        rows = await self.rows("clocks", "opportunity_id, assignment, kind")
        return [(row["assignment"], row["kind"], row["state"]) for row in rows]

    async def events(self) -> list[dict[str, Any]]:
        """What the outbox holds, in its order."""
        return [orjson.loads(row["value"]) for row in await self.rows("outbox", "id")]

    async def story(self) -> dict[str, Any]:
        """Everything stored and told, without what differs between tenants."""
        lead_of = {row["opportunity_id"]: row["lead_id"] for row in await self.rows("opportunities", "lead_id")}
        parts = {
            "opportunities": await self.rows("opportunities", "lead_id"),
            "offers": await self.rows("offers", "opportunity_id, assignment"),
            "clocks": await self.rows("clocks", "opportunity_id, assignment, kind"),
            "history": await self.rows("stage_history", "number"),
        }
        story: dict[str, Any] = {
            name: sorted(
                (
                    {
                        key: value
                        for key, value in row.items()
                        if key not in ("tenant", "opportunity_id", "event_id", "number")
                    }
                    | {"lead": lead_of[row["opportunity_id"]]}
                    for row in rows
                ),
                key=repr,
            )
            for name, rows in parts.items()
        }
        told: dict[str, list[Any]] = {}
        for event in await self.events():
            told.setdefault(event["lead_id"], []).append(
                {k: v for k, v in event.items() if k not in ("tenant", "opportunity_id", "event_id")}
            )
        return story | {"told": told}


@pytest.fixture
async def app_pool(database_url: str) -> AsyncIterator[Any]:
    pool = await open_pool(database_url, "baton_app", application="test")
    yield pool
    await pool.close()


@pytest.fixture
async def worker_pool(database_url: str) -> AsyncIterator[Any]:
    pool = await open_pool(database_url, "baton_worker", application="test")
    yield pool
    await pool.close()


@pytest.fixture(autouse=True)
async def _no_clocks_of_earlier_tests(worker_pool: Any) -> None:
    """Firing serves all tenants, so what other tests left running is ended first."""
    await worker_pool.execute(
        "UPDATE handoff.clocks SET state = 'cancelled', ended_at = due_at WHERE state = 'running'"
    )


@pytest.fixture
def publish() -> Callable[[str, int, Any], Message]:
    return published


@pytest.fixture
async def make_world(app_pool: Any, worker_pool: Any) -> Callable[[str], Any]:
    async def make(tenant: str) -> World:
        policies = Policies(wait_seconds=0)
        for sequence, policy in enumerate((SLA, ROUTING, TEAMS), start=1):
            await policies.apply(published(tenant, sequence, policy))
        return World(app_pool, worker_pool, tenant, policies)

    return make


@pytest.fixture
async def world(make_world: Any, tenant: str) -> World:
    made: World = await make_world(tenant)
    return made


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Any]:
    """A connection of the database's owner, for what no service may do."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def merge(world: World, owner: Any) -> Callable[..., Any]:
    """merge(lead, into): as the router keeps it; None takes them apart again."""

    async def merge(lead: str, into: str | None, tenant: str = world.tenant) -> None:
        await owner.execute(
            "INSERT INTO router.leads (tenant, lead_id, merged_into, updated_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (tenant, lead_id) DO UPDATE SET merged_into = excluded.merged_into, updated_at = excluded.updated_at",
            tenant,
            lead,
            into,
            world.clock.now(),
        )

    return merge


class CrashError(Exception):
    """The process died here."""


class CrashingPool:
    """A pool whose process dies at statement number `at`, before or after it took effect; a transaction under way is lost with it.

    BEGIN and COMMIT are asyncpg's own and count as one statement each, so that a death around a commit is among the cases.
    """

    def __init__(self, pool: Any, at: int, *, before: bool) -> None:
        self._pool, self._at, self._before = pool, at, before
        self.done = 0

    def acquire(self) -> Any:
        return _Acquired(self)

    async def step(self, work: Callable[[], Any]) -> Any:
        self.done += 1
        if self.done == self._at and self._before:
            raise CrashError
        result = await work()
        if self.done == self._at:
            raise CrashError
        return result


class _Acquired:
    def __init__(self, pool: CrashingPool) -> None:
        self._crashing = pool

    async def __aenter__(self) -> Any:
        self._context = self._crashing._pool.acquire()
        return _Connection(self._crashing, await self._context.__aenter__())

    async def __aexit__(self, *error: Any) -> None:
        await self._context.__aexit__(*error)


class _Connection:
    def __init__(self, pool: CrashingPool, connection: Any) -> None:
        self._crashing, self._connection = pool, connection

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._connection, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval"):
            return real

        async def counted(*args: Any) -> Any:
            return await self._crashing.step(lambda: real(*args))

        return counted

    def transaction(self) -> Any:
        return _Transaction(self._crashing, self._connection.transaction())


class _Transaction:
    def __init__(self, pool: CrashingPool, transaction: Any) -> None:
        self._crashing, self._transaction = pool, transaction

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, kind: Any, *_: Any) -> None:
        if kind:
            await self._transaction.rollback()
            return
        try:
            await self._crashing.step(self._transaction.commit)
        except CrashError:
            if self._crashing._before:
                await self._transaction.rollback()
            raise


@pytest.fixture
def crashing() -> type[CrashingPool]:
    return CrashingPool


@pytest.fixture
def crash() -> type[CrashError]:
    return CrashError


@pytest.fixture
async def calling(world: World, owner: Any) -> AsyncIterator[Callable[..., Any]]:
    """calling(name, *roles): a client of the API itself, with a token of this name and these roles."""
    app = http_app(world.app, world.policies, world.clock, Probes(), b"m" * 32)
    made: list[httpx.AsyncClient] = []

    async def make(name: str, *roles: str) -> httpx.AsyncClient:
        token = uuid4().hex
        insert = "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)"
        await owner.execute(insert, world.tenant, token_hash(token), name, list(roles))
        transport = httpx.ASGITransport(app=app)
        headers = {"authorization": f"Bearer {token}"}
        made.append(httpx.AsyncClient(transport=transport, base_url="http://handoff", headers=headers))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()
