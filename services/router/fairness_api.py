"""The API of fairness: what a pool gave to whom in a period, against their shares, and who is next and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from services.router.bodies import FairnessBody, Word
from services.router.domain.assignment import FAIR, assign_from
from services.router.domain.decision import Trace
from services.router.domain.fairness import PoolState
from services.router.domain.playbook import Following, Playbook
from services.router.domain.tally import ZERO, Line, lines
from services.router.domain.words import WAITS, chosen_reason
from services.router.store import assignments, availability, departures
from services.router.store import fairness as rows
from services.router.store import pools as pool_rows
from services.router.views import candidates_view
from shared.kit.auth import BEARER, Tokens
from shared.kit.clock import Clock, iso
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import Problem

Body = dict[str, Any]
MONTH = 30 * 86_400_000


def fairness_routes(pool: Pool, tokens: Tokens, follow: Callable[[str], Following], clock: Clock) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else."""
    router = APIRouter(prefix="/v1", tags=["pools"], dependencies=[BEARER])

    @router.get(
        "/pools/{pool_id}/fairness",
        response_model=FairnessBody,
        summary="Share against what was received, and who is next and why",
    )
    async def fairness(
        request: Request,
        pool_id: Word,
        since: Annotated[AwareDatetime | None, Query(description="30 days before `until` where left out")] = None,
        until: Annotated[AwareDatetime | None, Query(description="now where left out; not included")] = None,
    ) -> Body:
        tenant, now = (await tokens.caller(request)).tenant, clock.now()
        playbook = follow(tenant).playbook
        if playbook is None or pool_id not in playbook.pools:
            raise Problem(404, "pool_not_found", f"the teams policy has no pool {pool_id}")
        end = round(until.timestamp() * 1000) if until else now
        start = round(since.timestamp() * 1000) if since else end - MONTH
        if start >= end:
            raise Problem(422, "ends_before_it_begins", "`until` has to lie after `since`")
        async with tenant_transaction(pool, tenant) as connection:
            states = {state.pool_id: state for state in await pool_rows.read_pools(connection, tenant)}
            state = states.get(pool_id, PoolState(pool_id))
            left = await departures.gone(connection, tenant)
            state = state.follow(playbook.weights(pool_id), playbook.refs["teams"].sequence).without(left)
            loads = await pool_rows.read_loads(connection, tenant)
            out = playbook.out(await availability.away(connection, tenant, now), now)
            taken = await assignments.taken(connection, tenant, playbook, now)
            found = lines(await rows.tallies(connection, tenant, pool_id, start, end))
            everybody = [*playbook.weights(pool_id), *(line.rep_id for line in found)]
            named = await rows.named(connection, tenant, everybody, start, end)
            explored = await rows.explored(connection, tenant, pool_id, start, end)
        assigned = assign_from(
            playbook.pools[pool_id], state, playbook.reps, loads, None, (), out, taken=taken, left=left
        )
        trace = Trace(
            pool_id=pool_id,
            candidates=assigned.candidates,
            chosen=assigned.rep.id if assigned.rep else None,
            way=assigned.way,
        )
        return {
            "pool_id": pool_id,
            "strategy": playbook.pools[pool_id].strategy,
            "promised": playbook.pools[pool_id].strategy in FAIR,
            "since": iso(start),
            "until": iso(end),
            "leads": sum(line.received for line in found),
            "furthest": round(float(max((abs(line.due) for line in found), default=0)), 6),
            "explored": explored,
            "members": _members(state, found, named, playbook),
            "next": _next(trace, assigned.parked),
        }

    return router


def _members(state: PoolState, found: list[Line], named: Mapping[str, int], playbook: Playbook) -> list[Body]:
    """Those of the pool in the order in which they joined, then those who were in it in the period."""
    known, balances = {line.rep_id: line for line in found}, {one.rep_id: one for one in state.balances}
    shown = []
    for rep_id in [*balances, *(rep_id for rep_id in known if rep_id not in balances)]:
        line = known.get(rep_id) or Line(rep_id, ZERO, 0, {}, 0, 0, 0, 0, 0, 0)
        balance = balances.get(rep_id)
        shown.append(
            {
                "rep_id": rep_id,
                "name": playbook.reps[rep_id].name if rep_id in playbook.reps else rep_id,
                "weight": balance.weight if balance else None,
                "share": round(float(line.share), 6),
                "received": line.received,
                "due": round(float(line.due), 6),
                "due_exact": str(line.due),
                "ways": dict(line.ways),
                "sticky": line.sticky,
                "chosen": line.chosen,
                "named": named.get(rep_id, 0),
                "given_back": line.given_back,
                "accepted": line.accepted,
                "declined": line.declined,
                "expired": line.expired,
                "balance": round(float(balance.due), 6) if balance else None,
            }
        )
    return shown


def _next(trace: Trace, parked: str | None) -> Body:
    chosen = chosen_reason(trace)
    return {
        "rep_id": trace.chosen,
        "why": chosen.text if chosen else WAITS[f"parked:{parked}"].why,
        "members": candidates_view(trace),
    }
