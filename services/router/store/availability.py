"""What reps or their managers have said at run time: who is away, until when, why, and who said so. It stands above the policy."""

from __future__ import annotations

from dataclasses import dataclass

from shared.availability.people import Away
from shared.kit.database import Connection


@dataclass(frozen=True, slots=True)
class Said:
    """A rep's own word, or a manager's: away from when until when (ms; None: until it is taken back).

    said_by: whose token it was;  said_at: when (ms)
    """

    away: Away
    reason: str | None
    said_by: str
    said_at: int


async def away(connection: Connection, tenant: str, now: int) -> dict[str, Away]:
    """Reps who are away at `now` (ms) or will be."""
    rows = await connection.fetch(
        "SELECT rep_id, away_from, away_until FROM router.availability"
        " WHERE tenant = $1 AND (away_until IS NULL OR away_until > $2)",
        tenant,
        now,
    )
    return {row["rep_id"]: Away(row["away_from"], row["away_until"]) for row in rows}


async def read(connection: Connection, tenant: str, rep_id: str) -> Said | None:
    row = await connection.fetchrow(
        "SELECT away_from, away_until, reason, said_by, said_at FROM router.availability WHERE tenant = $1 AND rep_id = $2",
        tenant,
        rep_id,
    )
    if row is None:
        return None
    return Said(Away(row["away_from"], row["away_until"]), row["reason"], row["said_by"], row["said_at"])


async def write(connection: Connection, tenant: str, rep_id: str, said: Said) -> None:
    """In place of what was said before."""
    await connection.execute(
        "INSERT INTO router.availability (tenant, rep_id, away_from, away_until, reason, said_by, said_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, rep_id) DO UPDATE SET away_from = excluded.away_from,"
        " away_until = excluded.away_until, reason = excluded.reason, said_by = excluded.said_by,"
        " said_at = excluded.said_at",
        tenant,
        rep_id,
        said.away.start,
        said.away.until,
        said.reason,
        said.said_by,
        said.said_at,
    )


async def take_back(connection: Connection, tenant: str, rep_id: str) -> None:
    await connection.execute("DELETE FROM router.availability WHERE tenant = $1 AND rep_id = $2", tenant, rep_id)
