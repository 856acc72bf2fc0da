"""Telling people from browsers where a protocol has one field for both, and companies from other groups."""

from __future__ import annotations

import re

from services.ingest.domain.refusals import Refused

# Groups of these types are companies; a group `project` has a name too, which is nobody's employer.
COMPANY_GROUPS = frozenset({"company", "organization", "organisation", "account", "customer"})
_MADE_UP = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"  # UUID
    r"|[0-9a-f]{8,16}-[0-9a-f]{8,20}-[0-9a-f]{6,10}-[0-9a-f]{4,10}-[0-9a-f]{8,20}",  # Mixpanel's and PostHog's earlier ones
    re.IGNORECASE,
)


def is_made_up(distinct_id: str) -> bool:
    """Whether an id looks as if an SDK had made it up for a browser.

    A user id that looks so is taken for a browser too. That is the safe side: touches of somebody who is nobody yet can still be
    linked, a browser that was taken for a person would stand beside the person for ever.
    """
    return _MADE_UP.fullmatch(distinct_id) is not None


def of_alias(one: str | None, other: str | None) -> tuple[str, str]:
    """User id and the other id of two that are of one person. Senders name them in either order, so the one that looks made up
    is the browser's. Raises Refused `no_identity` where neither names a person."""
    if one and is_made_up(one):
        one, other = other, one
    if one is None or other is None or is_made_up(one):
        raise Refused("no_identity", "an alias names two ids, and one of them is the id of a user")
    return one, other
