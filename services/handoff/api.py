"""The API of reps and their systems: list and read opportunities, accept, decline, log a touch."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request

from services.handoff import views
from services.handoff.bodies import Accept, Decline, LogActivity, Pause, Qualify, Resume, ShortText
from services.handoff.desk import ActivityIdTakenError, Desk, UnknownOpportunityError
from services.handoff.domain.opportunity import Stage
from services.handoff.domain.pausing import NothingRunsError, PausedAlreadyError, PauseLimitError
from services.handoff.domain.rep import (
    Activity,
    Handover,
    HandoverIncompleteError,
    NotInsideSalesError,
    NotTheHolderError,
    OfferNotOpenError,
)
from services.handoff.entry import known_form, not_found, rep_of, unknown
from services.handoff.paging import Cursor, cursor, place
from services.handoff.policies import Policies
from services.handoff.reads import Filter, Reads
from services.handoff.seeing import must_be_theirs, sees
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.clock import Clock
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.schemas import ids
from shared.schemas.policies.routing import COMES_BACK, DeclineReason
from shared.sight import Sight, sight_of

LATEST = 3 * 366 * 86_400_000  # ms ahead that a lead may want to be called again
DAY = 86_400_000  # ms
AHEAD = 5 * 60_000  # ms by which a caller's clock may be ahead of ours

_COMMON = described(_401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong")
_ONE = described(_404="no such opportunity") | _COMMON
_ACT = described(_409="`not_the_holder`, `offer_not_open`: somebody else holds the lead, or it is too late") | _ONE
_QUALIFY = _ACT | described(_422="`handover_incomplete`: policy wants more to be handed over; `missing` says what")
_PAUSE = (
    described(
        _409="`not_the_holder`, `offer_not_open`, `paused_already`, `pause_limit`, `nothing_runs`: the clocks cannot be paused"
    )
    | _ONE
)
_LOG = described(_409="`activity_id_taken`: another activity has this id", _413="the body is too large") | _ONE


class Api:
    """The routes under /v1. The tenant comes from the caller's token, and from nowhere else."""

    def __init__(self, desk: Desk, reads: Reads, policies: Policies, tokens: Tokens, clock: Clock) -> None:
        self._desk, self._reads, self._policies = desk, reads, policies
        self._tokens, self._clock = tokens, clock

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["opportunities"], dependencies=[BEARER], route_class=OnceRoute)
        one = "/opportunities/{opportunity_id}"
        router.add_api_route("/opportunities", self.list, methods=["GET"], responses=_COMMON)
        router.add_api_route(one, self.read, methods=["GET"], responses=_ONE)
        router.add_api_route(f"{one}/accept", self.accept, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/decline", self.decline, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/qualify", self.qualify, methods=["POST"], responses=_QUALIFY)
        router.add_api_route(f"{one}/pause", self.pause, methods=["POST"], responses=_PAUSE)
        router.add_api_route(f"{one}/resume", self.resume, methods=["POST"], responses=_ACT)
        router.add_api_route(f"{one}/activities", self.log_activity, methods=["POST"], responses=_LOG)
        return router

    async def list(
        self,
        request: Request,
        lead_id: Annotated[
            ShortText | None, Query(description="of this lead, and of leads that were merged into it")
        ] = None,
        stage: Annotated[Stage | None, Query(description="in this stage")] = None,
        rep_id: Annotated[ShortText | None, Query(description="held by this rep now")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> views.Page:
        """List the opportunities that the token may see, the newest first."""
        caller, sight = await self._caller(request)
        rows = await self._reads.page(caller.tenant, sight, Filter(lead_id, stage, rep_id), place(after), limit + 1)
        names, pipeline = self._policies.rep_names(caller.tenant), self._policies.pipeline(caller.tenant)
        last = rows[limit - 1] if len(rows) > limit else None
        return views.Page(
            items=[views.summary(row, names, pipeline) for row in rows[:limit]],
            next=cursor(last["created_at"], last["id"]) if last else None,
        )

    async def read(self, request: Request, opportunity_id: str) -> views.Detail:
        """Read an opportunity with its offers, clocks, activities and stages."""
        caller, sight = await self._caller(request)
        return self._view(caller, await self._seen(caller, sight, opportunity_id))

    async def accept(self, request: Request, opportunity_id: str, body: Accept | None = None) -> views.Detail:
        """Accept the offer. Accepting again changes nothing and answers the same."""
        caller, rep_id = await self._actor(request, opportunity_id, body.rep_id if body else None)
        with refusals(opportunity_id):
            await self._desk.accept(caller.tenant, known_form(opportunity_id), rep_id)
        return await self._detail(caller, opportunity_id)

    async def decline(self, request: Request, opportunity_id: str, body: Decline) -> views.Detail:
        """Give the lead back, with a reason; the reason's effect decides what becomes of it."""
        caller, rep_id = await self._actor(request, opportunity_id, body.rep_id)
        valid = self._policies.decline_reasons(caller.tenant)
        if body.reason not in valid:
            raise unknown("reason", body.reason, sorted(valid))
        reason = valid[body.reason]
        until = await self._until(caller, opportunity_id, rep_id, reason, body.until)
        with refusals(opportunity_id):
            await self._desk.decline(caller.tenant, known_form(opportunity_id), rep_id, reason, body.note, until)
        return await self._detail(caller, opportunity_id)

    async def _until(
        self,
        caller: Caller,
        opportunity_id: str,
        rep_id: str | None,
        reason: DeclineReason,
        until: datetime | date | None,
    ) -> int | None:
        """The moment (ms) from which the lead wants to be called again."""
        if until is None:
            return None
        if reason.effect not in COMES_BACK:
            raise Problem(
                422, "comes_back_never", f"a lead that is given back for {reason.code!r} has no day to come back"
            )
        if not isinstance(until, datetime):
            owner = (await self._detail(caller, opportunity_id)).owner
            rep_id = rep_id or (owner.rep_id if owner else None)
            until = datetime.combine(until, time(), ZoneInfo(self._policies.zone(caller.tenant, rep_id)))
        at, now = round(until.timestamp() * 1000), self._clock.now()
        if not now < at <= now + LATEST:
            raise Problem(422, "not_in_the_future", "`until` lies in the past, or more than three years ahead")
        return at

    async def qualify(self, request: Request, opportunity_id: str, body: Qualify) -> views.Detail:
        """Pass a lead that inside sales has accepted and qualified on to field sales, with what they are to know of it; the router
        chooses whom."""
        caller, rep_id = await self._actor(request, opportunity_id, body.rep_id)
        handover = _handover(body)
        if handover.first_meeting is not None and handover.first_meeting < self._clock.now():
            await self._must_be_since_opened(caller, opportunity_id, handover.first_meeting)
        with refusals(opportunity_id):
            await self._desk.qualify(caller.tenant, known_form(opportunity_id), rep_id, handover)
        return await self._detail(caller, opportunity_id)

    async def _must_be_since_opened(self, caller: Caller, opportunity_id: str, first_meeting: int) -> None:
        """They may have met already, but not before there was anything to meet for. Raises Problem 422, and 404."""
        row = await self._reads.find(caller.tenant, known_form(opportunity_id))
        if row is None:
            raise not_found(opportunity_id)
        if first_meeting < row["created_at"] - DAY:  # whoever met them may be the one who brought the lead in
            opened = datetime.fromtimestamp(row["created_at"] / 1000, UTC).date()
            raise Problem(422, "in_the_past", f"`first_meeting` lies before the opportunity was opened, on {opened}")

    async def pause(self, request: Request, opportunity_id: str, body: Pause) -> views.Detail:
        """Let the clocks of an accepted lead stand while the rep waits for somebody else, until `until` or until resumed."""
        caller, rep_id = await self._actor(request, opportunity_id, body.rep_id)
        valid = self._policies.pause_reasons(caller.tenant)
        if body.reason not in valid:
            raise unknown("reason", body.reason, sorted(valid))
        until = round(body.until.timestamp() * 1000) if body.until else None
        if until is not None and until <= self._clock.now():
            raise Problem(422, "not_in_the_future", "`until` lies in the past")
        with refusals(opportunity_id):
            await self._desk.pause(
                caller.tenant, known_form(opportunity_id), rep_id, valid[body.reason], caller.name, until
            )
        return await self._detail(caller, opportunity_id)

    async def resume(self, request: Request, opportunity_id: str, body: Resume | None = None) -> views.Detail:
        """Let the clocks count again. Where they do already, nothing changes."""
        caller, rep_id = await self._actor(request, opportunity_id, body.rep_id if body else None)
        with refusals(opportunity_id):
            await self._desk.resume(caller.tenant, known_form(opportunity_id), rep_id, caller.name)
        return await self._detail(caller, opportunity_id)

    async def log_activity(self, request: Request, opportunity_id: str, body: LogActivity) -> views.Detail:
        """Log what a human did about the lead. A human touch stops the first-touch clock and accepts an open offer."""
        caller, rep_id = await self._actor(request, opportunity_id, body.rep_id)
        activity = self._activity(caller.tenant, rep_id, body)
        with refusals(opportunity_id):
            await self._desk.log_touch(caller.tenant, known_form(opportunity_id), activity, body.note, caller.name)
        return await self._detail(caller, opportunity_id)

    def _activity(self, tenant: str, rep_id: str | None, body: LogActivity) -> Activity:
        touches, types = self._policies.activity_types(tenant)
        if body.type not in types:
            raise unknown("type", body.type, sorted(types))
        now = self._clock.now()
        at = round(body.at.timestamp() * 1000) if body.at else now
        if at > now + AHEAD:
            raise Problem(422, "in_the_future", "`at` lies in the future: log what has been done")
        return Activity(
            body.id or ids.derived_id("activity", body.type, rep_id, at),
            body.type,
            min(at, now),
            rep_id,
            is_first_touch=body.type in touches,
            note_given=bool(body.note),
            duration=body.duration,
            direction=body.direction,
            outcome=body.outcome,
            participants=tuple(dict.fromkeys(body.participants)),
        )

    async def _caller(self, request: Request) -> tuple[Caller, Sight]:
        """Raises Problem 401, and 403 for a token without a role."""
        caller = await self._tokens.caller(request)
        return caller, sight_of(caller, self._policies.teams(caller.tenant))

    async def _actor(self, request: Request, opportunity_id: str, named: str | None) -> tuple[Caller, str | None]:
        """Who acts, and in whose name; None where that is whoever was asked last. Raises Problem 403, and 404 for an opportunity
        that they do not see.

        A manager who names nobody acts for the rep who was looked at here: when the lead goes to another team meanwhile, it is
        too late, rather than done in the name of one of that team.
        """
        caller, sight = await self._caller(request)
        rep_id = rep_of(caller, named)
        if sight.everything:
            return caller, rep_id
        row = await self._seen(caller, sight, opportunity_id)
        rep_id = rep_id or str(row["offers"][-1]["rep_id"])
        must_be_theirs(sight, row, rep_id)
        return caller, rep_id

    async def _seen(self, caller: Caller, sight: Sight, opportunity_id: str) -> dict[str, Any]:
        """Raises Problem 404, also for one that the caller may not see."""
        row = await self._reads.find(caller.tenant, known_form(opportunity_id))
        if row is None or not sees(sight, row):
            raise not_found(opportunity_id)
        return row

    async def _detail(self, caller: Caller, opportunity_id: str) -> views.Detail:
        """What became of an opportunity that the caller was seen to see."""
        row = await self._reads.find(caller.tenant, known_form(opportunity_id))
        if row is None:
            raise not_found(opportunity_id)
        return self._view(caller, row)

    def _view(self, caller: Caller, row: dict[str, Any]) -> views.Detail:
        policies = self._policies
        return views.detail(row, policies.rep_names(caller.tenant), policies.pipeline(caller.tenant))


class refusals:  # noqa: N801 - reads as a clause: with refusals(…)
    """Turns what the desk refuses into answers."""

    def __init__(self, opportunity_id: str) -> None:
        self._id = opportunity_id

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case UnknownOpportunityError():
                raise not_found(self._id) from None
            case NotTheHolderError():
                raise Problem(409, "not_the_holder", "this lead was never offered to this rep") from None
            case OfferNotOpenError():
                raise Problem(
                    409, "offer_not_open", f"too late: the offer is {error.state}", state=error.state
                ) from None
            case NotInsideSalesError():
                raise Problem(409, "not_inside_sales", "only inside sales passes a lead on to field sales") from None
            case HandoverIncompleteError():
                missing = list(error.missing)
                words = f"policy wants this to be handed over, too: {', '.join(missing)}"
                raise Problem(422, "handover_incomplete", words, missing=missing) from None
            case PausedAlreadyError():
                raise Problem(409, "paused_already", "the clocks are paused for another reason: resume first") from None
            case PauseLimitError():
                raise Problem(409, "pause_limit", "the clocks were paused for this reason as often as may be") from None
            case NothingRunsError():
                raise Problem(409, "nothing_runs", "no clock of this lead runs") from None
            case ActivityIdTakenError():
                raise Problem(409, "activity_id_taken", "another activity of this opportunity has this id") from None


def _handover(body: Qualify) -> Handover:
    first = round(body.first_meeting.timestamp() * 1000) if body.first_meeting else None
    participants = (" ".join(one.split()) for one in body.participants)
    return Handover(first, tuple(one for one in participants if one), (body.memo or "").strip() or None)
