"""Deliveries in Postgres: put there by the transaction of what they tell of, claimed endpoint by endpoint, noted try by try.

Lock order: opportunity rows, then endpoints, then deliveries. Putting in locks no endpoint, so no sender holds up a rep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.handoff.outbound.messages import Message
from services.handoff.outbound.post import Answer
from services.handoff.outbound.schedule import Verdict
from services.handoff.turns import waits_since
from shared.kit.database import Connection, Pool
from shared.kit.forgetting import delete_slices

LEASE = 60_000  # ms; longer than any turn: who claimed an endpoint and died leaves it after that
AT_ONCE = 20  # deliveries that a turn looks at


@dataclass(frozen=True, slots=True)
class Claim:
    """An endpoint whose turn it is. secrets: sealed, the newest first;  last_success_at: ms, 0 where there was none"""

    tenant: str
    endpoint_id: str
    url: str
    secrets: tuple[bytes, ...]
    failures: int
    last_success_at: int
    token: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """attempts: so far;  tries: so far of this round: resending begins a new one"""

    message_id: str
    body: str
    attempts: int
    tries: int
    created_at: int
    due_at: int


async def put(connection: Connection, tenant: str, messages: Sequence[Message], now: int) -> None:
    """Queue `messages` for every endpoint of the tenant that wants them, in the transaction of `connection`. Again is once."""
    if not messages:
        return
    endpoints = await connection.fetch(
        "SELECT endpoint_id, event_types FROM handoff.endpoints WHERE tenant = $1 AND state = 'active'", tenant
    )
    wanted = [
        (row["endpoint_id"], message)
        for message in messages
        for row in endpoints
        if not row["event_types"] or message.type in row["event_types"]
    ]
    if not wanted:
        return
    told = {message.message_id: message for _, message in wanted}
    await connection.execute(
        "INSERT INTO handoff.messages (tenant, message_id, type, body, at)"
        " SELECT $1, new.*, $5 FROM unnest($2::uuid[], $3::text[], $4::text[]) AS new ON CONFLICT DO NOTHING",
        tenant,
        list(told),
        [message.type for message in told.values()],
        [message.body for message in told.values()],
        now,
    )
    await connection.execute(
        "INSERT INTO handoff.deliveries (tenant, endpoint_id, message_id, created_at, due_at)"
        " SELECT $1, new.*, $4, $4 FROM unnest($2::uuid[], $3::uuid[]) AS new ON CONFLICT DO NOTHING",
        tenant,
        [endpoint_id for endpoint_id, _ in wanted],
        [message.message_id for _, message in wanted],
        now,
    )


# The endpoint that was served longest ago comes first, so that a busy one does not keep others waiting.
_CLAIM = """
    WITH ready AS (
        SELECT e.tenant, e.endpoint_id FROM handoff.endpoints e
        WHERE e.state = 'active' AND e.claimed_until <= $1 AND e.paused_until <= $1 AND EXISTS (
            SELECT FROM handoff.deliveries d
            WHERE (d.tenant, d.endpoint_id) = (e.tenant, e.endpoint_id) AND d.state = 'pending' AND d.due_at <= $1)
        ORDER BY e.served_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE handoff.endpoints e SET claimed_until = $1 + $3, claim = $4::uuid FROM ready
    WHERE (e.tenant, e.endpoint_id) = (ready.tenant, ready.endpoint_id)
    RETURNING e.tenant, e.endpoint_id::text, e.url, e.secret, e.old_secret, e.old_secret_until, e.failures, e.last_success_at
"""


async def claim(workers: Pool, token: str, most: int, now: int) -> list[Claim]:
    """Endpoints that have something due and that nobody serves, for the claimer `token` (a UUID) alone until it releases them."""
    rows = await workers.fetch(_CLAIM, now, most, LEASE, token)
    return [
        Claim(
            row["tenant"],
            row["endpoint_id"],
            row["url"],
            (row["secret"], row["old_secret"]) if (row["old_secret_until"] or 0) > now else (row["secret"],),
            row["failures"],
            row["last_success_at"],
            token,
        )
        for row in rows
    ]


async def due(workers: Pool, claimed: Claim, now: int) -> list[Delivery]:
    """What is due at the endpoint, the oldest first."""
    rows = await workers.fetch(
        "SELECT d.message_id::text, m.body, d.attempts, d.tries, d.created_at, d.due_at FROM handoff.deliveries d"
        " JOIN handoff.messages m USING (tenant, message_id)"
        " WHERE d.tenant = $1 AND d.endpoint_id = $2::uuid AND d.state = 'pending' AND d.due_at <= $3"
        " ORDER BY d.due_at, d.created_at, d.message_id LIMIT $4",
        claimed.tenant,
        claimed.endpoint_id,
        now,
        AT_ONCE,
    )
    return [Delivery(**dict(row)) for row in rows]


async def note(workers: Pool, claimed: Claim, delivery: Delivery, answer: Answer, verdict: Verdict, now: int) -> bool:
    """Note what came of a try; whether the endpoint is still ours, active and not paused, so that the next one may go."""
    async with workers.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "UPDATE handoff.endpoints SET failures = $4, paused_until = $5, served_at = $6,"
            " last_success_at = CASE WHEN $7 THEN $6 ELSE last_success_at END,"
            " state = CASE WHEN $8::text IS NULL THEN state ELSE 'disabled' END,"
            " disabled_reason = coalesce($8, disabled_reason),"
            " disabled_at = CASE WHEN $8::text IS NULL THEN disabled_at ELSE $6 END"
            " WHERE tenant = $1 AND endpoint_id = $2::uuid"
            " RETURNING state = 'active' AND paused_until <= $6 AND claim IS NOT DISTINCT FROM $3::uuid AS ours",
            claimed.tenant,
            claimed.endpoint_id,
            claimed.token,
            verdict.failures,
            verdict.paused_until,
            now,
            verdict.state == "delivered",
            verdict.disable,
        )
        if row is None:  # deleted meanwhile, with its deliveries
            return False
        # Whoever noted a try of this number before us, or asked for another round, is right.
        changed = await connection.fetchval(
            "UPDATE handoff.deliveries SET state = $5, attempts = attempts + 1, tries = tries + 1,"
            " due_at = coalesce($6, due_at), ended_at = CASE WHEN $6::bigint IS NULL THEN $7::bigint END"
            " WHERE tenant = $1 AND endpoint_id = $2::uuid AND message_id = $3::uuid"
            " AND state = 'pending' AND attempts = $4 RETURNING attempts",
            claimed.tenant,
            claimed.endpoint_id,
            delivery.message_id,
            delivery.attempts,
            verdict.state,
            verdict.due_at,
            now,
        )
        if changed is not None:
            await connection.execute(
                "INSERT INTO handoff.delivery_attempts"
                " (tenant, endpoint_id, message_id, number, at, outcome, status, took_ms, answer)"
                " VALUES ($1, $2::uuid, $3::uuid, $4, $5, $6, $7, $8, $9)",
                claimed.tenant,
                claimed.endpoint_id,
                delivery.message_id,
                changed,
                now,
                answer.outcome,
                answer.status,
                answer.took_ms,
                answer.text,
            )
        return bool(row["ours"])


async def release(workers: Pool, claimed: Claim) -> None:
    await workers.execute(
        "UPDATE handoff.endpoints SET claimed_until = 0, claim = NULL"
        " WHERE tenant = $1 AND endpoint_id = $2::uuid AND claim = $3::uuid",
        claimed.tenant,
        claimed.endpoint_id,
        claimed.token,
    )


async def late_seconds(workers: Pool, now: int) -> float:
    """For how long the delivery that waits longest could have been sent, and was not: its endpoint was free all that time."""
    since = await workers.fetchval(
        waits_since("endpoints", "deliveries", by="endpoint_id", when="s.state = 'active'"), now
    )
    return 0.0 if since is None else max(0, now - since) / 1000


async def count_disabled(workers: Pool) -> int:
    """Endpoints that were disabled because they failed or said 410, and are still."""
    found: int = await workers.fetchval(
        "SELECT count(*) FROM handoff.endpoints WHERE state = 'disabled' AND disabled_reason IN ('gone', 'failing')"
    )
    return found


_FORGET = """
    WITH old AS (SELECT tenant, message_id FROM handoff.messages WHERE at < $1 LIMIT 1000),
    deliveries AS (DELETE FROM handoff.deliveries d USING old WHERE (d.tenant, d.message_id) = (old.tenant, old.message_id)),
    attempts AS (DELETE FROM handoff.delivery_attempts a USING old
        WHERE (a.tenant, a.message_id) = (old.tenant, old.message_id))
    DELETE FROM handoff.messages m USING old WHERE (m.tenant, m.message_id) = (old.tenant, old.message_id)
"""


async def forget(workers: Pool, before: int) -> int:
    """Delete messages from before a time (ms) with all that is known of them; how many there were."""
    return await delete_slices(workers, _FORGET, before)
