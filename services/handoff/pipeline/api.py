"""The API of deals: what follows once field sales has accepted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from services.handoff.bodies import ShortText
from services.handoff.entry import not_found
from services.handoff.paging import UUID
from services.handoff.pipeline import steps
from services.handoff.pipeline.bodies import DealPatch, HandOver, Lose, Move, Review, Win
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.desk import Act, Asker, DealDesk
from services.handoff.pipeline.refusals import must_be_reps, refusals
from services.handoff.pipeline.steps import Loss, RefusedError
from services.handoff.pipeline.totals import PipelineView, Wanted, alike, totals
from services.handoff.pipeline.views import After, DealView, HistoryPage, Versions, deal_view, history_page
from services.handoff.policies import Policies
from services.handoff.reads import Reads
from services.handoff.seeing import must_be_theirs, sees
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.database import Pool
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.sight import FOR_OTHERS, Sight, sight_of

ETAG = re.compile(r'"([0-9]{1,9})"')
_COMMON = described(_401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong")
_READ = (
    described(_404="no such opportunity", _409="`not_accepted`: field sales has not accepted; `no_pipeline_policy`")
    | _COMMON
)
_ACT = (
    described(
        _404="no such opportunity",
        _409="`guard` with all that is `missing`; `closed`, `not_the_holder`, `not_accepted`, `no_pipeline_policy`",
        _412="`stale`: the deal is another `version` by now",
    )
    | _COMMON
)
_PATCH = described(_428="`if_match_required`: send the `ETag` of the deal as you saw it") | _ACT
_TOTALS = described(_409="`no_pipeline_policy`") | _COMMON
_ANY = '"3": only if the deal is this version; `*`: whichever it is'
IfMatch = Annotated[str | None, Header(alias="If-Match", description=_ANY, examples=['"3"'])]
NOTHING_SAID: Mapping[str, Any] = {}


class DealsApi:
    """The routes under /v1/opportunities/{id}/deal, and /v1/pipeline. The tenant comes from the caller's token alone."""

    def __init__(self, pool: Pool, desk: DealDesk, reads: Reads, policies: Policies, tokens: Tokens) -> None:
        self._pool, self._desk, self._reads, self._policies, self._tokens = pool, desk, reads, policies, tokens

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["deals"], dependencies=[BEARER], route_class=OnceRoute)
        one = "/opportunities/{opportunity_id}/deal"
        router.add_api_route(one, self.read, methods=["GET"], responses=_READ)
        router.add_api_route(one, self.patch, methods=["PATCH"], responses=_PATCH)
        router.add_api_route("/pipeline", self.pipeline, methods=["GET"], responses=_TOTALS)
        router.add_api_route(f"{one}/history", self.history, methods=["GET"], responses=_READ)
        router.add_api_route(f"{one}/move", self.move, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/win", self.win, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/lose", self.lose, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/hand-over", self.hand_over, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/review", self.review, methods=["POST"], responses=_ACT)
        return router

    async def read(self, request: Request, response: Response, opportunity_id: str) -> DealView:
        """Read the deal, with what is missing for each of the stages before it."""
        caller, _, _ = await self._seen(request, opportunity_id)
        with refusals(opportunity_id):
            deal = await self._desk.read(caller.tenant, opportunity_id)
        return self._answer(caller, response, opportunity_id, deal)

    async def history(
        self,
        request: Request,
        opportunity_id: str,
        after: After = 0,
        limit: Versions = 50,
    ) -> HistoryPage:
        """Every change of every field with its version, oldest first: they add up to the deal."""
        caller, _, _ = await self._seen(request, opportunity_id)
        found = await self._desk.history(caller.tenant, opportunity_id, after, limit)
        return history_page(found, limit)

    async def pipeline(
        self,
        request: Request,
        closes_from: Annotated[date | None, Query(description="expected to close on this day or later")] = None,
        closes_before: Annotated[date | None, Query(description="expected to close before this day")] = None,
        rep_id: Annotated[ShortText | None, Query(description="those that this rep has")] = None,
    ) -> PipelineView:
        """What the open deals that count are worth, by currency, stage and forecast: of those in the hands of whom the token
        sees."""
        caller = await self._tokens.caller(request)
        sight = sight_of(caller, self._policies.teams(caller.tenant))
        with refusals(""):
            policy = self._desk.policy(caller.tenant)
        wanted = Wanted(closes_from, closes_before, rep_id)
        return totals(await alike(self._pool, caller.tenant, sight, wanted), policy)

    async def patch(
        self, request: Request, response: Response, opportunity_id: str, body: DealPatch, if_match: IfMatch = None
    ) -> DealView:
        """Say what is known of the deal. What is the same already changes nothing, whichever version `If-Match` names."""
        if if_match is None:
            raise Problem(428, "if_match_required", "send `If-Match` with the `ETag` of the deal as you saw it")
        given = body.given()

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            return steps.edit(deal, given, policy, moment)

        return await self._do(request, response, opportunity_id, act, if_match, said=given, people=body.people())

    async def move(
        self, request: Request, response: Response, opportunity_id: str, body: Move, if_match: IfMatch = None
    ) -> DealView:
        """Move the deal to another stage: forward where all is so that the stages between ask for, backward for a reason."""

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            return steps.move(deal, body.to, body.reason, policy, moment)

        return await self._do(request, response, opportunity_id, act, if_match, wrong=body.to, note=body.reason)

    async def win(
        self, request: Request, response: Response, opportunity_id: str, body: Win, if_match: IfMatch = None
    ) -> DealView:
        """The order or contract is there: the opportunity closes, and `handover_missing` is what the account manager lacks."""

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            return steps.win(deal, body.ordered_on, policy, moment)

        return await self._do(request, response, opportunity_id, act, if_match)

    async def lose(
        self, request: Request, response: Response, opportunity_id: str, body: Lose, if_match: IfMatch = None
    ) -> DealView:
        """The deal is lost, for a reason. The opportunity closes; the lead comes back on its day, or by a new signal."""

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            reason = policy.reason(body.reason)
            if reason is None:
                valid = [one.code for one in policy.loss_reasons]
                raise RefusedError("unknown_reason", f"no deal is lost for `{body.reason}`", valid=valid)
            loss = Loss(reason, body.text or None, body.rival, body.contract_end, body.back_on)
            return steps.lose(deal, loss, moment)

        return await self._do(request, response, opportunity_id, act, if_match, wrong=body.reason)

    async def hand_over(
        self, request: Request, response: Response, opportunity_id: str, body: HandOver, if_match: IfMatch = None
    ) -> DealView:
        """Give the customer of a won deal to the account manager, with all that the checklist asks for."""

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            return steps.hand_over(deal, body.account_manager, body.items, policy, moment.now)

        people = [body.account_manager] if body.account_manager else []
        return await self._do(request, response, opportunity_id, act, if_match, people=people)

    async def review(
        self, request: Request, response: Response, opportunity_id: str, body: Review, if_match: IfMatch = None
    ) -> DealView:
        """Say what was learned of a deal that was won or lost."""

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            return steps.review(deal, body.answers, policy, moment.now)

        return await self._do(request, response, opportunity_id, act, if_match)

    async def _do(
        self,
        request: Request,
        response: Response,
        opportunity_id: str,
        act: Act,
        if_match: str | None,
        *,
        wrong: str | None = None,
        said: Mapping[str, Any] = NOTHING_SAID,
        people: Collection[str] = (),
        note: str | None = None,
    ) -> DealView:
        """wrong: what a slip may be in;  said: of the deal, by a person;  people: who have to be reps"""
        caller, sight, row = await self._seen(request, opportunity_id)
        must_be_reps(self._policies, caller.tenant, people)
        asker = _asker(caller, sight, row)

        def checked(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            steps.must_lie_ahead(deal, said, moment, row["created_at"])
            return act(deal, policy, moment)

        with refusals(opportunity_id, wrong):
            deal = await self._desk.change(
                caller.tenant, opportunity_id, checked, asker, versions=_versions(if_match), note=note
            )
        return self._answer(caller, response, opportunity_id, deal)

    async def _seen(self, request: Request, opportunity_id: str) -> tuple[Caller, Sight, dict[str, Any]]:
        """Raises Problem 401, 403, and 404: also for an opportunity that the caller may not see."""
        caller = await self._tokens.caller(request)
        sight = sight_of(caller, self._policies.teams(caller.tenant))
        row = await self._reads.find(caller.tenant, opportunity_id) if UUID.fullmatch(opportunity_id) else None
        if row is None or not sees(sight, row):
            raise not_found(opportunity_id)
        return caller, sight, row

    def _answer(self, caller: Caller, response: Response, opportunity_id: str, deal: Deal) -> DealView:
        policy = self._policies.pipeline(caller.tenant)
        assert policy is not None
        response.headers["ETag"] = f'"{deal.version}"'
        return deal_view(opportunity_id, deal, policy)


def _asker(caller: Caller, sight: Sight, row: dict[str, Any]) -> Asker:
    """A rep asks of the own deals, a manager of those whose holder is of the team, a system of all. Raises Problem 403."""
    if sight.everything:
        return Asker(caller.name)
    if not FOR_OTHERS.intersection(caller.roles):
        return Asker(caller.name, caller.name)
    holder = str(row["offers"][-1]["rep_id"])
    must_be_theirs(sight, row, holder)
    return Asker(caller.name, holder)


def _versions(if_match: str | None) -> Collection[int] | None:
    """The versions that the header names; None for all. Raises Problem 422. A weak one never matches."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [tag.strip() for tag in if_match.split(",")]
    found = [ETAG.fullmatch(tag.removeprefix("W/")) for tag in tags]
    if not all(found):
        raise Problem(422, "bad_if_match", 'send `If-Match` as the `ETag` was given, such as "3"')
    return [int(one[1]) for tag, one in zip(tags, found, strict=True) if one and not tag.startswith("W/")]
