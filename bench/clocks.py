"""SLA clocks: what a million that wait cost, and how late ten thousand are that fall due at once while one of two workers dies.

A lead is offered to a rep by the handoff service's own handler; its rows are copied a million times, with due times from an hour to
a month ahead. Measured on them: a look for what is due when nothing is, beside a bare round trip to Postgres. Then two services
run, ten thousand of the clocks fall due at the same moment, and one of the two is killed when a third have been told. A clock is
late by the time from that moment until `clock-breached` arrives on `handoff-events`; beside it, one connection that only writes
the same changes, in transactions of as many. Each must have been told, and no other: else the benchmark fails.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from collections import Counter
from uuid import UUID

import asyncpg
import orjson
import uvloop
from ruamel.yaml import YAML

from baton.stack.ports import free_port
from bench import setup
from bench.harness import Process, Row, median, percentile, row, say, servers
from bench.round_trip import latest
from services.handoff import store
from services.handoff.handler import Handoff
from services.handoff.policies import Policies
from shared.kit.clock import SystemClock
from shared.kit.database import open_pool
from shared.kit.kafka import Message
from shared.schemas.policies import PolicyPublished
from shared.schemas.routing import LeadRouted, ScoreSummary
from shared.schemas.topics import HANDOFF_EVENTS

PENDING = int(os.environ.get("BENCH_CLOCKS") or 1_000_000)
DUE = min(10_000, PENDING // 10)
BATCH = 200  # opportunities in one transaction of the firing
AHEAD = 20_000  # ms from the change of the due times until they are over
HOUR, MONTH = 3_600_000, 30 * 86_400_000


def measure() -> list[Row]:
    with servers() as env:
        rows = uvloop.run(_wait(env))
        return rows + _fall_due(env)


async def _wait(env: dict[str, str]) -> list[Row]:
    """A million clocks, and what looking at them costs."""
    await setup.prepare(env)
    now = SystemClock().now()
    await _offer_one(env, now)
    connection = await asyncpg.connect(env["DATABASE_URL"])
    try:
        began = time.perf_counter()
        await _copy(connection, now)
        say(f"{PENDING:,} opportunities with their clocks in {time.perf_counter() - began:.0f} s")
        bare = await _ms(connection, "SELECT 1")
        sleeps = await _ms(connection, f"SELECT min(next_at) FROM handoff.clocks WHERE {store.ACTS}")
        looks = await _ms(connection, store.CLAIM_DUE, now, BATCH, [])
    finally:
        await connection.close()
    say(f"nothing due of {PENDING:,}: {sleeps + looks:.2f} ms; a bare round trip {bare:.2f} ms")
    return [row(f"idle look at {PENDING:,} pending clocks, beside a bare round trip", sleeps + looks, "ms", bare)]


async def _ms(connection: asyncpg.Connection, statement: str, *arguments: object) -> float:
    taken = []
    for _ in range(200):
        began = time.perf_counter()
        await connection.fetch(statement, *arguments)
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


async def _offer_one(env: dict[str, str], now: int) -> None:
    """The lead whose rows are copied, under the policies that the services will follow: nothing moves its clocks."""
    policies = Policies(wait_seconds=0)
    for sequence, kind in enumerate(("sla", "routing", "teams"), start=1):
        body = YAML(typ="safe").load(setup.POLICIES / setup.TENANT / f"{kind}.yaml")
        said = PolicyPublished(tenant=setup.TENANT, kind=kind, sequence=sequence, hash="", body=body, activated_at=now)
        await policies.apply(Message("policies", 0, sequence, said.key(), said.model_dump_json().encode()))
    pool = await open_pool(env["DATABASE_URL"], "baton_app", application="bench")
    try:
        score = ScoreSummary(fit=50_000, engagement=60_000, grade="B1", as_of=now)
        routed = LeadRouted(
            tenant=setup.TENANT,
            lead_id="lead-0",
            cycle=1,
            assignment=1,
            decision_id="d",
            decided_at=now,
            leg="fs",
            pool_id="bench",
            rep_id="rep",
            rep_name="Rep",
            lead_class="score",
            qualifying_at=now,
            score=score,
        )
        await Handoff(pool, SystemClock(), policies).handle([routed])
    finally:
        await pool.close()


async def _copy(connection: asyncpg.Connection, now: int) -> None:
    """The one opportunity, so many times, each with its own ids; clocks are due from an hour to a month ahead."""
    other = {
        "opportunities": {"opportunity_id": "md5(n::text)::uuid", "lead_id": "'lead-' || n"},
        "offers": {"opportunity_id": "md5(n::text)::uuid"},
        "clocks": {"opportunity_id": "md5(n::text)::uuid", "due_at": f"{now + HOUR} + (n::bigint * 7919) % {MONTH}"},
    }
    for table, changed in other.items():
        names = [
            found["column_name"]
            for found in await connection.fetch(
                "SELECT column_name FROM information_schema.columns"
                " WHERE (table_schema, table_name, is_generated) = ('handoff', $1, 'NEVER')",
                table,
            )
        ]
        values = ", ".join(changed.get(name, f"t.{name}") for name in names)
        await connection.execute(
            f"INSERT INTO handoff.{table} ({', '.join(names)})"
            f" SELECT {values} FROM handoff.{table} t, generate_series(1, {PENDING}) AS n WHERE t.tenant = $1",
            setup.TENANT,
            timeout=1800,
        )
    await connection.execute("VACUUM ANALYZE handoff.clocks, handoff.opportunities, handoff.offers", timeout=600)


def _fall_due(env: dict[str, str]) -> list[Row]:
    workers = []
    try:
        for _ in range(2):
            port = free_port()
            workers.append(
                Process(
                    "services.handoff", env={**env, "HANDOFF_PORT": str(port)}, ready=f"http://127.0.0.1:{port}/readyz"
                )
            )
        return uvloop.run(_told(env, workers[0]))
    finally:
        for worker in workers:
            worker.stop()


async def _told(env: dict[str, str], victim: Process) -> list[Row]:
    consumer = await latest(env["KAFKA_BOOTSTRAP_SERVERS"], HANDOFF_EVENTS.name)
    connection = await asyncpg.connect(env["DATABASE_URL"])
    clock = SystemClock()
    try:
        due_at = clock.now() + AHEAD
        wanted = {
            str(found["opportunity_id"])
            for found in await connection.fetch(
                "UPDATE handoff.clocks SET due_at = $1, remind_shares = '{}', remind_at = '{}' WHERE kind = 'accept'"
                " AND opportunity_id IN (SELECT md5(n::text)::uuid FROM generate_series(1, $2) n)"
                " RETURNING opportunity_id",
                due_at,
                DUE,
            )
        }
        late: dict[str, float] = {}
        twice: Counter[str] = Counter()
        async with asyncio.timeout(300):
            while len(late) < len(wanted):
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    for record in records:
                        event = orjson.loads(record.value)
                        if event["kind"] != "clock-breached":
                            continue
                        twice[event["event_id"]] += 1
                        late.setdefault(event["opportunity_id"], clock.now() - due_at)
                if victim and len(late) > DUE // 3:
                    victim.signal(signal.SIGKILL)
                    say(f"killed one of two workers after {len(late):,} of {DUE:,}")
                    victim = None  # type: ignore[assignment]
        _check(late, wanted, len(twice))
        bare = await _bare(connection, due_at)
    finally:
        await connection.close()
        await consumer.stop()
    values = list(late.values())
    say(
        f"{DUE:,} due at once, told after p50 {percentile(values, 0.5):,.0f} ms, p99 {percentile(values, 0.99):,.0f} ms,"
        f" the last {max(values):,.0f} ms; {sum(twice.values()) - len(twice)} told twice; bare {bare:,.0f} ms"
    )
    name = f"{DUE:,} of {PENDING:,} clocks due at once, 2 workers, one killed:"
    return [
        row(f"{name} lateness p50, beside all as bare updates", percentile(values, 0.5), "ms", bare),
        row(f"{name} lateness of the last, beside all as bare updates", max(values), "ms", bare),
    ]


def _check(late: dict[str, float], wanted: set[str], told: int) -> None:
    """Raises RuntimeError where a promise is broken: each once, none early, and no other."""
    early = sum(value < 0 for value in late.values())
    if early or late.keys() != wanted or told != len(wanted):
        raise RuntimeError(f"{early} were early, {len(late.keys() ^ wanted)} are others, {told} for {len(wanted)}")


async def _bare(connection: asyncpg.Connection, due_at: int) -> float:
    """ms in which as many other clocks and offers are changed in the same way, with nothing decided and nothing told."""
    others = [UUID(hashlib.md5(str(n).encode()).hexdigest()) for n in range(DUE + 1, 2 * DUE + 1)]
    began = time.perf_counter()
    for first in range(0, DUE, BATCH):
        ids = others[first : first + BATCH]
        async with connection.transaction():
            await connection.execute(
                "UPDATE handoff.clocks SET state = 'breached', ended_at = due_at WHERE tenant = $1"
                " AND opportunity_id = ANY($2::uuid[])",
                setup.TENANT,
                ids,
            )
            await connection.execute(
                "UPDATE handoff.offers SET state = 'expired', ended_at = $3 WHERE tenant = $1"
                " AND opportunity_id = ANY($2::uuid[])",
                setup.TENANT,
                ids,
                due_at,
            )
    return (time.perf_counter() - began) * 1000
