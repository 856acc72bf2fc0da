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
    changed_since: ms, by this service's clock
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


SEEN = (
    "($2 OR owner_rep = ANY($3::text[]) OR (owner_rep IS NULL AND pool_id = ANY($4::text[]))"
    " OR (waiting_reason = 'parked:claim' AND pool_id = ANY($5::text[])))"
)


def _seen(sight: Sight) -> tuple[bool, list[str], list[str], list[str]]:
    return sight.everything, list(sight.reps), list(sight.pools), list(sight.claims)


async def page(
    connection: Connection, tenant: str, sight: Sight, wanted: Filter, limit: int, after: str | None
) -> list[Stored]:
    """Scored leads by id, those after `after`."""
    asked: dict[str, object] = {
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
    given = {test: value for test, value in asked.items() if value is not None}
    tests = "".join(f" AND {test.format(f'${n}')}" for n, test in enumerate(given, start=8))
    rows = await connection.fetch(
        f"{SELECT} AS leads WHERE tenant = $1 AND {SEEN} AND lead_id > $6 AND version IS NOT NULL{tests}"
        " ORDER BY lead_id LIMIT $7",
        tenant,
        *_seen(sight),
        after or "",
        limit,
        *given.values(),
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
    rows = await connection.fetch(
        f"{SELECT} WHERE tenant = $1 AND {SEEN} AND waiting_reason LIKE 'parked:%'"
        " AND ($7::text IS NULL OR waiting_reason = $7) AND ($8::text IS NULL OR pool_id = $8)"
        f"{' AND (grade, waiting_since, lead_id) > ($9, $10, $11)' if after else ''}"
        " ORDER BY grade, waiting_since, lead_id LIMIT $6",
        tenant,
        *_seen(sight),
        limit,
        reason,
        pool,
        *((after.grade, after.since, after.lead_id) if after else ()),
    )
    return [Stored(lead_of(row), row["score"]) for row in rows]
