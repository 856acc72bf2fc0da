"""Exports over HTTP: what the caller may see, as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from services.handoff import views
from services.handoff.bodies import ShortText
from services.handoff.domain.opportunity import Stage
from services.handoff.exports.table import Encoding, lost, written
from services.handoff.paging import Cursor, cursor, place
from services.handoff.pipeline import store as deal_rows
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.views import deal_view
from services.handoff.policies import Policies
from services.handoff.reads import Filter, Reads
from shared.kit.auth import BEARER, Tokens
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import described
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.sight import sight_of

log = structlog.get_logger(__name__)

MOST = 10_000  # rows of one file
PERSON = ("name", "email", "phone", "title", "department")


def _of_person(name: str) -> Callable[[views.Summary], object]:
    return lambda opportunity: opportunity.person.get(name)


# What is known of the deal, by the names of `DealView`; empty where there is none.
OF_DEAL = (
    "deal_stage",
    "deal_stage_since",
    "amount",
    "currency",
    "expected_close",
    "probability",
    "yomi",
    "forecast",
    "products",
    "competitors",
    "source",
    "campaign",
    "next_step",
    "next_step_on",
    "ordered_on",
    "closed_at",
    "closed_reason",
    "rival",
    "comes_back_at",
    "account_manager",
)
OF_OPPORTUNITY: dict[str, Callable[[views.Summary], object]] = {
    "opportunity_id": lambda o: o.id,
    "lead_id": lambda o: o.lead_id,
    "cycle": lambda o: o.cycle,
    "stage": lambda o: o.stage,
    "type": lambda o: o.type,
    "in_pipeline": lambda o: o.in_pipeline,
    "is_test": lambda o: o.is_test,
    "owner": lambda o: o.owner and o.owner.rep_id,
    "owner_name": lambda o: o.owner and o.owner.name,
    "owner_state": lambda o: o.owner and o.owner.state,
    "company": lambda o: o.attributes.get("company"),
    **{name: _of_person(name) for name in PERSON},
    "grade": lambda o: o.score.grade,
    "fit": lambda o: o.score.fit,
    "engagement": lambda o: o.score.engagement,
    "lead_class": lambda o: o.lead_class,
    "pool_id": lambda o: o.pool_id,
    "leg": lambda o: o.leg,
    "next_due_at": lambda o: min((clock.due_at for clock in o.clocks if clock.state == "running"), default=None),
    "overdue": lambda o: any(clock.state == "breached" and clock.done_at is None for clock in o.clocks),
    "created_at": lambda o: o.created_at,
    "updated_at": lambda o: o.updated_at,
}
COLUMNS = [*OF_OPPORTUNITY, *OF_DEAL]


class LostCell(BaseModel):
    """Part of a cell that the encoding has no characters for: the file has 〓 in their place."""

    row: int
    column: str
    text: str
    characters: str


class LostCells(BaseModel):
    items: list[LostCell]


class ExportsApi:
    """Files of opportunities; the tenant, and what is seen, come from the token."""

    def __init__(self, pool: Pool, reads: Reads, policies: Policies, tokens: Tokens) -> None:
        self._pool, self._reads, self._policies, self._tokens = pool, reads, policies, tokens

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/exports", tags=["exports"], dependencies=[BEARER])
        refused = described(
            _401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong"
        )
        file: dict[int | str, dict[str, Any]] = {
            200: {
                "content": {"text/csv": {"example": "\ufeffopportunity_id,lead_id,cycle,stage\r\n"}},
                "headers": {
                    "Baton-Next": {
                        "description": "`after` of the next file; absent with the last one",
                        "schema": {"type": "string"},
                    },
                    "Baton-Unencodable": {
                        "description": "cells of which this encoding cannot say everything: `…/opportunities/unencodable`",
                        "schema": {"type": "integer"},
                    },
                },
            }
        }
        router.add_api_route(
            "/opportunities.csv", self.file, methods=["GET"], responses=file | refused, response_class=Response
        )
        router.add_api_route("/opportunities/unencodable", self.unencodable, methods=["GET"], responses=refused)
        return router

    async def file(
        self,
        request: Request,
        encoding: Annotated[Encoding, Query(description="`cp932` is what older Japanese software reads")] = "utf-8",
        stage: Annotated[Stage | None, Query(description="in this stage")] = None,
        rep_id: Annotated[ShortText | None, Query(description="held by this rep now")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        after: Annotated[Cursor | None, Query(description="`Baton-Next` of the file before")] = None,
    ) -> Response:
        """The opportunities that the token may see, the newest first, as CSV. A cell that a spreadsheet would run begins with '."""
        rows, following = await self._rows(request, stage, rep_id, limit, after)
        headers = {"content-disposition": 'attachment; filename="opportunities.csv"', "cache-control": "no-store"}
        if following:
            headers["baton-next"] = following
        if encoding == "cp932":
            headers["baton-unencodable"] = str(len(lost(COLUMNS, rows)))
        charset = "utf-8" if encoding == "utf-8" else "windows-31j"
        return Response(written(COLUMNS, rows, encoding), media_type=f"text/csv; charset={charset}", headers=headers)

    async def unencodable(
        self,
        request: Request,
        stage: Annotated[Stage | None, Query(description="in this stage")] = None,
        rep_id: Annotated[ShortText | None, Query(description="held by this rep now")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        after: Annotated[Cursor | None, Query(description="`Baton-Next` of the file before")] = None,
    ) -> LostCells:
        """What the same file in cp932 cannot say: each cell, and which of its characters."""
        rows, _ = await self._rows(request, stage, rep_id, limit, after)
        return LostCells(
            items=[
                LostCell(row=one.row, column=one.column, text=one.text, characters=one.characters)
                for one in lost(COLUMNS, rows)
            ]
        )

    async def _rows(
        self, request: Request, stage: Stage | None, rep_id: str | None, limit: int, after: str | None
    ) -> tuple[list[list[object]], str | None]:
        """The cells, and the `after` of what follows."""
        caller = await self._tokens.caller(request)
        sight = sight_of(caller, self._policies.teams(caller.tenant))
        wanted = Filter(stage=stage, rep_id=rep_id)
        found = await self._reads.page(caller.tenant, sight, wanted, place(after), limit + 1)
        names, pipeline = self._policies.rep_names(caller.tenant), self._policies.pipeline(caller.tenant)
        last = found[limit - 1] if len(found) > limit else None
        following = cursor(last["created_at"], last["id"]) if last else None
        deals = await self._deals(caller.tenant, [row["id"] for row in found[:limit]]) if pipeline else {}
        log.info("exported", tenant=caller.tenant, by=caller.name, rows=min(len(found), limit))
        return [_cells(row, deals.get(row["id"]), names, pipeline) for row in found[:limit]], following

    async def _deals(self, tenant: str, opportunity_ids: list[str]) -> dict[str, Deal]:
        async with tenant_transaction(self._pool, tenant) as connection:
            return await deal_rows.find(connection, tenant, opportunity_ids)


def _in_a_cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value


def _cells(
    row: Mapping[str, Any], deal: Deal | None, names: Mapping[str, str], pipeline: PipelinePolicy | None
) -> list[object]:
    opportunity = views.summary(row, names, pipeline)
    shown = deal_view(opportunity.id, deal, pipeline) if deal and pipeline else None
    return [
        *(tell(opportunity) for tell in OF_OPPORTUNITY.values()),
        *(_in_a_cell(getattr(shown, name.removeprefix("deal_"))) if shown else None for name in OF_DEAL),
    ]
