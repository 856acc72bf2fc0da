"""Opportunities with their offers and clocks, as they stand, locked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from services.handoff.domain.clocks import Clock
from services.handoff.domain.opportunity import Offer, Opportunity
from services.handoff.domain.terms import Terms
from shared.kit.database import Connection

Key = tuple[str, str]  # tenant, opportunity id


async def lock(connection: Connection, tenant: str, opportunity_ids: Sequence[str]) -> dict[str, Opportunity]:
    """The opportunities among `opportunity_ids` that exist, locked until the transaction ends."""
    rows = await connection.fetch(
        "SELECT tenant, opportunity_id, lead_id, cycle, stage, assignment, withdrawn, deal_stage, type FROM handoff.opportunities"
        " WHERE tenant = $1 AND opportunity_id = ANY($2::uuid[]) ORDER BY opportunity_id FOR UPDATE",
        tenant,
        sorted(set(opportunity_ids)),
    )
    return {key[1]: found for key, found in (await whole(connection, rows)).items()}


# What something is still to happen of: as the index `clocks_acting` has it.
ACTS = "(state = 'running' OR (state = 'breached' AND remind_shares[1] > 100))"
# The limit stands outside of the locking, so that who finds the oldest locked goes on to the next ones.
CLAIM_DUE = f"""
    SELECT o.tenant, o.opportunity_id, o.lead_id, o.cycle, o.stage, o.assignment, o.withdrawn, o.deal_stage, o.type
    FROM handoff.clocks c JOIN handoff.opportunities o USING (tenant, opportunity_id)
    WHERE {ACTS} AND c.next_at <= $1 AND c.opportunity_id <> ALL($3::uuid[]) ORDER BY c.next_at, c.tenant, c.opportunity_id LIMIT $2
    FOR UPDATE OF o SKIP LOCKED
"""


async def claim_due(connection: Connection, now: int, most: int, aside: Sequence[str] = ()) -> dict[Key, Opportunity]:
    """Opportunities of all tenants that have clocks due, or reminders, the oldest first, locked; those locked by others are left to
    them, and those `aside` alone."""
    return await whole(connection, await connection.fetch(CLAIM_DUE, now, most, list(aside)))


async def whole(connection: Connection, rows: Sequence[Any]) -> dict[Key, Opportunity]:
    """With offers and clocks. They are read in statements of their own, after the lock: what the statement that waited for the
    lock (or skipped) saw of other tables may be older than the row it got."""
    by_key = {_key(row): row for row in rows}
    if not by_key:
        return {}
    offers: dict[Key, list[Offer]] = {key: [] for key in by_key}
    clocks: dict[Key, list[Clock]] = {key: [] for key in by_key}
    keys = [tenant for tenant, _ in by_key], [opportunity_id for _, opportunity_id in by_key]
    for row in await connection.fetch(_OFFERS, *keys):
        offers[_key(row)].append(_offer(row))
    for row in await connection.fetch(_CLOCKS, *keys):
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
            row["deal_stage"],
            row["type"],
        )
        for key, row in by_key.items()
    }


_WANTED = "JOIN unnest($1::text[], $2::uuid[]) AS k(tenant, opportunity_id) USING (tenant, opportunity_id)"
_OFFERS = f"SELECT p.* FROM handoff.offers p {_WANTED} ORDER BY tenant, opportunity_id, assignment"
_CLOCKS = (
    f"SELECT p.*, t.terms::text AS terms FROM handoff.clocks p {_WANTED}"
    " LEFT JOIN handoff.terms t ON (t.tenant, t.basis) = (p.tenant, p.basis)"
    " ORDER BY tenant, opportunity_id, assignment, kind"
)
_STORED = tuple(name for name in Clock.__slots__ if name not in ("terms", "reminders"))


def _key(row: Any) -> Key:
    return row["tenant"], str(row["opportunity_id"])


def _offer(row: Any) -> Offer:
    return Offer(**{name: row[name] for name in Offer.__slots__})


def _clock(row: Any) -> Clock:
    return Clock(
        **{name: row[name] for name in _STORED},
        terms=_terms(row["terms"]) if row["terms"] else None,
        reminders=tuple(zip(row["remind_shares"], row["remind_at"], strict=True)),
    )


@lru_cache(maxsize=16_384)
def _terms(text: str) -> Terms:
    return Terms.model_validate_json(text)
