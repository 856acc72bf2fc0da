"""Database migrations: `upgrade(url)` brings a database to the newest version. One schema per service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from baton.errors import OperatorError

LOCK_SECONDS = 5.0  # that a migration waits for a table, because whoever comes to the table meanwhile waits behind it
LOCK_NOT_AVAILABLE = "55P03"


def upgrade(url: str, revision: str = "head", lock_seconds: float = LOCK_SECONDS) -> None:
    """Run all migrations that `url` has not seen. The login user must be allowed to create roles and schemas.

    Raises OperatorError where a table was in use for so long that it has to be tried again.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = _asyncpg(url)
    config.attributes["lock_seconds"] = lock_seconds
    try:
        command.upgrade(config, revision)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        statement = " ".join((error.statement or "").split())[:200]
        raise OperatorError(
            f"a migration waited {lock_seconds:g} s for a table that a transaction uses ({statement}), and gave up, so that nobody"
            " waits behind it. Migrate again: it goes on where it ended. pg_stat_activity tells of long transactions"
        ) from error


def _asyncpg(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg"))


async def upgrade_async(url: str) -> None:
    """The same from a running event loop."""
    await asyncio.to_thread(upgrade, url)
