"""Personal data: in every event it lives in one `person` object and nowhere else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.schemas.base import Contract

PERSON_FIELDS = (
    "email",
    "phone",
    "name",
    "first_name",
    "last_name",
    "title",
    "department",
    "free_text",
    "ip",
    "user_agent",
)


class SealedPerson(Contract):
    """Personal fields as they travel. Only `shared.kit.person` opens and closes it, so that `scheme` can become encryption
    per person, and a person be forgotten by destroying one key."""

    scheme: Literal["plain"] = "plain"
    fields: dict[str, str] = Field(default_factory=dict, repr=False)
