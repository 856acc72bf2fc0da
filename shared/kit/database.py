"""Postgres: one pool per role, the tenant set for each transaction, so that row-level security holds for every statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
import orjson
import structlog

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

log = structlog.get_logger(__name__)

# baton_app sees the rows of the tenant it names, and nothing without a tenant; baton_worker serves all tenants, in the few
# tables that say so (outbox relay, due clocks, sweeps). Migrations create both; the login user must be a member of them.
Role = Literal["baton_app", "baton_worker"]

# What the same input causes again and again, however often it is tried; all else (a lost connection, say) is worth another try.
HOPELESS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)


ACQUIRE_SECONDS = 10.0  # that anybody waits for a connection
CLOSING_SECONDS = 5.0


class NoConnectionError(TimeoutError):
    """No connection of the pool came in time: all are in use, or the database does not let us in."""


class _Bounded(asyncpg.Pool):
    """Nobody waits for ever: of those who hold a connection and wait for another one, none would ever move again."""

    async def close(self) -> None:
        """When all connections are given back; those that are not by then, or that a database does not let go, are cut."""
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await super().close()
        except TimeoutError:
            log.warning("not_closed_in_order", what="pool")  # asyncpg has cut them

    # Not the timeout that asyncpg's own takes: until Python 3.12 it waits by `wait_for`, which may swallow a cancellation.
    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:  # type: ignore[override]
        """A connection, also for `fetch` and its like. Raises NoConnectionError."""
        acquiring = super().acquire()
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS):
                connection = await acquiring.__aenter__()
        except TimeoutError:
            raise NoConnectionError(f"no connection to the database within {ACQUIRE_SECONDS:g} s") from None
        try:
            yield connection
        finally:
            await acquiring.__aexit__(None, None, None)


class _OfApp(asyncpg.Connection):
    """Who acts as `baton_app` changes nothing of a session, only of a transaction, and that is undone in any case: to reset the
    session each time would be a sixth of what a short request asks of Postgres."""

    def get_reset_query(self) -> str:
        return ""


async def open_pool(url: str, role: Role, *, application: str, size: int = 8) -> Pool:
    """A pool whose every connection acts as `role`. JSON columns are read and written as Python values. Whoever uses it may get
    NoConnectionError."""
    pool = _Bounded(
        url,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        connection_class=_OfApp if role == "baton_app" else asyncpg.Connection,
        record_class=asyncpg.Record,
        init=_json,
        # Postgres compiles what it takes for long, and guesses so of every walk along a chain: 150 ms for a query of 2 ms.
        server_settings={"role": role, "application_name": application, "timezone": "UTC", "jit": "off"},
        command_timeout=30,
    )
    return await pool


async def _json(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )


@dataclass(frozen=True, slots=True)
class _Whole:
    """The transaction of `one_transaction`; of this task alone, because a connection does one thing at a time."""

    pool: Pool
    tenant: str
    connection: Connection
    task: asyncio.Task[Any] | None


_whole: ContextVar[_Whole | None] = ContextVar("whole", default=None)


@asynccontextmanager
async def tenant_transaction(pool: Pool, tenant: str) -> AsyncIterator[Connection]:
    """A transaction that sees the rows of `tenant` and no others; a part of `one_transaction` where that is under way, and then
    undone with it."""
    whole = _whole.get()
    if whole and (whole.pool, whole.tenant, whole.task) == (pool, tenant, asyncio.current_task()):
        async with whole.connection.transaction():
            yield whole.connection
        return
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('baton.tenant', $1, true)", tenant)
        yield connection


@asynccontextmanager
async def one_transaction(pool: Pool, tenant: str) -> AsyncIterator[Connection]:
    """A transaction of which every `tenant_transaction` of this task is a part until it ends: all of them hold, or none."""
    async with tenant_transaction(pool, tenant) as connection:
        token = _whole.set(_Whole(pool, tenant, connection, asyncio.current_task()))
        try:
            yield connection
        finally:
            _whole.reset(token)
