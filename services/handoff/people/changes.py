"""The history of people and of the approval in Postgres: one row for each field that a version made other.

What is personal lies sealed; of a person who is forgotten it is emptied, and only that something changed remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from services.handoff.people.history import PERSONAL, State, changes, fold
from services.handoff.pipeline.deal import FieldChange
from services.handoff.pipeline.store import BY, Recorded
from services.handoff.sealing import opened_json, stored_json
from shared.kit.database import Connection


@dataclass(frozen=True, slots=True)
class Of:
    """Whose history. subject: the stakeholder; empty for the approval"""

    tenant: str
    opportunity_id: str
    about: Literal["stakeholder", "approval"]
    subject: str = ""


async def record(connection: Connection, of: Of, before: State, after: State, version: int, by: str, now: int) -> None:
    """What became other with this version, under the lock of the opportunity. What an older program, which keeps no history,
    changed since the last one that is told, is told first, with the version before."""
    told = fold(one.change for one in await find(connection, of))
    missed = [(change, BY) for change in changes(told, before, version - 1)]
    await connection.executemany(
        "INSERT INTO handoff.people_changes"
        " (tenant, opportunity_id, about, subject, version, field, before, after, sealed, at, by)"
        " VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                of.tenant,
                of.opportunity_id,
                of.about,
                of.subject,
                change.version,
                change.field,
                stored_json(change.before, sealed=change.field in PERSONAL),
                stored_json(change.after, sealed=change.field in PERSONAL),
                change.field in PERSONAL,
                now,
                said_by,
            )
            for change, said_by in (*missed, *((change, by) for change in changes(before, after, version)))
        ],
    )


async def forget(connection: Connection, of: Of) -> None:
    """Nothing personal remains of it."""
    await connection.execute(
        "UPDATE handoff.people_changes SET before = NULL, after = NULL"
        " WHERE (tenant, opportunity_id, about, subject) = ($1, $2::uuid, $3, $4) AND sealed",
        of.tenant,
        of.opportunity_id,
        of.about,
        of.subject,
    )


async def find(connection: Connection, of: Of, after: int = 0, versions: int | None = None) -> list[Recorded]:
    """The changes in order, revealed: those after a version, of so many versions."""
    rows = await connection.fetch(
        "SELECT version, field, before, after, sealed, at, by FROM handoff.people_changes"
        " WHERE (tenant, opportunity_id, about, subject) = ($1, $2::uuid, $3, $4) AND version IN ("
        "   SELECT DISTINCT version FROM handoff.people_changes"
        "   WHERE (tenant, opportunity_id, about, subject) = ($1, $2::uuid, $3, $4) AND version > $5"
        "   ORDER BY version LIMIT $6) ORDER BY version, field",
        of.tenant,
        of.opportunity_id,
        of.about,
        of.subject,
        after,
        versions,
    )
    return [
        Recorded(
            FieldChange(row["version"], row["field"], _side(row, "before"), _side(row, "after")), row["at"], row["by"]
        )
        for row in rows
    ]


def _side(row: Any, side: str) -> Any:
    return opened_json(row[side], sealed=row["sealed"])
