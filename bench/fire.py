"""The router under fire: workers that share the leads of one tenant, killed with SIGKILL in the midst of it.

`python -m bench fire` starts real Kafka and Postgres, four workers and 100,000 leads (BENCH_FIRE_LEADS); one worker is killed at
every tenth of them and started anew. A stand-in for handoff answers each assignment by its id: accepted, declined for another rep,
or no lead at all. Scores come twice now and then. What holds then is counted by SQL (`BROKEN`), and from the topic: each figure
must be 0. `tests/integration/router/test_router_fire.py` does the same with fewer leads.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self
from zlib import crc32

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer

from baton.migrations import upgrade_async
from baton.stack.ports import free_port
from bench.harness import Process, Row, row, say, servers
from bench.round_trip import latest
from shared.kit.clock import SystemClock
from shared.kit.kafka import KafkaPublisher, Outgoing, ensure_topics
from shared.schemas.handoff import HandoffEvent
from shared.schemas.ids import derived_id
from shared.schemas.policies import PolicyPublished
from shared.schemas.routing import LeadRouted
from shared.schemas.scores import IdentityRef, LeadScored, PartialScore, PolicyRef, Version
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_ROUTED, LEAD_SCORED, POLICIES

LEADS, WORKERS = 100_000, 4
FIELD = {f"field-{n}": 1 + n % 4 // 3 for n in range(10)}  # two of ten have twice the leads of the others
INSIDE = [f"inside-{n}" for n in range(6)]
OF_FIELD = 0.6  # of all leads; the others are for inside sales, of whom some decline, and who cannot take all
PATIENCE_SECONDS = 60.0  # without any progress
CHUNK = 2_000
DECLINED, NO_LEAD = 12, 4  # of a hundred assignments in inside sales
CRITERION = {"questions": {"B1": ["secured"]}, "ask": {"en": "Budget?"}, "cost": 1}


@dataclass(slots=True)
class Told:
    """What became of the leads.

    broken:    what must not be, and how often it was
    leads_off: the furthest of anybody from the share
    """

    leads: int
    kills: int = 0
    seconds: float = 0.0
    assignments: int = 0
    parked: int = 0
    said_again: int = 0
    leads_off: float = 0.0
    broken: dict[str, int] = field(default_factory=dict)


LEFT_WAITING, UNPUBLISHED = "leads that wait while somebody could take them", "records that were never published"
# Each counts what must not be; $1 is the tenant, {capacity} that of each rep of inside sales.
BROKEN = {
    "leads with two owners": "SELECT count(*) FROM (SELECT FROM router.assignments WHERE tenant = $1 AND ended IS NULL"
    " GROUP BY lead_id HAVING count(*) > 1) x",
    "owners whose assignment is not in force": "SELECT count(*) FROM router.leads l LEFT JOIN router.assignments a"
    " ON a.tenant = l.tenant AND a.lead_id = l.lead_id AND a.assignment = l.held_assignment AND a.rep_id = l.owner_rep"
    " AND a.ended IS NULL WHERE l.tenant = $1 AND l.owner_rep IS NOT NULL AND a.lead_id IS NULL",
    "assignments in force of leads without an owner": "SELECT count(*) FROM router.assignments a JOIN router.leads l"
    " USING (tenant, lead_id) WHERE a.tenant = $1 AND a.ended IS NULL AND l.owner_rep IS NULL",
    "leads without an owner and without a live trigger": "SELECT count(*) FROM router.leads WHERE tenant = $1"
    " AND owner_rep IS NULL AND (waiting_reason IS NULL OR waiting_reason IN ('unscored', 'rerouting')"
    " OR waiting_reason LIKE 'parked:%' AND (tried_at IS NULL OR waiting_since IS NULL)"
    " OR waiting_reason = 'disqualified' AND closed_at IS NULL)",
    LEFT_WAITING: "WITH load AS MATERIALIZED (SELECT owner_rep, count(*) AS leads FROM router.leads"
    " WHERE tenant = $1 AND owner_rep IS NOT NULL GROUP BY 1)"
    " SELECT count(*) FROM router.leads l WHERE l.tenant = $1 AND l.waiting_reason LIKE 'parked:%' AND EXISTS"
    " (SELECT FROM router.pool_members m LEFT JOIN load ON load.owner_rep = m.rep_id WHERE m.tenant = $1"
    "  AND m.pool_id = l.pool_id AND NOT l.excluded ? m.rep_id AND coalesce(load.leads, 0) < {capacity})",
    "reps with more than their capacity": "SELECT count(*) FROM (SELECT FROM router.leads WHERE tenant = $1"
    " AND pool_id = 'inside' AND owner_rep IS NOT NULL GROUP BY owner_rep HAVING count(*) > {capacity}) x",
    "assignments without the decision that made them": "SELECT count(*) FROM router.assignments a LEFT JOIN router.decisions d"
    " ON d.tenant = a.tenant AND d.decision_id = a.decision_id AND d.outcome ->> 'rep_id' = a.rep_id"
    " WHERE a.tenant = $1 AND d.decision_id IS NULL",
    "decisions that gave a lead to nobody they name": "SELECT count(*) FROM router.decisions d LEFT JOIN router.assignments a"
    " ON a.tenant = d.tenant AND a.decision_id = d.decision_id"
    " WHERE d.tenant = $1 AND d.outcome ->> 'kind' = 'routed' AND a.decision_id IS NULL",
    "leads whose history has a gap": "SELECT count(*) FROM (SELECT FROM router.leads l LEFT JOIN router.stage_history h"
    " USING (tenant, lead_id) WHERE l.tenant = $1 GROUP BY l.lead_id, l.changes"
    " HAVING count(h.seq) <> l.changes OR coalesce(max(h.seq), 0) <> l.changes) x",
    "reps whose balance counts other leads than they had": "SELECT count(*) FROM router.pool_members m WHERE m.tenant = $1"
    " AND m.received <> (SELECT count(*) FROM router.assignments a WHERE a.tenant = $1 AND a.pool_id = m.pool_id"
    "  AND a.rep_id = m.rep_id AND NOT a.given_back)",
    UNPUBLISHED: "SELECT count(*) FROM router.outbox WHERE tenant = $1",
}


def measure() -> list[Row]:
    """The whole of it, on servers of its own. Raises RuntimeError where a promise was broken."""
    leads = int(os.environ.get("BENCH_FIRE_LEADS", LEADS))
    with servers() as env:
        uvloop.run(upgrade_async(env["DATABASE_URL"]))
        uvloop.run(ensure_topics(env["KAFKA_BOOTSTRAP_SERVERS"]))
        told = uvloop.run(fire(env, "fire", leads, kill_at=[n / 10 for n in range(1, 10)]))
    if any(told.broken.values()):
        raise RuntimeError(f"broken: {told.broken}")
    per_second = told.assignments / told.seconds
    return [
        row(
            f"{told.leads:,} leads, {WORKERS} workers, {told.kills} SIGKILLs: assignments", told.assignments, "", leads
        ),
        row("of these a second, kills and all", per_second, "assignments/s", 0),
        row(
            "promises broken, of " + f"{len(told.broken)} counted by SQL and on the topic",
            sum(told.broken.values()),
            "",
            0,
        ),
        row("furthest of anybody from the share, pool of fixed members", told.leads_off, "leads", 1),
        row("leads that wait because everybody is full", told.parked, "leads", 0),
        row("records published again after a kill, the same to the byte", told.said_again, "", 0),
    ]


class Workers:
    """The workers of a run, each on a port of its own."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._running = [self._start() for _ in range(WORKERS)]

    def _start(self) -> tuple[Process, str]:
        port = free_port()
        return Process("services.router", env={**self._env, "ROUTER_PORT": str(port)}), f"http://127.0.0.1:{port}"

    async def ready(self) -> None:
        await asyncio.gather(
            *(asyncio.to_thread(process.wait_ready, f"{url}/readyz") for process, url in self._running)
        )

    def kill(self, numbers: Sequence[int]) -> None:
        """SIGKILL, and another in its place."""
        for number in numbers:
            process, _ = self._running[number]
            process.signal(signal.SIGKILL)
            process.stop()
            self._running[number] = self._start()

    def said(self) -> str:
        return "".join(process.output()[-1000:] for process, _ in self._running)

    def stop(self) -> None:
        for process, _ in self._running:
            process.stop()


class Handoff:
    """Stands in for handoff: answers every assignment by its id alone, so that one that is said again is answered the same."""

    def __init__(self, bootstrap: str, publisher: KafkaPublisher, tenant: str) -> None:
        self._bootstrap, self._publisher, self._prefix = bootstrap, publisher, f"{tenant}/".encode()
        self._consumer: AIOKafkaConsumer | None = None
        self.said: dict[tuple[str, int], int] = {}  # (lead, assignment) -> checksum of what was said
        self.again = self.other_words = 0

    async def __aenter__(self) -> Self:
        self._consumer = await latest(self._bootstrap, LEAD_ROUTED.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._consumer:
            await self._consumer.stop()

    async def answer(self) -> int:
        """Answer what was said since, or wait for it a little; how many records there were."""
        assert self._consumer is not None
        polled = await self._consumer.getmany(timeout_ms=200, max_records=CHUNK)
        values = [one.value for many in polled.values() for one in many if one.key.startswith(self._prefix)]
        events = [event for value in values if (event := self._event(value)) is not None]
        await self._publisher.publish(
            [
                Outgoing(HANDOFF_EVENTS.name, event.key(), event.model_dump_json(exclude_none=True).encode())
                for event in events
            ]
        )
        return len(values)

    def _event(self, value: bytes) -> HandoffEvent | None:
        routed = LeadRouted.model_validate_json(value)
        which, words = (routed.lead_id, routed.assignment), crc32(value)
        if which in self.said:
            self.again += 1
            self.other_words += self.said[which] != words
        self.said.setdefault(which, words)
        lot = crc32(f"{which}".encode()) % 100
        kind, effect = "offer-accepted", None
        if routed.pool_id == "inside" and lot < DECLINED:
            kind, effect = "offer-declined", "disqualify" if lot < NO_LEAD else "reroute"
        return HandoffEvent.model_validate(
            {
                "tenant": routed.tenant,
                "lead_id": routed.lead_id,
                "opportunity_id": f"o-{routed.lead_id}",
                "cycle": routed.cycle,
                "assignment": routed.assignment,
                "rep_id": routed.rep_id,
                "at": routed.decided_at + 1,
                "event_id": derived_id(kind, routed.lead_id, routed.assignment),
                "kind": kind,
                "effect": effect,
                "reason": effect,
            }
        )


async def fire(env: Mapping[str, str], tenant: str, leads: int, kill_at: Sequence[float], at_once: int = 1) -> Told:
    """Route `leads` of `tenant` with `WORKERS` workers, of which `at_once` are killed at each of these shares of the assignments.

    The database is migrated, and the topics are there. Raises RuntimeError where nothing moves any more.
    """
    told, seed, due = Told(leads), random.Random(leads), sorted(kill_at)
    async with AsyncExitStack() as closing:
        publisher = KafkaPublisher(env["KAFKA_BOOTSTRAP_SERVERS"])
        await publisher.start()
        closing.push_async_callback(publisher.stop)
        connection = await asyncpg.connect(env["DATABASE_URL"])
        closing.push_async_callback(connection.close)
        await _apply(publisher, connection, tenant, _capacity(leads))
        workers = Workers(env)
        closing.callback(workers.stop)
        handoff = await closing.enter_async_context(Handoff(env["KAFKA_BOOTSTRAP_SERVERS"], publisher, tenant))
        await workers.ready()
        say(f"{WORKERS} workers are ready")
        began = moved = time.monotonic()
        sending = asyncio.create_task(_send(publisher, tenant, leads, seed))
        while True:
            if await handoff.answer():
                moved = time.monotonic()
            elif sending.done() and await _settled(connection, tenant, leads):
                break
            if sending.done():
                sending.result()
            if due and len(handoff.said) >= due[0] * leads:
                del due[0]
                workers.kill(seed.sample(range(WORKERS), at_once))
                told.kills += at_once
                say(f"{told.kills} killed, {len(handoff.said):,} assignments in {time.monotonic() - began:.0f} s")
            if time.monotonic() - moved > PATIENCE_SECONDS:
                raise RuntimeError(f"nothing moves at {len(handoff.said):,} assignments\n{workers.said()}")
        told.seconds = time.monotonic() - began
        await _count(connection, tenant, handoff, told)
    return told


async def _apply(
    publisher: KafkaPublisher, connection: asyncpg.Connection[asyncpg.Record], tenant: str, capacity: int
) -> None:
    """Bring the policies into force, as `baton policy apply` does: stored, then published."""
    rules = [{"id": pool, "legs": [leg], "when": {}, "pool": pool} for leg, pool in (("fs", "field"), ("is", "inside"))]
    everybody = [{"id": rep, "name": rep, "capacity": 10_000} for rep in FIELD]
    everybody += [{"id": rep, "name": rep, "capacity": capacity} for rep in INSIDE]
    field = [{"rep": rep, "weight": weight} for rep, weight in FIELD.items()]
    bodies: dict[str, dict[str, Any]] = {
        "qualification": {
            "gate": {"mql": ["A1"], "inside_sales_check": ["B1"]},
            "bant": dict.fromkeys(("budget", "authority", "need", "timeline"), CRITERION),
        },
        "routing": {
            "rules": rules,
            "decline_reasons": [
                {"code": "reroute", "kind": "decline", "label": {"en": "no time"}, "effect": "reroute"},
                {
                    "code": "disqualify",
                    "kind": "quality",
                    "label": {"en": "no lead"},
                    "effect": "disqualify",
                    "credit_back": True,
                },
            ],
        },
        "teams": {
            "reps": everybody,
            "pools": [{"id": "field", "members": field}, {"id": "inside", "members": [{"rep": rep} for rep in INSIDE]}],
        },
        "sla": {"default": {"id": "score", "accept": 3600, "first_touch": 86400}},
    }
    for sequence, (kind, body) in enumerate(bodies.items(), start=1):
        record = PolicyPublished(
            tenant=tenant,
            kind=kind,
            sequence=sequence,
            hash=derived_id(orjson.dumps(body).decode()),
            body=body | {"kind": kind},
            activated_at=SystemClock().now(),
        )
        await connection.execute(
            "INSERT INTO policy.versions (tenant, sequence, kind, hash, body, activated_at) VALUES ($1, $2, $3, $4, $5, $6)",
            tenant,
            sequence,
            kind,
            record.hash,
            orjson.dumps(record.body).decode(),
            record.activated_at,
        )
        await publisher.publish([Outgoing(POLICIES.name, record.key(), record.model_dump_json().encode())])


async def _send(publisher: KafkaPublisher, tenant: str, leads: int, seed: random.Random) -> None:
    """The scores, one in twenty of them twice."""
    now = SystemClock().now()
    for start in range(0, leads, CHUNK):
        records = [
            score_of(tenant, f"lead-{n}", "A1" if n % 10 < 10 * OF_FIELD else "B1", n, now)
            for n in range(start, min(start + CHUNK, leads))
        ]
        records += seed.sample(records, len(records) // 20)
        await publisher.publish(
            [Outgoing(LEAD_SCORED.name, one.key(), one.model_dump_json(exclude_none=True).encode()) for one in records]
        )


def score_of(tenant: str, lead_id: str, grade: str, position: int, now: int) -> LeadScored:
    """A score as scoring would tell it."""
    return LeadScored(
        tenant=tenant,
        lead_id=lead_id,
        version=Version(1, 1, position + 1, now),
        as_of=now,
        policy=PolicyRef(sequence=1, hash="h"),
        fit=PartialScore(total=70_000),
        engagement=PartialScore(total=60_000),
        grade=grade,
        identities=(IdentityRef(identity_id=f"id-{lead_id}", kind="email"),),
    )


async def _settled(connection: asyncpg.Connection[asyncpg.Record], tenant: str, leads: int) -> bool:
    """Whether every lead is there and has been accepted, or waits, and nobody is free for those that wait: at one moment, because
    what the sweep gives away between two looks would have been seen by neither."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        counts = await connection.fetchrow(
            "SELECT count(*) AS leads, count(*) FILTER (WHERE owner_rep IS NOT NULL AND NOT accepted) AS open,"
            " count(*) FILTER (WHERE waiting_reason = 'unscored') AS unscored FROM router.leads WHERE tenant = $1",
            tenant,
        )
        assert counts is not None
        if (counts["leads"], counts["open"], counts["unscored"]) != (leads, 0, 0):
            return False
        # What a kill left behind may be for the sweep to find: it has the time that nothing else moves.
        return all([not await _how_often(connection, what, tenant, leads) for what in (LEFT_WAITING, UNPUBLISHED)])


async def _how_often(connection: asyncpg.Connection[asyncpg.Record], what: str, tenant: str, leads: int) -> int:
    return int(await connection.fetchval(BROKEN[what].replace("{capacity}", str(_capacity(leads))), tenant))


async def _count(connection: asyncpg.Connection[asyncpg.Record], tenant: str, handoff: Handoff, told: Told) -> None:
    """What holds now, by SQL and by what was said on the topic."""
    for what in BROKEN:
        told.broken[what] = await _how_often(connection, what, tenant, told.leads)
    made = await connection.fetch("SELECT lead_id, assignment FROM router.assignments WHERE tenant = $1", tenant)
    known = {(row["lead_id"], row["assignment"]) for row in made}
    told.broken["assignments that were not said on the topic"] = len(unsaid := sorted(known - handoff.said.keys()))
    if unsaid:
        say(f"not said: {unsaid[:5]}")
    told.broken["assignments said that nobody knows"] = len(handoff.said.keys() - known)
    told.broken["assignments said in two ways"] = handoff.other_words
    received = await connection.fetch(
        "SELECT rep_id, count(*) AS leads FROM router.assignments WHERE tenant = $1 AND pool_id = 'field' GROUP BY 1",
        tenant,
    )
    of_field = {row["rep_id"]: row["leads"] for row in received}
    total, weight = sum(of_field.values()), sum(FIELD.values())
    off = max(abs(Fraction(total * FIELD[rep], weight) - of_field.get(rep, 0)) for rep in FIELD)
    told.broken["pools of fixed members in which somebody is a lead from the share (P7)"] = int(off >= 1)
    dues = await connection.fetch("SELECT pool_id, due FROM router.pool_members WHERE tenant = $1", tenant)
    sums = {pool: sum(Fraction(row["due"]) for row in dues if row["pool_id"] == pool) for pool in ("field", "inside")}
    told.broken["pools whose balances do not sum to nothing"] = sum(total != 0 for total in sums.values())
    told.assignments, told.leads_off, told.said_again = len(known), float(off), handoff.again
    told.parked = await connection.fetchval(
        "SELECT count(*) FROM router.leads WHERE tenant = $1 AND waiting_reason LIKE 'parked:%'", tenant
    )


def _capacity(leads: int) -> int:
    """Of each rep of inside sales: nine in ten of the leads that are for them."""
    return max(1, round(leads * (1 - OF_FIELD) * 0.9 / len(INSIDE)))
