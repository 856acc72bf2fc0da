"""Database migrations: `upgrade(url)` brings a database to the newest version. One schema per service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config


def upgrade(url: str, revision: str = "head") -> None:
    """Run all migrations that `url` has not seen. The login user must be allowed to create roles and schemas."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = _asyncpg(url)
    command.upgrade(config, revision)


def _asyncpg(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg"))


async def upgrade_async(url: str) -> None:
    """The same from a running event loop."""
    await asyncio.to_thread(upgrade, url)
