"""What the people of each company do together, by the latest `account-scored`; and which leads wait there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import TypeAdapter

from services.router.domain.account import Breadth
from shared.kit.database import Connection
from shared.schemas.scores import AccountScored

BREADTH: TypeAdapter[Breadth] = TypeAdapter(Breadth)
MOST_WAITING = (
    100  # leads of one company that are decided on anew because of it; the others come by what they do themselves
)


async def expect(connection: Connection, tenant: str, accounts: Collection[str]) -> None:
    """Make an empty row of each account that has none: what is not there cannot be locked."""
    await connection.execute(
        "INSERT INTO router.account_scores (tenant, account, version, breadth)"
        " SELECT $1, unnest($2::text[]), '{}', '{}' ON CONFLICT DO NOTHING",
        tenant,
        sorted(accounts),
    )


async def note(connection: Connection, tenant: str, scored: Sequence[AccountScored]) -> None:
    """Keep the newest of each account. One that is not newer than what is known changes nothing."""
    await connection.executemany(
        "INSERT INTO router.account_scores AS s (tenant, account, version, breadth) VALUES ($1, $2, $3::bigint[], $4)"
        " ON CONFLICT (tenant, account) DO UPDATE SET version = excluded.version, breadth = excluded.breadth"
        " WHERE s.version < excluded.version",
        [
            (tenant, one.account, list(one.version), BREADTH.dump_python(Breadth.of(one)))
            for one in sorted(scored, key=lambda one: (one.account, one.version))
        ],
    )


async def untold(connection: Connection, tenant: str, accounts: Collection[str]) -> dict[str, Breadth]:
    """Those of `accounts` of which leads that wait have not been told yet what is known."""
    rows = await connection.fetch(
        "SELECT account, breadth FROM router.account_scores"
        " WHERE tenant = $1 AND account = ANY($2::text[]) AND told IS DISTINCT FROM breadth ORDER BY account",
        tenant,
        list(accounts),
    )
    return {row["account"]: BREADTH.validate_python(row["breadth"]) for row in rows}


async def waiting(connection: Connection, tenant: str, account: str) -> list[str]:
    """Leads of a company that wait to be ripe, or for somebody who takes them; the best grade first."""
    rows = await connection.fetch(
        "SELECT lead_id FROM router.leads WHERE tenant = $1 AND account = $2"
        " AND (waiting_reason = 'below_gate' OR waiting_reason LIKE 'parked:%') ORDER BY grade, lead_id LIMIT $3",
        tenant,
        account,
        MOST_WAITING,
    )
    return [row["lead_id"] for row in rows]


async def tell(connection: Connection, tenant: str, told: Mapping[str, Breadth]) -> None:
    """Note what leads that wait have been told."""
    await connection.executemany(
        "UPDATE router.account_scores SET told = $3 WHERE tenant = $1 AND account = $2",
        [(tenant, account, BREADTH.dump_python(known)) for account, known in sorted(told.items())],
    )


async def read(connection: Connection, tenant: str, accounts: Collection[str]) -> dict[str, Breadth]:
    """Of these accounts, those that are known; all of them shared until the transaction ends, so that what is decided by them, or
    because nothing is known, is found by whoever hears something newer meanwhile."""
    await expect(connection, tenant, accounts)
    rows = await connection.fetch(
        "SELECT account, version, breadth FROM router.account_scores WHERE tenant = $1 AND account = ANY($2::text[])"
        " ORDER BY account FOR SHARE",
        tenant,
        sorted(accounts),
    )
    return {row["account"]: BREADTH.validate_python(row["breadth"]) for row in rows if row["version"]}
