"""An import into Postgres: one transaction compares and writes; then leads are matched and tried anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from baton.account_book import changes
from baton.account_book.changes import Changes, DealChanges
from baton.account_book.reading import Read
from services.router.store import accounts as account_rows
from shared.kit.clock import Clock, SystemClock
from shared.kit.database import Connection, Pool, open_pool, tenant_transaction

T = TypeVar("T", Changes, DealChanges)


@dataclass(frozen=True, slots=True)
class Written:
    """waiting: leads that wait and will be decided on anew by the router's next sweep"""

    waiting: int = 0


async def import_accounts(
    read: Read, tenant: str, database_url: str, *, dry_run: bool, clock: Clock | None = None
) -> tuple[Changes, Written]:
    """Bring the accounts of a file into the tenant's. A dry run compares and writes nothing."""
    pool = await open_pool(database_url, "baton_app", application="baton-accounts", size=1)
    now = (clock or SystemClock()).now()
    try:
        async with tenant_transaction(pool, tenant) as connection:
            await _alone(connection, tenant)
            found = changes.of_accounts(read, await account_rows.read_all(connection, tenant))
            if not dry_run and found.to_write:
                await account_rows.write(connection, tenant, found.to_write, found.keys, now)
        # Also where nothing differs: an earlier run may have ended before it came to this.
        return found, Written() if dry_run else await _afterwards(pool, tenant)
    finally:
        await pool.close()


async def import_deals(
    read: Read, tenant: str, database_url: str, *, dry_run: bool, clock: Clock | None = None
) -> tuple[DealChanges, Written]:
    """Bring registered deals of a file into the tenant's."""
    pool = await open_pool(database_url, "baton_app", application="baton-accounts", size=1)
    now = (clock or SystemClock()).now()
    try:
        async with tenant_transaction(pool, tenant) as connection:
            await _alone(connection, tenant)
            accounts = await account_rows.read_all(connection, tenant)
            found = changes.of_deals(read, accounts, await account_rows.read_registrations(connection, tenant))
            if not dry_run:
                await account_rows.write_registrations(connection, tenant, found.to_write, now)
        return found, Written() if dry_run else await _afterwards(pool, tenant)
    finally:
        await pool.close()


async def _alone(connection: Connection, tenant: str) -> None:
    """One import at a time per tenant, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('router.accounts'), hashtext($1))", tenant)


async def _afterwards(pool: Pool, tenant: str) -> Written:
    """What is written counts from now on; leads that were decided on before are looked at again, some at a time."""
    after, waiting = await _revisit(pool, tenant, None)
    while after is not None:
        after, more = await _revisit(pool, tenant, after)
        waiting += more
    return Written(waiting)


async def _revisit(pool: Pool, tenant: str, after: str | None) -> tuple[str | None, int]:
    async with tenant_transaction(pool, tenant) as connection:
        return await account_rows.revisit(connection, tenant, after)
