"""Assignments: who was given which lead, by which way, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.router.domain.caps import Taken, capped, periods
from services.router.domain.flow import Change
from services.router.domain.playbook import Playbook
from shared.kit.database import Connection

ENDS = {
    "offer-declined": "declined",
    "offer-expired": "expired",
    "routing-refused": "refused",
    "lead-qualified": "passed_on",
}


async def write(connection: Connection, tenant: str, changes: Sequence[Change]) -> None:
    """Append what `changes` assigned, and note what was accepted and what ended."""
    await _append(connection, tenant, [change for change in changes if change.after.owner_rep and change.decision])
    await _accept(connection, tenant, [change for change in changes if _is_accepted(change)])
    await _end(connection, tenant, [end for change in changes for end in ends(change)])


def _is_accepted(change: Change) -> bool:
    """Whether an assignment was accepted, or is in force again because it had been accepted before the next one came."""
    return change.cause.kind == "offer-accepted" or (change.cause.kind == "routing-refused" and change.after.accepted)


@dataclass(frozen=True, slots=True)
class End:
    """How an assignment of a lead ended, when (ms), and whether it does not count as one its rep had."""

    lead_id: str
    assignment: int
    how: str
    at: int
    reason: str | None
    given_back: bool


def ends(change: Change) -> list[End]:
    """The assignments that ended by `change`: the one in force before it, and one that was taken from a rep who had just said
    themselves what becomes of the lead."""
    before, cause = change.before, change.cause
    in_force = _how(change)
    theirs = _said_before(change)
    found = [(before.held_assignment, in_force)] if in_force else []
    found += [(theirs, ENDS[cause.kind])] if theirs else []
    return [
        End(before.lead_id, assignment, how, cause.at, cause.reason, change.given_back or how == "refused")
        for assignment, how in found
    ]


def _said_before(change: Change) -> int | None:
    """The assignment of a rep who qualified or closed the lead just before it went to another; None where nobody did."""
    kinds = ("lead-qualified", "offer-declined")
    if change.cause.kind not in kinds or change.before.owner_rep == change.cause.rep_id:
        return None
    theirs = (held.assignment for held in reversed(change.before.replaced) if held.rep_id == change.cause.rep_id)
    return next(theirs, None)


def _how(change: Change) -> str | None:
    """How the assignment in force ended by `change`; None where it did not."""
    if change.cause.kind == "assigned" and change.before.owner_rep is not None:
        return "reassigned"
    if change.withdrawn and change.before.owner_rep is not None:
        return ENDS.get(change.cause.kind, "withdrawn")  # of a merged lead, its rep may have given it up first
    if change.cause.kind == "left":
        return "left"
    if _said_before(change):
        if change.after.closed:
            return "refused"  # as handoff will say
        moved = change.before.owner_rep is not None and not change.before.accepted and not change.after.merged_into
        return "withdrawn" if moved else None
    return ENDS.get(change.cause.kind)


async def _append(connection: Connection, tenant: str, changes: Sequence[Change]) -> None:
    if not changes:
        return
    made = [(change.after, change.decision) for change in changes if change.decision]
    await connection.execute(
        "INSERT INTO router.assignments (tenant, lead_id, assignment, cycle, decision_id, at, rep_id, pool_id, way,"
        " explored)"
        " SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::bigint[], $7::text[],"
        " $8::text[], $9::text[], $10::boolean[])",
        tenant,
        [lead.lead_id for lead, _ in made],
        [lead.held_assignment for lead, _ in made],
        [lead.cycle for lead, _ in made],
        [decision.inputs.decision_id for _, decision in made],
        [decision.inputs.decided_at for _, decision in made],
        [decision.outcome.rep_id for _, decision in made],
        [decision.outcome.pool_id for _, decision in made],
        [decision.way for _, decision in made],
        [decision.trace.explored for _, decision in made],
    )


async def _accept(connection: Connection, tenant: str, changes: Sequence[Change]) -> None:
    if changes:
        await connection.execute(
            "UPDATE router.assignments a SET accepted_at = n.at, ended = NULL, ended_at = NULL"
            " FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS n(lead_id, assignment, at)"
            " WHERE a.tenant = $1 AND a.lead_id = n.lead_id AND a.assignment = n.assignment",
            tenant,
            [change.after.lead_id for change in changes],
            [change.after.held_assignment for change in changes],
            [change.cause.at for change in changes],
        )


async def _end(connection: Connection, tenant: str, ended: Sequence[End]) -> None:
    if ended:
        await connection.execute(
            "UPDATE router.assignments a SET ended = n.how, ended_at = n.at, reason = n.reason, given_back = n.back"
            " FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::text[], $7::boolean[])"
            " AS n(lead_id, assignment, how, at, reason, back)"
            " WHERE a.tenant = $1 AND a.lead_id = n.lead_id AND a.assignment = n.assignment",
            tenant,
            [end.lead_id for end in ended],
            [end.assignment for end in ended],
            [end.how for end in ended],
            [end.at for end in ended],
            [end.reason for end in ended],
            [end.given_back for end in ended],
        )


async def taken(connection: Connection, tenant: str, playbook: Playbook, now: int) -> dict[str, Taken]:
    """Of every rep with a cap, the leads of their day and week at `now` (ms). Leads that their accounts gave them count as well."""
    reps = [rep for rep in playbook.teams.reps if capped(rep)]
    if not reps:
        return {}
    spans = {zone: periods(zone, now) for zone in {rep.zone for rep in reps}}
    asked = {rep.id: spans[rep.zone] for rep in reps}
    rows = await connection.fetch(
        "SELECT r.rep_id, count(*) FILTER (WHERE a.at >= r.day) AS day, count(*) AS week"
        " FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS r(rep_id, day, week)"
        " JOIN router.assignments a ON a.tenant = $1 AND a.rep_id = r.rep_id AND a.at >= r.week AND NOT a.given_back"
        " GROUP BY 1",
        tenant,
        list(asked),
        [span.day for span in asked.values()],
        [span.week for span in asked.values()],
    )
    counted = {row["rep_id"]: (row["day"], row["week"]) for row in rows}
    return {
        rep.id: Taken(*counted.get(rep.id, (0, 0)), spans[rep.zone].day_ends, spans[rep.zone].week_ends, rep.zone)
        for rep in reps
    }


async def accepted_last(connection: Connection, tenant: str, leads: Sequence[str]) -> dict[str, str]:
    """Of each lead that somebody ever accepted, who did so last."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (lead_id) lead_id, rep_id FROM router.assignments"
        " WHERE tenant = $1 AND lead_id = ANY($2::text[]) AND accepted_at IS NOT NULL ORDER BY lead_id, assignment DESC",
        tenant,
        list(leads),
    )
    return {row["lead_id"]: row["rep_id"] for row in rows}
