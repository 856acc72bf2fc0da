"""Decisions of the router, as far as it tells them: kept for the timeline, and for when a rep was chosen.

A decision by which nobody hears anything, such as that a lead waits, is the router's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from shared.kit.database import Connection
from shared.schemas import ids
from shared.schemas.routing import LeadNurtured, LeadRouted, LeadWithdrawn, Reason

SENTENCE = "sentence"  # the code of the reason that says it all
_ADD = """
    INSERT INTO handoff.decisions
      (tenant, lead_id, at, what, decision_id, cycle, assignment, opportunity_id, rep_id, facts)
    SELECT $1, n.lead_id, n.at, n.what, n.decision_id, n.cycle, n.assignment, n.opportunity_id, n.rep_id, n.facts::jsonb
    FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::bigint[], $8::uuid[], $9::text[],
      $10::text[]) AS n(lead_id, at, what, decision_id, cycle, assignment, opportunity_id, rep_id, facts)
    ORDER BY n.lead_id, n.at, n.what, n.decision_id ON CONFLICT DO NOTHING
"""


async def keep(
    connection: Connection, tenant: str, records: Sequence[LeadRouted | LeadWithdrawn | LeadNurtured]
) -> None:
    """Keep what these say was decided; what is known already stays as it is. To be called once opportunities are locked."""
    rows = [_row(record) for record in records]
    await connection.execute(_ADD, tenant, *[list(column) for column in zip(*rows, strict=True)])


def _row(record: LeadRouted | LeadWithdrawn | LeadNurtured) -> tuple[Any, ...]:
    lead = (record.lead_id, record.decided_at, record.record)
    if isinstance(record, LeadNurtured):
        facts = {
            "scenario": record.scenario,
            "may_email": record.may_email,
            "grade": record.score.grade,
            **_reasons(record.reasons),
        }
        return (*lead, record.decision_id, record.cycle, None, None, None, _json(facts))
    opportunity_id = ids.opportunity_id(record.tenant, record.lead_id, record.cycle)
    if isinstance(record, LeadWithdrawn):
        facts = {"merged_into": record.merged_into, "reason": record.reason.code, **_reasons((record.reason,))}
        # It names none: by the assignment that it ends.
        name = f"withdrawn/{record.assignment}"
        return (*lead, name, record.cycle, record.assignment, opportunity_id, None, _json(facts))
    facts = {
        "pool_id": record.pool_id,
        "leg": record.leg,
        "mode": record.mode,
        "lead_class": record.lead_class,
        "account_id": record.account_id,
        "explored": record.explored or None,
        "grade": record.score.grade,
        **_reasons(record.reasons),
    }
    return (
        *lead,
        record.decision_id,
        record.cycle,
        record.assignment,
        opportunity_id,
        record.rep_id,
        _json(facts),
    )


def _reasons(reasons: Sequence[Reason]) -> dict[str, Any]:
    """Their codes, and in words what the router says of it: its sentence, else all of them."""
    whole = [reason for reason in reasons if reason.code == SENTENCE]
    said = {
        lang: text
        for lang, joint in (("ja", "。"), ("en", "; "))
        if (text := joint.join(reason.text[lang] for reason in whole or reasons if reason.text.get(lang)))
    }
    return {"reasons": [reason.code for reason in reasons if reason.code != SENTENCE], "said": said}


def _json(facts: dict[str, Any]) -> str:
    return orjson.dumps({name: value for name, value in facts.items() if value is not None}).decode()
