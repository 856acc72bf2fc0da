"""What a benchmark needs before it starts: migrations, topics, policies, keys."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from baton.migrations import upgrade_async
from baton.policies import apply
from baton.stack.ports import choose
from shared.kit.auth import token_hash
from shared.kit.kafka import ensure_topics

TENANT = "northstar"
WRITE_KEY = "wk_bench"
TOKEN = "bt_bench_token"
POLICIES = Path(__file__).parent.parent / "policies"


async def prepare(env: dict[str, str]) -> str:
    """Make the servers of `env` ready for the services; adds to `env` what they need; the write key of the tenant."""
    env.update(DEMO_WRITE_KEY=WRITE_KEY, DEMO_SERVER_WRITE_KEY="wk_bench_server")
    await upgrade_async(env["DATABASE_URL"])
    await ensure_topics(env["KAFKA_BOOTSTRAP_SERVERS"])
    await apply(POLICIES / TENANT, env["DATABASE_URL"], env["KAFKA_BOOTSTRAP_SERVERS"])
    connection = await asyncpg.connect(env["DATABASE_URL"])
    try:
        await connection.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'bench', '{api}')",
            TENANT,
            token_hash(TOKEN),
        )
    finally:
        await connection.close()
    return WRITE_KEY


def ports() -> dict[str, int]:
    """A free port for each service."""
    return choose(dict.fromkeys(("ingest", "scoring", "router", "handoff"), 0), {})
