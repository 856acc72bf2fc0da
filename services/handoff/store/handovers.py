"""What inside sales handed over with a lead: one row each time it was passed on."""

from __future__ import annotations

import orjson

from services.handoff.domain.opportunity import Opportunity
from services.handoff.domain.rep import Handover
from shared.kit.database import Connection
from shared.kit.person import seal


async def add_handover(
    connection: Connection, opportunity: Opportunity, assignment: int, rep_id: str, handover: Handover, now: int
) -> None:
    await connection.execute(
        "INSERT INTO handoff.handovers (tenant, opportunity_id, assignment, rep_id, at, first_meeting, participants, memo)"
        " VALUES ($1, $2::uuid, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb)",
        opportunity.tenant,
        opportunity.opportunity_id,
        assignment,
        rep_id,
        now,
        handover.first_meeting,
        _sealed("\n".join(handover.participants)),
        _sealed(handover.memo),
    )


def _sealed(text: str | None) -> str | None:
    sealed = seal({"free_text": text})
    return orjson.dumps(sealed.model_dump()).decode() if sealed else None
