"""`baton explain`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import typer

from baton.errors import OperatorError
from baton.home import environment, here, token_of
from shared.schemas import ids

LEAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ZONES = {"northstar": "Asia/Tokyo", "hinode": "Asia/Tokyo", "olist": "America/Sao_Paulo"}


def explain(
    lead: str = typer.Argument(help="A lead's id, an e-mail address, or a user id as the sender named it."),
    tenant: str = typer.Option("northstar", help="Whose lead: northstar, hinode or olist."),
    lang: str = typer.Option("en", help="en or ja"),
    zone: str | None = typer.Option(None, help="Time zone of what is shown; the tenant's when left out."),
) -> None:
    """Say in words how a lead scores, why this rep has it and not another, what is missing, and what its clock says."""
    from baton.explaining.telling import WORDS, words

    if lang not in WORDS:
        raise OperatorError(f"there is no language {lang!r}: en and ja are there")
    names = environment(here())
    headers = {"Authorization": f"Bearer {token_of(names, tenant)}"}
    with httpx.Client(headers=headers, timeout=10) as client:
        found = [_lead(client, names, tenant, lead)]
        while (survivor := found[-1].get("merged_into")) and survivor not in {each["lead_id"] for each in found}:
            found.append(_lead(client, names, tenant, survivor))
        opportunity = _opportunity(client, names["HANDOFF_URL"], found[-1]["lead_id"])
    shown = zone or ZONES.get(tenant, "UTC")
    try:
        print("\n\n".join(words(each, opportunity, lang=lang, zone=shown, now=datetime.now(UTC)) for each in found))
    except (KeyError, ValueError) as error:
        if "time zone" in str(error) or "ZoneInfo" in type(error).__name__:
            raise OperatorError(f"there is no time zone {shown!r}") from None
        raise


def _lead(client: httpx.Client, names: Mapping[str, str], tenant: str, named: str) -> dict[str, Any]:
    base = f"{names['ROUTER_URL']}/v1/leads"
    if "@" in named:
        answer = _get(client, base, {"email": named})
    else:
        lead_id = named if LEAD_ID.fullmatch(named) else _of_user(names, tenant, named)
        answer = _get(client, f"{base}/{lead_id}")
    if answer is None:
        raise OperatorError(
            f"tenant {tenant} has no lead {named}: is it another tenant's (--tenant), or not scored yet?"
        )
    return answer


def _of_user(names: Mapping[str, str], tenant: str, user_id: str) -> str:
    """The lead that a user id makes; a lead that it was linked to later is found by its e-mail address or its id."""
    secret = ids.tenant_secret(names["IDENTITY_SECRET"].encode(), tenant)
    return ids.lead_id(ids.identity_id(secret, tenant, "user", user_id.strip()))


def _opportunity(client: httpx.Client, url: str, lead_id: str) -> dict[str, Any] | None:
    page = _get(client, f"{url}/v1/opportunities", {"lead_id": lead_id, "limit": "1"})
    return next(iter(page["items"]), None) if page else None


def _get(client: httpx.Client, url: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    """The answer, None for 404. Raises OperatorError for every other refusal."""
    try:
        answer = client.get(url, params=parameters)
    except httpx.HTTPError as error:
        raise OperatorError(
            f"{url} does not answer ({type(error).__name__}): `baton status` shows what is ready"
        ) from None
    if answer.status_code == 404:
        return None
    if answer.is_error:
        raise OperatorError(f"{url} refuses ({answer.status_code}): {_detail(answer)}")
    body: dict[str, Any] = answer.json()
    return body


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
