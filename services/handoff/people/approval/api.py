"""The API of the approval of a deal."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.handoff.desk import UnknownOpportunityError
from services.handoff.entry import Entry, Row, not_found, unknown
from services.handoff.people.api import IfMatch, holder_of, seen_version
from services.handoff.people.approval.bodies import ApprovalView, GoOn, PutApproval, PutMaterial, approval_view
from services.handoff.people.approval.desk import ApprovalDesk, ApprovedAlreadyError
from services.handoff.people.approval.route import Item, Material, NotFromHereError, RouteIncompleteError, TooEarlyError
from services.handoff.people.changes import Of
from services.handoff.people.desk import ChangedMeanwhileError, PeopleDesk, UnknownPersonError
from services.handoff.pipeline.views import After, HistoryPage, Versions, history_page
from shared.kit.auth import BEARER
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described

_READ = described(
    _401="no token, or an unknown one",
    _403="the token may not do this",
    _404="no such opportunity",
    _422="the request is wrong",
)
_DRAW = _READ | described(
    _409="`approved_already`: the route of what was approved is not changed any more; `route_incomplete`: that of what was"
    " submitted has its drafter and its approver, with what is `missing`",
    _412="`changed_meanwhile`: somebody changed it since you looked; the answer holds the `version`",
)
_GO_ON = _READ | described(
    _409="`not_from_here`: with the states that are `valid`; `route_incomplete`: with what is `missing`",
    _422="`too_early`: with the day `since` which it stands where it is; or the request is wrong",
)


class ApprovalApi:
    """The routes under /v1/opportunities/{id}/approval."""

    def __init__(self, entry: Entry, desk: ApprovalDesk, people: PeopleDesk) -> None:
        self._entry, self._desk, self._people = entry, desk, people

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["people"], dependencies=[BEARER], route_class=OnceRoute)
        path = "/opportunities/{opportunity_id}/approval"
        router.add_api_route(path, self.read, methods=["GET"], responses=_READ)
        router.add_api_route(path, self.draw, methods=["PUT"], responses=_DRAW)
        router.add_api_route(f"{path}/history", self.history, methods=["GET"], responses=_READ)
        router.add_api_route(f"{path}/state", self.go_on, methods=["POST"], responses=_GO_ON)
        router.add_api_route(f"{path}/pack/{{item}}", self.put_material, methods=["PUT"], responses=_READ)
        return router

    async def read(self, request: Request, response: Response, opportunity_id: str) -> ApprovalView:
        """Read the approval: route, state, course, the material of the pack, and what speaks against it."""
        caller, row = await self._entry.seen(request, opportunity_id)
        return await self._shown(response, caller.tenant, row)

    async def history(
        self, request: Request, opportunity_id: str, after: After = 0, limit: Versions = 50
    ) -> HistoryPage:
        """Every change of the route, its dates, its state and the material of the pack, with its version, oldest first."""
        caller, row = await self._entry.seen(request, opportunity_id)
        found = await self._people.history(Of(caller.tenant, row["id"], "approval"), after, limit)
        return history_page(found, limit)

    async def draw(
        self, request: Request, response: Response, opportunity_id: str, body: PutApproval, if_match: IfMatch = None
    ) -> ApprovalView:
        """Draw up the route, or say anew how it is: the last word holds."""
        caller, row, _ = await self._entry.theirs(request, opportunity_id)
        try:
            await self._desk.draw(
                caller.tenant, opportunity_id, body.approval(), seen_version(if_match), by=caller.name
            )
        except UnknownOpportunityError:
            raise not_found(opportunity_id) from None
        except UnknownPersonError as error:
            raise unknown(error.where, error.wrong, error.known) from None
        except RouteIncompleteError as error:
            raise _incomplete(error) from None
        except ApprovedAlreadyError:
            raise Problem(409, "approved_already", "it was approved: its route is not changed any more") from None
        except ChangedMeanwhileError as error:
            words = "somebody changed it since you looked: read it again"
            raise Problem(412, "changed_meanwhile", words, version=error.version) from None
        return await self._shown(response, caller.tenant, row)

    async def go_on(self, request: Request, response: Response, opportunity_id: str, body: GoOn) -> ApprovalView:
        """The approval went on: submitted (起案), returned (差し戻し), approved (決裁), rejected (否決), or begun anew (draft)."""
        caller, row, _ = await self._entry.theirs(request, opportunity_id)
        on = body.on or self._people.today(caller.tenant, holder_of(row))
        try:
            await self._desk.go_on(caller.tenant, opportunity_id, body.state, on, body.note, caller.name)
        except UnknownOpportunityError:
            raise not_found(opportunity_id) from None
        except NotFromHereError as error:
            words = f"it is {error.state}: it may go on to {', '.join(error.valid) or 'nothing'}"
            raise Problem(409, "not_from_here", words, valid=error.valid) from None
        except RouteIncompleteError as error:
            raise _incomplete(error) from None
        except TooEarlyError as error:
            words = f"it stands where it is since {error.since}: it cannot have gone on before"
            raise Problem(422, "too_early", words, since=str(error.since)) from None
        return await self._shown(response, caller.tenant, row)

    async def put_material(
        self, request: Request, response: Response, opportunity_id: str, item: Item, body: PutMaterial
    ) -> ApprovalView:
        """Say what there is of an item of the pack (稟議資料): where, and when the customer got it."""
        caller, row, _ = await self._entry.theirs(request, opportunity_id)
        material = Material(body.present, body.link, body.given_on)
        try:
            await self._desk.put_material(caller.tenant, opportunity_id, item, material, caller.name)
        except UnknownOpportunityError:
            raise not_found(opportunity_id) from None
        return await self._shown(response, caller.tenant, row)

    async def _shown(self, response: Response, tenant: str, row: Row) -> ApprovalView:
        paper = await self._desk.paper(tenant, row["id"])
        _, risks = await self._people.people(tenant, row["id"], holder_of(row))
        response.headers["ETag"] = f'"{paper.approval.version}"'
        return approval_view(paper, risks)


def _incomplete(error: RouteIncompleteError) -> Problem:
    words = f"the route names nobody as {', '.join(error.missing)}"
    return Problem(409, "route_incomplete", words, missing=error.missing)
