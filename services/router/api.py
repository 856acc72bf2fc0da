"""The router's API: where a lead stands, who has it, and why."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPBearer
from pydantic import StringConstraints

from services.router.bodies import DecisionsBody, LeadBody, LeadsPage, PoolsBody
from services.router.domain.playbook import Following, Playbook
from services.router.store import leads as lead_rows
from services.router.store import pools as pool_rows
from services.router.store import trail
from services.router.views import decision_view, history_view, lead_view, pool_view, summary_view
from shared.kit.auth import Tokens
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, tenant_transaction
from shared.kit.problems import Problem
from shared.schemas.ids import identity_id, tenant_secret

Body = dict[str, Any]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,200}$")]  # Postgres knows no NUL


class Leads:
    """Reads for one tenant at a time, each in a transaction that sees that tenant's rows only."""

    def __init__(self, pool: Pool, follow: Callable[[str], Following], clock: Clock) -> None:
        self._pool, self._follow, self._clock = pool, follow, clock

    async def by_id(self, tenant: str, lead_id: str) -> Body:
        """Raises Problem 404."""
        following = self._follow(tenant)
        async with tenant_transaction(self._pool, tenant) as connection:
            stored = await lead_rows.read(connection, tenant, lead_id)
            if stored is None or stored.lead.version is None:
                raise Problem(404, "lead_not_found", f"there is no lead {lead_id}")
            rows = await trail.read(connection, tenant, lead_id, most=1)
            latest = rows[0] if rows else None
            playbook = await _Followed(connection, tenant, following).by(latest) if latest else None
        return lead_view(stored, latest, playbook, following, self._clock.now())

    async def by_identity(self, tenant: str, identity: str) -> Body:
        """Raises Problem 404."""
        async with tenant_transaction(self._pool, tenant) as connection:
            lead_id = await lead_rows.find_by_identity(connection, tenant, identity)
        if lead_id is None:
            raise Problem(404, "lead_not_found", "no lead has this e-mail address")
        return await self.by_id(tenant, lead_id)

    async def page(self, tenant: str, stage: str | None, limit: int, after: str | None) -> Body:
        async with tenant_transaction(self._pool, tenant) as connection:
            found = await lead_rows.page(connection, tenant, stage, limit + 1, after)
        following, shown = self._follow(tenant), found[:limit]
        more = shown[-1].lead.lead_id if len(found) > limit else None
        return {"leads": [summary_view(stored, following) for stored in shown], "next": more}

    async def decisions(self, tenant: str, lead_id: str) -> Body:
        """Raises Problem 404."""
        async with tenant_transaction(self._pool, tenant) as connection:
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


def _key(refs: dict[str, Any]) -> str:
    return orjson.dumps(refs, option=orjson.OPT_SORT_KEYS).decode()


def normalise_email(text: str) -> str:
    """An address as its identity is derived from it: trimmed, NFKC, without case."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def routes(leads: Leads, tokens: Tokens, master: bytes) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else."""
    bearer = HTTPBearer(auto_error=False, description="An API token")  # for the description: `Tokens` verifies it
    router = APIRouter(prefix="/v1", tags=["leads"], dependencies=[Depends(bearer)])

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
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Word | None, Query(description="`next` of the page before")] = None,
    ) -> Body:
        tenant = (await tokens.caller(request)).tenant
        if email is not None:
            return await leads.by_identity(
                tenant, identity_id(tenant_secret(master, tenant), tenant, "email", normalise_email(email))
            )
        return await leads.page(tenant, stage, limit, after)

    @router.get("/leads/{lead_id}", response_model=LeadBody, summary="Where a lead stands, who has it, and why")
    async def lead(request: Request, lead_id: Word) -> Body:
        return await leads.by_id((await tokens.caller(request)).tenant, lead_id)

    @router.get(
        "/leads/{lead_id}/decisions",
        response_model=DecisionsBody,
        summary="A lead's decisions and moves",
    )
    async def decisions(request: Request, lead_id: Word) -> Body:
        return await leads.decisions((await tokens.caller(request)).tenant, lead_id)

    @router.get(
        "/pools",
        response_model=PoolsBody,
        tags=["pools"],
        summary="Fairness as it is measured",
    )
    async def pools(request: Request) -> Body:
        return await leads.pools((await tokens.caller(request)).tenant)

    return router
