"""A lead as it is now: what the router and handoff answer of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from baton.errors import OperatorError
from baton.explaining import LEAD_ID
from baton.home import token_of
from shared.schemas import ids

Body = dict[str, Any]


def ask(names: Mapping[str, str], tenant: str, who: str) -> tuple[list[Body], Body | None]:
    """The lead whose id, e-mail address or user id `who` is, then those that it became part of, and the opportunity of the last.

    Raises OperatorError where there is none, or nobody answers.
    """
    headers = {"Authorization": f"Bearer {token_of(names, tenant)}"}
    with httpx.Client(headers=headers, timeout=10) as client:
        found = [_lead(client, names, tenant, who)]
        while (survivor := found[-1].get("merged_into")) and survivor not in {each["lead_id"] for each in found}:
            found.append(_lead(client, names, tenant, survivor))
        return found, _opportunity(client, names["HANDOFF_URL"], found[-1]["lead_id"])


def _lead(client: httpx.Client, names: Mapping[str, str], tenant: str, named: str) -> dict[str, Any]:
    base = f"{names['ROUTER_URL']}/v1/leads"
    if "@" in named:
        answer = get(client, base, {"email": named})
    else:
        lead_id = named if LEAD_ID.fullmatch(named) else _of_user(names, tenant, named)
        answer = get(client, f"{base}/{lead_id}")
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
    """The lead's last one; where it has none, the last of those merged into it."""
    page = get(client, f"{url}/v1/opportunities", {"lead_id": lead_id})
    items = page["items"] if page else []
    return next((one for one in items if one["lead_id"] == lead_id), next(iter(items), None))


def get(client: httpx.Client, url: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any] | None:
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
