"""The API of offboarding: a rep has left, and every open lead of theirs goes to somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.router.apart import described
from services.router.bodies import Word
from services.router.domain.playbook import Following, Playbook
from services.router.domain.words import WAITS, reasons
from services.router.offboarding import Moves, Offboarding
from services.router.sight import sight_of
from services.router.store import departures as rows
from services.router.store.departures import Departure
from shared.kit.asked import Asked
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.clock import Clock, iso
from shared.kit.database import HOPELESS, Connection, Pool, tenant_transaction
from shared.kit.idempotency import Key, Once
from shared.kit.problems import Problem
from shared.schemas.routing import Reason
from shared.sight import FOR_OTHERS

log = structlog.get_logger(__name__)

SHOWN = 500  # leads that a dry run looks at: it locks what the router needs to decide, and so must not last


class Offboard(Asked):
    reason: Word | None = Field(default=None, examples=["moves to marketing"])
    dry_run: bool = Field(default=False, description="only say what would become of each lead; nothing is changed")


class MovedBody(BaseModel):
    """A lead that goes, or would go, to another rep. why: the last step of the decision"""

    lead_id: str
    rep_id: str
    name: str
    pool: str | None
    by: str
    why: dict[str, str]


class StaysBody(BaseModel):
    """A lead that nobody else can take now: it stays until somebody can."""

    lead_id: str
    waiting: str = Field(examples=["parked:not_at_work"])
    why: dict[str, str]
    until: str | None = Field(description="when somebody is at work again, or has a place")


class PreviewBody(BaseModel):
    """What would become of the open leads, by the full rules, each after the ones before it."""

    looked_at: int = Field(description=f"of how many leads this tells: the first {SHOWN}, where more are open")
    to: dict[str, int] = Field(description="leads by who gets them")
    moves: list[MovedBody]
    stays: list[StaysBody]
    staying: int


class OffboardBody(BaseModel):
    rep_id: str
    name: str
    left: bool = Field(description="whether it has been said that they left")
    at: str | None
    reason: str | None = Field(description="only for who may say that they left")
    said_by: str | None = Field(description="as `reason`")
    open: int = Field(description="open leads that they still have")
    moved: int = Field(description="leads that others got because they left")
    finished: bool
    preview: PreviewBody | None = Field(description="of a dry run")


def offboarding_routes(
    pool: Pool,
    tokens: Tokens,
    follow: Callable[[str], Following],
    offboarding: Offboarding,
    clock: Clock,
    changed: Callable[[], None],
) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else. changed: called when leads are to be moved, or a rep is
    there again"""
    router = APIRouter(prefix="/v1", tags=["reps"], dependencies=[BEARER])
    once = Once(pool, "router", clock)

    async def writer(request: Request, rep_id: str) -> Caller:
        """Raises Problem 403 for who may not say that this rep has left."""
        caller = await tokens.caller(request)
        if not FOR_OTHERS.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles api, manager, admin")
        if not _may(caller, follow(caller.tenant).playbook, rep_id):
            raise Problem(403, "not_your_team", "a manager says so of reps of the own team")
        return caller

    async def standing(caller: Caller, rep_id: str) -> dict[str, Any]:
        playbook = follow(caller.tenant).playbook
        async with tenant_transaction(pool, caller.tenant) as connection:
            said = await rows.read(connection, caller.tenant, rep_id)
            still = await rows.count_open(connection, caller.tenant, rep_id)
            moved = await rows.count_moved(connection, caller.tenant, rep_id)
        if not (said or still or moved or (playbook and rep_id in playbook.reps)):
            raise Problem(404, "rep_not_found", f"the teams policy has no rep {rep_id}, and no lead is theirs")
        rep = playbook.reps.get(rep_id) if playbook else None
        told = _may(caller, playbook, rep_id)
        return {
            "rep_id": rep_id,
            "name": rep.name if rep else rep_id,
            "left": said is not None,
            "at": iso(said.at) if said else None,
            "reason": said.reason if said and told else None,
            "said_by": said.said_by if said and told else None,
            "open": still,
            "moved": moved,
            "finished": said is not None and still == 0,
            "preview": None,
        }

    @router.get("/reps/{rep_id}/offboard", response_model=OffboardBody, summary="How far a rep's leads have been moved")
    async def progress(request: Request, rep_id: Word) -> dict[str, Any]:
        return await standing(await tokens.caller(request), rep_id)

    @router.post(
        "/reps/{rep_id}/offboard", response_model=OffboardBody, summary="A rep has left: move all of their open leads"
    )
    async def offboard(
        request: Request, response: Response, rep_id: Word, body: Offboard, idempotency_key: Key = None
    ) -> dict[str, Any]:
        """From now on they get no lead, whatever the teams policy says, and what the pools owed them is spread over the others by
        weight. Their open leads go to others by the full rules, in the background; what nobody can take yet stays until somebody
        can. Saying it again changes nothing. `dry_run` shows what would become of the first of them, and changes nothing either.
        """
        caller = await writer(request, rep_id)
        before = await standing(caller, rep_id)
        departure = Departure(rep_id, clock.now(), body.reason, caller.name)
        if body.dry_run:
            try:
                moves = await offboarding.preview(caller.tenant, departure, SHOWN)
            except HOPELESS as error:
                log.error("undecidable", tenant=caller.tenant, rep_id=rep_id, **described(error))
                raise Problem(
                    409,
                    "undecidable",
                    "one of the leads cannot be decided on, as the router's log says of `undecidable`, so that nothing can be"
                    " shown; without `dry_run` all others move",
                ) from None
            return before | {"preview": _preview(moves, follow(caller.tenant).playbook)}

        async def effect(connection: Connection) -> dict[str, Any]:
            await rows.write(connection, caller.tenant, departure)
            return {}  # what is answered is how far it is now, whenever it is asked

        await once.do(request, response, caller, idempotency_key, effect)
        changed()
        return await standing(caller, rep_id)

    @router.delete("/reps/{rep_id}/offboard", response_model=OffboardBody, summary="They have not left after all")
    async def back(request: Request, rep_id: Word) -> dict[str, Any]:
        """They get leads again as the teams policy says, and begin in their pools at nothing; leads that moved stay where they
        are."""
        caller = await writer(request, rep_id)
        async with tenant_transaction(pool, caller.tenant) as connection:
            await rows.take_back(connection, caller.tenant, rep_id)
        changed()
        return await standing(caller, rep_id)

    return router


def _may(caller: Caller, playbook: Playbook | None, rep_id: str) -> bool:
    """Whether they may say that this rep has left: systems of everybody, a manager of the own team."""
    if not FOR_OTHERS.intersection(caller.roles):
        return False
    sight = sight_of(caller, playbook)
    return sight.everything or rep_id in sight.reps


def _preview(moves: Moves, playbook: Playbook | None) -> dict[str, Any]:
    to: dict[str, int] = {}
    for change in moves.moved:
        to[change.after.owner_rep or ""] = to.get(change.after.owner_rep or "", 0) + 1
    shown = []
    for change in moves.moved:
        assert change.decision is not None
        outcome, told = change.decision.outcome, reasons(change.decision, playbook)
        shown.append(
            {
                "lead_id": change.after.lead_id,
                "rep_id": outcome.rep_id,
                "name": outcome.rep_name,
                "pool": outcome.pool_id,
                "by": outcome.by or "pool",
                "why": _last(told),
            }
        )
    stays = [
        {
            "lead_id": lead_id,
            "waiting": outcome.waiting_reason,
            "why": WAITS[outcome.waiting_reason or ""].why,
            "until": iso(outcome.waiting_until) if outcome.waiting_until is not None else None,
        }
        for lead_id, outcome in moves.stayed.items()
    ]
    return {
        "looked_at": len(moves.moved) + len(moves.stayed),
        "to": to,
        "moves": shown,
        "stays": stays,
        "staying": len(moves.stayed),
    }


def _last(told: tuple[Reason, ...]) -> dict[str, str]:
    return told[-1].text if told else {}
