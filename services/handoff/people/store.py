"""Stakeholders in Postgres: one row each; one that was removed keeps its number, and nothing of the person."""

from __future__ import annotations

from typing import Any

import orjson

from services.handoff.domain.opportunity import Opportunity
from services.handoff.people.risks import CONTACT
from services.handoff.people.stakeholder import Nemawashi, Stakeholder
from shared.kit import person
from shared.kit.database import Connection
from shared.schemas.person import SealedPerson

_PLAIN = (
    "stakeholder_id", "stance", "influence", "reports_to", "met_on", "moved_at", "left", "successor", "verified_at", "version",
)  # fmt: skip
_COLUMNS = tuple(
    '"left"' if name == "left" else name for name in (*_PLAIN, "roles", "nemawashi", "nemawashi_on", "nemawashi_by")
)


async def of_opportunity(connection: Connection, opportunity: Opportunity) -> list[Stakeholder]:
    """Those that were not removed, in the order in which they were entered."""
    return await find(connection, opportunity.tenant, opportunity.opportunity_id)


async def find(connection: Connection, tenant: str, opportunity_id: str) -> list[Stakeholder]:
    rows = await connection.fetch(
        f"SELECT {', '.join(_COLUMNS)}, person FROM handoff.stakeholders"
        " WHERE (tenant, opportunity_id) = ($1, $2::uuid) AND removed_at IS NULL ORDER BY created_at, stakeholder_id",
        tenant,
        opportunity_id,
    )
    return [_stakeholder(row) for row in rows]


async def removed_version(connection: Connection, opportunity: Opportunity, stakeholder_id: str) -> int:
    """The version that a removed one of this id had last; 0 where there was none."""
    found: int | None = await connection.fetchval(
        "SELECT version FROM handoff.stakeholders WHERE (tenant, opportunity_id, stakeholder_id) = ($1, $2::uuid, $3)",
        opportunity.tenant,
        opportunity.opportunity_id,
        stakeholder_id,
    )
    return found or 0


async def save(connection: Connection, opportunity: Opportunity, one: Stakeholder, by: str, now: int) -> None:
    """A new one, or what became of one. by: whose token said so"""
    values = [*(getattr(one, name) for name in _PLAIN), list(one.roles)]
    values += [one.nemawashi.state, one.nemawashi.on, one.nemawashi.by]
    first = 6
    places = ", ".join(f"${number}" for number in range(first, first + len(values)))
    sealed = person.seal(one.person)
    await connection.execute(
        "INSERT INTO handoff.stakeholders"
        f" (tenant, opportunity_id, created_at, updated_at, updated_by, person, {', '.join(_COLUMNS)})"
        f" VALUES ($1, $2::uuid, $3, $3, $4, $5::text::jsonb, {places})"
        " ON CONFLICT (tenant, opportunity_id, stakeholder_id) DO UPDATE SET removed_at = NULL, person = excluded.person,"
        " updated_at = excluded.updated_at, updated_by = excluded.updated_by,"
        " created_at = CASE WHEN stakeholders.removed_at IS NULL THEN stakeholders.created_at ELSE excluded.created_at END, "
        + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:]),
        opportunity.tenant,
        opportunity.opportunity_id,
        now,
        by,
        orjson.dumps(sealed.model_dump()).decode() if sealed else None,
        *values,
    )


async def remove(connection: Connection, opportunity: Opportunity, one: Stakeholder, by: str, now: int) -> None:
    await connection.execute(
        "UPDATE handoff.stakeholders SET removed_at = $4, updated_at = $4, updated_by = $5, version = $6, person = NULL,"
        " roles = '{}', stance = 'unknown', influence = NULL, reports_to = NULL, met_on = NULL, successor = NULL,"
        " nemawashi = 'untouched', nemawashi_on = NULL, nemawashi_by = NULL"
        " WHERE (tenant, opportunity_id, stakeholder_id) = ($1, $2::uuid, $3)",
        opportunity.tenant,
        opportunity.opportunity_id,
        one.stakeholder_id,
        now,
        by,
        one.version + 1,
    )


async def last_contact(connection: Connection, tenant: str, opportunity_id: str) -> int:
    """When the customer last took part in anything that was logged, or else when the opportunity began (ms)."""
    found: int = await connection.fetchval(
        "SELECT greatest(o.created_at, (SELECT max(a.at) FROM handoff.activities a"
        " WHERE (a.tenant, a.opportunity_id) = (o.tenant, o.opportunity_id) AND a.type = ANY($3::text[])))"
        " FROM handoff.opportunities o WHERE (o.tenant, o.opportunity_id) = ($1, $2::uuid)",
        tenant,
        opportunity_id,
        sorted(CONTACT),
    )
    return found


def _stakeholder(row: Any) -> Stakeholder:
    sealed = row["person"]
    return Stakeholder(
        **{name: row[name] for name in _PLAIN},
        person=person.reveal(SealedPerson.model_validate(sealed)) if sealed else {},
        roles=tuple(row["roles"]),
        nemawashi=Nemawashi(row["nemawashi"], row["nemawashi_on"], row["nemawashi_by"]),
    )
