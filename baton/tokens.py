"""API tokens, put into `auth.tokens` as hashes. Needs the database's owner."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from baton.home import TENANTS, token_of
from shared.kit.auth import token_hash


@dataclass(frozen=True, slots=True)
class Issued:
    """number: how it is named where its name is not enough: the beginning of its hash"""

    number: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime


async def seed(database: str, names: Mapping[str, str]) -> None:
    """Let every demo tenant's token in; saying it again changes nothing."""
    async with _owner(database) as connection:
        await connection.executemany(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'demo', ARRAY['api', 'admin'])"
            " ON CONFLICT (hash) DO UPDATE SET roles = excluded.roles",
            [(tenant, token_hash(token_of(names, tenant))) for tenant in TENANTS],
        )


async def create(database: str, tenant: str, name: str, roles: Sequence[str]) -> str:
    """A new token, which nobody can read again."""
    token = f"bt_{secrets.token_urlsafe(32)}"
    async with _owner(database) as connection:
        await connection.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)",
            tenant,
            token_hash(token),
            name,
            sorted(set(roles)),
        )
    return token


async def issued(database: str, tenant: str) -> list[Issued]:
    """Those of the tenant, the oldest first."""
    async with _owner(database) as connection:
        rows = await connection.fetch(
            "SELECT encode(hash, 'hex') AS hash, name, roles, created_at FROM auth.tokens WHERE tenant = $1"
            " ORDER BY created_at, hash",
            tenant,
        )
    return [Issued(row["hash"][:12], row["name"], tuple(row["roles"]), row["created_at"]) for row in rows]


async def revoke(database: str, tenant: str, which: str) -> int:
    """Take back the token of this number, or all of this name; how many there were. Refused everywhere within 30 seconds."""
    async with _owner(database) as connection:
        done: str = await connection.execute(
            "DELETE FROM auth.tokens WHERE tenant = $1 AND (name = $2 OR left(encode(hash, 'hex'), 12) = $2)",
            tenant,
            which,
        )
    return int(done.split()[-1])


@asynccontextmanager
async def _owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        await connection.close()
