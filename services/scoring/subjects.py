"""What a state is of: a lead or an account, by one text that names its tenant and which of the two it is; and its bytes."""

from __future__ import annotations

from typing import NamedTuple

from services.scoring.domain.codec import decode_people, decode_state, encode_people, encode_state
from services.scoring.domain.people import People
from services.scoring.domain.state import LeadState

State = LeadState | People


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


def decoded(key: str, raw: bytes) -> State:
    """Raises UnreadableError."""
    return decode_people(raw) if parse(key).is_account else decode_state(raw)


def encoded(state: State) -> bytes:
    return encode_state(state) if isinstance(state, LeadState) else encode_people(state)


def lead_in(state: State | None) -> LeadState:
    """The state of a lead, an empty one where there is none yet."""
    return state if isinstance(state, LeadState) else LeadState()


def people_in(state: State | None) -> People:
    """The state of an account, an empty one where there is none yet."""
    return state if isinstance(state, People) else People()
