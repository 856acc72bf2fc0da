"""The rows of a timeline, out of every table that says when something happened.

Each has a name of its own, so that of one moment, too, the order is always the same: the number in front is the order in which
things of one moment follow from each other.
"""

from __future__ import annotations

from typing import Any

from services.handoff.merged import family
from shared.kit.database import Connection
from shared.sight import Sight

_OF = "x.tenant = $1 AND x.opportunity_id = ANY($2::uuid[])"


def _part(kind: str, what: str, order: int, key: str, at: str, who: str, facts: str, table: str, when: str = "") -> str:
    """what, key, at, who: SQL over `x`;  facts: the arguments of jsonb_build_object;  when: which rows say so"""
    name = f"concat_ws('/', '{order}', {what}, x.opportunity_id, {key})"
    return (
        f"SELECT {at} AS at, {name} AS name, '{kind}' AS kind, {what} AS what, x.opportunity_id, {who} AS who,"
        f" jsonb_build_object({facts}) AS facts FROM handoff.{table} x WHERE {_OF}{when and f' AND {when}'}"
    )


_OFFER = "'assignment', x.assignment, 'pool_id', x.pool_id, 'leg', x.leg, 'mode', x.mode"
_CLOCK = "'clock', x.kind, 'assignment', x.assignment, 'due_at', x.due_at"
_DONE_BY = f"{_CLOCK}, 'done_by', x.done_by"
_CLOCK_KEY = "x.kind, x.assignment"
# Of clocks of the deal (assignment 0) the steps tell it; their rows only where that was before steps were kept of them.
_UNTOLD = (
    "(x.assignment <> 0 OR NOT EXISTS (SELECT FROM handoff.clock_steps s WHERE (s.tenant, s.opportunity_id, s.kind, s.clock, s.at)"
    " = (x.tenant, x.opportunity_id, {what}, x.kind, {at})))"
)
_BREACHED, _DONE = (
    _UNTOLD.format(what="'clock-breached'", at="x.ended_at"),
    _UNTOLD.format(what="'clock-met-late'", at="x.done_at"),
)
_TASK = "'task_id', x.task_id, 'task', x.kind, 'due_at', x.due_at"
_PAUSE = "'reason', x.reason, 'assignment', x.assignment, 'until', x.until"
_ENDED = (
    "CASE WHEN (x.state, x.reason) = ('superseded', 'qualified') THEN 'lead-qualified' ELSE 'offer-' || x.state END"
)
_ANSWER = "'question', x.question, 'code', x.code, 'by', x.recorded_by"
_PARTS = (
    _part("offer", "'offer-opened'", 1, "x.assignment", "x.offered_at", "x.rep_id", _OFFER, "offers"),
    _part(
        "activity", "'activity-logged'", 2, "x.activity_id", "x.at", "x.rep_id",
        "'id', x.activity_id, 'type', x.type, 'direction', x.direction, 'duration', x.duration, 'outcome', x.outcome,"
        " 'reason', x.reason, 'received_at', x.logged_at, 'by', x.logged_by", "activities",
    ),
    _part(
        "offer", "'offer-accepted'", 3, "x.assignment", "x.accepted_at", "x.rep_id", _OFFER, "offers", "x.accepted_at IS NOT NULL",
    ),
    _part(
        "clock", "'clock-' || x.state", 4, _CLOCK_KEY, "x.ended_at", "x.rep_id", _DONE_BY, "clocks",
        f"x.state IN ('met', 'breached') AND {_BREACHED}",
    ),
    _part(
        "clock", "'clock-met-late'", 4, _CLOCK_KEY, "x.done_at", "x.rep_id", _DONE_BY, "clocks",
        f"x.done_at IS NOT NULL AND {_DONE}",
    ),
    _part(
        "clock", "x.kind", 4, "x.event_id", "x.at", "x.rep_id",
        "'clock', x.clock, 'assignment', x.assignment, 'due_at', x.due_at, 'share', x.share, 'effect', x.effect", "clock_steps",
    ),
    _part("pause", "'clocks-paused'", 4, "x.assignment, x.number", "x.paused_at", "x.paused_by", _PAUSE, "pauses"),
    _part(
        "pause", "'clocks-resumed'", 4, "x.assignment, x.number", "x.resumed_at", "x.resumed_by", _PAUSE, "pauses",
        "x.resumed_at IS NOT NULL",
    ),
    _part(
        "answer", "'answer-recorded'", 4, "x.answer_id", "x.recorded_at", "x.rep_id", _ANSWER, "answers",
    ),
    _part(
        "answer", "'answer-voided'", 5, "x.answer_id", "x.voided_at", "x.rep_id", _ANSWER, "answers", "x.voided_at IS NOT NULL",
    ),
    _part("task", "'task-created'", 5, "x.task_id", "x.created_at", "x.rep_id", _TASK, "tasks"),
    _part("task", "'task-' || x.state", 5, "x.task_id", "x.ended_at", "x.ended_by", _TASK, "tasks", "x.ended_at IS NOT NULL"),
    _part(
        "person", "'stakeholder-entered'", 5, "x.stakeholder_id", "x.created_at", "NULL",
        "'stakeholder', x.stakeholder_id, 'roles', x.roles", "stakeholders",
    ),
    _part(
        "person", "'stakeholder-moved'", 5, "x.stakeholder_id", "x.moved_at", "NULL",
        "'stakeholder', x.stakeholder_id, 'successor', x.successor", "stakeholders", "x.moved_at IS NOT NULL",
    ),
    _part(
        "approval", "'approval-' || x.state", 5, "lpad(x.version::text, 10, '0')", "x.at", "x.by", "'on', x.\"on\"",
        "approval_history",
    ),
    _part(
        "offer", _ENDED, 6, "x.assignment", "x.ended_at", "x.rep_id",
        f"{_OFFER}, 'reason', x.reason, 'effect', x.effect", "offers", "x.ended_at IS NOT NULL",
    ),
    _part(
        "stage", "'stage-changed'", 7, "lpad(x.number::text, 20, '0')", "x.at", "NULL",
        "'stage', x.stage, 'reason', x.reason, 'assignment', x.assignment", "stage_history",
    ),
    _part("clock", "'clock-started'", 8, _CLOCK_KEY, "x.started_at", "x.rep_id", _CLOCK, "clocks"),
)  # fmt: skip
_DEAL = (  # what was changed together is one row
    "SELECT x.at, concat_ws('/', '6', 'deal-changed', x.opportunity_id, lpad(x.version::text, 10, '0')) AS name, 'deal' AS kind,"
    " CASE WHEN bool_or(x.field = 'handed_over_at') THEN 'deal-handed-over' ELSE 'deal-changed' END AS what,"
    " x.opportunity_id, x.by AS who,"
    " jsonb_build_object('version', x.version, 'fields', jsonb_agg(x.field ORDER BY x.field)) AS facts"
    f" FROM handoff.deal_changes x WHERE {_OF} GROUP BY x.opportunity_id, x.version, x.at, x.by"
)
_PAGE = f"""
    SELECT r.at, r.name, r.kind, r.what, r.opportunity_id::text, r.who, r.facts, o.cycle, o.lead_id
    FROM ({" UNION ALL ".join((*_PARTS, _DEAL))}) r
    JOIN handoff.opportunities o ON (o.tenant, o.opportunity_id) = ($1, r.opportunity_id)
    WHERE ($3::text[] IS NULL OR r.kind = ANY($3))
      AND ($4::bigint IS NULL OR (r.at, r.name COLLATE "C") < ($4, $5 COLLATE "C"))
    ORDER BY r.at DESC, r.name COLLATE "C" DESC LIMIT $6
"""
_OF_LEAD = """
    SELECT o.opportunity_id::text FROM handoff.opportunities o WHERE o.tenant = $1 AND o.lead_id = ANY($2)
      AND ($3 OR EXISTS (SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) = (o.tenant, o.opportunity_id)
           AND (f.rep_id = ANY($4::text[]) OR f.pool_id = ANY($5::text[]))))
"""


async def page(
    connection: Connection,
    tenant: str,
    opportunity_ids: list[str],
    kinds: list[str] | None,
    after: tuple[int, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """What happened to these opportunities, the latest first."""
    rows = await connection.fetch(_PAGE, tenant, opportunity_ids, kinds, *(after or (None, None)), limit)
    return [dict(row) for row in rows]


async def of_lead(connection: Connection, tenant: str, lead_id: str, sight: Sight) -> list[str]:
    """The ids of the opportunities of a lead, of all cycles, and of leads merged into it, that `sight` shows."""
    leads = await family(connection, tenant, lead_id)
    rows = await connection.fetch(_OF_LEAD, tenant, leads, sight.everything, list(sight.reps), list(sight.led))
    return [row["opportunity_id"] for row in rows]
