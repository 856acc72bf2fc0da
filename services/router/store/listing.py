"""Lists of leads, page by page, of those that a caller may see."""

from __future__ import annotations

from dataclasses import dataclass

from services.router.sight import Sight
from services.router.store.leads import SELECT, Stored, lead_of
from shared.kit.database import Connection


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the leads is asked for; None stands for all.

    waiting:       reason to wait, such as `parked:dispatch`;  parked: whether it is parked at all
    account:       a company's key, or the id of the account that it was matched to
    changed_since: ms, by this service's clock; what was only tried in vain has not changed
    """

    stage: str | None = None
    disposition: str | None = None
    owner: str | None = None
    pool: str | None = None
    grade: str | None = None
    waiting: str | None = None
    parked: bool | None = None
    account: str | None = None
    changed_since: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A lead's place in a queue: the best grade and then the longest wait (since when, ms) first."""

    grade: str
    since: int
    lead_id: str


# What each part of a sight shows. Whoever is nobody's waits, which the indexes of those who wait ask for in so many words.
REPS = "owner_rep = ANY({}::text[])"
POOLS = "(owner_rep IS NULL AND pool_id = ANY({}::text[]))"
CLAIMS = "(owner_rep IS NULL AND waiting_reason = 'parked:claim' AND pool_id = ANY({}::text[]))"


def _seen(sight: Sight, asked: list[object]) -> str:
    """The test of what `sight` shows; its values are added to those of the query. Of nothing but the parts that it has: one that
    is empty would show nothing, and may cost the index of the others."""
    if sight.everything:
        return "true"
    parts = [(REPS, sight.reps), (POOLS, sight.pools), (CLAIMS, sight.claims)]
    tests = [part.format(_value(asked, list(values))) for part, values in parts if values]
    return f"({' OR '.join(tests) or 'false'})"


def _value(asked: list[object], value: object) -> str:
    """The name of one more value of the query."""
    asked.append(value)
    return f"${len(asked)}"


async def page(
    connection: Connection, tenant: str, sight: Sight, wanted: Filter, limit: int, after: str | None
) -> list[Stored]:
    """Scored leads by id, those after `after`."""
    tests: dict[str, object] = {
        "stage = {}": wanted.stage,
        "disposition = {}": wanted.disposition,
        "owner_rep = {}": wanted.owner,
        "pool_id = {}": wanted.pool,
        "grade = {}": wanted.grade,
        "waiting_reason = {}": wanted.waiting,
        "(coalesce(waiting_reason, '') LIKE 'parked:%') = {}": wanted.parked,
        "(account = {0} OR EXISTS (SELECT FROM router.account_leads a WHERE a.tenant = leads.tenant"
        " AND a.lead_id = leads.lead_id AND a.account_id = {0}))": wanted.account,
        "updated_at >= {}": wanted.changed_since,
    }
    asked: list[object] = [tenant, after or "", limit]
    given = "".join(f" AND {test.format(_value(asked, value))}" for test, value in tests.items() if value is not None)
    rows = await connection.fetch(
        f"{SELECT} AS leads WHERE tenant = $1 AND {_seen(sight, asked)} AND lead_id > $2 AND version IS NOT NULL{given}"
        " ORDER BY lead_id LIMIT $3",
        *asked,
    )
    return [Stored(lead_of(row), row["score"]) for row in rows]


async def waiting(
    connection: Connection,
    tenant: str,
    sight: Sight,
    reason: str | None,
    pool: str | None,
    limit: int,
    after: Place | None,
) -> list[Stored]:
    """Parked leads, in the order in which they are to be seen to. reason: all, where it is None"""
    asked: list[object] = [tenant, limit, reason, pool]
    further = ""
    if after:
        names = ", ".join(_value(asked, value) for value in (after.grade, after.since, after.lead_id))
        further = f" AND (grade, waiting_since, lead_id) > ({names})"
    rows = await connection.fetch(
        f"{SELECT} WHERE tenant = $1 AND {_seen(sight, asked)} AND waiting_reason LIKE 'parked:%'"
        f" AND ($3::text IS NULL OR waiting_reason = $3) AND ($4::text IS NULL OR pool_id = $4){further}"
        " ORDER BY grade, waiting_since, lead_id LIMIT $2",
        *asked,
    )
    return [Stored(lead_of(row), row["score"]) for row in rows]
