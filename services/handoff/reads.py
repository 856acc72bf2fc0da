"""What the API reads: each answer is one statement, so that its parts fit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.handoff.merged import HANDED_OVER, OF_LEAD
from services.handoff.paging import Place
from shared.kit.database import Pool, tenant_transaction
from shared.sight import Sight

_HEAD = """
    o.opportunity_id::text AS id, o.lead_id, o.cycle, o.stage, o.type, o.deal_stage, o.is_test, o.lead_class, o.pool_id, o.leg,
    o.person, o.attributes, o.score, o.evidence, o.touches, o.reasons, o.created_at, o.updated_at,
    (SELECT jsonb_build_object('rep_id', f.rep_id, 'rep_name', f.rep_name, 'state', f.state)
     FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) = (o.tenant, o.opportunity_id)
     AND f.state IN ('open', 'accepted')) AS holder,
    (SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.assignment, c.due_at, c.kind), '[]')
     FROM handoff.clocks c WHERE (c.tenant, c.opportunity_id) = (o.tenant, o.opportunity_id)) AS clocks
"""
_STORY = f""",
    (SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.assignment), '[]')
     FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) = (o.tenant, o.opportunity_id)) AS offers,
    (SELECT coalesce(jsonb_agg(m.rep_id), '[]')
     FROM handoff.deal_members m WHERE (m.tenant, m.opportunity_id) = (o.tenant, o.opportunity_id)) AS members,
    (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.at, a.logged_at, a.activity_id), '[]')
     FROM handoff.activities a WHERE (a.tenant, a.opportunity_id) = (o.tenant, o.opportunity_id)) AS activities,
    (SELECT coalesce(jsonb_agg(to_jsonb(h) ORDER BY h.number), '[]')
     FROM handoff.stage_history h WHERE (h.tenant, h.opportunity_id) = (o.tenant, o.opportunity_id)) AS history,
    (SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.assignment, p.number), '[]')
     FROM handoff.pauses p WHERE (p.tenant, p.opportunity_id) = (o.tenant, o.opportunity_id)) AS pauses,
    (SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.at, v.assignment), '[]') FROM {HANDED_OVER}) AS handovers
"""
_ASKED = f"""o.tenant = $1
      AND ($2::text IS NULL OR o.lead_id = ANY(ARRAY({OF_LEAD})))
      AND ($3::text IS NULL OR o.stage = $3)
      AND ($4::text IS NULL OR EXISTS (
          SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) = (o.tenant, o.opportunity_id)
          AND f.rep_id = $4 AND f.state IN ('open', 'accepted')))
      AND ($5::bigint IS NULL OR (o.created_at, o.opportunity_id) < ($5, $6::uuid))"""
_NEWEST = "ORDER BY o.created_at DESC, o.opportunity_id DESC LIMIT $7"
_ALL = f"SELECT {_HEAD} FROM handoff.opportunities o WHERE {_ASKED} {_NEWEST}"
_FOUND = f"(SELECT o.opportunity_id FROM handoff.opportunities o WHERE {_ASKED} AND {{seen}} {_NEWEST})"
# An array, so that they are looked up one by one: whoever prepares the query does not know how few they are.
_SEEN = f"""
    SELECT {_HEAD} FROM handoff.opportunities o WHERE o.tenant = $1 AND o.opportunity_id = ANY(ARRAY({{found}})) {_NEWEST}
"""
# What a sight shows, of nothing but the parts that it has: one that is empty would cost the index of the other. Each table is asked
# by itself for a page: of both together Postgres reads all that anybody on the team ever had, before it takes the newest. Of deals
# that somebody works on beside its owner there are few, and they may be old: these are all looked at.
_OFFERED = "o.opportunity_id IN (SELECT f.opportunity_id FROM handoff.offers f WHERE f.tenant = $1 AND ({tests}))"
_WORKED_ON = """o.opportunity_id = ANY(ARRAY(
          SELECT f.opportunity_id FROM handoff.deal_members f WHERE f.tenant = $1 AND {tests}))"""
_PARTS = {"reps": "f.rep_id = ANY({}::text[])", "led": "f.pool_id = ANY({}::text[])"}
_ONE = f"SELECT {_HEAD}{_STORY} FROM handoff.opportunities o WHERE o.tenant = $1 AND o.opportunity_id = $2"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which opportunities are wanted; None wants all. lead_id: of it, and of leads merged into it;  rep_id: who holds it now"""

    lead_id: str | None = None
    stage: str | None = None
    rep_id: str | None = None


class Reads:
    """Opportunities of a tenant, as rows."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, tenant: str, opportunity_id: str) -> dict[str, Any] | None:
        async with tenant_transaction(self._pool, tenant) as connection:
            row = await connection.fetchrow(_ONE, tenant, opportunity_id)
            return dict(row) if row else None

    async def page(
        self, tenant: str, sight: Sight, wanted: Filter, after: Place | None, limit: int
    ) -> list[dict[str, Any]]:
        """The newest opportunities first that `sight` shows; at most `limit`."""
        seen, values = _seen(sight, 8)
        found = " UNION ".join(_FOUND.format(seen=one) for one in seen)
        query = _ALL if sight.everything else _SEEN.format(found=found)
        async with tenant_transaction(self._pool, tenant) as connection:
            rows = await connection.fetch(
                query,
                tenant,
                wanted.lead_id,
                wanted.stage,
                wanted.rep_id,
                after.at if after else None,
                after.id if after else None,
                limit,
                *values,
            )
            return [dict(row) for row in rows]


def _seen(sight: Sight, first: int) -> tuple[list[str], list[list[str]]]:
    """Tests of what `sight` shows where that is not all, any of which suffices, and their values; `first` is the number of the
    first of them."""
    if sight.everything:
        return [], []
    parts = {name: values for name in _PARTS if (values := list(getattr(sight, name)))}
    tests = {name: _PARTS[name].format(f"${first + n}") for n, name in enumerate(parts)}
    seen = [_OFFERED.format(tests=" OR ".join(tests.values()) or "false")]
    if "reps" in tests:
        seen.append(_WORKED_ON.format(tests=tests["reps"]))
    return seen, list(parts.values())
