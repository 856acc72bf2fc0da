"""API tokens, put into `auth.tokens` as hashes. Needs the database's owner."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from baton import policies
from baton.home import TENANTS, token_of
from baton.policies.problems import suggest
from shared.kit.auth import token_hash


@dataclass(frozen=True, slots=True)
class Issued:
    """number: how it is named where its name is not enough: the beginning of its hash"""

    number: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Around:
    """What a new token comes to: the tenant's reps, by the teams policy in force, and how many tokens the name has already."""

    reps: frozenset[str] = frozenset()
    of_the_name: int = 0


async def around(database: str, tenant: str, name: str) -> Around:
    """Raises LookupError where the tenant has no policies, which would be none to whom leads can come."""
    try:
        teams = await policies.show(tenant, "teams", database_url=database)
    except LookupError as error:
        async with _owner(database) as connection:
            known = await connection.fetch("SELECT tenant FROM auth.tokens UNION SELECT tenant FROM policy.versions")
        near = suggest(tenant, {row["tenant"] for row in known} - {tenant})
        raise LookupError(f"{error.args[0]}.{near}" if near else error.args[0]) from None
    held = [one for one in await issued(database, tenant) if one.name == name]
    return Around(frozenset(rep["id"] for rep in teams.record.body["reps"]), len(held))


def remarks(found: Around, tenant: str, name: str, roles: Sequence[str]) -> list[str]:
    """What whoever makes the token should know: who has it may see nothing, or have another one."""
    told = []
    if "rep" in roles and name not in found.reps:
        told.append(
            f"no policy of {tenant} names a rep `{name}`: this token sees no leads until one does."
            + suggest(name, found.reps)
        )
    if found.of_the_name:
        several = "a token" if found.of_the_name == 1 else f"{found.of_the_name} tokens"
        told.append(
            f"`{name}` has {several} already, good as before; `baton token revoke {name} --tenant {tenant}` takes all of"
            " them back, a number of `baton token list` one alone."
        )
    return told


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
