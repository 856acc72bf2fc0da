"""Touches in Postgres: written in one statement per batch, looked at one by one only where they may be a human touch."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import orjson

from services.handoff.domain.hearing import Heard
from services.handoff.touches.stream import Told
from shared.kit.database import Connection, Pool
from shared.kit.forgetting import delete_slices

FORGOTTEN_AT_ONCE = 5_000
MERGED_AT_ONCE = 500
Merged = tuple[int, str, str]  # when it became other last (ms), tenant, lead
_ADD = """
    INSERT INTO handoff.touches (tenant, lead_id, at, event_id, received_at, kind, type, facts, pending)
    SELECT $1, n.lead_id, n.at, n.event_id, n.received_at, n.kind, n.type, n.facts::jsonb, n.pending
    FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::boolean[])
      AS n(lead_id, at, event_id, received_at, kind, type, facts, pending)
    ORDER BY n.lead_id, n.at, n.event_id ON CONFLICT DO NOTHING
"""
# From the leads down to what was merged into them, and from each touch of those up to the opportunity that is open: its own lead's
# first, then that of the next one up. UNION leaves out what is there already, so that a circle ends. What was received before the
# opportunity was first anybody's never is of it: it is left out here, for there may be years of it. OFFSET 0 keeps each step a look
# into an index: for many leads the planner would rather read whole tables.
_PENDING = """
    WITH RECURSIVE family(lead_id) AS (
        SELECT unnest($2::text[])
        UNION
        SELECT m.lead_id FROM family f CROSS JOIN LATERAL (
            SELECT l.lead_id FROM router.leads l WHERE (l.tenant, l.merged_into) = ($1, f.lead_id) OFFSET 0
        ) m
    ), waiting AS (
        SELECT w.* FROM family f CROSS JOIN LATERAL (
            SELECT t.* FROM handoff.touches t
            WHERE (t.tenant, t.lead_id) = ($1, f.lead_id) AND t.pending AND t.type = ANY($3::text[]) OFFSET 0
        ) w
    ), up(lead_id, now, steps) AS (
        SELECT DISTINCT lead_id, lead_id, 0 FROM waiting
        UNION
        SELECT u.lead_id, m.merged_into, u.steps + 1 FROM up u CROSS JOIN LATERAL (
            SELECT l.merged_into FROM router.leads l WHERE (l.tenant, l.lead_id) = ($1, u.now) OFFSET 0
        ) m WHERE m.merged_into IS NOT NULL AND u.steps < 20
    ), open AS (
        SELECT u.lead_id, u.steps, o.* FROM up u CROSS JOIN LATERAL (
            SELECT o.opportunity_id, o.cycle, least(
                (SELECT min(f.offered_at) FROM handoff.offers f
                 WHERE (f.tenant, f.opportunity_id) = ($1, o.opportunity_id)),
                (SELECT min(d.at) FROM handoff.decisions d
                 WHERE (d.tenant, d.opportunity_id) = ($1, o.opportunity_id) AND d.what = 'lead-routed')) AS begun
            FROM handoff.opportunities o
            WHERE (o.tenant, o.lead_id) = ($1, u.now) AND o.stage IN ('offered', 'accepted') OFFSET 0
        ) o
    )
    SELECT DISTINCT ON (w.received_at, w.event_id, w.lead_id)
        o.opportunity_id::text, w.lead_id, w.event_id, w.type, w.at, w.received_at, w.facts
    FROM waiting w JOIN open o ON o.lead_id = w.lead_id AND w.received_at >= o.begun
    ORDER BY w.received_at, w.event_id, w.lead_id, o.steps, o.cycle DESC
"""
_MERGED = """
    SELECT updated_at, tenant, lead_id FROM router.leads
    WHERE merged_into IS NOT NULL AND (updated_at, tenant, lead_id) > ($1, $2, $3) ORDER BY updated_at, tenant, lead_id LIMIT $4
"""
_CLAIM = (
    "UPDATE handoff.touches SET pending = false"
    " WHERE (tenant, lead_id, at, event_id) = ($1, $2, $3, $4) AND pending RETURNING 1"
)
# Of each table what is oldest; of decisions only those that are of no opportunity, which is kept as long as that is.
_FORGET = (
    "DELETE FROM handoff.touches WHERE ctid = ANY(ARRAY("
    f"SELECT ctid FROM handoff.touches WHERE received_at < $1 LIMIT {FORGOTTEN_AT_ONCE}))",
    "DELETE FROM handoff.decisions WHERE ctid = ANY(ARRAY("
    f"SELECT ctid FROM handoff.decisions WHERE opportunity_id IS NULL AND at < $1 LIMIT {FORGOTTEN_AT_ONCE}))",
)


async def add(connection: Connection, tenant: str, told: Iterable[Told], counting: Collection[str]) -> None:
    """Keep what is told of leads; what is known already stays as it is. counting: types that may be a human touch"""
    rows = [
        (
            one.lead_id,
            one.at,
            one.event_id,
            one.received_at,
            one.kind,
            one.type,
            orjson.dumps(one.facts).decode(),
            may_be_first(one, counting),
        )
        for one in told
    ]
    await connection.execute(_ADD, tenant, *[list(column) for column in zip(*rows, strict=True)])


def may_be_first(told: Told, counting: Collection[str]) -> bool:
    return told.may_count and told.type in counting


async def pending(
    connection: Connection, tenant: str, leads: Collection[str], counting: Collection[str]
) -> list[tuple[str, Heard]]:
    """What may be a human touch of these leads, or of those merged into them, and is no activity yet, with the open opportunity
    that it may belong to: of the lead, or of what that was merged into. In the order in which it was received. counting: types that
    policy counts"""
    rows = await connection.fetch(_PENDING, tenant, sorted(leads), sorted(counting))
    same = ("lead_id", "event_id", "type", "at", "received_at")
    return [
        (
            row["opportunity_id"],
            Heard(
                **{name: row[name] for name in same},
                source_id=row["facts"]["source_id"],
                rep_id=row["facts"].get("rep_id"),
            ),
        )
        for row in rows
    ]


async def merged(workers: Pool, after: Merged) -> list[Merged]:
    """Leads that are merged into others and became other after that one, a few hundred at a time, in this order."""
    rows = await workers.fetch(_MERGED, *after, MERGED_AT_ONCE)
    return [(row["updated_at"], row["tenant"], row["lead_id"]) for row in rows]


async def claim(connection: Connection, tenant: str, heard: Heard) -> bool:
    """Whether it is still to become an activity: now it is this transaction's to make it one."""
    return bool(await connection.fetchval(_CLAIM, tenant, heard.lead_id, heard.at, heard.event_id))


async def chosen(connection: Connection, tenant: str, opportunity_id: str) -> dict[int, int]:
    """When (ms) the router chose the rep of each assignment of the opportunity, as far as it is kept."""
    rows = await connection.fetch(
        "SELECT assignment, at FROM handoff.decisions WHERE (tenant, opportunity_id) = ($1, $2::uuid)"
        " AND what = 'lead-routed'",
        tenant,
        opportunity_id,
    )
    return {row["assignment"]: row["at"] for row in rows}


async def forget(workers: Pool, before: int) -> None:
    """Delete what was received before this moment (ms), a few thousand at a time. workers: of baton_worker"""
    for statement in _FORGET:
        await delete_slices(workers, statement, before)
