"""The API of availability: whether a rep takes leads now, and being away, which they or their managers say at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field

from services.router.bodies import Word
from services.router.domain.playbook import Following, Playbook
from services.router.store import availability as rows
from services.router.store.availability import Said
from shared.availability.people import Away
from shared.kit.asked import Asked
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.clock import Clock, iso
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import Problem
from shared.sight import FOR_OTHERS

AHEAD = 366 * 86_400_000  # ms; for longer there are absences in the policy


class SetAway(Asked):
    """Away from now on where `away_from` is not given or has passed, and until it is taken back where `away_until` is not given."""

    away_from: AwareDatetime | None = None
    away_until: AwareDatetime | None = Field(default=None, examples=["2026-11-24T13:00:00+09:00"])
    reason: Word | None = Field(default=None, examples=["customer visit"])


class AwayBody(BaseModel):
    away_from: str
    away_until: str | None = Field(description="null: until it is taken back")
    reason: str | None = Field(description="null as well for who may not act in the rep's name")
    said_by: str = Field(description="the name of the token")
    said_at: str


class AvailabilityBody(BaseModel):
    rep_id: str
    at_work: bool = Field(description="takes leads now, as far as calendar, absences and their own word go")
    why_not: Literal["closed", "absent", "away"] | None
    until: str | None = Field(description="when they are at work again; null where they are, or nobody knows")
    zone: str
    away: AwayBody | None = Field(description="what was said last, and is not over")


def availability_routes(
    pool: Pool, tokens: Tokens, follow: Callable[[str], Following], clock: Clock, changed: Callable[[], None]
) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else. changed: called when somebody may be at work again"""
    router = APIRouter(prefix="/v1", tags=["reps"], dependencies=[BEARER])

    async def shown(caller: Caller, rep_id: str) -> dict[str, Any]:
        playbook, now = _playbook(follow, caller, rep_id), clock.now()
        async with tenant_transaction(pool, caller.tenant) as connection:
            said = await rows.read(connection, caller.tenant, rep_id)
        return _view(playbook, rep_id, said, now, whole=_may_write(caller, rep_id))

    @router.get(
        "/reps/{rep_id}/availability", response_model=AvailabilityBody, summary="Whether a rep takes leads now, or when"
    )
    async def read(request: Request, rep_id: Word) -> dict[str, Any]:
        return await shown(await tokens.caller(request), rep_id)

    @router.put(
        "/reps/{rep_id}/availability",
        response_model=AvailabilityBody,
        summary="Away until a moment, or until it is taken back",
    )
    async def away(request: Request, rep_id: Word, body: SetAway) -> dict[str, Any]:
        """Stands above the policy, and in place of what was said before. Leads that the rep has stay with them."""
        caller = await _writer(tokens, request, rep_id)
        _playbook(follow, caller, rep_id)
        now = clock.now()
        start = max(now, _millis(body.away_from)) if body.away_from else now
        until = _millis(body.away_until) if body.away_until else None
        if until is not None and until <= start:
            raise Problem(422, "ends_before_it_begins", "`away_until` has to lie after `away_from`, and after now")
        if max(start, until or 0) > now + AHEAD:
            raise Problem(422, "too_far_ahead", "within a year; leave `away_until` out where nobody knows")
        said = Said(Away(start, until), body.reason, caller.name, now)
        async with tenant_transaction(pool, caller.tenant) as connection:
            await rows.write(connection, caller.tenant, rep_id, said)
        changed()  # it may end sooner than what was said before
        return await shown(caller, rep_id)

    @router.delete("/reps/{rep_id}/availability", response_model=AvailabilityBody, summary="Not away any more")
    async def back(request: Request, rep_id: Word) -> dict[str, Any]:
        """Calendar and absences hold again. Leads that wait for the rep are tried at once."""
        caller = await _writer(tokens, request, rep_id)
        _playbook(follow, caller, rep_id)
        async with tenant_transaction(pool, caller.tenant) as connection:
            await rows.take_back(connection, caller.tenant, rep_id)
        changed()
        return await shown(caller, rep_id)

    return router


async def _writer(tokens: Tokens, request: Request, rep_id: str) -> Caller:
    """Raises Problem 403 for who may not act in the rep's name."""
    caller = await tokens.caller(request)
    if not FOR_OTHERS.union({"rep"}).intersection(caller.roles):
        raise Problem(403, "no_role", "this token has none of the roles rep, api, manager, admin")
    if not _may_write(caller, rep_id):
        raise Problem(403, "not_your_name", "a rep's token acts for this rep only")
    return caller


def _may_write(caller: Caller, rep_id: str) -> bool:
    return bool(FOR_OTHERS.intersection(caller.roles)) or ("rep" in caller.roles and caller.name == rep_id)


def _playbook(follow: Callable[[str], Following], caller: Caller, rep_id: str) -> Playbook:
    """Raises Problem 404 for a rep whom the policies in force do not know."""
    playbook = follow(caller.tenant).playbook
    if playbook is None or rep_id not in playbook.reps:
        raise Problem(404, "rep_not_found", f"the teams policy has no rep {rep_id}")
    return playbook


def _view(playbook: Playbook, rep_id: str, said: Said | None, now: int, *, whole: bool) -> dict[str, Any]:
    if said and said.away.until is not None and said.away.until <= now:
        said = None
    out = playbook.out({rep_id: said.away} if said else {}, now).get(rep_id)
    return {
        "rep_id": rep_id,
        "at_work": out is None,
        "why_not": out.why if out else None,
        "until": iso(out.until) if out and out.until is not None else None,
        "zone": playbook.reps[rep_id].zone,
        "away": _away(said, whole=whole) if said else None,
    }


def _away(said: Said, *, whole: bool) -> dict[str, Any]:
    return {
        "away_from": iso(said.away.start),
        "away_until": iso(said.away.until) if said.away.until is not None else None,
        "reason": said.reason if whole else None,
        "said_by": said.said_by,
        "said_at": iso(said.said_at),
    }


def _millis(moment: AwareDatetime) -> int:
    return round(moment.timestamp() * 1000)
