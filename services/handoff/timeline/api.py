"""The timelines of opportunities and leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.handoff.activities.cursors import place, written
from services.handoff.bodies import ShortText
from services.handoff.entry import Entry
from services.handoff.paging import Cursor
from services.handoff.policies import Policies
from services.handoff.timeline import rows
from services.handoff.timeline.words import say
from services.handoff.turns import DAY
from shared.kit.auth import BEARER, Caller
from shared.kit.clock import Clock, iso
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import Problem, described

Kind = Literal[
    "touch",
    "identity",
    "decision",
    "offer",
    "stage",
    "clock",
    "pause",
    "activity",
    "task",
    "deal",
    "answer",
    "person",
    "approval",
]
_COMMON = described(_401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong")
_ONE = described(_404="there is none, or it is not the caller's to see") | _COMMON
_OF_A_LEAD = {  # these are told of leads, whatever becomes of them
    "touch": "/v1/leads/{}/timeline?kind=touch",
    "identity": "/v1/leads/{}/timeline?kind=identity",
    "decision": "/v1/leads/{}/decisions",
}
_LINKS = {
    "activity": "/activities",
    "task": "/tasks",
    "deal": "/deal/history",
    "answer": "/answers",
    "person": "/stakeholders",
    "approval": "/approval",
}
_TIMES = frozenset({"due_at", "until", "received_at"})

Kinds = Annotated[list[Kind] | None, Query(description="of these kinds alone; may be given several times")]
Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[Cursor | None, Query(description="`next` of the page before")]


class Item(BaseModel):
    """Something that happened."""

    at: str = Field(
        description="when it happened; of an activity as it was told, `facts.received_at` being when Baton was told"
    )
    kind: Kind
    what: str = Field(description="such as `offer-accepted`", examples=["offer-accepted"])
    lead_id: str = Field(description="of a touch: the lead that it was told of, also where that was merged since")
    opportunity_id: str | None = Field(description="null for what is told of the lead alone")
    cycle: int | None
    who: str | None = Field(description="the rep who did it or whom it concerns, or the name of the token that said so")
    name: str | None = Field(description="how that rep is called")
    words: dict[str, str] = Field(examples=[{"ja": "佐藤 花子が受領", "en": "佐藤 花子 accepted"}])
    facts: dict[str, Any] = Field(description="what there is to know of it, without anything personal")
    link: str = Field(
        description="where more of it is; of a decision, a path of the router's API",
        examples=["/v1/opportunities/…/activities"],
    )


class Timeline(BaseModel):
    """The latest first; all of it is there, however old, page by page."""

    items: list[Item]
    next: str | None
    touches_from: str = Field(
        description="touches and identities, and decisions that are of no opportunity, are not kept if they are older"
    )


class TimelineApi:
    """`GET /v1/opportunities/{id}/timeline` and `GET /v1/leads/{id}/timeline`."""

    def __init__(self, pool: Pool, entry: Entry, policies: Policies, clock: Clock, touch_days: int) -> None:
        self._pool, self._entry, self._policies = pool, entry, policies
        self._clock, self._kept = clock, touch_days * DAY

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["timeline"], dependencies=[BEARER])
        one = "/opportunities/{opportunity_id}/timeline"
        router.add_api_route(one, self.of_opportunity, methods=["GET"], responses=_ONE)
        router.add_api_route("/leads/{lead_id}/timeline", self.of_lead, methods=["GET"], responses=_ONE)
        return router

    async def of_opportunity(
        self, request: Request, opportunity_id: str, kind: Kinds = None, limit: Limit = 100, after: After = None
    ) -> Timeline:
        """All that happened to an opportunity: touches of its lead and decisions of the router, offers, stages, clocks, pauses,
        activities, tasks, changes of the deal, answers, people, the approval. A touch that became an activity is told as that."""
        caller, row = await self._entry.seen(request, opportunity_id)
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            scope = await rows.of_opportunity(connection, caller.tenant, row)
        return await self._page(caller, scope, kind, limit, after)

    async def of_lead(
        self, request: Request, lead_id: ShortText, kind: Kinds = None, limit: Limit = 100, after: After = None
    ) -> Timeline:
        """The same of all opportunities that the token may see of a lead and of those merged into it, cycle after cycle. Of a lead
        without any, whoever sees everything sees the touches and what was decided."""
        caller, sight = await self._entry.caller(request)
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            scope = await rows.of_lead(connection, caller.tenant, lead_id, sight)
        if scope is None:
            raise Problem(404, "not_found", f"nothing is known of a lead {lead_id[:50]!r}")
        return await self._page(caller, scope, kind, limit, after)

    async def _page(
        self, caller: Caller, scope: rows.Scope, kinds: list[Kind] | None, limit: int, after: str | None
    ) -> Timeline:
        wanted = [str(kind) for kind in kinds] if kinds else None
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            found = await rows.page(connection, caller.tenant, scope, wanted, place(after), limit + 1)
        names, last = self._policies.rep_names(caller.tenant), found[limit - 1] if len(found) > limit else None
        declined, paused = self._policies.decline_reasons(caller.tenant), self._policies.pause_reasons(caller.tenant)
        reasons = {code: one.label.texts() for code, one in declined.items()}
        reasons |= {code: one.label.texts() for code, one in paused.items()}
        return Timeline(
            items=[_item(row, names, reasons) for row in found[:limit]],
            next=written(last["at"], last["name"]) if last else None,
            touches_from=iso(max(0, self._clock.now() - self._kept)),
        )


def _item(row: Mapping[str, Any], names: Mapping[str, str], reasons: Mapping[str, Mapping[str, str]]) -> Item:
    who, facts = row["who"], row["facts"]
    name = names.get(who) if who else None
    return Item(
        at=iso(row["at"]),
        kind=row["kind"],
        what=row["what"],
        lead_id=row["lead_id"],
        opportunity_id=row["opportunity_id"],
        cycle=row["cycle"],
        who=who,
        name=name,
        words=say(row["what"], name or who, facts, reasons),
        facts={
            key: iso(value) if key in _TIMES else value
            for key, value in facts.items()
            if value is not None and key != "said"
        },
        link=_link(row),
    )


def _link(row: Mapping[str, Any]) -> str:
    if of_lead := _OF_A_LEAD.get(row["kind"]):
        return of_lead.format(quote(row["lead_id"], safe=""))
    return f"/v1/opportunities/{row['opportunity_id']}{_LINKS.get(row['kind'], '')}"
