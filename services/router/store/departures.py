"""Who has left: said once at run time, above every policy, until it is taken back; and the open leads that they still have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.router.store.leads import SELECT, Stored, lead_of
from shared.kit.database import Connection


@dataclass(frozen=True, slots=True)
class Departure:
    """A rep has left. at: when that was said (ms);  said_by: whose token it was"""

    rep_id: str
    at: int
    reason: str | None
    said_by: str


# Of a lead `l`: not merged away, its opportunity neither won nor lost.
IS_OPEN = (
    " l.merged_into IS NULL AND NOT EXISTS"
    " (SELECT FROM router.ended_deals e WHERE e.tenant = l.tenant AND e.lead_id = l.lead_id AND e.cycle = l.cycle)"
)
OPEN = f" FROM router.leads l WHERE l.tenant = $1 AND l.owner_rep = $2 AND{IS_OPEN}"


async def gone(connection: Connection, tenant: str) -> tuple[str, ...]:
    """Who has left, by id."""
    rows = await connection.fetch("SELECT rep_id FROM router.departures WHERE tenant = $1 ORDER BY rep_id", tenant)
    return tuple(row["rep_id"] for row in rows)


async def read(connection: Connection, tenant: str, rep_id: str) -> Departure | None:
    row = await connection.fetchrow(
        "SELECT rep_id, at, reason, said_by FROM router.departures WHERE tenant = $1 AND rep_id = $2", tenant, rep_id
    )
    return Departure(**row) if row else None


async def write(connection: Connection, tenant: str, departure: Departure) -> None:
    """Said again, it stays as it was said first."""
    await connection.execute(
        "INSERT INTO router.departures (tenant, rep_id, at, reason, said_by) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT DO NOTHING",
        tenant,
        departure.rep_id,
        departure.at,
        departure.reason,
        departure.said_by,
    )


async def take_back(connection: Connection, tenant: str, rep_id: str) -> None:
    """The rep is there again: the pools are made anew from the policy, and they start there at nothing."""
    found = await connection.fetchval(
        "DELETE FROM router.departures WHERE tenant = $1 AND rep_id = $2 RETURNING rep_id", tenant, rep_id
    )
    if found:
        # Locked in the order in which whoever decides locks them.
        await connection.execute("SELECT FROM router.pools WHERE tenant = $1 ORDER BY pool_id FOR UPDATE", tenant)
        await connection.execute("UPDATE router.pools SET policy_sequence = 0 WHERE tenant = $1", tenant)


async def count_open(connection: Connection, tenant: str, rep_id: str) -> int:
    """Open leads that the rep has."""
    return int(await connection.fetchval(f"SELECT count(*){OPEN}", tenant, rep_id))


async def count_moved(connection: Connection, tenant: str, rep_id: str) -> int:
    """Leads that others got because the rep left."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM router.assignments WHERE tenant = $1 AND rep_id = $2 AND ended = 'left'",
            tenant,
            rep_id,
        )
    )


async def read_open(connection: Connection, tenant: str, rep_id: str, after: str, most: int) -> list[str]:
    """Open leads of the rep, those whose ids come after `after`, in their order; without a lock."""
    rows = await connection.fetch(
        f"SELECT l.lead_id{OPEN} AND l.lead_id > $3 ORDER BY l.lead_id LIMIT $4", tenant, rep_id, after, most
    )
    return [row["lead_id"] for row in rows]


async def lock_open(connection: Connection, tenant: str, rep_id: str, leads: Sequence[str]) -> dict[str, Stored]:
    """Those of `leads` that are open and still the rep's; locked, those that others are busy with left out."""
    rows = await connection.fetch(
        f"{SELECT} l WHERE l.tenant = $1 AND l.owner_rep = $2 AND{IS_OPEN} AND l.lead_id = ANY($3::text[])"
        " ORDER BY l.lead_id FOR UPDATE SKIP LOCKED",
        tenant,
        rep_id,
        leads,
    )
    return {row["lead_id"]: Stored(lead_of(row), row["score"]) for row in rows}


async def unfinished(connection: Connection) -> list[tuple[str, str]]:
    """Tenants and reps who have left and still have leads; as baton_worker, who cannot see whether any of these is open."""
    rows = await connection.fetch(
        "SELECT tenant, rep_id FROM router.departures d WHERE EXISTS"
        " (SELECT FROM router.leads l WHERE l.tenant = d.tenant AND l.owner_rep = d.rep_id) ORDER BY at"
    )
    return [(row["tenant"], row["rep_id"]) for row in rows]
