"""The routes of activities, calls and tasks."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request

from services.handoff.activities import bodies
from services.handoff.activities.calls import MEANINGS, NEEDS_NEXT
from services.handoff.activities.cursors import place, written
from services.handoff.activities.desk import ActivityDesk, Call
from services.handoff.activities.tasks import Task, end_of
from services.handoff.api import AHEAD, refusals
from services.handoff.bodies import Moment, ShortText
from services.handoff.domain.rep import Activity, NotTheHolderError
from services.handoff.entry import Entry, not_yours, unknown
from services.handoff.paging import UUID, Cursor
from services.handoff.policies import Policies
from shared.kit.auth import BEARER
from shared.kit.clock import Clock
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.schemas import ids
from shared.schemas.policies.routing import DeclineReason

LATEST = 3 * 366 * 86_400_000  # ms ahead that anything may be due
_COMMON = described(_401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong")
_ONE = described(_404="no such opportunity") | _COMMON
_THEIRS = described(_403="`not_yours_now`: somebody else has this lead; or the token may not do this")
_CALL = (
    described(
        _409="`not_the_holder`, `offer_not_open`: for `send_back`, somebody else holds the lead, or it is too late;"
        " `activity_id_taken`: it was another activity, or a call that ended otherwise"
    )
    | _ONE
    | _THEIRS
)
_NEW_TASK = _ONE | _THEIRS
_TASK = described(_404="no such task", _409="`task_ended`: it ended otherwise before") | _COMMON


class ActivitiesApi:
    """The routes under /v1 of what people do about a lead. What a caller may see goes by the opportunity."""

    def __init__(self, entry: Entry, desk: ActivityDesk, policies: Policies, clock: Clock) -> None:
        self._entry, self._desk, self._policies, self._clock = entry, desk, policies, clock

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["activities"], dependencies=[BEARER], route_class=OnceRoute)
        one = "/opportunities/{opportunity_id}"
        router.add_api_route(f"{one}/activities", self.list, methods=["GET"], responses=_ONE)
        router.add_api_route(f"{one}/calls", self.call, methods=["POST"], responses=_CALL)
        router.add_api_route(f"{one}/tasks", self.add_task, methods=["POST"], status_code=201, responses=_NEW_TASK)
        router.add_api_route(f"{one}/tasks", self.tasks_of, methods=["GET"], responses=_ONE)
        router.add_api_route("/tasks", self.tasks, methods=["GET"], responses=_COMMON)
        router.add_api_route("/tasks/{task_id}/done", self.done, methods=["POST"], responses=_TASK)
        router.add_api_route("/tasks/{task_id}/cancel", self.cancel, methods=["POST"], responses=_TASK)
        return router

    async def list(
        self,
        request: Request,
        opportunity_id: str,
        type: Annotated[ShortText | None, Query(description="of this type alone")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> bodies.ActivityPage:
        """List what was done about a lead, the newest first."""
        caller, _ = await self._entry.seen(request, opportunity_id)
        rows = await self._desk.activities(caller.tenant, opportunity_id, type, place(after), limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return bodies.ActivityPage(
            items=[bodies.activity(row) for row in rows[:limit]],
            next=written(last["at"], last["activity_id"]) if last else None,
        )

    async def call(self, request: Request, opportunity_id: str, body: bodies.Call) -> bodies.Called:
        """Say by one tap how a call ended: it logs the touch, stops the clock, and sets the next call or gives the lead back. Of a
        rep who does not hold the lead it logs the activity, and nothing else."""
        caller, _, rep_id = await self._entry.theirs(request, opportunity_id, body.rep_id)
        if body.result in NEEDS_NEXT and body.next_at is None:
            raise Problem(422, "next_at_missing", f"`{body.result}` needs `next_at`: when to call again, or to meet")
        reason = self._reason(caller.tenant, body)
        now = self._clock.now()
        at = _millis(body.at) if body.at else now
        next_at = _millis(body.next_at) if body.next_at else None
        if at > now + AHEAD:
            raise Problem(422, "in_the_future", "`at` lies in the future: log what has been done")
        if next_at is not None and not now < next_at <= now + LATEST:
            raise Problem(422, "not_in_the_future", "`next_at` lies in the past, or more than three years ahead")
        meaning = MEANINGS[body.result]
        activity = Activity(
            body.id or ids.derived_id("call", body.result, rep_id, at),
            meaning.type,
            min(at, now),
            rep_id,
            is_first_touch=meaning.type in self._policies.activity_types(caller.tenant)[0],
            note_given=bool(body.note),
            duration=body.duration,
            direction="out",
            outcome=body.result,
        )
        made = Call(body.result, activity, body.note, next_at, reason, caller.name)
        with refusals(opportunity_id):
            row = await self._desk.call(caller.tenant, opportunity_id, made)
        task = bodies.task(row["task"], now) if row["task"] else None
        return bodies.Called(**(row | {"task": task}))

    def _reason(self, tenant: str, body: bodies.Call) -> DeclineReason | None:
        if body.result != "send_back":
            if body.reason is not None:
                raise Problem(422, "reason_of_nothing", "only a `send_back` has a `reason`")
            return None
        valid = self._policies.decline_reasons(tenant)
        if body.reason is None:
            raise Problem(422, "reason_missing", "`send_back` needs a `reason`", valid=sorted(valid))
        if body.reason not in valid:
            raise unknown("reason", body.reason, sorted(valid))
        return valid[body.reason]

    async def add_task(self, request: Request, opportunity_id: str, body: bodies.NewTask) -> bodies.TaskBody:
        """Set a task: what is to be done about the lead, by when, by the rep named."""
        caller, row, rep_id = await self._entry.theirs(request, opportunity_id, body.rep_id)
        due_on = None if isinstance(body.due, datetime) else body.due
        due_at = _millis(body.due) if isinstance(body.due, datetime) else self._end_of(caller.tenant, rep_id, body.due)
        now = self._clock.now()
        if due_at > now + LATEST:
            raise Problem(422, "too_far_ahead", "`due` lies more than three years ahead")
        today = datetime.fromtimestamp(now / 1000, ZoneInfo(self._policies.zone(caller.tenant, rep_id))).date()
        if due_on < today if due_on else due_at < self._end_of(caller.tenant, rep_id, today - timedelta(days=1)):
            raise Problem(422, "in_the_past", f"`due` lies in the past: today is {today}")
        on = due_on.isoformat() if due_on else None
        task = Task(str(uuid4()), opportunity_id, body.kind, body.title, due_at, on, rep_id, caller.name)
        try:
            added = await self._desk.add_task(caller.tenant, task, asked_last=str(row["offers"][-1]["rep_id"]))
        except NotTheHolderError:  # it went on since it was looked at
            raise not_yours() from None
        return bodies.task(added, now)

    def _end_of(self, tenant: str, rep_id: str, day: date) -> int:
        return end_of(day, ZoneInfo(self._policies.zone(tenant, rep_id)))

    async def tasks_of(
        self,
        request: Request,
        opportunity_id: str,
        state: Annotated[bodies.State | None, Query(description="in this state")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> bodies.TaskPage:
        """List the tasks of a lead, those that are due first."""
        await self._entry.seen(request, opportunity_id)
        return await self._tasks(request, opportunity_id, None, state, None, limit, after)

    async def tasks(
        self,
        request: Request,
        rep_id: Annotated[ShortText | None, Query(description="whose; all that the token may see, if absent")] = None,
        state: Annotated[bodies.State | None, Query(description="in this state")] = None,
        due_before: Annotated[Moment | None, Query(description="due before then")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> bodies.TaskPage:
        """List tasks, those that are due first: a rep's work of the day by `rep_id`, `state=open` and `due_before`."""
        return await self._tasks(request, None, rep_id, state, due_before, limit, after)

    async def _tasks(
        self,
        request: Request,
        opportunity_id: str | None,
        rep_id: str | None,
        state: str | None,
        due_before: datetime | None,
        limit: int,
        after: str | None,
    ) -> bodies.TaskPage:
        caller, sight = await self._entry.caller(request)
        found = place(after)
        if found and not UUID.fullmatch(found[1]):
            raise Problem(422, "bad_cursor", "`after` is not the `next` of a page")
        rows = await self._desk.tasks(
            caller.tenant,
            sight,
            opportunity_id=opportunity_id,
            rep_id=rep_id,
            state=state,
            due_before=_millis(due_before) if due_before else None,
            after=found,
            limit=limit + 1,
        )
        now, last = self._clock.now(), rows[limit - 1] if len(rows) > limit else None
        return bodies.TaskPage(
            items=[bodies.task(row, now) for row in rows[:limit]],
            next=written(last["due_at"], last["id"]) if last else None,
        )

    async def done(self, request: Request, task_id: str) -> bodies.TaskBody:
        """It is done. Saying so again changes nothing."""
        return await self._end(request, task_id, "done")

    async def cancel(self, request: Request, task_id: str) -> bodies.TaskBody:
        """It is not to be done any more. Saying so again changes nothing."""
        return await self._end(request, task_id, "cancelled")

    async def _end(self, request: Request, task_id: str, state: str) -> bodies.TaskBody:
        caller, _ = await self._entry.caller(request)
        row = await self._desk.task(caller.tenant, task_id) if UUID.fullmatch(task_id) else None
        if row is None:
            raise Problem(404, "not_found", f"there is no task {task_id[:50]!r}")
        try:
            await self._entry.acts(request, row["opportunity_id"], row["rep_id"])
        except Problem as problem:
            if problem.status == 404:
                raise Problem(404, "not_found", f"there is no task {task_id[:50]!r}") from None
            raise
        ended, row = await self._desk.end_task(caller.tenant, task_id, state, caller.name)
        if not ended:
            raise Problem(409, "task_ended", f"it is {row['state']} already", state=row["state"])
        return bodies.task(row, self._clock.now())


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
