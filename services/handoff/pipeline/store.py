"""Deals in Postgres. All that is written here is written under the lock of the opportunity's row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.handoff.domain.opportunity import Opportunity
from services.handoff.pipeline.deal import FIELDS, NOTHING, PERSONAL, Deal, FieldChange, changes, recorded
from services.handoff.pipeline.following import followed
from services.handoff.sealing import opened_json, sealed_json, stored_json
from shared.kit.database import Connection
from shared.schemas.policies.pipeline import PipelinePolicy

BY = "handoff"  # who changes what nobody in particular does
PLAIN = tuple(name for name in FIELDS if name not in PERSONAL)
_COLUMNS = ("tenant", "opportunity_id", "version", *PLAIN, "said", "created_at", "updated_at", "updated_by")
_CHANGING = tuple(name for name in _COLUMNS if name not in ("tenant", "opportunity_id", "created_at"))
# JSON has no decimals of its own: an amount travels as text.
SHOWN = "to_jsonb(d) || jsonb_build_object('amount', d.amount::text)"
_FIND = f"SELECT {SHOWN} FROM handoff.deals d WHERE tenant = $1 AND opportunity_id = ANY($2::uuid[])"
_SAVE = (
    f"INSERT INTO handoff.deals AS d ({', '.join(_COLUMNS)})"
    f" SELECT {', '.join(f'r.{name}' for name in _COLUMNS)} FROM jsonb_populate_record(NULL::handoff.deals, $1::jsonb) r"
    " ON CONFLICT (tenant, opportunity_id) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in _CHANGING)} WHERE d.version < excluded.version"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change of one field, by whom and when. note: why, where somebody said so"""

    change: FieldChange
    at: int
    by: str
    note: str | None = None


async def find(connection: Connection, tenant: str, opportunity_ids: Iterable[str]) -> dict[str, Deal]:
    """The deals of these opportunities that have one."""
    rows = await connection.fetch(_FIND, tenant, sorted(opportunity_ids))
    return {row[0]["opportunity_id"]: deal_of(row[0]) for row in rows}


def deal_of(row: dict[str, Any]) -> Deal:
    """The deal in a row as `SHOWN`, revealed."""
    return Deal.model_validate({name: row[name] for name in ("version", *PLAIN)} | _revealed(row["said"]))


async def save(
    connection: Connection,
    opportunity: Opportunity,
    before: Deal | None,
    after: Deal,
    policy: PipelinePolicy | None,
    *,
    by: str,
    now: int,
    note: str | None = None,
) -> None:
    """Store the deal and what changed of it; the opportunity's row has a copy of what lists and events tell. Version 0, with
    which it begins, has no history yet.

    policy: None where nobody needs to know whether it counts: of a deal that has ended;  note: why, as it was said
    """
    told = changes(recorded(before), after)
    if not told:
        return
    row = after.model_dump(mode="json")
    said = sealed_json({name: row.pop(name) for name in PERSONAL})
    await connection.execute(
        _SAVE,
        row
        | {
            "tenant": opportunity.tenant,
            "opportunity_id": opportunity.opportunity_id,
            "said": said,
            "created_at": now,
            "updated_at": now,
            "updated_by": by,
        },
    )
    await connection.executemany(
        "INSERT INTO handoff.deal_changes (tenant, opportunity_id, version, field, before, after, sealed, at, by, note)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            (
                opportunity.tenant,
                opportunity.opportunity_id,
                change.version,
                change.field,
                stored_json(change.before, sealed=change.field in PERSONAL),
                stored_json(change.after, sealed=change.field in PERSONAL),
                change.field in PERSONAL,
                now,
                by,
                sealed_json(note) if note and change.field == "stage" else None,
            )
            for change in told
            if after.version
        ],
    )
    await connection.execute(
        "UPDATE handoff.opportunities SET deal_stage = $3, type = $4, in_pipeline = $5, updated_at = $6"
        " WHERE tenant = $1 AND opportunity_id = $2::uuid",
        opportunity.tenant,
        opportunity.opportunity_id,
        after.stage,
        after.type,
        policy is not None and after.counts(policy),
        now,
    )


async def follow(
    connection: Connection, tenant: str, closed: Sequence[tuple[Opportunity, int | None]], now: int
) -> None:
    """Deals of opportunities that ended as the hand-over does (given back, merged) end with them. With each: when (ms) the lead
    wants to be called again, where it said so."""
    known = await find(connection, tenant, [one.opportunity_id for one, _ in closed])
    for opportunity, until in closed:
        deal = known.get(opportunity.opportunity_id)
        if deal and deal.is_open:
            after = followed(opportunity, deal, now, until).model_copy(update={"version": deal.version + 1})
            await save(connection, opportunity, deal, after, None, by=BY, now=now)


async def history(
    connection: Connection, tenant: str, opportunity_id: str, after: int = 0, versions: int | None = None
) -> list[Recorded]:
    """The changes of the deal in order, revealed: those after a version, of so many versions."""
    rows = await connection.fetch(
        "SELECT version, field, before, after, sealed, at, by, note FROM handoff.deal_changes"
        " WHERE tenant = $1 AND opportunity_id = $2::uuid AND version > $3::bigint"
        " AND ($4::bigint IS NULL OR version <= $3::bigint + $4)"
        " ORDER BY version, field",
        tenant,
        opportunity_id,
        after,
        versions,
    )
    return [
        Recorded(
            FieldChange(row["version"], row["field"], _side(row, "before"), _side(row, "after")),
            row["at"],
            row["by"],
            opened_json(row["note"], sealed=True),
        )
        for row in rows
    ]


def _side(row: Any, side: str) -> Any:
    value = opened_json(row[side], sealed=row["sealed"])
    return NOTHING[row["field"]] if value is None else value


def _revealed(said: Any) -> dict[str, Any]:
    known: dict[str, Any] = opened_json(said, sealed=True) or {}
    return {name: known[name] for name in PERSONAL if known.get(name)}
