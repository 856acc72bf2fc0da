"""The router's API: where a lead stands, who has it, and why."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from services.router.bodies import DecisionsBody, LeadBody, LeadsPage, PoolsBody, Word
from services.router.domain.lead import PARKED
from services.router.domain.playbook import Following, Playbook
from services.router.orders_bodies import QueuePage
from services.router.sight import sight_of
from services.router.store import leads as lead_rows
from services.router.store import listing, trail
from services.router.store import pools as pool_rows
from services.router.store.listing import Filter, Place
from services.router.views import decision_view, history_view, lead_view, pool_view, summary_view
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, tenant_transaction
from shared.kit.problems import Problem
from shared.schemas.ids import identity_id, tenant_secret
from shared.sight import FOR_OTHERS

Body = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[Word | None, Query(description="`next` of the page before")]
CURSOR = re.compile(r"([A-D][1-4])\.([0-9]{1,15})\.(.{1,200})")


class Leads:
    """Reads for one tenant at a time, each in a transaction that sees that tenant's rows only."""

    def __init__(self, pool: Pool, follow: Callable[[str], Following], clock: Clock) -> None:
        self._pool, self._follow, self._clock = pool, follow, clock

    async def by_id(self, caller: Caller, lead_id: str) -> Body:
        """Raises Problem 404, also for a lead that the caller may not see."""
        tenant, following = caller.tenant, self._follow(caller.tenant)
        sight = sight_of(caller, following.playbook)
        async with tenant_transaction(self._pool, tenant) as connection:
            stored = await lead_rows.read(connection, tenant, lead_id)
            if stored is None or stored.lead.version is None or not sight.sees(stored.lead):
                raise Problem(404, "lead_not_found", f"there is no lead {lead_id}")
            rows = await trail.read(connection, tenant, lead_id, most=1)
            latest = rows[0] if rows else None
            playbook = await _Followed(connection, tenant, following).by(latest) if latest else None
        return lead_view(stored, latest, playbook, following, self._clock.now())

    async def by_identity(self, caller: Caller, identity: str) -> Body:
        """Raises Problem 404; the same one for a lead that is not there and one that the caller may not see."""
        nobody = Problem(404, "lead_not_found", "no lead has this e-mail address")
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            lead_id = await lead_rows.find_by_identity(connection, caller.tenant, identity)
        if lead_id is None:
            raise nobody
        try:
            return await self.by_id(caller, lead_id)
        except Problem:
            raise nobody from None

    async def page(self, caller: Caller, wanted: Filter, limit: int, after: str | None) -> Body:
        following = self._follow(caller.tenant)
        sight = sight_of(caller, following.playbook)
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            found = await listing.page(connection, caller.tenant, sight, wanted, limit + 1, after)
        shown = found[:limit]
        more = shown[-1].lead.lead_id if len(found) > limit else None
        return {"leads": [summary_view(stored, following) for stored in shown], "next": more}

    async def waiting(
        self, caller: Caller, reason: str | None, pool: str | None, limit: int, after: str | None
    ) -> Body:
        """Parked leads, in the order in which they are to be seen to. Raises Problem 422."""
        following, place = self._follow(caller.tenant), _place(after)
        sight = sight_of(caller, following.playbook)
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            found = await listing.waiting(connection, caller.tenant, sight, reason, pool, limit + 1, place)
        shown = [stored.lead for stored in found[:limit]]
        more = f"{shown[-1].grade}.{shown[-1].waiting_since}.{shown[-1].lead_id}" if len(found) > limit else None
        return {"leads": [summary_view(stored, following) for stored in found[:limit]], "next": more}

    async def decisions(self, caller: Caller, lead_id: str) -> Body:
        """Raises Problem 404."""
        tenant = caller.tenant
        sight = sight_of(caller, self._follow(tenant).playbook)
        async with tenant_transaction(self._pool, tenant) as connection:
            stored = await lead_rows.read(connection, tenant, lead_id)
            if stored is not None and not sight.sees(stored.lead):
                raise Problem(404, "lead_not_found", f"there is no lead {lead_id}")
            rows = await trail.read(connection, tenant, lead_id)
            moves = await trail.history(connection, tenant, lead_id)
            if not rows and not moves:
                raise Problem(404, "lead_not_found", f"there is no lead {lead_id}")
            followed = _Followed(connection, tenant, self._follow(tenant))
            decisions = [decision_view(row, await followed.by(row)) for row in rows]
        return {"lead_id": lead_id, "decisions": decisions, "history": [history_view(row) for row in moves]}

    async def pools(self, tenant: str) -> Body:
        playbook = self._follow(tenant).playbook
        async with tenant_transaction(self._pool, tenant) as connection:
            pools = await pool_rows.read_pools(connection, tenant)
            loads = await pool_rows.read_loads(connection, tenant)
        return {"pools": [pool_view(pool, loads, playbook) for pool in pools]}


class _Followed:
    """The policies that decisions followed, for their labels: those in force are known, others are read once per version."""

    def __init__(self, connection: Connection, tenant: str, following: Following) -> None:
        self._connection, self._tenant = connection, tenant
        now = following.playbook
        self._known: dict[str, Playbook | None] = (
            {_key({k: r.model_dump() for k, r in now.refs.items()}): now} if now else {}
        )

    async def by(self, row: asyncpg.Record) -> Playbook | None:
        """None where they are not stored."""
        key = _key(row["policies"])
        if key not in self._known:
            try:
                self._known[key] = await trail.playbook_of(self._connection, self._tenant, row["policies"])
            except LookupError:
                self._known[key] = None
        return self._known[key]


def _place(after: str | None) -> Place | None:
    """Raises Problem 422."""
    if after is None:
        return None
    found = CURSOR.fullmatch(after)
    if not found:
        raise Problem(422, "bad_cursor", "`after` is not the `next` of a page")
    return Place(found[1], int(found[2]), found[3])


def _key(refs: dict[str, Any]) -> str:
    return orjson.dumps(refs, option=orjson.OPT_SORT_KEYS).decode()


def normalise_email(text: str) -> str:
    """An address as its identity is derived from it: trimmed, NFKC, without case."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def routes(leads: Leads, tokens: Tokens, master: bytes) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else."""
    router = APIRouter(prefix="/v1", tags=["leads"], dependencies=[BEARER])

    @router.get(
        "/leads",
        response_model=LeadBody | LeadsPage,
        summary="A lead by its e-mail address, or the tenant's leads page by page",
    )
    async def find(
        request: Request,
        email: Annotated[str | None, Query(description="any spelling of the address", max_length=320)] = None,
        stage: Annotated[
            Word | None, Query(description="vocabulary, section 6: inquiry, aql, mql, tal, sal, …")
        ] = None,
        disposition: Annotated[Word | None, Query(examples=["active", "nurture"])] = None,
        owner: Annotated[Word | None, Query(description="a rep's id")] = None,
        pool: Annotated[Word | None, Query(description="that gave it, or in whose queue it waits")] = None,
        grade: Annotated[str | None, Query(pattern="^[A-D][1-4]$")] = None,
        parked: Annotated[bool | None, Query(description="ripe, and nobody has it")] = None,
        waiting: Annotated[Word | None, Query(description="why nobody has it", examples=["parked:dispatch"])] = None,
        account: Annotated[Word | None, Query(description="a company's key, or an account's id")] = None,
        changed_since: Annotated[
            AwareDatetime | None, Query(description="not before: ask the next time with the moment at which you asked")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Word | None, Query(description="`next` of the page before")] = None,
    ) -> Body:
        caller = await tokens.caller(request)
        if email is not None:
            secret = tenant_secret(master, caller.tenant)
            return await leads.by_identity(caller, identity_id(secret, caller.tenant, "email", normalise_email(email)))
        since = round(changed_since.timestamp() * 1000) if changed_since else None
        wanted = Filter(stage, disposition, owner, pool, grade, waiting, parked, account, since)
        return await leads.page(caller, wanted, limit, after)

    @router.get("/leads/{lead_id}", response_model=LeadBody, summary="Where a lead stands, who has it, and why")
    async def lead(request: Request, lead_id: Word) -> Body:
        return await leads.by_id(await tokens.caller(request), lead_id)

    @router.get(
        "/leads/{lead_id}/decisions",
        response_model=DecisionsBody,
        summary="A lead's decisions and moves",
    )
    async def decisions(request: Request, lead_id: Word) -> Body:
        return await leads.decisions(await tokens.caller(request), lead_id)

    @router.get("/parked", response_model=QueuePage, summary="Ripe leads that nobody has")
    async def parked(
        request: Request,
        reason: Annotated[Word | None, Query(description="without `parked:`", examples=["at_capacity"])] = None,
        pool: Annotated[Word | None, Query(description="for which it waits")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Body:
        full = f"{PARKED}{reason}" if reason else None
        return await leads.waiting(await tokens.caller(request), full, pool, limit, after)

    @router.get("/dispatch", response_model=QueuePage, summary="Leads that wait for a manager to give them out")
    async def dispatch(
        request: Request,
        pool: Annotated[Word | None, Query(description="in whose queue")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Body:
        """For managers: `POST /v1/leads/{lead_id}/assign` gives one out."""
        caller = await tokens.caller(request)
        if not FOR_OTHERS.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles api, manager, admin")
        return await leads.waiting(caller, "parked:dispatch", pool, limit, after)

    @router.get("/claims", response_model=QueuePage, summary="Leads that wait for a rep to take them")
    async def claims(
        request: Request,
        pool: Annotated[Word | None, Query(description="in whose queue")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Body:
        """A rep sees the queues of their pools: `POST /v1/leads/{lead_id}/claim` takes one."""
        return await leads.waiting(await tokens.caller(request), "parked:claim", pool, limit, after)

    @router.get(
        "/pools",
        response_model=PoolsBody,
        tags=["pools"],
        summary="Fairness as it is measured",
    )
    async def pools(request: Request) -> Body:
        return await leads.pools((await tokens.caller(request)).tenant)

    return router
