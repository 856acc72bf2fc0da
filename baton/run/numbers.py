"""What is going on, in numbers, read from where it is kept: Postgres, and the answers that ingest counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.kit.database import Pool, open_pool, tenant_transaction

EVERY_SECONDS = 1.0
OUTCOMES = ("accepted", "duplicate", "rejected")

_LEADS = """
    SELECT count(*) FILTER (WHERE version IS NOT NULL AND stage <> 'merged') AS scored,
           count(*) FILTER (WHERE owner_rep IS NOT NULL) AS routed,
           count(*) FILTER (WHERE waiting_reason LIKE 'parked:%') AS parked,
           count(*) FILTER (WHERE waiting_reason = 'below_gate') AS nurtured,
           count(*) FILTER (WHERE waiting_reason IN ('recycled', 'nurture', 'on_hold', 'disqualified', 'to_owner')) AS closed
    FROM router.leads WHERE tenant = $1
"""
_OPPORTUNITIES = """
    SELECT count(*) FILTER (WHERE stage IN ('offered', 'accepted')) AS opportunities,
           count(*) FILTER (WHERE stage = 'accepted') AS accepted
    FROM handoff.opportunities WHERE tenant = $1
"""
_CLOCKS = """
    SELECT count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'breached') AS breached,
           min(due_at) FILTER (WHERE state = 'running') AS next_due
    FROM handoff.clocks WHERE tenant = $1
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One tenant's leads now. routed: owned by a rep, accepted or not yet;  next_due: ms, of the next clock to fire"""

    scored: int = 0
    routed: int = 0
    parked: int = 0
    nurtured: int = 0
    closed: int = 0
    opportunities: int = 0
    accepted: int = 0
    running: int = 0
    breached: int = 0
    next_due: int | None = None


@dataclass(slots=True)
class Numbers:
    """The latest readings. events: answers of ingest by outcome since this start;  problem: why there is no newer reading"""

    tenants: dict[str, Reading] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    problem: str | None = None


async def read(pool: Pool, tenant: str) -> Reading:
    async with tenant_transaction(pool, tenant) as connection:
        rows = [await connection.fetchrow(query, tenant) for query in (_LEADS, _OPPORTUNITIES, _CLOCKS)]
    return Reading(**{name: value for row in rows if row for name, value in row.items()})


async def events(client: httpx.AsyncClient, url: str) -> dict[str, int]:
    """What ingest has answered since it started, by outcome."""
    answer = await client.get(f"{url}/metrics")
    return {
        sample.labels["outcome"]: int(sample.value)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == "baton_ingest_events_total"
    }


class Reader:
    """Keeps `latest` fresh, in a thread of its own."""

    def __init__(self, database: str, ingest: str, tenants: Iterable[str]) -> None:
        self.latest = Numbers()
        self._database, self._ingest, self._tenants = database, ingest, tuple(tenants)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="numbers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    async def _run(self) -> None:
        before: dict[str, int] = {}
        total = dict.fromkeys(OUTCOMES, 0)
        while not self._stopping.is_set():
            try:
                pool = await open_pool(self._database, "baton_app", application="baton-up", size=1)
                async with pool, httpx.AsyncClient(timeout=3) as client:
                    while not self._stopping.is_set():
                        now = await events(client, self._ingest)
                        for outcome, count in now.items():  # a service that started again counts from nothing
                            total[outcome] = total.get(outcome, 0) + count - min(before.get(outcome, 0), count)
                        before = now
                        readings = {tenant: await read(pool, tenant) for tenant in self._tenants}
                        self.latest = Numbers(readings, dict(total))
                        await asyncio.sleep(EVERY_SECONDS)
            except (OSError, httpx.HTTPError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self.latest = Numbers(self.latest.tenants, self.latest.events, type(error).__name__)
                await asyncio.sleep(EVERY_SECONDS)
