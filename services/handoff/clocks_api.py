"""The clocks that run, those that are due first: what a rep or a team has to look at next."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.handoff.bodies import ShortText
from services.handoff.domain.terms import ClockKind
from services.handoff.paging import Cursor, Place, cursor, place
from services.handoff.policies import Policies
from shared.kit.auth import BEARER, Tokens
from shared.kit.clock import iso
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import described
from shared.sight import sight_of

_RUNNING = """
    SELECT c.opportunity_id::text, o.lead_id, c.kind, c.rep_id, c.started_at, c.due_at
    FROM handoff.clocks c JOIN handoff.opportunities o USING (tenant, opportunity_id)
    WHERE c.tenant = $1 AND c.state = 'running'
      AND ($2::text IS NULL OR c.rep_id = $2) AND ($3::text IS NULL OR c.kind = $3)
      AND ($4::bigint IS NULL OR c.due_at < $4)
      AND ($5::bigint IS NULL OR (c.due_at, c.opportunity_id) > ($5, $6::uuid))
      AND ($7 OR c.rep_id = ANY($8::text[]) OR EXISTS (
          SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) = (c.tenant, c.opportunity_id)
          AND f.state IN ('open', 'accepted') AND f.pool_id = ANY($9::text[])))
    ORDER BY c.due_at, c.opportunity_id, c.kind LIMIT $10
"""


class RunningClock(BaseModel):
    opportunity_id: str
    lead_id: str
    kind: ClockKind
    rep_id: str
    started_at: str
    due_at: str


class RunningClocks(BaseModel):
    """Those that are due first; `next` is the `after` of the next page, null on the last."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "opportunity_id": "e65d536c-10cd-57d0-93a9-cfd69263d8df",
                            "lead_id": "0d8e68a4-7a95-5bde-b902-714a70fa7a16",
                            "kind": "first_touch",
                            "rep_id": "sato",
                            "started_at": "2026-05-25T00:12:41.120Z",
                            "due_at": "2026-05-25T00:42:41.120Z",
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    items: list[RunningClock]
    next: str | None = Field(default=None)


def clock_routes(pool: Pool, policies: Policies, tokens: Tokens) -> APIRouter:
    """The route; the tenant, and what is seen, come from the token."""
    router = APIRouter(prefix="/v1", tags=["clocks"], dependencies=[BEARER])

    @router.get(
        "/clocks",
        response_model=RunningClocks,
        summary="The SLA clocks that run, those that are due first",
        responses=described(
            _401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong"
        ),
    )
    async def clocks(
        request: Request,
        rep_id: Annotated[ShortText | None, Query(description="of leads that this rep has")] = None,
        kind: Annotated[ClockKind | None, Query(description="of this kind")] = None,
        due_before: Annotated[AwareDatetime | None, Query(description="due before this moment")] = None,
        limit: Annotated[int, Query(ge=10, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> RunningClocks:
        caller = await tokens.caller(request)
        sight, behind = sight_of(caller, policies.teams(caller.tenant)), place(after)
        async with tenant_transaction(pool, caller.tenant) as connection:
            rows = await connection.fetch(
                _RUNNING,
                caller.tenant,
                rep_id,
                kind,
                round(due_before.timestamp() * 1000) if due_before else None,
                behind.at if behind else None,
                behind.id if behind else None,
                sight.everything,
                list(sight.reps),
                list(sight.led),
                limit + 1,
            )
        return _page([dict(row) for row in rows], limit)

    return router


def _page(rows: list[dict[str, Any]], limit: int) -> RunningClocks:
    """At most `limit` of them; clocks of one opportunity that are due together stay together, as the cursor does not part them."""
    shown = rows[:limit]
    if len(rows) > limit:
        while _place(shown[-1]) == _place(rows[limit]):
            shown.pop()
    following = cursor(*_place(shown[-1])) if len(rows) > limit else None
    times = ("started_at", "due_at")
    return RunningClocks(
        items=[RunningClock(**{k: iso(v) if k in times else v for k, v in row.items()}) for row in shown],
        next=following,
    )


def _place(row: dict[str, Any]) -> Place:
    return Place(row["due_at"], row["opportunity_id"])
