"""What a pool gave to whom in a period, from its assignments and their decisions."""

from __future__ import annotations

from fractions import Fraction

from services.router.domain.tally import Given, Tallies
from shared.kit.database import Connection

OF_POOL = " a.tenant = $1 AND a.pool_id = $2 AND a.at >= $3 AND a.at < $4"


async def tallies(connection: Connection, tenant: str, pool_id: str, since: int, until: int) -> Tallies:
    """Of the assignments from `since` to before `until` (ms). A share counts where the lead did: one that was given back is none.

    Shares are added up here and not in SQL, so that they stay exact; there are few of them that differ.
    """
    given = await connection.fetch(
        "SELECT a.rep_id, a.way, count(*) AS given, count(*) FILTER (WHERE a.given_back) AS given_back,"
        " count(*) FILTER (WHERE a.accepted_at IS NOT NULL) AS accepted,"
        " count(*) FILTER (WHERE a.ended = 'declined') AS declined,"
        " count(*) FILTER (WHERE a.ended = 'expired') AS expired"
        f" FROM router.assignments a WHERE {OF_POOL} GROUP BY 1, 2 ORDER BY 1, 2",
        tenant,
        pool_id,
        since,
        until,
    )
    parts = await connection.fetch(
        "SELECT c ->> 'rep_id' AS rep_id, c ->> 'share' AS share, count(*) AS leads"
        " FROM router.assignments a JOIN router.decisions d USING (tenant, decision_id)"
        " CROSS JOIN jsonb_array_elements(d.trace -> 'candidates') AS c"
        f" WHERE {OF_POOL} AND NOT a.given_back AND a.way NOT IN ('sticky', 'dispatched', 'claimed')"
        " AND c ->> 'share' <> '0' GROUP BY 1, 2",
        tenant,
        pool_id,
        since,
        until,
    )
    shares: dict[str, Fraction] = {}
    for row in parts:
        shares[row["rep_id"]] = shares.get(row["rep_id"], Fraction(0)) + Fraction(row["share"]) * row["leads"]
    return Tallies(tuple(Given(**row) for row in given), shares)


async def explored(connection: Connection, tenant: str, pool_id: str, since: int, until: int) -> dict[str, int]:
    """Of the leads below the gate that the pool was given on purpose: how many, and what became of them."""
    row = await connection.fetchrow(
        "SELECT count(*) AS given, count(*) FILTER (WHERE a.accepted_at IS NOT NULL) AS accepted,"
        " count(*) FILTER (WHERE a.ended = 'passed_on') AS passed_on,"
        " count(*) FILTER (WHERE a.ended = 'declined') AS declined"
        f" FROM router.assignments a WHERE {OF_POOL} AND a.explored",
        tenant,
        pool_id,
        since,
        until,
    )
    return dict(row or {})


async def named(connection: Connection, tenant: str, reps: list[str], since: int, until: int) -> dict[str, int]:
    """Leads that accounts gave to `reps` in the period, past every pool."""
    rows = await connection.fetch(
        "SELECT rep_id, count(*) AS leads FROM router.assignments"
        " WHERE tenant = $1 AND rep_id = ANY($2::text[]) AND at >= $3 AND at < $4 AND way = 'named' GROUP BY 1",
        tenant,
        reps,
        since,
        until,
    )
    return {row["rep_id"]: row["leads"] for row in rows}
