"""Pools: their fair balances, locked in the order of their ids, and the open leads per rep."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import asyncpg

from services.router.domain.fairness import Balance, PoolState
from services.router.domain.flow import Desk
from services.router.domain.playbook import Playbook
from services.router.store import assignments, availability
from shared.kit.database import Connection


async def read_desk(
    connection: Connection,
    tenant: str,
    playbook: Playbook | None,
    now: int,
    leads: Sequence[str],
    left: Sequence[str] = (),
) -> Desk:
    """The desk: all pools of the policy, locked until the transaction ends, the open leads of their members, who of them is not at
    work, what those with a cap were given, and who had `leads` before. left: reps who have left, and are in no pool any more

    All, not one: a rep's leads are counted over all pools, and who holds every pool's lock counts what nobody can change.
    """
    if playbook is None:
        return Desk(read=True, left=tuple(left))
    wanted = sorted(playbook.pools)
    rows = await _lock(connection, tenant, wanted)
    if len(rows) < len(wanted):
        await connection.execute(
            "INSERT INTO router.pools (tenant, pool_id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
            tenant,
            wanted,
        )
        rows = await _lock(connection, tenant, wanted)
    members = await connection.fetch(
        "SELECT pool_id, rep_id, joined, weight, due, received FROM router.pool_members"
        " WHERE tenant = $1 AND pool_id = ANY($2::text[]) ORDER BY pool_id, joined",
        tenant,
        wanted,
    )
    sequence = playbook.refs["teams"].sequence
    pools = {
        row["pool_id"]: PoolState(
            row["pool_id"],
            row["policy_sequence"],
            row["joined"],
            tuple(_balance(member) for member in members if member["pool_id"] == row["pool_id"]),
        )
        .follow(playbook.weights(row["pool_id"]), sequence)
        .without(left)
        for row in rows
    }
    out = playbook.out(await availability.away(connection, tenant, now), now)
    taken = await assignments.taken(connection, tenant, playbook, now)
    sticky = any(pool.strategy == "sticky" for pool in playbook.pools.values())
    had_by = await assignments.accepted_last(connection, tenant, leads) if sticky else {}
    return Desk(
        pools, await read_loads(connection, tenant), read=True, out=out, taken=taken, had_by=had_by, left=tuple(left)
    )


async def _lock(connection: Connection, tenant: str, wanted: Sequence[str]) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT pool_id, policy_sequence, joined FROM router.pools WHERE tenant = $1 AND pool_id = ANY($2::text[])"
        " ORDER BY pool_id FOR UPDATE",
        tenant,
        wanted,
    )
    return rows


def _balance(row: asyncpg.Record) -> Balance:
    return Balance(row["rep_id"], row["joined"], row["weight"], Fraction(row["due"]), row["received"])


async def read_loads(connection: Connection, tenant: str) -> dict[str, int]:
    """Open leads per rep."""
    rows = await connection.fetch(
        "SELECT owner_rep, count(*) AS leads FROM router.leads WHERE tenant = $1 AND owner_rep IS NOT NULL GROUP BY 1",
        tenant,
    )
    return {row["owner_rep"]: row["leads"] for row in rows}


async def read_pools(connection: Connection, tenant: str) -> list[PoolState]:
    """The pools as they stand, without a lock."""
    rows = await connection.fetch(
        "SELECT pool_id, policy_sequence, joined FROM router.pools WHERE tenant = $1 ORDER BY pool_id", tenant
    )
    members = await connection.fetch(
        "SELECT pool_id, rep_id, joined, weight, due, received FROM router.pool_members WHERE tenant = $1 ORDER BY joined",
        tenant,
    )
    return [
        PoolState(
            row["pool_id"],
            row["policy_sequence"],
            row["joined"],
            tuple(_balance(member) for member in members if member["pool_id"] == row["pool_id"]),
        )
        for row in rows
    ]


async def write(connection: Connection, tenant: str, pools: Sequence[PoolState]) -> None:
    """Write `pools`, which are locked: members who left are removed."""
    if not pools:
        return
    members = [(pool.pool_id, balance) for pool in pools for balance in pool.balances]
    await connection.execute(
        "WITH members AS (SELECT * FROM unnest($5::text[], $6::text[], $7::integer[], $8::integer[], $9::text[], $10::bigint[])"
        "  AS n(pool_id, rep_id, joined, weight, due, received)),"
        " followed AS (UPDATE router.pools p SET policy_sequence = n.sequence, joined = n.joined"
        "  FROM unnest($2::text[], $3::bigint[], $4::integer[]) AS n(pool_id, sequence, joined)"
        "  WHERE p.tenant = $1 AND p.pool_id = n.pool_id"
        "  AND (p.policy_sequence, p.joined) IS DISTINCT FROM (n.sequence, n.joined)),"
        " gone AS (DELETE FROM router.pool_members m WHERE m.tenant = $1 AND m.pool_id = ANY($2::text[]) AND NOT EXISTS"
        "  (SELECT FROM members n WHERE n.pool_id = m.pool_id AND n.rep_id = m.rep_id))"
        " INSERT INTO router.pool_members (tenant, pool_id, rep_id, joined, weight, due, received) SELECT $1, * FROM members"
        " ON CONFLICT (tenant, pool_id, rep_id) DO UPDATE SET joined = excluded.joined, weight = excluded.weight,"
        " due = excluded.due, received = excluded.received",
        tenant,
        [pool.pool_id for pool in pools],
        [pool.policy_sequence for pool in pools],
        [pool.joined for pool in pools],
        [pool_id for pool_id, _ in members],
        [balance.rep_id for _, balance in members],
        [balance.joined for _, balance in members],
        [balance.weight for _, balance in members],
        [str(balance.due) for _, balance in members],
        [balance.received for _, balance in members],
    )


async def deviations(connection: Connection) -> dict[tuple[str, str], float]:
    """Of every tenant's pools, the furthest that a member is from its share, in leads; as baton_worker."""
    rows = await connection.fetch("SELECT tenant, pool_id, due FROM router.pool_members")
    furthest: dict[tuple[str, str], float] = {}
    for row in rows:
        pool = (row["tenant"], row["pool_id"])
        furthest[pool] = max(furthest.get(pool, 0.0), abs(float(Fraction(row["due"]))))
    return furthest
