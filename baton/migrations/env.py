"""Alembic's environment: an asyncpg connection, an advisory lock so that two migrators do not meet, one transaction, unless a
migration commits on its way to build an index beside those who write."""

from __future__ import annotations

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, text
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


async def _run() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
