"""Leads: locked, read, written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from services.router.domain.lead import CLOSED, Held, Lead
from shared.kit.database import Connection
from shared.schemas.scores import LeadScored


@dataclass(frozen=True, slots=True)
class Stored:
    """A lead's row: where it stands, and its latest score as it came (JSON), if it has one."""

    lead: Lead
    score: str | None

    def scored(self) -> LeadScored | None:
        return LeadScored.model_validate_json(self.score) if self.score else None


# Column, its type, and its value; `tenant`, `lead_id` and `score` stand apart.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("version", "jsonb"),
    ("digest", "text"),
    ("grade", "text"),
    ("stage", "text"),
    ("disposition", "text"),
    ("cycle", "integer"),
    ("closed_at", "bigint"),
    ("floor_grade", "text"),
    ("leg", "text"),
    ("returned_to_is", "boolean"),
    ("verdict", "text"),
    ("lead_class", "text"),
    ("qualifying_at", "bigint"),
    ("owner_rep", "text"),
    ("pool_id", "text"),
    ("accepted", "boolean"),
    ("provisional", "boolean"),
    ("assignment", "integer"),
    ("held_assignment", "integer"),
    ("sharing", "jsonb"),
    ("replaced", "jsonb"),
    ("excluded", "jsonb"),
    ("waiting_reason", "text"),
    ("waiting_since", "bigint"),
    ("waiting_for", "jsonb"),
    ("waiting_until", "bigint"),
    ("next_change", "bigint"),
    ("decided_under", "bigint"),
    ("tried_at", "bigint"),
    ("decisions", "integer"),
    ("decision_id", "text"),
    ("changes", "integer"),
    ("merged_into", "text"),
    ("account", "text"),
    ("scenario", "text"),
    ("may_email", "boolean"),
    ("passed_on", "boolean"),
    ("explored_at", "bigint"),
)
# What is noted of a lead that was tried in vain: nobody who asks which leads have changed is to be told of it over and over.
NOTES = ("decided_under", "tried_at", "next_change")
TELLING = [(name, kind) for name, kind in COLUMNS if name not in NOTES]
_SENT = {"jsonb": "text"}
NAMES = ", ".join(name for name, _ in COLUMNS)
SELECT = f"SELECT lead_id, {NAMES}, score::text AS score FROM router.leads"


def lead_of(row: asyncpg.Record) -> Lead:
    values: dict[str, Any] = {name: row[name] for name, _ in COLUMNS}
    values["version"] = tuple(values["version"]) if values["version"] else None
    values["replaced"] = tuple(
        Held(**held | {"sharing": tuple(held.get("sharing", ()))}) for held in values["replaced"] or ()
    )
    values["sharing"] = tuple(values["sharing"])
    values["excluded"] = tuple(values["excluded"])
    values["waiting_for"] = tuple(values["waiting_for"])
    return Lead(lead_id=row["lead_id"], **values)


def _value(lead: Lead, name: str) -> Any:
    """A column's value; JSON as text, because a list within an array would be taken for a dimension of it."""
    value = getattr(lead, name)
    if isinstance(value, tuple):
        value = [*value]
    return orjson.dumps(value).decode() if isinstance(value, list) else value


async def lock(
    connection: Connection, tenant: str, wanted: Collection[str], create: Collection[str]
) -> dict[str, Stored]:
    """The rows of `wanted`, locked in the order of their ids; those of `create` are made first where they are absent."""
    if create:
        await connection.execute(
            "INSERT INTO router.leads (tenant, lead_id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
            tenant,
            sorted(create),
        )
    rows = await connection.fetch(
        f"{SELECT} WHERE tenant = $1 AND lead_id = ANY($2::text[]) ORDER BY lead_id FOR UPDATE", tenant, sorted(wanted)
    )
    return {row["lead_id"]: Stored(lead_of(row), row["score"]) for row in rows}


async def qualified(connection: Connection, tenant: str, leads: Collection[str]) -> set[str]:
    """Those of `leads` that inside sales has qualified in their cycle, and that are not merged yet."""
    rows = await connection.fetch(
        "SELECT lead_id FROM router.leads WHERE tenant = $1 AND lead_id = ANY($2::text[]) AND passed_on AND merged_into IS NULL",
        tenant,
        sorted(leads),
    )
    return {row["lead_id"] for row in rows}


async def heirs(
    connection: Connection, tenant: str, leads: Collection[str], merges: Mapping[str, str]
) -> dict[str, str]:
    """Those of `leads` that are merged, and the lead that is left of each, along the whole chain. merges: what newer scores say of
    some leads, who is merged into whom"""
    into, unknown = dict(merges), {*leads, *merges.values()} - merges.keys()
    asked = set(merges)
    while unknown:
        asked |= unknown
        rows = await connection.fetch(
            "SELECT lead_id, merged_into FROM router.leads WHERE tenant = $1 AND lead_id = ANY($2::text[])"
            " AND merged_into IS NOT NULL",
            tenant,
            sorted(unknown),
        )
        into |= {row["lead_id"]: row["merged_into"] for row in rows}
        unknown = {row["merged_into"] for row in rows} - asked
    found = {}
    for lead_id in sorted(leads):  # so that every process decides in the same order
        last, met = lead_id, {lead_id}
        while last in into and into[last] not in met:  # a circle ends
            last = into[last]
            met.add(last)
        if last != lead_id:
            found[lead_id] = last
    return found


async def write(
    connection: Connection, tenant: str, leads: Sequence[Lead], scores: Mapping[str, LeadScored], now: int
) -> None:
    """Write the rows of `leads`, which are locked; `scores` are the new scores of some of them, by lead id."""
    if not leads:
        return
    columns = [[_value(lead, name) for lead in leads] for name, _ in COLUMNS]
    arrays = ", ".join(f"${n}::{_SENT.get(kind, kind)}[]" for n, (_, kind) in enumerate(COLUMNS, start=5))
    fresh = [scores.get(lead.lead_id) for lead in leads]
    await connection.execute(
        "UPDATE router.leads l SET score = coalesce(n.score::jsonb, l.score), updated_at = CASE WHEN n.score IS NOT NULL"
        f" OR ({', '.join(f'l.{name}' for name, _ in TELLING)}) IS DISTINCT FROM"
        f" ({', '.join(f'n.{name}::{kind}' for name, kind in TELLING)}) THEN $2 ELSE l.updated_at END,"
        f" {', '.join(f'{name} = n.{name}::{kind}' for name, kind in COLUMNS)}"
        f" FROM unnest($3::text[], $4::text[], {arrays}) AS n(lead_id, score, {NAMES})"
        " WHERE l.tenant = $1 AND l.lead_id = n.lead_id",
        tenant,
        now,
        [lead.lead_id for lead in leads],
        [score.model_dump_json(exclude_none=True) if score else None for score in fresh],
        *columns,
    )
    if scores:
        await _write_identities(connection, tenant, scores)


async def _write_identities(connection: Connection, tenant: str, scores: Mapping[str, LeadScored]) -> None:
    """Which identities are whose, by the latest scores."""
    owned = [(lead_id, identity.identity_id) for lead_id, score in scores.items() for identity in score.identities]
    leads, identities = [lead_id for lead_id, _ in owned], [identity for _, identity in owned]
    await connection.execute(
        "WITH n AS (SELECT * FROM unnest($3::text[], $4::text[]) AS n(lead_id, identity_id)),"
        " gone AS (DELETE FROM router.lead_identities i WHERE i.tenant = $1 AND i.lead_id = ANY($2::text[]) AND NOT EXISTS"
        "  (SELECT FROM n WHERE n.lead_id = i.lead_id AND n.identity_id = i.identity_id))"
        " INSERT INTO router.lead_identities (tenant, lead_id, identity_id) SELECT $1, * FROM n ON CONFLICT DO NOTHING",
        tenant,
        list(scores),
        leads,
        identities,
    )


# What no trigger freed is tried again when it has waited twice as long, in case a trigger was missed; ms at least and at most.
RETRY_AFTER, RETRY_WITHIN = 300_000, 3_600_000


async def lock_parked(
    connection: Connection, tenant: str, *, sequence: int, free: Sequence[str], now: int, after: Lead | None, most: int
) -> dict[str, Stored]:
    """Parked leads that something may have freed, the best grade and then the longest wait first; locked, those that others are
    busy with left out.

    sequence: of the policies in force;  free: reps at work who have capacity
    after:    the last one that was tried: those before it are not looked at again, or many would be over and over
    """
    rows = await connection.fetch(
        f"{SELECT} WHERE tenant = $1 AND waiting_reason LIKE 'parked:%'"
        " AND (decided_under < $2 OR waiting_for ?| $3::text[] OR waiting_until <= $4 OR next_change <= $4"
        "      OR tried_at < $4 - least(greatest(tried_at - waiting_since, $5), $6))"
        f"{' AND (grade, waiting_since, lead_id) > ($8, $9, $10)' if after else ''}"
        " ORDER BY grade, waiting_since, lead_id LIMIT $7 FOR UPDATE SKIP LOCKED",
        tenant,
        sequence,
        list(free),
        now,
        RETRY_AFTER,
        RETRY_WITHIN,
        most,
        *((after.grade, after.waiting_since, after.lead_id) if after else ()),
    )
    return {row["lead_id"]: Stored(lead_of(row), row["score"]) for row in rows}


async def lock_below_gate(connection: Connection, tenant: str, *, sequence: int, most: int) -> dict[str, Stored]:
    """Leads that an older qualification policy than `sequence` kept below its gate, locked."""
    rows = await connection.fetch(
        f"{SELECT} WHERE tenant = $1 AND waiting_reason = 'below_gate' AND decided_under < $2"
        " ORDER BY decided_under LIMIT $3 FOR UPDATE SKIP LOCKED",
        tenant,
        sequence,
        most,
    )
    return {row["lead_id"]: Stored(lead_of(row), row["score"]) for row in rows}


async def lock_cooled(connection: Connection, tenant: str, *, now: int, most: int) -> dict[str, Stored]:
    """Leads whose cycle has ended and whose cool-off has, too, the longest overdue first; locked, those that others are busy with
    left out."""
    rows = await connection.fetch(
        f"{SELECT} WHERE tenant = $1 AND waiting_until <= $2 AND waiting_reason = ANY($3::text[])"
        " ORDER BY waiting_until, lead_id LIMIT $4 FOR UPDATE SKIP LOCKED",
        tenant,
        now,
        CLOSED,
        most,
    )
    return {row["lead_id"]: Stored(lead_of(row), row["score"]) for row in rows}


async def read(connection: Connection, tenant: str, lead_id: str) -> Stored | None:
    """A lead as it stands, without a lock."""
    row = await connection.fetchrow(f"{SELECT} WHERE tenant = $1 AND lead_id = $2", tenant, lead_id)
    return Stored(lead_of(row), row["score"]) if row else None


async def find_by_identity(connection: Connection, tenant: str, identity: str) -> str | None:
    """The lead that an identity belongs to: while two say so, one that lives on before one that was merged away."""
    found: str | None = await connection.fetchval(
        "SELECT i.lead_id FROM router.lead_identities i JOIN router.leads l USING (tenant, lead_id)"
        " WHERE i.tenant = $1 AND i.identity_id = $2 ORDER BY l.merged_into IS NOT NULL, l.updated_at DESC, l.lead_id",
        tenant,
        identity,
    )
    return found


# Nobody is late with a lead that waits until somebody is at work, unless that takes longer than any holidays (ms).
HOLIDAYS = 7 * 86_400_000


async def tenants_with_parked(connection: Connection) -> set[str]:
    """Tenants of whom any lead is parked; as baton_worker. One look into the index for each, however many leads."""
    rows = await connection.fetch(
        "WITH RECURSIVE found AS (SELECT min(tenant) AS tenant FROM router.leads WHERE waiting_reason LIKE 'parked:%'"
        " UNION ALL SELECT (SELECT min(tenant) FROM router.leads l WHERE l.waiting_reason LIKE 'parked:%'"
        "  AND l.tenant > found.tenant) FROM found WHERE found.tenant IS NOT NULL)"
        " SELECT tenant FROM found WHERE tenant IS NOT NULL"
    )
    return {row["tenant"] for row in rows}


async def count_parked(connection: Connection, now: int) -> list[asyncpg.Record]:
    """Parked leads of all tenants by tenant and reason, and since when (ms) the oldest of them waits, apart from those that wait
    for working hours, to be enriched, or in a queue within its time only; as baton_worker."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT tenant, waiting_reason, count(*) AS leads, min(waiting_since) FILTER"
        " (WHERE waiting_reason NOT IN ('parked:not_at_work', 'parked:enriching', 'parked:dispatch', 'parked:claim')"
        "  OR waiting_until IS NULL"
        "  OR waiting_until NOT BETWEEN $1 AND $1 + $2)"
        " AS since FROM router.leads WHERE waiting_reason LIKE 'parked:%' GROUP BY 1, 2",
        now,
        HOLIDAYS,
    )
    return rows


async def cooled(connection: Connection, now: int) -> set[str]:
    """Tenants that have leads whose cool-off has ended; as baton_worker."""
    rows = await connection.fetch(
        "SELECT DISTINCT tenant FROM router.leads WHERE waiting_until <= $1 AND waiting_reason = ANY($2::text[])",
        now,
        CLOSED,
    )
    return {row["tenant"] for row in rows}


async def next_opening(connection: Connection) -> int | None:
    """When the first of all leads that wait is to be tried because something changes by the clock (ms); as baton_worker."""
    found: int | None = await connection.fetchval(
        "SELECT least((SELECT min(waiting_until) FROM router.leads WHERE waiting_until IS NOT NULL),"
        " (SELECT min(next_change) FROM router.leads WHERE next_change IS NOT NULL))"
    )
    return found
