"""The API of people who choose: a manager gives a lead to a rep, a rep takes one, and what the router would decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from services.router.bodies import Word
from services.router.domain.orders import Order
from services.router.domain.playbook import NEEDED, Following, Playbook
from services.router.ordering import Changed, Orders
from services.router.orders_bodies import Assign, AssignMany, Claim, GivenBody, GivenManyBody, WhatIf, WhatIfBody
from services.router.sight import Sight, sight_of
from services.router.store import departures
from services.router.views import decision_body
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.database import Connection
from shared.kit.idempotency import Key, Once
from shared.kit.near import nearest
from shared.kit.problems import Problem, described
from shared.schemas.catalogue import LEAD
from shared.schemas.policies import KINDS
from shared.schemas.scores import PolicyRef
from shared.schemas.touches import Scalar
from shared.schemas.vocabulary import QUESTIONS
from shared.sight import FOR_OTHERS

Body = dict[str, Any]
MANY = 100  # leads given at once
GIVERS = frozenset({"manager", "admin"})
POINTS = ("score.fit", "score.engagement")
REFUSED = described(
    _404="`lead_not_found`: there is none, or it is not yours to see",
    _409="`lead_taken`, `already_theirs`, `not_in_queue`, `not_eligible` (with `excluded`), `lead_merged`, `never_routed`;"
    " `request_in_progress`",
    _422="`unknown_rep`, `invalid_request`, `idempotency_key_reused`",
)


def order_routes(
    orders: Orders, once: Once, tokens: Tokens, follow: Callable[[str], Following], freed: Callable[[], None]
) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else. freed: called when a rep may have a place again"""
    router = APIRouter(prefix="/v1", tags=["orders"], dependencies=[BEARER])

    async def give(
        request: Request, response: Response, caller: Caller, key: str | None, lead_id: str, order: Order, sight: Sight
    ) -> Body:
        playbook, relieved = _playbook(follow, caller), False

        async def effect(connection: Connection) -> Body:
            nonlocal relieved
            done = await orders.give(connection, caller.tenant, lead_id, order, sight)
            [change] = done.changes
            relieved = change.before.owner_rep is not None
            lead, decision = change.after, change.decision
            assert decision is not None
            return {
                "lead_id": lead.lead_id,
                "cycle": lead.cycle,
                "assignment": lead.held_assignment,
                "rep_id": lead.owner_rep,
                "name": decision.outcome.rep_name,
                "pool": lead.pool_id,
                "provisional": lead.provisional,
                "decision": decision_body(decision, playbook),
            }

        answer = await once.do(request, response, caller, key, effect)
        if relieved:
            freed()
        return answer

    @router.post(
        "/leads/{lead_id}/assign",
        response_model=GivenBody,
        responses=REFUSED,
        summary="Give a lead to a rep",
    )
    async def assign(
        request: Request, response: Response, lead_id: Word, body: Assign, idempotency_key: Key = None
    ) -> Body:
        """For managers. Out of a queue, from whoever has it, or whatever it waits for; what was closed comes back in a new
        cycle."""
        caller = await tokens.caller(request)
        if not GIVERS.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles manager, admin")
        sight = sight_of(caller, follow(caller.tenant).playbook)
        if not sight.everything and body.rep_id not in sight.reps:
            raise Problem(403, "not_your_team", "a manager gives leads to reps of the own team")
        order = Order("assigned", body.rep_id, caller.name, body.reason, body.despite, body.mode)
        return await give(request, response, caller, idempotency_key, lead_id, order, sight)

    @router.post(
        "/leads/assign",
        response_model=GivenManyBody,
        responses=REFUSED,
        summary="Give many leads to a rep, with a preview",
    )
    async def assign_many(request: Request, response: Response, body: AssignMany, idempotency_key: Key = None) -> Body:
        """For managers. Those that are named, or what another rep has; each as if it was given alone, after the ones before it.
        What cannot be given stays where it is, and the answer says why."""
        caller = await tokens.caller(request)
        if not GIVERS.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles manager, admin")
        playbook, relieved = _playbook(follow, caller), False
        sight = sight_of(caller, playbook)
        if not sight.everything and not {body.rep_id, body.from_rep or body.rep_id} <= set(sight.reps):
            raise Problem(403, "not_your_team", "a manager gives leads of the own team to reps of it")
        if (body.leads is None) == (body.from_rep is None):
            raise Problem(422, "which_leads", "name `leads`, or the rep whose they are: `from_rep`")
        order = Order("assigned", body.rep_id, caller.name, body.reason, body.despite, body.mode)

        async def effect(connection: Connection) -> Body:
            nonlocal relieved
            leads = list(body.leads or ())
            if body.from_rep is not None:
                leads = await departures.read_open(connection, caller.tenant, body.from_rep, "", MANY + 1)
            trial = connection.transaction()
            await trial.start()
            try:
                done, refused = await orders.give_all(connection, caller.tenant, leads[:MANY], order, sight)
            except BaseException:
                await trial.rollback()
                raise
            await (trial.rollback() if body.dry_run else trial.commit())
            given = {change.after.lead_id: change for change in done.changes} if done else {}
            relieved = not body.dry_run and any(change.before.owner_rep for change in given.values())
            return {
                "rep_id": body.rep_id,
                "dry_run": body.dry_run,
                "given": [
                    {
                        "lead_id": lead_id,
                        "from_rep": change.before.owner_rep,
                        "assignment": change.after.held_assignment,
                    }
                    for lead_id, change in given.items()
                ],
                "refused": [
                    {
                        "lead_id": lead_id,
                        "code": problem.code,
                        "detail": problem.detail,
                        "excluded": problem.more.get("excluded", []),
                    }
                    for lead_id, problem in refused.items()
                ],
                "more": len(leads) > MANY,
            }

        answer = await once.do(request, response, caller, idempotency_key, effect)
        if relieved:
            freed()
        return answer

    @router.post(
        "/leads/{lead_id}/claim",
        response_model=GivenBody,
        responses=REFUSED,
        summary="Take a lead out of a pool's queue",
    )
    async def claim(
        request: Request, response: Response, lead_id: Word, body: Claim | None = None, idempotency_key: Key = None
    ) -> Body:
        """Of two reps at the same moment one gets it, and the other one is told `lead_taken`."""
        caller = await tokens.caller(request)
        playbook = follow(caller.tenant).playbook
        rep_id = _rep(caller, body.rep_id if body else None)
        order = Order("claimed", rep_id, caller.name)
        return await give(request, response, caller, idempotency_key, lead_id, order, sight_of(caller, playbook))

    @router.post(
        "/leads/{lead_id}/what-if",
        response_model=WhatIfBody,
        responses=REFUSED,
        summary="What the router would decide now",
    )
    async def what_if(
        request: Request, response: Response, lead_id: Word, body: WhatIf | None = None, idempotency_key: Key = None
    ) -> Body:
        """As if nobody had the lead, with the whole trace; with other facts, answers or policies where they are given. Nothing is
        written, nobody is told."""
        caller = await tokens.caller(request)
        given = body or WhatIf()
        sight = sight_of(caller, follow(caller.tenant).playbook)
        following = _following(follow(caller.tenant), given.policies)
        changed = _changed(given)

        async def effect(connection: Connection) -> Body:
            decision = await orders.what_if(connection, caller.tenant, lead_id, changed, following, sight)
            return {"lead_id": lead_id, "decision": decision_body(decision, following.playbook)}

        return await once.do(request, response, caller, idempotency_key, effect)

    return router


def _playbook(follow: Callable[[str], Following], caller: Caller) -> Playbook:
    """Raises Problem 409 for a tenant whose policies are not there yet."""
    playbook = follow(caller.tenant).playbook
    if playbook is None:
        raise Problem(409, "no_policy", "apply the policies first: nobody is known to whom a lead could be given")
    return playbook


def _rep(caller: Caller, named: str | None) -> str:
    """The rep in whose name `caller` takes a lead. Raises Problem 403 and 422."""
    if FOR_OTHERS.intersection(caller.roles):
        if named is None and "rep" not in caller.roles:
            raise Problem(422, "no_rep", "say for whom: `rep_id`")
        return named or caller.name
    if "rep" not in caller.roles:
        raise Problem(403, "no_role", "this token has none of the roles rep, api, manager, admin")
    if named not in (None, caller.name):
        raise Problem(403, "not_your_name", "a rep's token acts for this rep only")
    return caller.name


def _changed(given: WhatIf) -> Changed:
    """Raises Problem 422 for a field that there is none of, or a value that is none of it."""
    attributes: dict[str, Scalar | None] = {}
    numbers: dict[str, int] = {}
    grade = None
    for name, value in given.facts.items():
        if (
            name == "score.grade"
            and isinstance(value, str)
            and len(value) == 2
            and value[0] in "ABCD"
            and value[1] in "1234"
        ):
            grade = value
        elif name in POINTS and isinstance(value, int | float) and not isinstance(value, bool):
            numbers[name] = round(value * 1000)
        elif name in LEAD and (value is None or type(value) is LEAD[name]):
            attributes[name.removeprefix("lead.")] = value
        elif name in LEAD or name in POINTS or name == "score.grade":
            raise Problem(422, "bad_value", f"`{name}` is never {value!r}")
        else:
            near = nearest(name, [*LEAD, *POINTS, "score.grade"])
            hint = f" Did you mean `{near}`?" if near else ""
            raise Problem(422, "unknown_field", f"there is no field `{name}` to change.{hint}")
    for question, code in given.answers.items():
        if question not in QUESTIONS:
            raise Problem(422, "unknown_question", f"there is no question `{question}`: {', '.join(QUESTIONS)}")
        if code not in QUESTIONS[question]:
            raise Problem(422, "bad_value", f"`{question}` is answered by one of {', '.join(QUESTIONS[question])}")
    return Changed(attributes, given.answers, grade, numbers.get("score.fit"), numbers.get("score.engagement"))


def _following(now: Following, given: dict[Any, Body]) -> Following:
    """The policies in force, with those that are given in their places. Raises Problem 422 for one that is none."""
    known = now.playbook
    if not given:
        return now
    if known is None:
        raise Problem(409, "no_policy", "apply the policies first")
    made: dict[str, Any] = {}
    for kind, body in given.items():
        try:
            made[kind] = KINDS[kind].model_validate({"kind": kind} | body)
        except ValidationError as error:
            problems = [
                {"at": ".".join(map(str, (kind, *item["loc"]))), "message": item["msg"]} for item in error.errors()
            ]
            words = "; ".join(f"{item['at']}: {item['message']}" for item in problems)
            raise Problem(422, "bad_policy", words, problems=problems) from None
    refs = {kind: _next(ref) if kind in made else ref for kind, ref in known.refs.items()}
    bodies = {kind: made.get(kind, getattr(known, kind)) for kind in NEEDED}
    playbook = Playbook.of(bodies["qualification"], bodies["routing"], bodies["teams"], bodies["sla"], refs)
    return Following(
        replace(playbook, stages=known.stages)
    )  # a lifecycle is never given here: it stays the one in force


def _next(ref: PolicyRef) -> PolicyRef:
    """The version that would come after the one in force, so that pools follow it."""
    return PolicyRef(sequence=ref.sequence + 1, hash="what-if")
