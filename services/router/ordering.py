"""What people say of who takes a lead, done as scores and events are: locked, decided, written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.router.domain.decision import Decision
from services.router.domain.facts import Scored
from services.router.domain.flow import Done, Task
from services.router.domain.matching.keys import asked
from services.router.domain.orders import Order, OrderRefusedError
from services.router.domain.playbook import Following
from services.router.handler import decide_and_apply, look_and_decide
from services.router.sight import Sight
from services.router.store import leads as lead_rows
from services.router.store.leads import Stored
from shared.kit.clock import Clock
from shared.kit.database import Connection
from shared.kit.person import reveal
from shared.kit.problems import Problem
from shared.qualification.answers import Answer
from shared.schemas.touches import Scalar

REFUSALS = {
    "lead_merged": "this lead was merged into another one: give that one to somebody",
    "lead_taken": "somebody else has this lead",
    "already_theirs": "this rep has this lead already",
    "not_in_queue": "this lead does not wait to be taken",
    "never_routed": "this lead is one of ourselves, a test, or excluded by policy: it is given to nobody",
    "unknown_rep": "the teams policy has no such rep",
    "not_eligible": "something keeps the rep from this lead: see `excluded`",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """What is other in a what-if.

    attributes: lead.*, without the prefix;  None: not known
    answers:    question of the vocabulary -> code, as given now
    """

    attributes: Mapping[str, Scalar | None]
    answers: Mapping[str, str]
    grade: str | None = None
    fit: int | None = None
    engagement: int | None = None


class Orders:
    """Does what people say. Every method works on the connection that it is given, a transaction of the tenant."""

    def __init__(self, follow: Callable[[str], Following], clock: Clock) -> None:
        self._follow, self._clock = follow, clock

    async def give(self, connection: Connection, tenant: str, lead_id: str, order: Order, sight: Sight) -> Done:
        """The lead goes to the rep of the order. Raises Problem 404, 409 and 422."""
        if order.kind == "claimed":
            # Who was too late to take it is told so, and not that there is no such lead.
            sight = replace(sight, taken=sight.claims)
        stored = await self._locked(connection, tenant, lead_id, sight)
        try:
            return await decide_and_apply(
                connection,
                tenant,
                [_task(stored, order=order)],
                {lead_id: stored},
                {},
                self._follow(tenant),
                self._clock.now(),
            )
        except OrderRefusedError as refused:
            raise _problem(refused) from None

    async def give_all(
        self, connection: Connection, tenant: str, leads: Sequence[str], order: Order, sight: Sight
    ) -> tuple[Done | None, dict[str, Problem]]:
        """The leads go to the rep of the order, one after the other: those that can; and by lead why the others cannot.

        All are locked first, and all are decided on together, as a batch is: who waits for them waits in the same order.
        """
        rows = await lead_rows.lock(connection, tenant, leads, ())
        refused: dict[str, Problem] = {}
        tasks: dict[str, Task] = {}
        for lead_id in dict.fromkeys(leads):
            stored = rows.get(lead_id)
            if stored is None or stored.score is None or not sight.sees(stored.lead):
                refused[lead_id] = Problem(404, "lead_not_found", f"there is no lead {lead_id}")
            else:
                tasks[lead_id] = _task(stored, order=order)
        following, now = self._follow(tenant), self._clock.now()
        while tasks:
            try:
                done = await decide_and_apply(connection, tenant, list(tasks.values()), rows, {}, following, now)
            except OrderRefusedError as error:  # before anything was written: without this one, the others as before
                refused[error.lead_id] = _problem(error)
                del tasks[error.lead_id]
            else:
                return done, refused
        return None, refused

    async def what_if(
        self, connection: Connection, tenant: str, lead_id: str, changed: Changed, following: Following, sight: Sight
    ) -> Decision:
        """What would be decided of the lead now, if nobody had it. Nothing of it stays. Raises Problem 404 and 409."""
        trial = connection.transaction()
        await trial.start()
        try:
            stored = await self._locked(connection, tenant, lead_id, sight)
            if stored.lead.merged_into:
                raise Problem(
                    409, "lead_merged", "this lead was merged into another one", merged_into=stored.lead.merged_into
                )
            now = self._clock.now()
            task = _other(_task(stored, what_if=True), stored, changed, now)
            done, _ = await look_and_decide(connection, tenant, [task], following, now)
        finally:
            await trial.rollback()
        decision = done.changes[-1].decision
        assert decision is not None
        return decision

    async def _locked(self, connection: Connection, tenant: str, lead_id: str, sight: Sight) -> Stored:
        """Raises Problem 404, also for a lead that the caller may not see."""
        rows = await lead_rows.lock(connection, tenant, [lead_id], ())
        stored = rows.get(lead_id)
        if stored is None or stored.score is None or not sight.sees(stored.lead):
            raise Problem(404, "lead_not_found", f"there is no lead {lead_id}")
        return stored


def _task(stored: Stored, *, order: Order | None = None, what_if: bool = False) -> Task:
    score = stored.scored()
    assert score is not None
    number = reveal(score.person).get("phone")
    return Task(stored.lead, Scored.of(score), asked=asked(score.attributes, number), order=order, what_if=what_if)


def _other(task: Task, stored: Stored, changed: Changed, now: int) -> Task:
    """The task with the lead as it would be."""
    score, scored = stored.scored(), task.scored
    assert score is not None
    assert scored is not None
    known = {**score.attributes, **changed.attributes}
    attributes = {name: value for name, value in known.items() if value is not None}
    told = tuple(Answer(question, code, "what-if", now, trusted=True) for question, code in changed.answers.items())
    other = replace(
        scored,
        attributes=attributes,
        answers=tuple(one for one in scored.answers if one.question not in changed.answers) + told,
        grade=changed.grade or scored.grade,
        fit=scored.fit if changed.fit is None else changed.fit,
        engagement=scored.engagement if changed.engagement is None else changed.engagement,
    )
    return replace(task, scored=other, asked=asked(attributes, reveal(score.person).get("phone")))


def _problem(refused: OrderRefusedError) -> Problem:
    status = 422 if refused.code == "unknown_rep" else 409
    more = {"excluded": list(refused.excluded)} if refused.excluded else {}
    return Problem(status, refused.code, REFUSALS[refused.code], **more)
