"""API tokens of the demo tenants, put into `auth.tokens` as hashes."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from baton.home import TENANTS, token_of
from shared.kit.auth import token_hash


async def seed(database: str, names: Mapping[str, str]) -> None:
    """Let every demo tenant's token in; saying it again changes nothing. Needs the database's owner."""
    connection = await asyncpg.connect(database)
    try:
        await connection.executemany(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'demo', ARRAY['api', 'admin'])"
            " ON CONFLICT (hash) DO UPDATE SET roles = excluded.roles",
            [(tenant, token_hash(token_of(names, tenant))) for tenant in TENANTS],
        )
    finally:
        await connection.close()
