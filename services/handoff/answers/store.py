"""Answers in Postgres: those of a lead, of all its cycles, because what was learnt does not end with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from services.handoff.answers.answer import Recorded
from services.handoff.domain.opportunity import Opportunity
from services.handoff.merged import family
from shared.kit.database import Connection
from shared.schemas.person import SealedPerson

_COLUMNS = tuple(Recorded.__slots__)


async def of_lead(connection: Connection, tenant: str, lead_id: str) -> list[Recorded]:
    """In the order in which they were learnt, with those of leads that were merged into it."""
    rows = await connection.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM handoff.answers WHERE tenant = $1 AND lead_id = ANY($2::text[])"
        " ORDER BY observed_at, recorded_at, answer_id",
        tenant,
        await family(connection, tenant, lead_id),
    )
    return [Recorded(**dict(row)) for row in rows]


async def of_opportunity(connection: Connection, opportunity: Opportunity) -> list[Recorded]:
    rows = await connection.fetch(
        f"SELECT {', '.join(_COLUMNS)} FROM handoff.answers WHERE (tenant, opportunity_id) = ($1, $2::uuid)"
        " ORDER BY observed_at, answer_id",
        opportunity.tenant,
        opportunity.opportunity_id,
    )
    return [Recorded(**dict(row)) for row in rows]


async def notes(connection: Connection, tenant: str, opportunity_id: str) -> dict[str, Any]:
    """By the event that told of the answer, what was noted beside it, sealed."""
    rows = await connection.fetch(
        "SELECT event_id, note FROM handoff.answers WHERE (tenant, opportunity_id) = ($1, $2::uuid)",
        tenant,
        opportunity_id,
    )
    return {row["event_id"]: row["note"] for row in rows}


async def fiscal_month(connection: Connection, tenant: str, lead_id: str) -> int | None:
    """In which the fiscal year of the account ends with which the router matched the lead; None without one."""
    found: int | None = await connection.fetchval(
        "SELECT a.fiscal_month FROM router.account_leads l JOIN router.accounts a USING (tenant, account_id)"
        " WHERE (l.tenant, l.lead_id) = ($1, $2)",
        tenant,
        lead_id,
    )
    return found


async def add(connection: Connection, opportunity: Opportunity, answer: Recorded, note: SealedPerson | None) -> None:
    values = [getattr(answer, name) for name in _COLUMNS]
    places = ", ".join(f"${number}" for number in range(4, 4 + len(values)))
    await connection.execute(
        f"INSERT INTO handoff.answers (tenant, opportunity_id, lead_id, {', '.join(_COLUMNS)}, note)"
        f" VALUES ($1, $2::uuid, $3, {places}, ${4 + len(values)}::text::jsonb)",
        opportunity.tenant,
        opportunity.opportunity_id,
        opportunity.lead_id,
        *values,
        orjson.dumps(note.model_dump()).decode() if note else None,
    )


async def rename(connection: Connection, opportunity: Opportunity, void: Recorded) -> None:
    """A void answer gives way to one that has its id from now on: it goes by the event that told it."""
    await connection.execute(
        "UPDATE handoff.answers SET answer_id = event_id WHERE (tenant, opportunity_id, answer_id) = ($1, $2::uuid, $3)",
        opportunity.tenant,
        opportunity.opportunity_id,
        void.answer_id,
    )


async def save_voided(connection: Connection, opportunity: Opportunity, answers: Sequence[Recorded]) -> None:
    for answer in answers:
        await connection.execute(
            "UPDATE handoff.answers SET voided_at = $4, voided_because = $5"
            " WHERE (tenant, opportunity_id, answer_id) = ($1, $2::uuid, $3) AND voided_at IS NULL",
            opportunity.tenant,
            opportunity.opportunity_id,
            answer.answer_id,
            answer.voided_at,
            answer.voided_because,
        )
