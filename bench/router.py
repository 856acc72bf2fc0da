"""Decisions per second of the router, beside a bare insert of the same rows.

One process, real Postgres, the policies of northstar: scores of leads that nobody knew go to `Router.handle`, 500 at a time and one
by one; each is gated, matched, ruled on and given to a rep, with everything that is kept of it. The baseline inserts copies of the
very rows that this wrote (leads, identities, history, decisions with their traces, assignments, outbox) into tables with the same
indexes, as many leads to a transaction. What lies between the two is deciding, locking and reading. `PROFILE=1` prints which
statements a batch takes and what they take, and where the process spends the rest.
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import asyncpg
import uvloop

from bench import setup
from bench.harness import Row, row, say, servers
from services.router.handler import Router
from services.router.policies import Policies
from shared.kit.clock import SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.database import Pool, open_pool
from shared.kit.person import seal
from shared.schemas.scores import HandRaise, IdentityRef, LeadScored, PartialScore, PolicyRef, Version
from shared.schemas.topics import POLICIES

BATCHES, BATCH, SINGLE = 3, 500, 400
TABLES = {  # with the order in which each is written
    "leads": "lead_id",
    "lead_identities": "lead_id",
    "stage_history": "lead_id, seq",
    "decisions": "lead_id, seq",
    "assignments": "lead_id, assignment",
    "outbox": "id",
}
COMPANIES = (("JP", "ja", "s4"), ("JP", "ja", "s6"), ("DE", "de", "s5"), ("US", "en", "s7"), ("SG", "en", "s3"))
PERSON = seal({"email": "somebody@company.example"})


def measure() -> list[Row]:
    with servers() as env:
        uvloop.run(setup.prepare(env))
        return uvloop.run(_measure(env))


async def _measure(env: dict[str, str]) -> list[Row]:
    policies = Policies()
    follower = CompactedTopic(env["KAFKA_BOOTSTRAP_SERVERS"], POLICIES, policies.apply)
    following = asyncio.create_task(follower.run())
    await follower.catch_up(30)
    pool = await open_pool(env["DATABASE_URL"], "baton_app", application="bench", size=1)
    try:
        router = Router(pool, policies.following, SystemClock())
        await _decide(router, [scores("warm-up", 50)])
        batched = await _decide(router, [scores(f"batch-{n}", BATCH) for n in range(BATCHES)])
        single = await _decide(router, [[one] for one in scores("single", SINGLE)])
        if os.environ.get("PROFILE"):
            await _profile(pool, router, scores("profile", BATCH))
            await _profile(pool, router, scores("profile-one", 1))
        bare = await _insert(env["DATABASE_URL"], "batch-", BATCH), await _insert(env["DATABASE_URL"], "single", 1)
    finally:
        following.cancel()
        await pool.close()
    return [
        row(f"decisions, {BATCH} at a time", BATCHES * BATCH / batched, "leads/s", BATCHES * BATCH / bare[0]),
        row("decisions, one by one", SINGLE / single, "leads/s", SINGLE / bare[1]),
    ]


def scores(name: str, leads: int) -> list[LeadScored]:
    """Scores of ripe leads of several countries and sizes, each of a company of its own."""
    now = SystemClock().now()
    found = []
    for number in range(leads):
        country, language, size = COMPANIES[number % len(COMPANIES)]
        lead_id = f"{name}-{number:05}"
        found.append(
            LeadScored(
                tenant=setup.TENANT,
                lead_id=lead_id,
                version=Version(1, 1, number + 1, now),
                as_of=now,
                policy=PolicyRef(sequence=1, hash="h"),
                fit=PartialScore(total=70_000),
                engagement=PartialScore(total=60_000),
                grade="A1",
                hand_raise=HandRaise(type="demo_requested", event_id=f"e-{lead_id}", at=now, received_at=now),
                attributes={
                    "country": country,
                    "language": language,
                    "size_band": size,
                    "company_name": f"Company {lead_id}",
                    "email_domain": f"{lead_id}.example",
                },
                identities=(IdentityRef(identity_id=f"id-{lead_id}", kind="email"),),
                person=PERSON,
            )
        )
    return found


async def _decide(router: Router, batches: Sequence[Sequence[LeadScored]]) -> float:
    """Seconds."""
    began = time.perf_counter()
    for batch in batches:
        await router.handle(batch)
    return time.perf_counter() - began


async def _insert(database: str, name: str, at_once: int) -> float:
    """Seconds that the rows of the leads named so take to insert, as bare as can be: one statement for each table."""
    login = await asyncpg.connect(database)
    try:
        rows = {table: await _copied(login, table, name) for table in TABLES}
        leads = list(rows["leads"])
        wrong = [lead for lead in leads if not rows["decisions"][lead] or not rows["outbox"][lead]]
        if wrong or not leads:
            raise RuntimeError(f"{len(wrong)} of {len(leads)} leads named {name} were not given to anybody")
        await _write(login, rows, [])  # the driver learns the types
        began = time.perf_counter()
        for start in range(0, len(leads), at_once):
            await _write(login, rows, leads[start : start + at_once])
        return time.perf_counter() - began
    finally:
        await login.execute("DROP SCHEMA bench CASCADE")
        await login.close()


Rows = dict[str, list[tuple[object, ...]]]  # by lead


async def _copied(login: asyncpg.Connection[asyncpg.Record], table: str, name: str) -> Rows:
    """The rows of `table` of the leads named so, and an empty table like it in the schema `bench`."""
    await login.execute("CREATE SCHEMA IF NOT EXISTS bench")
    await login.execute(f"CREATE TABLE bench.{table} (LIKE router.{table} INCLUDING ALL)")
    found = await login.fetch(
        f"SELECT t.*, {_lead(table)} AS of_lead FROM router.{table} t WHERE {_lead(table)} LIKE $1 || '%'"
        f" ORDER BY {TABLES[table]}",
        name,
    )
    rows: Rows = defaultdict(list)
    for one in found:
        rows[one["of_lead"]].append(tuple(one)[:-1])
    return rows


async def _write(login: asyncpg.Connection[asyncpg.Record], rows: Mapping[str, Rows], leads: Sequence[str]) -> None:
    async with login.transaction():
        for table, of_lead in rows.items():
            await login.execute(
                f"INSERT INTO bench.{table} OVERRIDING SYSTEM VALUE SELECT * FROM unnest($1::bench.{table}[])",
                [values for lead in leads for values in of_lead[lead]],
            )


def _lead(table: str) -> str:
    """The SQL of whose row it is."""
    return "split_part(convert_from(t.key, 'UTF8'), '/', 2)" if table == "outbox" else "t.lead_id"


async def _profile(pool: Pool, router: Router, batch: Sequence[LeadScored]) -> None:
    """Print the statements of one batch, the slowest first, and the functions."""
    spent: dict[str, list[float]] = defaultdict(list)

    def log(record: asyncpg.connection.LoggedQuery) -> None:
        spent[" ".join(record.query.split())[:100]].append(record.elapsed * 1000)

    async with pool.acquire() as connection:  # the only one: the router's own
        connection.add_query_logger(log)
    profiler = cProfile.Profile()
    profiler.enable()
    began = time.perf_counter()
    await router.handle(batch)
    total = (time.perf_counter() - began) * 1000
    profiler.disable()
    async with pool.acquire() as connection:
        connection.remove_query_logger(log)
    statements, waited = sum(map(len, spent.values())), sum(map(sum, spent.values()))
    say(f"{len(batch)} leads: {total:.1f} ms, of which {waited:.1f} ms for {statements} statements")
    for query, times in sorted(spent.items(), key=lambda item: -sum(item[1]))[:25]:
        say(f"{sum(times):8.2f} ms  {len(times)} ×  {query}")
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(45)
