"""The log of notifications over HTTP: who was told of what, when, by which channel, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.handoff.bodies import ShortText
from services.handoff.paging import Cursor, Place, cursor, place
from services.handoff.policies import Policies
from services.handoff.telling.happenings import Kind
from services.handoff.telling.queue import State
from services.handoff.telling.schedule import Outcome
from shared.kit.auth import BEARER, Tokens
from shared.kit.clock import iso
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import described
from shared.sight import sight_of

_EXAMPLE: dict[str, JsonValue] = {
    "id": "0d8e68a4-7a95-5bde-b902-714a70fa7a16",
    "kind": "reminder",
    "rep_id": "suzuki",
    "concerns": "suzuki",
    "channel": "chat",
    "opportunity_id": "6c1f0a34-97a9-5b1b-9a6c-2f4e0a8b9c3d",
    "assignment": 2,
    "clock": "accept",
    "share": 80,
    "state": "dropped",
    "why": "over",
    "waits": False,
    "created_at": "2026-05-25T00:12:41.120Z",
    "due_at": "2026-05-25T00:12:41.120Z",
    "ended_at": "2026-05-25T00:12:42.003Z",
    "tries": [{"number": 1, "at": "2026-05-25T00:12:42.003Z", "outcome": "refused", "took_ms": 412}],
}
_LOG = """
    SELECT n.notification_id::text AS id, n.kind, n.rep_id, n.concerns, n.channel_id, n.opportunity_id::text, n.assignment,
        n.about, n.state, n.why, n.waits, n.created_at, n.due_at, n.ended_at,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('number', t.number, 'at', t.at, 'outcome', t.outcome, 'took_ms',
            t.took_ms) ORDER BY t.number), '[]') FROM handoff.notification_tries t
         WHERE (t.tenant, t.notification_id) = (n.tenant, n.notification_id)) AS tries
    FROM handoff.notifications n
    WHERE n.tenant = $1 AND n.state <> 'new'
      AND ($2::text[] IS NULL OR n.rep_id = ANY($2)) AND ($3::text IS NULL OR n.rep_id = $3)
      AND ($4::text IS NULL OR n.state = $4)
      AND ($5::bigint IS NULL OR (n.created_at, n.notification_id) < ($5, $6::uuid))
    ORDER BY n.created_at DESC, n.notification_id DESC LIMIT $7
"""


class Try(BaseModel):
    number: int
    at: str
    outcome: Outcome = Field(
        description="`told`; `refused` by the service; `timed_out`; `unsendable`: the channel's URL is missing or cannot be read; "
        "`forbidden`: it leads to an address that is not public; `crashed`: the process that was to send it died"
    )
    took_ms: int


class NotificationView(BaseModel):
    """What was to be told to one rep on one channel. What it said is not kept: it may have named people."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    kind: Kind
    rep_id: str = Field(description="who is told")
    concerns: str = Field(description="the rep whose lead it is about")
    channel: str | None = Field(description="of the teams policy; none for who has no address")
    opportunity_id: str
    assignment: int
    clock: str | None
    share: int | None
    state: State = Field(
        description="`pending`; `told`; `failed` after the last try; `dropped` untold: see `why`; `unreachable`: without an address"
    )
    why: str | None = Field(
        description="`over`: answered or ended before it was told; `no_address`: the policy does not name it any more; "
        "`unwritable`: what is stored cannot be put into words"
    )
    waits: bool = Field(description="for the rep to be at work, at `due_at` as it seems now")
    created_at: str
    due_at: str | None = Field(description="of what is pending; none where nobody knows when the rep is at work again")
    ended_at: str | None
    tries: list[Try]


class NotificationPage(BaseModel):
    """The newest first. `next` is the `after` of the page that follows."""

    items: list[NotificationView]
    next: str | None


class NotificationsApi:
    """`GET /v1/notifications`. The tenant comes from the caller's token, and from nowhere else."""

    def __init__(self, pool: Pool, policies: Policies, tokens: Tokens) -> None:
        self._pool, self._policies, self._tokens = pool, policies, tokens

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["notifications"], dependencies=[BEARER])
        router.add_api_route(
            "/notifications",
            self.list,
            methods=["GET"],
            responses=described(
                _401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong"
            ),
        )
        return router

    async def list(
        self,
        request: Request,
        rep_id: Annotated[ShortText | None, Query(description="told to this rep")] = None,
        state: Annotated[State | None, Query(description="in this state")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> NotificationPage:
        """List what people were told, or will be: a rep's own, a manager's the team's, all for the roles api and admin."""
        caller = await self._tokens.caller(request)
        sight = sight_of(caller, self._policies.teams(caller.tenant))
        seen = None if sight.everything else [*sight.reps]
        rows = await self._rows(caller.tenant, seen, rep_id, state, place(after), limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return NotificationPage(
            items=[_view(row) for row in rows[:limit]], next=cursor(last["created_at"], last["id"]) if last else None
        )

    async def _rows(
        self,
        tenant: str,
        seen: Sequence[str] | None,
        rep_id: str | None,
        state: State | None,
        after: Place | None,
        limit: int,
    ) -> Any:
        async with tenant_transaction(self._pool, tenant) as connection:
            return await connection.fetch(
                _LOG, tenant, seen, rep_id, state, after.at if after else None, after.id if after else None, limit
            )


def _view(row: Any) -> NotificationView:
    pending = row["state"] == "pending"
    due = row["due_at"] if pending and row["due_at"] < 2**53 else None
    return NotificationView(
        id=row["id"],
        kind=row["kind"],
        rep_id=row["rep_id"],
        concerns=row["concerns"],
        channel=row["channel_id"] or None,
        opportunity_id=row["opportunity_id"],
        assignment=row["assignment"],
        clock=row["about"].get("clock"),
        share=row["about"].get("share"),
        state=row["state"],
        why=row["why"],
        waits=pending and row["waits"],
        created_at=iso(row["created_at"]),
        due_at=iso(due) if due is not None else None,
        ended_at=iso(row["ended_at"]) if row["ended_at"] is not None else None,
        tries=[Try(**{**tried, "at": iso(tried["at"])}) for tried in row["tries"]],
    )
