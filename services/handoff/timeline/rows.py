"""The rows of a timeline, out of every table that says when something happened.

Each has a name of its own, so that of one moment, too, the order is always the same: the number in front is the order in which
things of one moment follow from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.handoff.domain.opportunity import OPEN_STAGES
from services.handoff.merged import family
from services.handoff.seeing import shown
from shared.kit.database import Connection
from shared.sight import Sight

_OF = "x.tenant = $1 AND x.opportunity_id = ANY($2::uuid[])"


def _part(kind: str, what: str, order: int, key: str, at: str, who: str, facts: str, table: str, when: str = "") -> str:
    """what, key, at, who: SQL over `x`;  facts: the arguments of jsonb_build_object;  when: which rows say so"""
    name = f"concat_ws('/', '{order}', {what}, x.opportunity_id, {key})"
    return (
        f"SELECT {at} AS at, {name} AS name, '{kind}' AS kind, {what} AS what, x.opportunity_id, {who} AS who,"
        f" jsonb_build_object({facts}) AS facts, NULL::text AS lead_id"
        f" FROM handoff.{table} x WHERE {_OF}{when and f' AND {when}'}"
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
_TASK = (
    "'task_id', x.task_id, 'task', CASE WHEN x.stakeholder_id IS NULL THEN x.kind ELSE 'verify' END, 'due_at', x.due_at,"
    " 'due_on', x.due_on"
)
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
    " jsonb_build_object('version', x.version, 'fields', jsonb_agg(x.field ORDER BY x.field)) AS facts, NULL::text AS lead_id"
    f" FROM handoff.deal_changes x WHERE {_OF} GROUP BY x.opportunity_id, x.version, x.at, x.by"
)
# The same of a person, and of the approval; that one was entered or has moved, and where the approval went on to, is told above.
_PEOPLE = (
    "SELECT x.at, concat_ws('/', '5', x.about || '-changed', x.opportunity_id, x.subject, lpad(x.version::text, 10, '0')) AS name,"
    " CASE x.about WHEN 'approval' THEN 'approval' ELSE 'person' END AS kind,"
    " CASE WHEN bool_or(x.field = 'stance' AND x.after IS NULL) THEN 'stakeholder-removed' ELSE x.about || '-changed' END AS what,"
    " x.opportunity_id, x.by AS who, jsonb_build_object('stakeholder', nullif(x.subject, ''), 'version', x.version,"
    "   'fields', jsonb_agg(x.field ORDER BY x.field)) AS facts, NULL::text AS lead_id"
    f" FROM handoff.people_changes x WHERE {_OF} GROUP BY x.opportunity_id, x.about, x.subject, x.version, x.at, x.by"
    " HAVING NOT bool_or(x.field = 'stance' AND x.before IS NULL OR x.field = 'moved_at' AND x.after IS NOT NULL"
    "   OR x.field = 'state' AND x.before IS NOT NULL)"
)
_TOUCH_NAME = "concat_ws('/', '0', x.kind, x.lead_id, x.event_id)"
# There may be thousands of touches, so each page takes no more of each lead's than it shows, by the key, from the latest on. One
# that became an activity is told as that, and one that is known of two leads of a family once: by subqueries of which the planner
# cannot make joins, for whose sake it would read all touches of the lead.
_TOUCHES = f"""
    SELECT f.* FROM unnest(CASE WHEN $3::text[] IS NULL OR $3 && ARRAY['touch', 'identity'] THEN $7::text[] END) AS one(lead_id)
    CROSS JOIN LATERAL (
      SELECT x.at, {_TOUCH_NAME} AS name, x.kind, CASE x.kind WHEN 'touch' THEN 'touch' ELSE 'identity-linked' END AS what,
        NULL::uuid AS opportunity_id, x.facts->>'rep_id' AS who,
        x.facts || jsonb_build_object('id', x.event_id, 'type', x.type, 'received_at', x.received_at) AS facts, x.lead_id
      FROM handoff.touches x
      WHERE x.tenant = $1 AND x.lead_id = one.lead_id
        AND x.at <= least($4::bigint, $8::bigint, 9223372036854775807)
        AND ($3::text[] IS NULL OR x.kind = ANY($3))
        AND ($4::bigint IS NULL OR (x.at, {_TOUCH_NAME} COLLATE "C") < ($4, $5 COLLATE "C"))
        AND x.event_id <> ALL(ARRAY(SELECT a.activity_id FROM handoff.activities a
          WHERE a.tenant = $1 AND a.opportunity_id = ANY($2::uuid[])))
        AND coalesce((SELECT false FROM handoff.touches t WHERE t.tenant = $1 AND t.lead_id = ANY($7)
          AND t.lead_id < x.lead_id AND (t.at, t.event_id) = (x.at, x.event_id) LIMIT 1), true)
      ORDER BY x.at DESC, {_TOUCH_NAME} COLLATE "C" DESC LIMIT $6
    ) f
"""
_DECISIONS = """
    SELECT x.at, concat_ws('/', '01', 'decision', x.what, x.lead_id, x.decision_id) AS name, 'decision' AS kind, x.what,
      x.opportunity_id, x.rep_id AS who,
      x.facts || jsonb_build_object('id', x.decision_id, 'cycle', x.cycle, 'assignment', x.assignment) AS facts, x.lead_id
    FROM handoff.decisions x
    WHERE x.tenant = $1 AND (x.opportunity_id = ANY($2::uuid[])
      OR x.opportunity_id IS NULL AND x.lead_id = ANY($7::text[]) AND x.at <= least($8::bigint, 9223372036854775807))
"""
_PAGE = f"""
    SELECT r.at, r.name, r.kind, r.what, r.opportunity_id::text, r.who, r.facts,
      coalesce(o.cycle, (r.facts->>'cycle')::integer) AS cycle, coalesce(r.lead_id, o.lead_id) AS lead_id
    FROM ({" UNION ALL ".join((*_PARTS, _DEAL, _PEOPLE, _TOUCHES, _DECISIONS))}) r
    LEFT JOIN handoff.opportunities o ON (o.tenant, o.opportunity_id) = ($1, r.opportunity_id)
    WHERE ($3::text[] IS NULL OR r.kind = ANY($3))
      AND ($4::bigint IS NULL OR (r.at, r.name COLLATE "C") < ($4, $5 COLLATE "C"))
    ORDER BY r.at DESC, r.name COLLATE "C" DESC LIMIT $6
"""
_OF_LEAD = f"""
    SELECT o.opportunity_id::text, o.lead_id, o.stage,
      (SELECT max(h.at) FROM handoff.stage_history h
       WHERE (h.tenant, h.opportunity_id) = (o.tenant, o.opportunity_id)) AS moved_at
    FROM handoff.opportunities o WHERE o.tenant = $1 AND o.lead_id = ANY($2)
      AND {shown("o", "$3", "$4", "$5")}
"""
_HEARD_OF = """
    SELECT EXISTS (SELECT FROM unnest($2::text[]) AS one(lead_id) CROSS JOIN LATERAL (
            SELECT FROM handoff.touches t WHERE (t.tenant, t.lead_id) = ($1, one.lead_id) OFFSET 0) t)
        OR EXISTS (SELECT FROM handoff.decisions WHERE tenant = $1 AND lead_id = ANY($2))
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Of what a timeline is: of these opportunities, and of the touches of these leads, and what was decided of them beside.

    until: when (ms) the last of the opportunities ended, where what comes later is not theirs any more
    """

    opportunity_ids: tuple[str, ...]
    leads: tuple[str, ...]
    until: int | None = None


async def page(
    connection: Connection,
    tenant: str,
    scope: Scope,
    kinds: list[str] | None,
    after: tuple[int, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """What happened there, the latest first."""
    of = (list(scope.leads), scope.until)
    before = after or (None, None)
    rows = await connection.fetch(_PAGE, tenant, list(scope.opportunity_ids), kinds, *before, limit, *of)
    return [dict(row) for row in rows]


async def of_opportunity(connection: Connection, tenant: str, row: dict[str, Any]) -> Scope:
    """Of one opportunity, and of its lead until it ended, with leads merged into it. row: as `Reads.find` has it"""
    leads = await family(connection, tenant, row["lead_id"])
    moved_at = max((one["at"] for one in row["history"]), default=None)
    return Scope((row["id"],), tuple(leads), _ended(row["stage"], moved_at))


async def of_lead(connection: Connection, tenant: str, lead_id: str, sight: Sight) -> Scope | None:
    """Of a lead, in all cycles, and of leads merged into it, as far as `sight` shows; None where that is nothing.

    Who does not see everything sees the touches of a lead by an opportunity of it, until the last one that they see has ended.
    """
    leads = await family(connection, tenant, lead_id)
    rows = await connection.fetch(_OF_LEAD, tenant, leads, sight.everything, list(sight.reps), list(sight.led))
    opportunities = tuple(row["opportunity_id"] for row in rows)
    if sight.everything:
        known = bool(rows) or await connection.fetchval(_HEARD_OF, tenant, leads)
        return Scope(opportunities, tuple(leads)) if known else None
    if not rows:
        return None
    theirs: set[str] = set()
    for lead in {row["lead_id"] for row in rows}:
        theirs.update(await family(connection, tenant, lead))
    ends = [_ended(row["stage"], row["moved_at"]) for row in rows]
    return Scope(opportunities, tuple(sorted(theirs)), _last(ends))


def _ended(stage: str, moved_at: int | None) -> int | None:
    """When an opportunity in this stage ended; a customer stays with whoever won them."""
    return None if stage in OPEN_STAGES or stage == "won" else moved_at


def _last(ends: Sequence[int | None]) -> int | None:
    return None if None in ends else max(end for end in ends if end is not None)
