"""Notifications in Postgres: put there by the transaction of what they tell of, addressed, claimed channel by channel, noted try by
try.

Lock order: opportunity rows, then channels, then notifications of one tenant in order of id (`_lock`), all at once, before any of
them is changed: whoever changes several does so. New ones are never waited for: who finds one locked leaves it to its holder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.telling.happenings import Audience, Kind, happenings, over
from services.handoff.telling.schedule import TRIES, Verdict
from services.handoff.turns import waits_since
from shared.kit.database import Connection, Pool
from shared.kit.forgetting import delete_slices
from shared.schemas import ids

State = Literal["pending", "told", "failed", "dropped", "unreachable"]
LEASE = 60_000  # ms; longer than any turn: who claimed a channel and died leaves it after that
AT_ONCE = 200  # notifications that a turn looks at
_ENDED = ("taken_back", "withdrawn")  # told only to who may have heard of the offer


@dataclass(frozen=True, slots=True)
class Notification:
    """rep_id: while it is new, whom it concerns, and then who is told;  about: see Happening;  concerns: whom it concerns
    attempts: so far;  waits: for the hours of who is told;  lead_class: of the lead
    """

    tenant: str
    notification_id: str
    kind: Kind
    rep_id: str
    audience: Audience
    channel_id: str
    opportunity_id: str
    assignment: int
    about: dict[str, Any]
    concerns: str
    created_at: int
    due_at: int
    attempts: int
    lead_class: str

    def to(self, rep_id: str, channel_id: str) -> Notification:
        """The same for one person on one channel; again is the same one."""
        made = ids.derived_id("notification", self.tenant, self.notification_id, rep_id, channel_id)
        return replace(self, notification_id=made, rep_id=rep_id, channel_id=channel_id)


_ROW = """
    n.tenant, n.notification_id::text, n.kind, n.rep_id, n.audience, n.channel_id, n.opportunity_id::text, n.assignment,
    n.about, n.concerns, n.created_at, n.due_at, n.attempts,
    (SELECT o.lead_class FROM handoff.opportunities o WHERE (o.tenant, o.opportunity_id) = (n.tenant, n.opportunity_id))
    AS lead_class
"""


async def put(
    connection: Connection, tenant: str, changes: Sequence[tuple[Opportunity | None, Change]], now: int
) -> None:
    """Queue what is to be told of these changes, and drop what waits and is over by them, in the transaction of `connection`.
    changes: each with what was there before. Again is once"""
    ended = [one for before, change in changes for one in over(before, change)]
    if ended:
        await _end(connection, tenant, ended, now)
    found = [one for before, change in changes for one in happenings(before, change)]
    if found:
        await connection.execute(
            "INSERT INTO handoff.notifications (tenant, notification_id, kind, rep_id, concerns, audience, opportunity_id,"
            " assignment, about, state, created_at, due_at)"
            " SELECT $1, n.id, n.kind, n.rep_id, n.rep_id, n.audience, n.opportunity_id, n.assignment, n.about::jsonb, 'new',"
            " $9, $9 FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[], $8::text[])"
            " AS n(id, kind, rep_id, audience, opportunity_id, assignment, about) ON CONFLICT DO NOTHING",
            tenant,
            [one.notification_id for one in found],
            [one.kind for one in found],
            [one.rep_id for one in found],
            [one.audience for one in found],
            [one.opportunity_id for one in found],
            [one.assignment for one in found],
            [orjson.dumps(one.about).decode() for one in found],
            now,
        )


async def _end(connection: Connection, tenant: str, ended: Sequence[tuple[str, int]], now: int) -> None:
    """Drop what waits to be told, or to be tried again, of these offers. What is being addressed this moment, or sent, is looked at
    again before it is told the next time (`begin`)."""
    of = (
        "SELECT n.notification_id::text FROM handoff.notifications n"
        " JOIN unnest($2::uuid[], $3::bigint[]) AS e(opportunity_id, assignment)"
        " ON (n.opportunity_id, n.assignment) = (e.opportunity_id, e.assignment)"
        " WHERE n.tenant = $1 AND n.state = "
    )
    offers = [opportunity_id for opportunity_id, _ in ended], [assignment for _, assignment in ended]
    new = await connection.fetch(f"{of} 'new' FOR UPDATE OF n SKIP LOCKED", tenant, *offers)
    addressed = await connection.fetch(f"{of} 'pending'", tenant, *offers)
    await _lock(connection, tenant, [row["notification_id"] for row in addressed])
    await connection.execute(
        "UPDATE handoff.notifications n SET state = 'dropped', why = 'over', ended_at = $3"
        " WHERE n.tenant = $1 AND n.notification_id = ANY($2::uuid[]) AND n.state IN ('new', 'pending')"
        " AND EXISTS (SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id, f.assignment)"
        "   = (n.tenant, n.opportunity_id, n.assignment) AND (f.state NOT IN ('open', 'accepted')"
        "   OR (f.state = 'accepted' AND (n.kind = 'offer' OR n.about ->> 'clock' = 'accept'))))",
        tenant,
        [row["notification_id"] for row in (*new, *addressed)],
        now,
    )


async def _lock(connection: Connection, tenant: str, notifications: Sequence[str]) -> None:
    await connection.execute(
        "SELECT FROM handoff.notifications WHERE tenant = $1 AND notification_id = ANY($2::uuid[])"
        " ORDER BY notification_id FOR UPDATE",
        tenant,
        notifications,
    )


@asynccontextmanager
async def _locked(workers: Pool, found: Sequence[Notification]) -> AsyncIterator[Connection]:
    """A transaction that may change these, all of one tenant."""
    async with workers.acquire() as connection, connection.transaction():
        await _lock(connection, found[0].tenant, [one.notification_id for one in found])
        yield connection


async def new(connection: Connection, most: int, now: int) -> list[Notification]:
    """What nobody has addressed yet, the oldest first, locked; what another process addresses is left to it."""
    rows = await connection.fetch(
        f"SELECT {_ROW} FROM handoff.notifications n WHERE n.state = 'new' AND n.due_at <= $2"
        " ORDER BY n.created_at LIMIT $1 FOR UPDATE SKIP LOCKED",
        most,
        now,
    )
    return [Notification(**dict(row)) for row in rows]


async def address_later(connection: Connection, found: Sequence[Notification], at: int) -> None:
    """Look at these new ones again at `at` (ms)."""
    await connection.execute(
        "UPDATE handoff.notifications n SET due_at = $3 FROM unnest($1::text[], $2::uuid[]) AS r(tenant, id)"
        " WHERE (n.tenant, n.notification_id) = (r.tenant, r.id)",
        *_keys(found),
        at,
    )


async def pool_of(connection: Connection, one: Notification) -> str | None:
    """The pool that the offer is from."""
    found: str | None = await connection.fetchval(
        "SELECT pool_id FROM handoff.offers WHERE (tenant, opportunity_id, assignment) = ($1, $2::uuid, $3)",
        one.tenant,
        one.opportunity_id,
        one.assignment,
    )
    return found


async def address(
    connection: Connection, found: Sequence[tuple[Notification, Sequence[tuple[str, str]], bool]], now: int
) -> None:
    """Put one row in the place of each of `found`, for each person and channel that it reaches. The last of each says whether it is
    kept where it reaches nobody."""
    made: list[Notification] = []
    replaced: list[Notification] = []
    unreachable: list[Notification] = []
    for one, reached, kept in found:
        if one.kind in _ENDED:
            rows = [one.to(*each) for each in reached if await _may_have_heard(connection, one, *each)]
            kept = False
        else:
            rows = [one.to(*each) for each in reached]
        made += rows
        (unreachable if kept and not rows else replaced).append(one)
    await connection.execute(
        "DELETE FROM handoff.notifications n USING unnest($1::text[], $2::uuid[]) AS r(tenant, id)"
        " WHERE (n.tenant, n.notification_id) = (r.tenant, r.id)",
        *_keys(replaced),
    )
    await connection.execute(
        "UPDATE handoff.notifications n SET state = 'unreachable', ended_at = $3"
        " FROM unnest($1::text[], $2::uuid[]) AS r(tenant, id) WHERE (n.tenant, n.notification_id) = (r.tenant, r.id)",
        *_keys(unreachable),
        now,
    )
    channels = sorted({(one.tenant, one.channel_id) for one in made})  # in order, so that nobody waits in a circle
    await connection.executemany(
        "INSERT INTO handoff.channels (tenant, channel_id) SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM handoff.channels"
        " WHERE (tenant, channel_id) = ($1, $2)) ON CONFLICT DO NOTHING",
        channels,
    )
    await connection.executemany(
        "INSERT INTO handoff.notifications (tenant, notification_id, kind, rep_id, concerns, audience, channel_id,"
        " opportunity_id, assignment, about, state, created_at, due_at)"
        " VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $8::uuid, $9, $10, 'pending', $11, $12) ON CONFLICT DO NOTHING",
        [
            (
                one.tenant,
                one.notification_id,
                one.kind,
                one.rep_id,
                one.concerns,
                one.audience,
                one.channel_id,
                one.opportunity_id,
                one.assignment,
                one.about,
                one.created_at,
                one.due_at,
            )
            for one in made
        ],
    )


def _keys(found: Sequence[Notification]) -> tuple[list[str], list[str]]:
    return [one.tenant for one in found], [one.notification_id for one in found]


async def _may_have_heard(connection: Connection, one: Notification, rep_id: str, channel_id: str) -> bool:
    """Whether they had accepted the offer that ended, were told of it, or are being told."""
    heard: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM handoff.notifications n WHERE n.tenant = $1 AND n.opportunity_id = $2::uuid"
        "   AND n.assignment = $3 AND n.rep_id = $4 AND n.channel_id = $5"
        "   AND n.kind NOT IN ('taken_back', 'withdrawn') AND n.attempts > 0)"
        " OR EXISTS (SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id, f.assignment) = ($1, $2::uuid, $3)"
        "   AND f.accepted_at IS NOT NULL)",
        one.tenant,
        one.opportunity_id,
        one.assignment,
        rep_id,
        channel_id,
    )
    return heard


@dataclass(frozen=True, slots=True)
class Claim:
    """A channel whose turn it is. failures: in a row"""

    tenant: str
    channel_id: str
    failures: int
    token: str


# The channel that was served longest ago comes first, so that a busy one does not keep others waiting.
_CLAIM = """
    WITH ready AS (
        SELECT c.tenant, c.channel_id FROM handoff.channels c
        WHERE c.claimed_until <= $1 AND c.paused_until <= $1
          AND EXISTS (SELECT FROM handoff.notifications n
            WHERE (n.tenant, n.channel_id) = (c.tenant, c.channel_id) AND n.state = 'pending' AND n.due_at <= $1)
        ORDER BY c.served_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE handoff.channels c SET claimed_until = $1 + $3, claim = $4::uuid FROM ready
    WHERE (c.tenant, c.channel_id) = (ready.tenant, ready.channel_id)
    RETURNING c.tenant, c.channel_id, c.failures
"""


async def claim(workers: Pool, token: str, most: int, now: int) -> list[Claim]:
    """Channels that have something due and that nobody serves, for the claimer `token` (a UUID) alone until it releases them."""
    rows = await workers.fetch(_CLAIM, now, most, LEASE, token)
    return [Claim(row["tenant"], row["channel_id"], row["failures"], token) for row in rows]


async def release(workers: Pool, claimed: Claim) -> None:
    await workers.execute(
        "UPDATE handoff.channels SET claimed_until = 0, claim = NULL"
        " WHERE tenant = $1 AND channel_id = $2 AND claim = $3::uuid",
        claimed.tenant,
        claimed.channel_id,
        claimed.token,
    )


async def due(workers: Pool, claimed: Claim, now: int) -> list[Notification]:
    """What is due on the channel, the oldest first."""
    rows = await workers.fetch(
        f"SELECT {_ROW} FROM handoff.notifications n"
        " WHERE n.tenant = $1 AND n.channel_id = $2 AND n.state = 'pending' AND n.due_at <= $3"
        " ORDER BY n.due_at, n.created_at, n.notification_id LIMIT $4",
        claimed.tenant,
        claimed.channel_id,
        now,
        AT_ONCE,
    )
    return [Notification(**dict(row)) for row in rows]


async def postpone(workers: Pool, found: Sequence[Notification], until: int, *, waits: bool) -> None:
    """They are due at `until` (ms). waits: because of the hours of who is told, so that it may become sooner"""
    async with _locked(workers, found) as connection:
        await connection.execute(
            "UPDATE handoff.notifications SET due_at = $3, waits = $4"
            " WHERE tenant = $1 AND notification_id = ANY($2::uuid[]) AND state = 'pending'",
            found[0].tenant,
            [one.notification_id for one in found],
            until,
            waits,
        )


async def drop(workers: Pool, found: Sequence[Notification], why: str, now: int) -> None:
    """They are not told any more, because of `why`."""
    async with _locked(workers, found) as connection:
        await _drop(connection, found, why, now)


async def _drop(connection: Connection, found: Sequence[Notification], why: str, now: int) -> None:
    await connection.execute(
        "UPDATE handoff.notifications SET state = 'dropped', why = $3, ended_at = $4"
        " WHERE tenant = $1 AND notification_id = ANY($2::uuid[]) AND state = 'pending'",
        found[0].tenant,
        [one.notification_id for one in found],
        why,
        now,
    )


async def readdress(workers: Pool, found: Sequence[Notification], channels: Sequence[str], now: int) -> None:
    """They cannot be told where they were addressed: in their place comes one row for each of `channels` on which the same is not
    told to the same rep already."""
    tenant = found[0].tenant
    made = [(one.notification_id, one.to(one.rep_id, channel)) for one in found for channel in sorted(channels)]
    async with _locked(workers, found) as connection:
        await connection.executemany(
            "INSERT INTO handoff.channels (tenant, channel_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [(tenant, channel) for channel in sorted(channels)],
        )
        await connection.execute(
            "INSERT INTO handoff.notifications (tenant, notification_id, kind, rep_id, concerns, audience, channel_id,"
            " opportunity_id, assignment, about, state, created_at, due_at)"
            " SELECT n.tenant, m.made, n.kind, n.rep_id, n.concerns, n.audience, m.channel_id, n.opportunity_id,"
            " n.assignment, n.about, 'pending', n.created_at, $5 FROM handoff.notifications n"
            " JOIN unnest($2::uuid[], $3::uuid[], $4::text[]) AS m(was, made, channel_id) ON m.was = n.notification_id"
            " WHERE n.tenant = $1 AND n.state = 'pending' AND NOT EXISTS (SELECT FROM handoff.notifications o"
            "   WHERE (o.tenant, o.opportunity_id, o.assignment, o.kind, o.rep_id, o.concerns, o.about, o.channel_id)"
            "   = (n.tenant, n.opportunity_id, n.assignment, n.kind, n.rep_id, n.concerns, n.about, m.channel_id))"
            " ON CONFLICT DO NOTHING",
            tenant,
            [was for was, _ in made],
            [one.notification_id for _, one in made],
            [one.channel_id for _, one in made],
            now,
        )
        await _drop(connection, found, "no_address", now)


# What a notification is about still holds. An offer that has been answered wants no answer; a clock that has stopped needs no
# reminder, and what was late is not, once it was done.
_HOLDS = """
    CASE n.kind
        WHEN 'offer' THEN EXISTS (SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id, f.assignment)
            = (n.tenant, n.opportunity_id, n.assignment) AND f.state = 'open')
        WHEN 'assigned' THEN EXISTS (SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id, f.assignment)
            = (n.tenant, n.opportunity_id, n.assignment) AND f.state IN ('open', 'accepted'))
        WHEN 'reminder' THEN EXISTS (SELECT FROM handoff.clocks c WHERE (c.tenant, c.opportunity_id, c.assignment)
            = (n.tenant, n.opportunity_id, n.assignment) AND c.kind = n.about ->> 'clock' AND c.state = 'running')
        WHEN 'late' THEN EXISTS (SELECT FROM handoff.clocks c WHERE (c.tenant, c.opportunity_id)
            = (n.tenant, n.opportunity_id) AND c.kind = n.about ->> 'clock' AND c.done_at IS NULL
            AND (c.assignment = n.assignment AND c.state IN ('running', 'breached')
                OR c.assignment = 0 AND c.state = 'breached'))
            AND (n.assignment = 0 OR EXISTS (SELECT FROM handoff.offers f WHERE
                (f.tenant, f.opportunity_id, f.assignment) = (n.tenant, n.opportunity_id, n.assignment)
                AND f.state IN ('open', 'accepted')))
        WHEN 'overdue' THEN EXISTS (SELECT FROM handoff.clocks c WHERE (c.tenant, c.opportunity_id, c.assignment)
            = (n.tenant, n.opportunity_id, 0) AND c.kind = n.about ->> 'clock' AND c.done_at IS NULL
            AND c.state = 'breached')
        ELSE true
    END
"""


async def begin(workers: Pool, found: Sequence[Notification], now: int) -> dict[str, State]:
    """What each is now: `pending` are those that still hold, and are tried from now on; what does not is dropped. From here on they
    count as heard: a crash may hide that they were, and whoever crashed all of their tries has failed."""
    async with _locked(workers, found) as connection:
        rows = await connection.fetch(
            f"WITH seen AS (SELECT n.tenant, n.notification_id, CASE WHEN n.attempts >= $4 THEN 'failed' WHEN {_HOLDS}"
            "   THEN 'pending' ELSE 'dropped' END AS state FROM handoff.notifications n"
            "   WHERE n.tenant = $1 AND n.notification_id = ANY($2::uuid[]) AND n.state = 'pending')"
            " UPDATE handoff.notifications n SET state = seen.state, waits = false,"
            " attempts = n.attempts + (seen.state = 'pending')::int,"
            " why = CASE seen.state WHEN 'dropped' THEN 'over' ELSE n.why END,"
            " ended_at = CASE WHEN seen.state <> 'pending' THEN $3::bigint END"
            " FROM seen WHERE (n.tenant, n.notification_id) = (seen.tenant, seen.notification_id)"
            " RETURNING n.notification_id::text, n.state",
            found[0].tenant,
            [one.notification_id for one in found],
            now,
            TRIES,
        )
    return {row["notification_id"]: row["state"] for row in rows}


async def note(
    workers: Pool,
    claimed: Claim,
    sent: Sequence[tuple[Notification, Verdict]],
    outcome: str,
    took_ms: int,
    failures: int,
    paused_until: int,
    now: int,
) -> bool:
    """Note what came of a message that told all of `sent`; whether the channel is still ours and not paused."""
    async with workers.acquire() as connection, connection.transaction():
        ours = await connection.fetchval(
            "UPDATE handoff.channels SET failures = $3, paused_until = $4, served_at = $5"
            " WHERE tenant = $1 AND channel_id = $2"
            " RETURNING paused_until <= $5 AND claim IS NOT DISTINCT FROM $6::uuid",
            claimed.tenant,
            claimed.channel_id,
            failures,
            paused_until,
            now,
            claimed.token,
        )
        await _lock(connection, claimed.tenant, [one.notification_id for one, _ in sent])
        for one, verdict in sent:
            await connection.execute(
                "UPDATE handoff.notifications SET state = $3::text, due_at = coalesce($4, due_at),"
                " ended_at = CASE WHEN $4::bigint IS NULL THEN $5::bigint END,"
                " why = CASE WHEN $3::text = 'told' THEN NULL ELSE why END"
                # What was over while it was on its way has been told all the same.
                " WHERE tenant = $1 AND notification_id = $2::uuid"
                " AND (state = 'pending' OR (state = 'dropped' AND $3::text = 'told'))",
                one.tenant,
                one.notification_id,
                verdict.state,
                verdict.due_at,
                now,
            )
            await connection.execute(
                "INSERT INTO handoff.notification_tries (tenant, notification_id, number, at, outcome, took_ms)"
                " VALUES ($1, $2::uuid, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                one.tenant,
                one.notification_id,
                one.attempts + 1,
                now,
                outcome,
                took_ms,
            )
    return bool(ours)


async def last_reminded(workers: Pool, claimed: Claim, rep_id: str, since: int) -> int | None:
    """When the rep was last reminded on the channel (ms), if after `since`."""
    found: int | None = await workers.fetchval(
        "SELECT max(ended_at) FROM handoff.notifications WHERE tenant = $1 AND channel_id = $2 AND rep_id = $3"
        " AND kind = 'reminder' AND state = 'told' AND ended_at > $4",
        claimed.tenant,
        claimed.channel_id,
        rep_id,
        since,
    )
    return found


async def waiting(workers: Pool) -> dict[str, list[str]]:
    """Reps for whose hours something waits, by tenant."""
    rows = await workers.fetch(
        "SELECT tenant, array_agg(DISTINCT rep_id) AS reps FROM handoff.notifications WHERE state = 'pending' AND waits"
        " GROUP BY tenant"
    )
    return {row["tenant"]: row["reps"] for row in rows}


async def wake(workers: Pool, tenant: str, at: Mapping[str, int]) -> None:
    """What waits for the hours of reps is due when they are at work (ms)."""
    reps = list(at), list(at.values())
    async with workers.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            "SELECT n.notification_id::text FROM handoff.notifications n"
            " JOIN unnest($2::text[], $3::bigint[]) AS r(rep_id, at) ON n.rep_id = r.rep_id"
            " WHERE n.tenant = $1 AND n.state = 'pending' AND n.waits AND n.due_at <> r.at",
            tenant,
            *reps,
        )
        if not rows:
            return
        others = [row["notification_id"] for row in rows]
        await _lock(connection, tenant, others)
        await connection.execute(
            "UPDATE handoff.notifications n SET due_at = r.at FROM unnest($2::text[], $3::bigint[]) AS r(rep_id, at)"
            " WHERE n.tenant = $1 AND n.rep_id = r.rep_id AND n.state = 'pending' AND n.waits"
            " AND n.notification_id = ANY($4::uuid[])",
            tenant,
            *reps,
            others,
        )


async def overdue_seconds(workers: Pool, now: int) -> float:
    """For how long the notification that waits longest has been due, whatever its channel does."""
    since: int | None = await workers.fetchval(
        "SELECT min(n.due_at) FROM handoff.channels c CROSS JOIN LATERAL (SELECT due_at FROM handoff.notifications n"
        " WHERE (n.tenant, n.channel_id) = (c.tenant, c.channel_id) AND n.state = 'pending' ORDER BY due_at LIMIT 1) AS n"
    )
    return 0.0 if since is None else max(0, now - since) / 1000


async def late_seconds(workers: Pool, now: int) -> float:
    """For how long the notification that waits longest could have been sent, and was not: its channel was free all that time."""
    since: int | None = await workers.fetchval(waits_since("channels", "notifications", by="channel_id"), now)
    unaddressed: int | None = await workers.fetchval(
        "SELECT min(due_at) FROM handoff.notifications WHERE state = 'new'"
    )
    oldest = min((at for at in (since, unaddressed) if at is not None), default=now)
    return max(0, now - oldest) / 1000


async def count_failing(workers: Pool, most: int) -> int:
    """Channels that have failed more than `most` times in a row, and on which somebody is still to be told something."""
    found: int = await workers.fetchval(
        "SELECT count(*) FROM handoff.channels c WHERE failures > $1 AND EXISTS (SELECT FROM handoff.notifications n"
        " WHERE (n.tenant, n.channel_id) = (c.tenant, c.channel_id) AND n.state = 'pending')",
        most,
    )
    return found


_FORGET = """
    WITH old AS (SELECT tenant, notification_id FROM handoff.notifications WHERE created_at < $1 LIMIT 1000
        FOR UPDATE SKIP LOCKED),
    tries AS (DELETE FROM handoff.notification_tries t USING old
        WHERE (t.tenant, t.notification_id) = (old.tenant, old.notification_id))
    DELETE FROM handoff.notifications n USING old WHERE (n.tenant, n.notification_id) = (old.tenant, old.notification_id)
"""


async def forget(workers: Pool, before: int) -> int:
    """Delete notifications from before a time (ms) with their tries; how many there were."""
    return await delete_slices(workers, _FORGET, before)
