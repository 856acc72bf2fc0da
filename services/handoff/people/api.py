"""The API of the people of a deal."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Header, Path, Request, Response

from services.handoff.desk import UnknownOpportunityError
from services.handoff.entry import Entry, Row, not_found, unknown
from services.handoff.people.bodies import (
    Moved,
    PatchPerson,
    PeopleView,
    PersonId,
    PersonView,
    PostPerson,
    PutPerson,
    Verified,
    person_view,
    risk_view,
    with_fields,
)
from services.handoff.people.changes import Of
from services.handoff.people.desk import (
    ChangedMeanwhileError,
    CircleError,
    Expected,
    NotMovedError,
    PeopleDesk,
    TooManyError,
    UnknownPersonError,
)
from services.handoff.people.stakeholder import MOST, Stakeholder
from services.handoff.pipeline.views import After, HistoryPage, Versions, history_page
from shared.kit.auth import BEARER
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.schemas import ids

ETAG = re.compile(r'\s*(?:W/)?"?(\d{1,9})"?\s*')
IfMatch = Annotated[str | None, Header(description="the ETag that you have seen: else 412, and nothing is changed")]
IfNoneMatch = Annotated[str | None, Header(description="`*`: only if there is no such person yet, else 412")]
StakeholderId = Annotated[PersonId, Path()]
T = TypeVar("T")

_READ = described(
    _401="no token, or an unknown one",
    _403="the token may not do this",
    _404="no such opportunity",
    _422="the request is wrong",
)
_ONE = _READ | described(_404="no such opportunity, or no such person in it")
_WRITE = _READ | described(
    _409="`reports_in_a_circle`: with the way; `too_many_people`: a deal has at most 100",
    _412="`changed_meanwhile`: somebody changed it since you looked; the answer holds the `version`",
    _422="`unknown_reports_to` and the like: with the valid ones and the nearest",
)
_MOVED = _ONE | described(_409="`not_moved`: nobody said that this person has moved; `reports_in_a_circle`")


class PeopleApi:
    """The routes under /v1/opportunities/{id}/stakeholders. secret: what the tenants' secrets derive from"""

    def __init__(self, entry: Entry, desk: PeopleDesk, secret: bytes) -> None:
        self._entry, self._desk, self._secret = entry, desk, secret

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["people"], dependencies=[BEARER], route_class=OnceRoute)
        everybody = "/opportunities/{opportunity_id}/stakeholders"
        one = everybody + "/{stakeholder_id}"
        router.add_api_route(everybody, self.list, methods=["GET"], responses=_READ)
        router.add_api_route(everybody, self.enter, methods=["POST"], responses=_WRITE)
        router.add_api_route(one, self.read, methods=["GET"], responses=_ONE)
        router.add_api_route(one, self.put, methods=["PUT"], responses=_WRITE)
        router.add_api_route(
            one, self.patch, methods=["PATCH"], responses=_WRITE | described(_404=_ONE[404]["description"])
        )
        router.add_api_route(
            one,
            self.remove,
            methods=["DELETE"],
            status_code=204,
            responses=_READ | described(_412="`changed_meanwhile`"),
        )
        router.add_api_route(f"{one}/history", self.history, methods=["GET"], responses=_ONE)
        router.add_api_route(f"{one}/moved", self.moved, methods=["POST"], responses=_MOVED)
        router.add_api_route(f"{one}/verified", self.verified, methods=["POST"], responses=_MOVED)
        return router

    async def list(self, request: Request, opportunity_id: str) -> PeopleView:
        """All people of the deal, in the order in which they were entered, and what is missing among them."""
        caller, row = await self._entry.seen(request, opportunity_id)
        people, risks = await self._desk.people(caller.tenant, opportunity_id, holder_of(row))
        return PeopleView(items=[person_view(one) for one in people], risks=[risk_view(risk) for risk in risks])

    async def read(
        self, request: Request, response: Response, opportunity_id: str, stakeholder_id: StakeholderId
    ) -> PersonView:
        """Read one person, with the ETag."""
        caller, row = await self._entry.seen(request, opportunity_id)
        return await self._shown(response, caller.tenant, row, stakeholder_id)

    async def history(
        self,
        request: Request,
        opportunity_id: str,
        stakeholder_id: StakeholderId,
        after: After = 0,
        limit: Versions = 50,
    ) -> HistoryPage:
        """Every change of every field with its version, oldest first: they add up to the person. Of who was removed it says only
        what is not personal."""
        caller, row = await self._entry.seen(request, opportunity_id)
        of = Of(caller.tenant, row["id"], "stakeholder", stakeholder_id)
        found = await _answered(opportunity_id, self._desk.history(of, after, limit))
        return history_page(found, limit)

    async def enter(self, request: Request, response: Response, opportunity_id: str, body: PostPerson) -> PersonView:
        """Enter a person. Without an `id` it is one of ours: a hash of name and address under your tenant's secret, which tells
        nobody who it is. Sent again, it is the same."""
        caller, _, _ = await self._entry.theirs(request, opportunity_id)
        secret = ids.tenant_secret(self._secret, caller.tenant)  # the id goes to topics, and to endpoints of others
        person = body.id or ids.keyed_id(secret, "stakeholder", opportunity_id, body.name, body.email, body.title)
        return await self._put(request, response, opportunity_id, person, body, Expected())

    async def put(
        self,
        request: Request,
        response: Response,
        opportunity_id: str,
        stakeholder_id: StakeholderId,
        body: PutPerson,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
    ) -> PersonView:
        """Enter a person under an id of yours, or say all that is known of them anew: the last word holds."""
        expected = _expected(if_match, if_none_match)
        return await self._put(request, response, opportunity_id, stakeholder_id, body, expected)

    async def _put(
        self,
        request: Request,
        response: Response,
        opportunity_id: str,
        stakeholder_id: str,
        body: PutPerson,
        expected: Expected,
    ) -> PersonView:
        caller, _, _ = await self._entry.theirs(request, opportunity_id)
        given = body.model_dump(exclude={"id"})

        def whole(known: Stakeholder | None) -> Stakeholder:
            return with_fields(known or Stakeholder(stakeholder_id, {}), given)

        saved = await _answered(
            opportunity_id,
            self._desk.put(caller.tenant, opportunity_id, stakeholder_id, whole, expected, caller.name),
        )
        return _with_etag(response, saved)

    async def patch(
        self,
        request: Request,
        response: Response,
        opportunity_id: str,
        stakeholder_id: StakeholderId,
        body: PatchPerson,
        if_match: IfMatch = None,
    ) -> PersonView:
        """Change what is given of a person."""
        caller, _, _ = await self._entry.theirs(request, opportunity_id)
        given = body.model_dump(exclude_unset=True)
        if "name" in given and given["name"] is None:
            raise Problem(422, "name_needed", "a person has a name")

        def changed(known: Stakeholder | None) -> Stakeholder:
            if known is None:
                raise KeyError(stakeholder_id)
            return with_fields(known, given)

        saved = await _answered(
            opportunity_id,
            self._desk.put(caller.tenant, opportunity_id, stakeholder_id, changed, _expected(if_match), caller.name),
        )
        return _with_etag(response, saved)

    async def remove(
        self, request: Request, opportunity_id: str, stakeholder_id: StakeholderId, if_match: IfMatch = None
    ) -> None:
        """Forget a person; again: the same. Who reported to them reports to nobody known."""
        caller, _, _ = await self._entry.theirs(request, opportunity_id)
        await _answered(
            opportunity_id,
            self._desk.remove(caller.tenant, opportunity_id, stakeholder_id, _expected(if_match), caller.name),
        )

    async def moved(
        self,
        request: Request,
        response: Response,
        opportunity_id: str,
        stakeholder_id: StakeholderId,
        body: Moved | None = None,
    ) -> PersonView:
        """Somebody has moved (異動): what they told of their post is void, and `verify_move` is a risk until that is verified."""
        caller, row, _ = await self._entry.theirs(request, opportunity_id)
        said = body or Moved()
        await _answered(
            opportunity_id,
            self._desk.moved(
                caller.tenant, opportunity_id, stakeholder_id, said.successor, left=said.left, by=caller.name
            ),
        )
        return await self._shown(response, caller.tenant, row, stakeholder_id)

    async def verified(
        self,
        request: Request,
        response: Response,
        opportunity_id: str,
        stakeholder_id: StakeholderId,
        body: Verified,
    ) -> PersonView:
        """It was made sure whether somebody has moved (在籍確認). Who has not is there again; what was void is to be asked anew."""
        caller, row, _ = await self._entry.theirs(request, opportunity_id)
        await _answered(
            opportunity_id,
            self._desk.verified(caller.tenant, opportunity_id, stakeholder_id, gone=body.gone, by=caller.name),
        )
        return await self._shown(response, caller.tenant, row, stakeholder_id)

    async def _shown(self, response: Response, tenant: str, row: Row, stakeholder_id: str) -> PersonView:
        people, _ = await self._desk.people(tenant, row["id"], holder_of(row))
        found = next((one for one in people if one.stakeholder_id == stakeholder_id), None)
        if found is None:
            raise _nobody(stakeholder_id)
        return _with_etag(response, found)


async def _answered(opportunity_id: str, doing: Awaitable[T]) -> T:
    """What the desk does, with what it refuses turned into answers."""
    try:
        return await doing
    except UnknownOpportunityError:
        raise not_found(opportunity_id) from None
    except UnknownPersonError as error:
        if error.where == "stakeholder":
            raise _nobody(error.wrong) from None
        raise unknown(error.where, error.wrong, error.known) from None
    except CircleError as error:
        way = " → ".join(error.way)
        raise Problem(409, "reports_in_a_circle", f"nobody reports to themselves: {way}", way=error.way) from None
    except ChangedMeanwhileError as error:
        raise Problem(
            412, "changed_meanwhile", "somebody changed it since you looked: read it again", version=error.version
        ) from None
    except TooManyError:
        raise Problem(409, "too_many_people", f"a deal has at most {MOST} people") from None
    except NotMovedError:
        raise Problem(409, "not_moved", "nobody said that this person has moved") from None


def holder_of(row: Row) -> str:
    """The rep who has the opportunity, or had it last."""
    return str(row["offers"][-1]["rep_id"])


def seen_version(if_match: str | None) -> int | None:
    """The version that the caller has seen; None where any will do. Raises Problem 422 for what is no ETag of ours."""
    return _expected(if_match).version


def _expected(if_match: str | None, if_none_match: str | None = None) -> Expected:
    """Raises Problem 422 for what is no ETag of ours."""
    if if_none_match is not None and if_none_match.strip() != "*":
        raise Problem(422, "bad_etag", "`If-None-Match` is `*` here")
    if if_match is None or if_match.strip() == "*":
        return Expected(absent=if_none_match is not None)
    found = ETAG.fullmatch(if_match)
    if not found:
        raise Problem(422, "bad_etag", "`If-Match` is the ETag of an answer")
    return Expected(version=int(found[1]))


def _nobody(stakeholder_id: str) -> Problem:
    return Problem(404, "no_stakeholder", f"the deal has no stakeholder {stakeholder_id[:100]!r}")


def _with_etag(response: Response, one: Stakeholder) -> PersonView:
    response.headers["ETag"] = f'"{one.version}"'
    return person_view(one)
