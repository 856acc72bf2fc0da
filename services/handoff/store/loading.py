"""Opportunities with their offers and clocks, as they stand, locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.handoff.domain.clocks import Clock
from services.handoff.domain.opportunity import Offer, Opportunity
from shared.kit.database import Connection

Key = tuple[str, str]  # tenant, opportunity id


async def lock(connection: Connection, tenant: str, opportunity_ids: Sequence[str]) -> dict[str, Opportunity]:
    """The opportunities among `opportunity_ids` that exist, locked until the transaction ends."""
    rows = await connection.fetch(
        "SELECT tenant, opportunity_id, lead_id, cycle, stage, assignment, withdrawn FROM handoff.opportunities"
        " WHERE tenant = $1 AND opportunity_id = ANY($2::uuid[]) ORDER BY opportunity_id FOR UPDATE",
        tenant,
        sorted(set(opportunity_ids)),
    )
    return {key[1]: found for key, found in (await _whole(connection, rows)).items()}


# The limit stands outside of the locking, so that who finds the oldest locked goes on to the next ones.
CLAIM_DUE = """
    SELECT o.tenant, o.opportunity_id, o.lead_id, o.cycle, o.stage, o.assignment, o.withdrawn
    FROM handoff.clocks c JOIN handoff.opportunities o USING (tenant, opportunity_id)
    WHERE c.state = 'running' AND c.due_at <= $1 ORDER BY c.due_at, c.tenant, c.opportunity_id LIMIT $2
    FOR UPDATE OF o SKIP LOCKED
"""


async def claim_due(connection: Connection, now: int, most: int) -> dict[Key, Opportunity]:
    """Opportunities of all tenants that have clocks due, the oldest first, locked; those locked by others are left to them."""
    return await _whole(connection, await connection.fetch(CLAIM_DUE, now, most))


async def _whole(connection: Connection, rows: Sequence[Any]) -> dict[Key, Opportunity]:
    """With offers and clocks. They are read in statements of their own, after the lock: what the statement that waited for the
    lock (or skipped) saw of other tables may be older than the row it got."""
    by_key = {_key(row): row for row in rows}
    if not by_key:
        return {}
    offers: dict[Key, list[Offer]] = {key: [] for key in by_key}
    clocks: dict[Key, list[Clock]] = {key: [] for key in by_key}
    keys = [tenant for tenant, _ in by_key], [opportunity_id for _, opportunity_id in by_key]
    for row in await connection.fetch(_PARTS.format(table="offers", order="assignment"), *keys):
        offers[_key(row)].append(_offer(row))
    for row in await connection.fetch(_PARTS.format(table="clocks", order="assignment, kind"), *keys):
        clocks[_key(row)].append(_clock(row))
    return {
        key: Opportunity(
            row["tenant"],
            key[1],
            row["lead_id"],
            row["cycle"],
            row["stage"],
            row["assignment"],
            row["withdrawn"],
            tuple(offers[key]),
            tuple(clocks[key]),
        )
        for key, row in by_key.items()
    }


_PARTS = (
    "SELECT p.* FROM handoff.{table} p JOIN unnest($1::text[], $2::uuid[]) AS k(tenant, opportunity_id)"
    " USING (tenant, opportunity_id) ORDER BY tenant, opportunity_id, {order}"
)


def _key(row: Any) -> Key:
    return row["tenant"], str(row["opportunity_id"])


def _offer(row: Any) -> Offer:
    return Offer(**{name: row[name] for name in Offer.__slots__})


def _clock(row: Any) -> Clock:
    return Clock(**{name: row[name] for name in Clock.__slots__})
