"""The API of reps: who takes leads, of which pools, how many they have, and whether they are at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.router.bodies import Word
from services.router.domain.playbook import Following
from services.router.sight import sight_of
from services.router.store import availability, departures
from services.router.store import pools as pool_rows
from shared.kit.auth import BEARER, Tokens
from shared.kit.clock import Clock, iso
from shared.kit.database import Pool, tenant_transaction


class RepBody(BaseModel):
    rep_id: str
    name: str
    manager: str | None = Field(description="a rep's id")
    pools: list[str]
    languages: list[str]
    skills: list[str]
    zone: str
    takes_leads: bool = Field(description="`active` in the teams policy, and has not left")
    open: int = Field(description="leads that they have now, accepted or not yet")
    capacity: int = Field(description="open leads at a time")
    at_work: bool
    why_not: Literal["closed", "absent", "away"] | None
    until: str | None = Field(description="when they are at work again; null where they are, or nobody knows")


class RepsPage(BaseModel):
    reps: list[RepBody]
    next: str | None = Field(description="`after` of the next page")


def rep_routes(pool: Pool, tokens: Tokens, follow: Callable[[str], Following], clock: Clock) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else."""
    router = APIRouter(prefix="/v1", tags=["reps"], dependencies=[BEARER])

    @router.get(
        "/reps", response_model=RepsPage, summary="Who takes leads, by id: a rep themselves, a manager the team"
    )
    async def reps(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Word | None, Query(description="`next` of the page before")] = None,
    ) -> dict[str, Any]:
        caller, now = await tokens.caller(request), clock.now()
        playbook = follow(caller.tenant).playbook
        sight = sight_of(caller, playbook)
        if playbook is None:
            return {"reps": [], "next": None}
        async with tenant_transaction(pool, caller.tenant) as connection:
            loads = await pool_rows.read_loads(connection, caller.tenant)
            left = await departures.gone(connection, caller.tenant)
            out = playbook.out(await availability.away(connection, caller.tenant, now), now)
        seen = sorted(rep for rep in playbook.reps if (sight.everything or rep in sight.reps) and rep > (after or ""))
        shown = []
        for rep_id in seen[:limit]:
            rep, not_there = playbook.reps[rep_id], out.get(rep_id)
            until = not_there.until if not_there else None
            shown.append(
                {
                    "rep_id": rep_id,
                    "name": rep.name,
                    "manager": rep.manager,
                    "pools": [one for one in playbook.pools if rep_id in playbook.weights(one)],
                    "languages": rep.languages,
                    "skills": rep.skills,
                    "zone": rep.zone,
                    "takes_leads": rep.active and rep_id not in left,
                    "open": loads.get(rep_id, 0),
                    "capacity": rep.capacity,
                    "at_work": not_there is None,
                    "why_not": not_there.why if not_there else None,
                    "until": iso(until) if until is not None else None,
                }
            )
        return {"reps": shown, "next": seen[limit - 1] if len(seen) > limit else None}

    return router
