"""Whom an operator means: an e-mail address, a user id, a phone number, or an id of ours."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from services.ingest.domain.identifiers import identity
from services.ingest.domain.refusals import Refused
from shared.normalise import email, phone
from shared.schemas import ids

KINDS = ("email", "user", "phone", "external", "anonymous", "lead", "identity")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PHONE = re.compile(r"\+?[0-9()\- ]{9,20}")


class Person(NamedTuple):
    """`what` says whether `id` is a lead's or an identity's; own: the lead that an identity has by itself"""

    what: Literal["lead", "identity"]
    id: str
    own: str = ""


def person(text: str, secret: bytes, tenant: str) -> Person:
    """Whom `text` means: "kind:value" with one of KINDS, or a value whose kind can be seen from it. Ids of leads are UUIDs of
    version 5 and those of identities of version 8; any other UUID is a user id. Raises Refused `bad_person`."""
    kind, _, value = text.strip().partition(":")
    if kind not in KINDS:
        value = text.strip()
        kind = _kind(value)
    if not value:
        raise Refused("bad_person", f"name somebody: {', '.join(f'{each}:…' for each in KINDS)}")
    if kind in ("lead", "identity"):
        if not _ID.fullmatch(value):
            raise Refused("bad_person", f"the id of a {kind} looks like 01234567-89ab-5cde-8f01-23456789abcd")
        return Person("lead", value) if kind == "lead" else Person("identity", value, ids.lead_id(value))
    found = identity(secret, tenant, kind, _normalised(kind, value))
    return Person("identity", found.id, found.lead)


def _kind(value: str) -> str:
    if _ID.fullmatch(value) and value[14] in "58":
        return "lead" if value[14] == "5" else "identity"
    if email.address(value):
        return "email"
    return "phone" if _PHONE.fullmatch(value) else "user"


def _normalised(kind: str, value: str) -> str:
    read = {"email": email.address, "phone": phone.number}.get(kind)
    normal = read(value) if read else value.strip()
    if not normal:
        raise Refused("bad_person", f"this is no {kind}")
    return normal
