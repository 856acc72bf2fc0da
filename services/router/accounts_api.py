"""The API of accounts: companies as the tenant knows them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.router.accounts_bodies import AccountBody, AccountsPage
from services.router.accounts_views import account_view, summary
from services.router.bodies import Word
from services.router.store import accounts as account_rows
from shared.kit.auth import BEARER, Tokens
from shared.kit.database import Pool, tenant_transaction
from shared.kit.problems import Problem
from shared.schemas.accounts import AccountKind

Body = dict[str, Any]


def account_routes(pool: Pool, tokens: Tokens) -> APIRouter:
    """The routes; the tenant comes from the token and from nowhere else."""
    router = APIRouter(prefix="/v1", tags=["accounts"], dependencies=[BEARER])

    @router.get("/accounts", response_model=AccountsPage, summary="The tenant's accounts page by page, by id")
    async def page(
        request: Request,
        kind: Annotated[AccountKind | None, Query()] = None,
        owner: Annotated[Word | None, Query(description="a rep's id")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Word | None, Query(description="`next` of the page before")] = None,
    ) -> Body:
        tenant = (await tokens.caller(request)).tenant
        async with tenant_transaction(pool, tenant) as connection:
            found = await account_rows.page(connection, tenant, limit + 1, after, kind, owner)
        more = found[limit - 1].account_id if len(found) > limit else None
        return {"accounts": [summary(account) for account in found[:limit]], "next": more}

    @router.get(
        "/accounts/{account_id}", response_model=AccountBody, summary="An account, its family and registrations"
    )
    async def account(request: Request, account_id: Word) -> Body:
        tenant = (await tokens.caller(request)).tenant
        async with tenant_transaction(pool, tenant) as connection:
            shown = await account_rows.read(connection, tenant, account_id)
        if shown is None:
            raise Problem(404, "account_not_found", f"there is no account {account_id}")
        return account_view(shown)

    return router
