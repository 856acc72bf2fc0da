"""The API of second looks at a decision: why not a rep, when their turn comes, and whether replaying it gives the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import asyncpg
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.router.bodies import ReasonBody, Word
from services.router.domain.decision import Decision, replay
from services.router.domain.fairness import PoolState
from services.router.domain.playbook import Following, Playbook
from services.router.domain.why_not import Had, Turn, answer, turn
from services.router.sight import sight_of
from services.router.store import assignments, availability, departures, trail
from services.router.store import leads as lead_rows
from services.router.store import pools as pool_rows
from shared.kit.auth import BEARER, Tokens
from shared.kit.clock import Clock, iso
from shared.kit.database import Connection, Pool, tenant_transaction
from shared.kit.problems import Problem


class WhyNotBody(BaseModel):
    lead_id: str
    rep_id: str
    name: str
    has_it: bool
    decided_at: str | None
    why: ReasonBody = Field(description="as it was decided")
    turn: ReasonBody | None = Field(
        description="when a lead like this one would come to them now, or what keeps them from it; null where no pool"
        " would give it out by turns"
    )
    after: int | None = Field(description="leads like it that others get before them; 0 for who is next")


class ReplayedBody(BaseModel):
    decision_id: str
    at: str
    same: bool | None = Field(description="null where its policies are not stored")
    differs: list[str] = Field(
        description="what of trace and outcome", examples=[["trace.candidates", "outcome.rep_id"]]
    )


class ReplayBody(BaseModel):
    lead_id: str
    decisions: list[ReplayedBody]


def why_not_routes(pool: Pool, tokens: Tokens, follow: Callable[[str], Following], clock: Clock) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else."""
    router = APIRouter(prefix="/v1", tags=["leads"], dependencies=[BEARER])

    @router.get(
        "/leads/{lead_id}/why-not/{rep_id}",
        response_model=WhyNotBody,
        summary="Why this rep does not have the lead, and when their turn comes",
    )
    async def why_not(request: Request, lead_id: Word, rep_id: Word) -> dict[str, Any]:
        caller, now = await tokens.caller(request), clock.now()
        tenant, playbook = caller.tenant, follow(caller.tenant).playbook
        sight = sight_of(caller, playbook)
        async with tenant_transaction(pool, tenant) as connection:
            stored = await lead_rows.read(connection, tenant, lead_id)
            if stored is None or stored.lead.version is None or not sight.sees(stored.lead):
                raise Problem(404, "lead_not_found", f"there is no lead {lead_id}")
            rows = await trail.read(connection, tenant, lead_id, most=1)
            decision = trail.decision_of(rows[0]) if rows else None
            had = await _had(connection, tenant, lead_id, stored.lead.cycle, rep_id)
            followed = await _followed(connection, tenant, rows[0]) if rows else None
            comes = await _turn(connection, tenant, decision, playbook, rep_id, now) if decision and playbook else None
        labels = followed or playbook
        rep = labels.reps.get(rep_id) if labels else None
        if stored.lead.owner_rep == rep_id:
            comes = None
        return {
            "lead_id": lead_id,
            "rep_id": rep_id,
            "name": rep.name if rep else rep_id,
            "has_it": stored.lead.owner_rep == rep_id,
            "decided_at": iso(decision.inputs.decided_at) if decision else None,
            "why": answer(stored.lead, decision, labels, rep_id, had).model_dump(),
            "turn": comes.why.model_dump() if comes else None,
            "after": comes.after if comes else None,
        }

    @router.get(
        "/leads/{lead_id}/replay",
        response_model=ReplayBody,
        summary="Whether each decision comes out the same from what was stored of it",
    )
    async def again(request: Request, lead_id: Word) -> dict[str, Any]:
        caller = await tokens.caller(request)
        tenant, sight = caller.tenant, sight_of(caller, follow(caller.tenant).playbook)
        async with tenant_transaction(pool, tenant) as connection:
            stored = await lead_rows.read(connection, tenant, lead_id)
            rows = await trail.read(connection, tenant, lead_id)
            if not rows or stored is None or not sight.sees(stored.lead):
                raise Problem(404, "no_decision", f"no decision of lead {lead_id} is kept")
            found = [await _replayed(connection, tenant, row) for row in rows]
        return {"lead_id": lead_id, "decisions": found}

    return router


async def _had(connection: Connection, tenant: str, lead_id: str, cycle: int, rep_id: str) -> Had | None:
    row = await connection.fetchrow(
        "SELECT ended, reason, ended_at FROM router.assignments WHERE tenant = $1 AND lead_id = $2 AND cycle = $3 AND rep_id = $4"
        " AND ended IS NOT NULL ORDER BY assignment DESC LIMIT 1",
        tenant,
        lead_id,
        cycle,
        rep_id,
    )
    return Had(row["ended"], row["reason"], row["ended_at"]) if row else None


async def _followed(connection: Connection, tenant: str, row: asyncpg.Record) -> Playbook | None:
    """The policies that a decision followed; None where there were none, or they are not stored."""
    try:
        return await trail.playbook_of(connection, tenant, row["policies"])
    except LookupError:
        return None


async def _turn(
    connection: Connection, tenant: str, decision: Decision, playbook: Playbook, rep_id: str, now: int
) -> Turn | None:
    """When such a lead would come to the rep, by what is there now; nothing is locked."""
    left, sequence = await departures.gone(connection, tenant), playbook.refs["teams"].sequence
    known = {state.pool_id: state for state in await pool_rows.read_pools(connection, tenant)}
    pools = {
        pool_id: known.get(pool_id, PoolState(pool_id)).follow(playbook.weights(pool_id), sequence).without(left)
        for pool_id in playbook.pools
    }
    loads = await pool_rows.read_loads(connection, tenant)
    out = playbook.out(await availability.away(connection, tenant, now), now)
    taken = await assignments.taken(connection, tenant, playbook, now)
    asked = replace(decision.inputs, decided_at=now, pools=pools, loads=loads, out=out, taken=taken, left=left)
    return turn(asked, playbook, rep_id)


async def _replayed(connection: Connection, tenant: str, row: asyncpg.Record) -> dict[str, Any]:
    stored, shown = trail.decision_of(row), {"decision_id": row["decision_id"], "at": iso(row["at"])}
    try:
        playbook = await trail.playbook_of(connection, tenant, row["policies"])
    except LookupError:
        return shown | {"same": None, "differs": []}
    trace, outcome = replay(stored.inputs, playbook)
    differs = [
        *(f"trace.{name}" for name in _differing(asdict(trace), asdict(stored.trace))),
        *(f"outcome.{name}" for name in _differing(asdict(outcome), asdict(stored.outcome))),
    ]
    return shown | {"same": (trace, outcome) == (stored.trace, stored.outcome), "differs": differs}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in one if one[name] != other[name]]
