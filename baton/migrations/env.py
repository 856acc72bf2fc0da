"""Alembic's environment: an asyncpg connection, an advisory lock so that two migrators do not meet, one transaction, unless a
migration commits on its way to build an index beside those who write."""

from __future__ import annotations

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

LOCK = 7_212_001
EVERY = 0.2  # seconds between two tries to get it


def _migrate(connection: Connection) -> None:
    # Of the session, which ends with the connection: a migration may commit on its way. Asked for again and again: a statement
    # that waits has a snapshot, and an index that is built concurrently would wait for that.
    while not connection.scalar(text(f"SELECT pg_try_advisory_lock({LOCK})")):
        connection.rollback()
        time.sleep(EVERY)
    connection.rollback()
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


def _wait_no_longer(connection: Connection) -> None:
    """Of each transaction, at its beginning. What is done outside of one waits as long as it takes: an index that is built
    concurrently and a constraint that is validated keep nobody waiting meanwhile."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        milliseconds = round(context.config.attributes["lock_seconds"] * 1000)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")


async def _run() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=NullPool)
    event.listen(engine.sync_engine, "begin", _wait_no_longer)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
