"""What a state is of: a lead or an account, by one text that names its tenant and which of the two it is."""

from __future__ import annotations

from typing import NamedTuple


class Subject(NamedTuple):
    """name: the lead's id, or the account's key"""

    tenant: str
    name: str
    is_account: bool


def lead_key(tenant: str, lead: str) -> str:
    return f"{tenant}/{lead}"


def account_key(tenant: str, account: str) -> str:
    return f"{tenant}//{account}"


def parse(key: str) -> Subject:
    """Neither a tenant nor a lead's id has a slash in it; an account's key may have any."""
    tenant, _, name = key.partition("/")
    return Subject(tenant, name.removeprefix("/"), name.startswith("/"))
