"""The trail: decisions with their inputs and traces, and the history of stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
from pydantic import TypeAdapter

from services.router.domain.decision import Decision, Inputs, Outcome, Trace
from services.router.domain.flow import Change
from services.router.domain.lead import Cause
from services.router.domain.playbook import FOLLOWED, Playbook
from services.router.store import assignments
from shared.kit.database import Connection
from shared.schemas.policies import LifecyclePolicy, QualificationPolicy, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.scores import PolicyRef

INPUTS: TypeAdapter[Inputs] = TypeAdapter(Inputs)
TRACE: TypeAdapter[Trace] = TypeAdapter(Trace)
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
CAUSE: TypeAdapter[Cause] = TypeAdapter(Cause)


def _json(adapter: TypeAdapter[Any], value: object) -> str:
    """JSON in one step: by way of Python values it would take twice as long. With its nulls: it is read back as it was made."""
    return adapter.dump_json(value).decode()


async def write(connection: Connection, tenant: str, changes: Sequence[Change], playbook: Playbook | None) -> None:
    """Append `changes` to the history, their decisions, and what was assigned by them."""
    if not changes:
        return
    refs = {kind: ref.model_dump() for kind, ref in playbook.refs.items()} if playbook else {}
    await connection.execute(
        "INSERT INTO router.stage_history (tenant, lead_id, seq, cycle, at, cause, from_stage, stage,"
        " from_disposition, disposition, owner_rep, waiting_reason, decision_id, policies) SELECT $1, n.lead_id, n.seq,"
        " n.cycle, n.at, n.cause::jsonb, n.from_stage, n.stage, n.from_disposition, n.disposition, n.owner_rep,"
        " n.waiting_reason, n.decision_id, $14"
        " FROM unnest($2::text[], $3::integer[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::text[],"
        " $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]) AS n(lead_id, seq, cycle, at, cause, from_stage,"
        " stage, from_disposition, disposition, owner_rep, waiting_reason, decision_id)",
        tenant,
        [change.after.lead_id for change in changes],
        [change.after.changes for change in changes],
        [change.after.cycle for change in changes],
        [change.cause.at for change in changes],
        [_json(CAUSE, change.cause) for change in changes],
        [change.before.stage for change in changes],
        [change.after.stage for change in changes],
        [change.before.disposition for change in changes],
        [change.after.disposition for change in changes],
        [change.after.owner_rep for change in changes],
        [change.after.waiting_reason for change in changes],
        [change.after.decision_id for change in changes],
        refs,
    )
    made = [change.decision for change in changes if change.decision]
    await connection.execute(
        "INSERT INTO router.decisions (tenant, decision_id, lead_id, seq, cycle, cause, inputs, trace, outcome, policies, at)"
        " SELECT $1, n.decision_id, n.lead_id, n.seq, n.cycle, n.cause::jsonb, n.inputs::jsonb,"
        " n.trace::jsonb, n.outcome::jsonb, $2, n.at"
        " FROM unnest($3::text[], $4::text[], $5::integer[], $6::integer[], $7::text[], $8::text[], $9::text[],"
        " $10::text[], $11::bigint[])"
        " AS n(decision_id, lead_id, seq, cycle, cause, inputs, trace, outcome, at)",
        tenant,
        refs,
        [decision.inputs.decision_id for decision in made],
        [decision.inputs.lead_id for decision in made],
        [decision.inputs.seq for decision in made],
        [decision.inputs.cycle for decision in made],
        [_json(CAUSE, decision.inputs.cause) for decision in made],
        [_json(INPUTS, decision.inputs) for decision in made],
        [_json(TRACE, decision.trace) for decision in made],
        [_json(OUTCOME, decision.outcome) for decision in made],
        [decision.inputs.decided_at for decision in made],
    )
    await assignments.write(connection, tenant, changes)


def decision_of(row: asyncpg.Record) -> Decision:
    """A stored decision, as it was made."""
    return Decision(
        INPUTS.validate_python(row["inputs"]),
        TRACE.validate_python(row["trace"]),
        OUTCOME.validate_python(row["outcome"]),
    )


async def playbook_of(connection: Connection, tenant: str, refs: dict[str, Any]) -> Playbook | None:
    """The policies that a stored decision followed; None for one that was made without. Raises LookupError where a version
    is not stored any more."""
    if not refs:
        return None
    bodies: dict[str, Any] = {}
    named = [kind for kind in FOLLOWED if kind in refs]
    for kind in named:
        ref = refs[kind]
        body = await connection.fetchval(
            "SELECT body FROM policy.versions WHERE tenant = $1 AND sequence = $2 AND kind = $3 AND hash = $4",
            tenant,
            ref["sequence"],
            kind,
            ref["hash"],
        )
        if body is None:
            raise LookupError(f"version {ref['sequence']} of the {kind} policy is not stored")
        bodies[kind] = body
    return Playbook.of(
        QualificationPolicy.model_validate(bodies["qualification"]),
        RoutingPolicy.model_validate(bodies["routing"]),
        TeamsPolicy.model_validate(bodies["teams"]),
        SlaPolicy.model_validate(bodies["sla"]),
        {kind: PolicyRef.model_validate(refs[kind]) for kind in named},
        LifecyclePolicy.model_validate(bodies["lifecycle"]) if "lifecycle" in bodies else None,
    )


Place = tuple[int, str]  # of a decision among all: when it was made (ms), and its id
FIRST: Place = (-1, "")


async def forget(connection: Connection, tenant: str, before: int, after: Place, most: int) -> tuple[Place | None, int]:
    """Remove, of the first `most` decisions that were made after `after` and before the moment `before` (ms), those that hold no
    more. Where the next ones begin, None where there are none; and how many went. The history of stages stays.
    """
    rows = await connection.fetch(
        "SELECT d.decision_id, d.at, l.decision_id IS NOT DISTINCT FROM d.decision_id AS holds FROM router.decisions d"
        " LEFT JOIN router.leads l ON l.tenant = d.tenant AND l.lead_id = d.lead_id"
        " WHERE d.tenant = $1 AND d.at < $2 AND (d.at, d.decision_id) > ($3, $4) ORDER BY d.at, d.decision_id LIMIT $5",
        tenant,
        before,
        *after,
        most,
    )
    gone = [row["decision_id"] for row in rows if not row["holds"]]
    if gone:
        await connection.execute(
            "DELETE FROM router.decisions WHERE tenant = $1 AND decision_id = ANY($2::text[])", tenant, gone
        )
    return (rows[-1]["at"], rows[-1]["decision_id"]) if len(rows) == most else None, len(gone)


DECISIONS = "SELECT decision_id, lead_id, seq, cycle, cause, inputs, trace, outcome, policies, at FROM router.decisions"


async def read(connection: Connection, tenant: str, lead_id: str, most: int = 100) -> list[asyncpg.Record]:
    """A lead's decisions, the latest first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        f"{DECISIONS} WHERE tenant = $1 AND lead_id = $2 ORDER BY seq DESC LIMIT $3", tenant, lead_id, most
    )
    return rows


async def history(connection: Connection, tenant: str, lead_id: str, most: int = 100) -> list[asyncpg.Record]:
    """How a lead moved, the latest change first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT seq, cycle, at, cause, from_stage, stage, from_disposition, disposition, owner_rep, waiting_reason,"
        " decision_id, policies FROM router.stage_history WHERE tenant = $1 AND lead_id = $2 ORDER BY seq DESC LIMIT $3",
        tenant,
        lead_id,
        most,
    )
    return rows
