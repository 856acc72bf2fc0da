"""The change feed over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.handoff.feed import log
from shared.kit.auth import BEARER, Tokens
from shared.kit.database import Pool
from shared.kit.problems import Problem, described
from shared.sight import WHOLE

CURSOR = re.compile(r"[0-9]{1,18}")


class FeedEntry(BaseModel):
    """What a webhook of the same `id` carries."""

    id: str = Field(description="the `webhook-id` of the same event")
    cursor: str
    type: str
    timestamp: str
    data: dict[str, Any]


class FeedPage(BaseModel):
    """The oldest first. `next` is the `after` of the next request, also where nothing was found: ask again later."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "5f0c7f3a-95a0-5b1e-8a53-0d6f4f2f4c11",
                            "cursor": "1042",
                            "type": "offer.accepted",
                            "timestamp": "2026-05-25T00:12:41.120Z",
                            "data": {"lead_id": "0d8e68a4-7a95-5bde-b902-714a70fa7a16", "rep_id": "sato"},
                        }
                    ],
                    "next": "1042",
                }
            ]
        }
    )

    items: list[FeedEntry]
    next: str


def feed_routes(pool: Pool, tokens: Tokens) -> APIRouter:
    """The route; the tenant comes from the token and from nowhere else."""
    router = APIRouter(prefix="/v1", tags=["events"], dependencies=[BEARER])

    @router.get(
        "/events",
        response_model=FeedPage,
        summary="All that handoff has told, in order, from a cursor on",
        responses=described(
            _401="no token, or an unknown one",
            _403="only the roles api and admin",
            _410="`cursor_expired`: what came after it is no longer kept, or it was never given: read the state, then begin anew",
            _422="the request is wrong",
        ),
    )
    async def events(
        request: Request,
        after: Annotated[
            str | None, Query(description="`next` of an earlier answer; left out: the oldest that is kept")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> FeedPage:
        caller = await tokens.caller(request)
        if not WHOLE.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles api, admin")
        if after is not None and not CURSOR.fullmatch(after):
            raise Problem(422, "bad_cursor", "`after` is not the `next` of an earlier answer")
        try:
            found, reached = await log.read(pool, caller.tenant, int(after) if after else None, limit)
        except log.CursorExpiredError:
            raise Problem(
                410,
                "cursor_expired",
                "what came after this cursor is no longer kept: read /v1/opportunities, and begin without `after`",
            ) from None
        return FeedPage(items=[_entry(one) for one in found], next=str(reached))

    return router


def _entry(one: log.Entry) -> FeedEntry:
    return FeedEntry(id=one.message_id, cursor=str(one.number), **orjson.loads(one.body))
