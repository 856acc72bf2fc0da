"""Tenants never meet: row-level security holds for every statement, and a token decides whose data it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request

from shared.kit import auth, database, problems
from shared.kit.auth import CACHE_SECONDS, Tokens, token_hash
from shared.kit.database import NoConnectionError, Pool, open_pool, tenant_transaction

pytestmark = pytest.mark.servers
INSERT = (
    "INSERT INTO policy.versions (tenant, sequence, kind, hash, body, activated_at) VALUES ($1, $2, 'sla', 'h', $3, 0)"
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url, "baton_app", application="test", size=1)
    yield pool
    await pool.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The login user, who migrates and creates tokens."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def count(pool: Pool, tenant: str) -> int:
    async with tenant_transaction(pool, tenant) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM policy.versions"))


async def test_a_transaction_sees_the_rows_of_its_tenant_and_no_others(pool: Pool, tenant: str) -> None:
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(INSERT, tenant, 1, {})
    assert await count(pool, tenant) == 1
    assert await count(pool, f"{tenant}-other") == 0


async def test_a_row_of_another_tenant_cannot_be_written_nor_moved(pool: Pool, tenant: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant_transaction(pool, tenant) as connection:
            await connection.execute(INSERT, f"{tenant}-other", 1, {})
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(INSERT, tenant, 1, {})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant_transaction(pool, tenant) as connection:
            await connection.execute("UPDATE policy.versions SET tenant = $1", f"{tenant}-other")


async def test_without_a_tenant_there_is_nothing_also_after_another_s_transaction(pool: Pool, tenant: str) -> None:
    assert await pool.fetchval("SELECT count(*) FROM policy.versions") == 0
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(INSERT, tenant, 1, {})
    assert await pool.fetchval("SELECT count(*) FROM policy.versions") == 0, "the pool has one connection"


async def test_a_tenant_s_name_is_a_value_and_never_sql(pool: Pool) -> None:
    assert await count(pool, "x' OR true --") == 0


async def test_a_failed_transaction_leaves_nothing(pool: Pool, tenant: str) -> None:
    async def fail() -> None:
        async with tenant_transaction(pool, tenant) as connection:
            await connection.execute(INSERT, tenant, 1, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(pool, tenant) == 0


async def test_whoever_waits_too_long_for_a_connection_is_told_so_and_nothing_is_lost(
    pool: Pool, tenant: str, client: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ACQUIRE_SECONDS", 0.05)
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(60):
        async with tenant_transaction(pool, tenant) as connection:
            await connection.execute(INSERT, tenant, 1, {})
            with pytest.raises(NoConnectionError):
                await count(pool, tenant)
            with pytest.raises(NoConnectionError):
                await pool.fetchval("SELECT 1")
            answer = await client.get("/me", headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "2")
        monkeypatch.setattr(database, "ACQUIRE_SECONDS", 10)
        assert await count(pool, tenant) == 1
        assert (await client.get("/me", headers=headers)).status_code == 200


async def test_who_calls_is_looked_up_once_for_a_request(
    token: str, pool: Pool, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again inside a transaction it takes no second connection, though what was kept of the token is out of date."""
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0)
    monkeypatch.setattr(database, "ACQUIRE_SECONDS", 1)
    tokens = Tokens(pool)
    request = Request({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]})
    caller = await tokens.caller(request)
    async with tenant_transaction(pool, tenant):
        assert await tokens.caller(request) == caller


async def test_no_query_is_compiled_first(pool: Pool, tenant: str) -> None:
    async with tenant_transaction(pool, tenant) as connection:
        assert await connection.fetchval("SHOW jit") == "off"


async def test_json_goes_in_and_out_as_values(pool: Pool, tenant: str) -> None:
    body = {"ja": "価格", "n": [1, 2.5, None, True]}
    async with tenant_transaction(pool, tenant) as connection:
        await connection.execute(INSERT, tenant, 1, body)
        assert await connection.fetchval("SELECT body FROM policy.versions") == body


async def test_every_table_but_the_tokens_is_closed_without_a_tenant(owner: asyncpg.Connection) -> None:
    """Row-level security is forced on every table of ours, those of later migrations too."""
    rows = await owner.fetch(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('policy', 'auth', 'router', 'handoff', 'ingest', 'scoring')"
        " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    )
    assert [row["name"] for row in rows] == ["auth.tokens"]


# Tokens


@pytest.fixture
def client(pool: Pool) -> httpx.AsyncClient:
    app, tokens = FastAPI(), Tokens(pool)
    problems.install(app)

    @app.get("/me")
    async def me(request: Request) -> dict[str, object]:
        caller = await tokens.caller(request)
        return {"tenant": caller.tenant, "name": caller.name, "roles": caller.roles}

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


@pytest.fixture
async def token(owner: asyncpg.Connection, tenant: str) -> str:
    secret = uuid4().hex
    await owner.execute(
        "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'sato', '{rep,api}')",
        tenant,
        token_hash(secret),
    )
    return secret


async def test_a_token_says_who_calls_and_whose_data_it_is(client: httpx.AsyncClient, token: str, tenant: str) -> None:
    answer = await client.get("/me", headers={"Authorization": f"bearer {token}"})
    assert answer.json() == {"tenant": tenant, "name": "sato", "roles": ["rep", "api"]}


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_token"),
        ("Basic abc", "no_token"),
        ("Bearer", "no_token"),
        ("Bearer never-issued", "unknown_token"),
        ("Bearer \xff", "unknown_token"),
    ],
)
async def test_without_a_known_token_there_is_no_answer(
    client: httpx.AsyncClient, header: str | None, code: str
) -> None:
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = await client.get("/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_token_is_refused_when_its_time_in_the_cache_is_over(
    client: httpx.AsyncClient, token: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(auth, "monotonic", lambda: now)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await client.get("/me", headers=headers)).status_code == 200
    await owner.execute("DELETE FROM auth.tokens WHERE hash = $1", token_hash(token))
    now = CACHE_SECONDS + 1
    assert (await client.get("/me", headers=headers)).status_code == 401


async def test_no_token_stands_in_the_database(token: str, owner: asyncpg.Connection) -> None:
    stored = await owner.fetchval("SELECT hash FROM auth.tokens WHERE hash = $1", token_hash(token))
    assert token.encode() not in stored
