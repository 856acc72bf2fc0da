"""What is missing of a lead before anybody can work it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARTS = ("name", "company", "contact", "role", "need", "consent")


def missing(
    person: Mapping[str, str | None],
    attributes: Mapping[str, Any],
    evidence: Mapping[str, str] | None = None,
    consents: Sequence[Mapping[str, Any]] = (),
) -> tuple[str, ...]:
    """Of `PARTS` those that one touch of a form or an import lacks; empty where it can be worked as it is.

    name: somebody to ask for;  company: its name, number or own mail domain;  contact: mail address or phone;
    role: title or department;  need: what they wrote, or an answer to N1;  consent: any yes or no to being contacted

    A touch without personal fields tells of no person: ask only of those that have some.
    """
    there = (
        person.get("name") or person.get("last_name"),
        attributes.get("company") or attributes.get("corporate_number") or attributes.get("own_domain"),
        person.get("email") or person.get("phone"),
        person.get("title") or person.get("department") or attributes.get("level") or attributes.get("department"),
        person.get("free_text") or (evidence or {}).get("N1"),
        consents,
    )
    return tuple(part for part, value in zip(PARTS, there, strict=True) if not value)
