"""Upsert by external id: a CRM says what it knows of a deal by its own id, as often as it likes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.handoff import store as handoff
from services.handoff.bodies import ShortText
from services.handoff.entry import known_form
from services.handoff.external import store
from services.handoff.external.store import External, LinkedElsewhereError
from services.handoff.merged import family
from services.handoff.pipeline import steps
from services.handoff.pipeline.bodies import DealPatch, LongText
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.desk import Asker, DealDesk
from services.handoff.pipeline.refusals import must_be_reps, refusals
from services.handoff.pipeline.views import DealView, deal_view
from services.handoff.policies import Policies
from shared.kit.asked import Asked
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.clock import Clock
from shared.kit.database import Pool, one_transaction, tenant_transaction
from shared.kit.problems import Problem, described
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.sight import WHOLE

System = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["salesforce"])]
ExternalId = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f-\x9f\ufffd/]{1,200}$", examples=["0065g00000XyZ"])]


class Upsert(Asked):
    """opportunity_id or lead_id: what the id stands for, the first time; of a lead, its last cycle, or the
    latest of the leads merged into it. Linked only if all else is
    done, too."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "lead_id": "0d8e68a4-7a95-5bde-b902-714a70fa7a16",
                    "deal": {"amount": "1200000", "expected_close": "2027-03-31"},
                    "stage": "discovery",
                }
            ]
        },
    )

    opportunity_id: ShortText | None = None
    lead_id: ShortText | None = None
    deal: DealPatch | None = Field(default=None, description="what becomes other; what is absent stays")
    stage: ShortText | None = Field(default=None, description="where it is, after that; its guards hold here too")
    reason: LongText | None = Field(default=None, description="why it goes back, where it does")


class ExternalView(BaseModel):
    system: str
    external_id: str
    opportunity_id: str
    deal: DealView


_REFUSED = described(
    _401="no token, or an unknown one",
    _403="only the roles api and admin",
    _404="`not_found`: no such opportunity; `not_linked`: the id stands for none yet",
    _409="`linked_elsewhere`; `guard` with all that is `missing`; `closed`, `not_accepted`, `no_pipeline_policy`",
    _422="the request is wrong: also `not_of_lead`, where `opportunity_id` is not of `lead_id`",
)


class ExternalApi:
    """For systems: roles api and admin. Whoever writes last is right, as they mean to be."""

    def __init__(self, pool: Pool, desk: DealDesk, policies: Policies, tokens: Tokens, clock: Clock) -> None:
        self._pool, self._desk, self._policies, self._tokens, self._clock = pool, desk, policies, tokens, clock

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1/external/{system}/{external_id}", tags=["external"], dependencies=[BEARER])
        created: dict[int | str, dict[str, Any]] = {
            201: {"description": "the id stands for this opportunity from now on", "model": ExternalView}
        }
        router.add_api_route("", self.put, methods=["PUT"], responses=created | _REFUSED)
        router.add_api_route("", self.read, methods=["GET"], responses=_REFUSED)
        return router

    async def read(self, request: Request, system: System, external_id: ExternalId) -> ExternalView:
        """The deal that the other system knows by this id."""
        caller = await self._caller(request)
        opportunity_id = await self._linked(caller, External(system, external_id))
        with refusals(opportunity_id):
            deal = await self._desk.read(caller.tenant, opportunity_id)
        return self._view(caller, External(system, external_id), opportunity_id, deal)

    async def put(
        self, request: Request, response: Response, system: System, external_id: ExternalId, body: Upsert
    ) -> ExternalView:
        """Say what the other system knows of a deal. The same again changes nothing."""
        caller, external = await self._caller(request), External(system, external_id)
        must_be_reps(self._policies, caller.tenant, body.deal.people() if body.deal else ())
        # One transaction: what is refused links nothing either.
        async with one_transaction(self._pool, caller.tenant):
            if body.opportunity_id or body.lead_id:
                opportunity_id, new = await self._link(caller, external, body)
            else:
                opportunity_id, new = await self._linked(caller, external), False
            deal = await self._say(caller, opportunity_id, body)
        response.status_code = 201 if new else 200
        return self._view(caller, external, opportunity_id, deal)

    async def _say(self, caller: Caller, opportunity_id: str, body: Upsert) -> Deal:
        given = body.deal.given() if body.deal else {}

        def act(deal: Deal, policy: PipelinePolicy, moment: steps.Moment) -> Deal:
            edited = steps.edit(deal, given, policy, moment) if given else deal
            return steps.move(edited, body.stage, body.reason, policy, moment) if body.stage else edited

        with refusals(opportunity_id, body.stage):
            if not given and not body.stage:
                return await self._desk.read(caller.tenant, opportunity_id)
            return await self._desk.change(caller.tenant, opportunity_id, act, Asker(caller.name), note=body.reason)

    async def _link(self, caller: Caller, external: External, body: Upsert) -> tuple[str, bool]:
        """What the id stands for from now on, and whether that is new."""
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            named = body.opportunity_id and known_form(body.opportunity_id)
            found = named or await store.latest_of(connection, caller.tenant, body.lead_id or "")
            known = found and (await handoff.lock(connection, caller.tenant, [found])).get(found)
            if not found or not known:
                raise Problem(404, "not_found", "there is no such opportunity, or the lead has none")
            if body.lead_id and known.lead_id not in await family(connection, caller.tenant, body.lead_id):
                raise Problem(
                    422, "not_of_lead", f"the opportunity is not of the lead `{body.lead_id}`: name one of them"
                )
            try:
                return found, await store.link(connection, caller.tenant, external, found, self._clock.now())
            except LinkedElsewhereError:
                detail = f"`{external.external_id}` stands for another opportunity, or {external.system} has another id for it"
                raise Problem(409, "linked_elsewhere", detail) from None

    async def _linked(self, caller: Caller, external: External) -> str:
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            found = await store.find(connection, caller.tenant, external)
        if found is None:
            detail = f"{external.system} has not said what `{external.external_id}` is: PUT it with `opportunity_id` or `lead_id`"
            raise Problem(404, "not_linked", detail)
        return found

    def _view(self, caller: Caller, external: External, opportunity_id: str, deal: Deal) -> ExternalView:
        policy = self._policies.pipeline(caller.tenant)
        assert policy is not None  # the desk has refused otherwise
        view = deal_view(opportunity_id, deal, policy)
        return ExternalView(
            system=external.system, external_id=external.external_id, opportunity_id=opportunity_id, deal=view
        )

    async def _caller(self, request: Request) -> Caller:
        caller = await self._tokens.caller(request)
        if not WHOLE.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles api, admin")
        return caller
