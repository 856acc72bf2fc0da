"""Making a link for an offer, and what it leads to: a GET shows a page, only the button's POST does something."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from services.handoff.desk import Desk, UnknownOpportunityError
from services.handoff.domain.rep import NotTheHolderError, OfferNotOpenError
from services.handoff.links import page
from services.handoff.links.page import Words
from services.handoff.links.signing import LIVES, BadLinkError, OfferLink, Signer
from services.handoff.paging import UUID
from services.handoff.policies import Policies
from services.handoff.reads import Reads
from services.handoff.seeing import must_be_theirs, sees
from services.handoff.telling.recipients import language
from shared.kit.auth import BEARER, Tokens
from shared.kit.clock import Clock, iso
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.sight import FOR_OTHERS, sight_of


class LinkBody(BaseModel):
    """Give it to this rep alone: whoever has it may answer in their name."""

    path: str = Field(description="of this API; put in front of it the address under which reps reach it")
    url: str | None = Field(None, description="the whole of it, where HANDOFF_PUBLIC_URL says that address")
    rep_id: str
    expires_at: str


class LinksApi:
    """`POST /v1/opportunities/{id}/link`, and `/o/{token}`."""

    def __init__(
        self,
        desk: Desk,
        reads: Reads,
        policies: Policies,
        tokens: Tokens,
        clock: Clock,
        signer: Signer,
        public_url: str = "",
    ) -> None:
        self._desk, self._reads, self._policies = desk, reads, policies
        self._tokens, self._clock, self._signer = tokens, clock, signer
        self._public = public_url.rstrip("/")

    def router(self) -> APIRouter:
        router = APIRouter(route_class=OnceRoute)
        refused = described(
            _401="no token, or an unknown one",
            _403="the token may not do this",
            _404="no such opportunity",
            _409="`offer_not_open`",
            _422="the request is wrong",
        )
        router.add_api_route(
            "/v1/opportunities/{opportunity_id}/link",
            self.make,
            methods=["POST"],
            responses=refused,
            tags=["opportunities"],
            dependencies=[BEARER],
        )
        router.add_api_route("/o/{token}", self.show, methods=["GET", "HEAD"], include_in_schema=False)
        router.add_api_route("/o/{token}", self.act, methods=["POST"], include_in_schema=False)
        return router

    async def make(self, request: Request, opportunity_id: str) -> LinkBody:
        """A link by which the rep answers the open offer from chat or mail, without signing in."""
        caller = await self._tokens.caller(request)
        if not FOR_OTHERS.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles api, manager, admin")
        sight = sight_of(caller, self._policies.teams(caller.tenant))
        known = UUID.fullmatch(opportunity_id)
        row = await self._reads.find(caller.tenant, opportunity_id) if known else None
        if row is None or not sees(sight, row):
            raise Problem(404, "not_found", f"there is no opportunity {opportunity_id[:50]!r}")
        offer = row["offers"][-1]
        must_be_theirs(sight, row, offer["rep_id"])
        if offer["state"] != "open":
            raise Problem(409, "offer_not_open", f"the offer is {offer['state']}", state=offer["state"])
        link = OfferLink(caller.tenant, opportunity_id, offer["assignment"], offer["rep_id"], self._clock.now() + LIVES)
        path = f"/o/{self._signer.write(link)}"
        url = f"{self._public}{path}" if self._public else None
        return LinkBody(path=path, url=url, rep_id=link.rep_id, expires_at=iso(link.expires_at))

    async def show(self, request: Request, token: str) -> Response:
        said, link = self._read(request, token)
        if isinstance(link, Response):
            return link
        return await self._state(said, link)

    async def act(self, request: Request, token: str) -> Response:
        said, link = self._read(request, token)
        if isinstance(link, Response):
            return link
        form = parse_qs((await request.body()).decode(errors="replace"))
        do, reason = form.get("do", [""])[0], form.get("reason", [""])[0]
        reasons = self._policies.decline_reasons(link.tenant)
        try:
            if do == "accept":
                await self._desk.accept(link.tenant, link.opportunity_id, link.rep_id, link.assignment)
            elif do == "decline" and reason in reasons:
                await self._desk.decline(
                    link.tenant, link.opportunity_id, link.rep_id, reasons[reason], None, assignment=link.assignment
                )
            else:
                return _html(page.message(said, "choose" if do == "decline" else "undecided"), 422)
        except (UnknownOpportunityError, NotTheHolderError, OfferNotOpenError):
            return await self._state(said, link, 409)
        return _html(page.message(said, "accepted" if do == "accept" else "declined"))

    def _read(self, request: Request, token: str) -> tuple[Words, OfferLink | Response]:
        """In which words, and what the link names; else why it names nothing. Where the browser asks for no language of ours, it is
        the one in which the rep is written to."""
        asked = request.headers.get("accept-language", "")
        try:
            link = self._signer.read(token)
        except BadLinkError:
            said = page.words(asked)
            return said, _html(page.message(said, "bad"), 404)
        teams = self._policies.teams(link.tenant)
        rep = next((one for one in teams.reps if one.id == link.rep_id), None) if teams else None
        said = page.words(asked, language(rep) if rep else "en")
        return said, link if link.expires_at > self._clock.now() else _html(page.message(said, "expired"), 410)

    async def _state(self, said: Words, link: OfferLink, status: int = 200) -> Response:
        """The question while it is open, else what became of it."""
        row = await self._reads.find(link.tenant, link.opportunity_id)
        offer = next((o for o in row["offers"] if o["assignment"] == link.assignment), None) if row else None
        if row is None or offer is None or offer["state"] not in ("open", "accepted", "declined"):
            return _html(page.message(said, "gone"), status)
        if offer["state"] != "open":
            before = " before" if status == 409 else ""
            return _html(page.message(said, f"{offer['state']}{before}"), status)
        reasons = {
            code: reason.label.texts().get(said["lang"]) or next(iter(reason.label.texts().values()), code)
            for code, reason in self._policies.decline_reasons(link.tenant).items()
        }
        return _html(
            page.question(
                said,
                rep=offer["rep_name"],
                company=row["attributes"].get("company"),
                due=self._due(link, row),
                reasons=reasons,
            ),
            status,
        )

    def _due(self, link: OfferLink, row: dict[str, Any]) -> str | None:
        """When the offer runs out, by the rep's clock on the wall."""
        due = [
            c["due_at"]
            for c in row["clocks"]
            if (c["assignment"], c["kind"], c["state"]) == (link.assignment, "accept", "running")
        ]
        zone = ZoneInfo(self._policies.zone(link.tenant, link.rep_id))
        return f"{datetime.fromtimestamp(due[0] / 1000, zone):%Y-%m-%d %H:%M %Z}" if due else None


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status_code=status, headers=page.HEADERS)
