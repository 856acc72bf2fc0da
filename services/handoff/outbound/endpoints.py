"""The endpoints of a tenant and the log of what was delivered to them, as their owners manage them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from services.handoff.outbound import messages, signing
from services.handoff.outbound.messages import Message
from shared.kit.clock import Clock, iso
from shared.kit.database import Connection, Pool, tenant_transaction

MOST = 50  # endpoints of a tenant: each is a row per event
# Everything but the secrets: they leave this module when they are made, and never again.
_SHOWN = """
    e.endpoint_id::text AS id, e.url, e.description, e.event_types, e.state, e.disabled_reason, e.disabled_at, e.created_at,
    e.updated_at, e.old_secret_until, e.failures, e.paused_until, e.last_success_at
"""
_DELIVERY = """
    d.message_id::text, m.type, d.state, d.attempts, d.created_at, d.ended_at,
    CASE WHEN d.state = 'pending' THEN d.due_at END AS due_at,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('number', a.number, 'at', a.at, 'outcome', a.outcome, 'status', a.status,
        'took_ms', a.took_ms, 'answer', a.answer) ORDER BY a.number), '[]') FROM handoff.delivery_attempts a
     WHERE (a.tenant, a.endpoint_id, a.message_id) = (d.tenant, d.endpoint_id, d.message_id)) AS tries
"""
Row = dict[str, Any]


class TooManyEndpointsError(Exception):
    """The tenant has as many endpoints as it may have."""


class UnknownEndpointError(Exception):
    """The tenant has no endpoint of this id."""


class UnknownDeliveryError(Exception):
    """The endpoint was never to be told of this message, or it was forgotten."""


class DisabledError(Exception):
    """Nothing is sent to an endpoint that is disabled."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is not None is changed. enabled: whether it gets anything"""

    url: str | None = None
    description: str | None = None
    event_types: Sequence[str] | None = None
    enabled: bool | None = None


class Endpoints:
    """What a tenant does with its endpoints. Every method that names one raises UnknownEndpointError."""

    def __init__(self, pool: Pool, seals: signing.Seals, clock: Clock) -> None:
        self._pool, self._seals, self._clock = pool, seals, clock

    async def create(
        self, tenant: str, *, url: str, description: str, event_types: Sequence[str], secret: bytes
    ) -> Row:
        """Raises TooManyEndpointsError."""
        endpoint_id, now = str(uuid4()), self._clock.now()
        async with tenant_transaction(self._pool, tenant) as connection:
            # One at a time, so that the count holds.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"endpoints of {tenant}")
            if await connection.fetchval("SELECT count(*) FROM handoff.endpoints WHERE tenant = $1", tenant) >= MOST:
                raise TooManyEndpointsError
            await connection.execute(
                "INSERT INTO handoff.endpoints"
                " (tenant, endpoint_id, url, description, event_types, secret, created_at, updated_at)"
                " VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $7)",
                tenant,
                endpoint_id,
                url,
                description,
                list(event_types),
                self._seals.seal(tenant, endpoint_id, secret),
                now,
            )
            return await _one(connection, tenant, endpoint_id)

    async def all(self, tenant: str) -> list[Row]:
        async with tenant_transaction(self._pool, tenant) as connection:
            rows = await connection.fetch(
                f"SELECT {_SHOWN} FROM handoff.endpoints e WHERE tenant = $1 ORDER BY created_at, endpoint_id", tenant
            )
            return [dict(row) for row in rows]

    async def read(self, tenant: str, endpoint_id: str) -> Row:
        async with tenant_transaction(self._pool, tenant) as connection:
            return await _one(connection, tenant, endpoint_id)

    async def change(self, tenant: str, endpoint_id: str, changes: Changes) -> Row:
        """One that is enabled again gets what waited for it, at once."""
        async with tenant_transaction(self._pool, tenant) as connection:
            before = await _one(connection, tenant, endpoint_id, lock=True)
            state = before["state"] if changes.enabled is None else ("active" if changes.enabled else "disabled")
            enabled = state == "active" and (changes.enabled or changes.url is not None)
            await connection.execute(
                "UPDATE handoff.endpoints SET url = coalesce($3, url), description = coalesce($4, description),"
                " event_types = coalesce($5, event_types), state = $6, updated_at = $7,"
                " disabled_reason = CASE WHEN $6 = 'active' THEN NULL WHEN state = 'active' THEN 'by hand'"
                "   ELSE disabled_reason END,"
                " disabled_at = CASE WHEN $6 = 'active' THEN NULL WHEN state = 'active' THEN $7 ELSE disabled_at END,"
                " failures = CASE WHEN $8 THEN 0 ELSE failures END,"
                " paused_until = CASE WHEN $8 THEN 0 ELSE paused_until END"
                " WHERE tenant = $1 AND endpoint_id = $2::uuid",
                tenant,
                endpoint_id,
                changes.url,
                changes.description,
                None if changes.event_types is None else list(changes.event_types),
                state,
                self._clock.now(),
                bool(enabled),
            )
            return await _one(connection, tenant, endpoint_id)

    async def delete(self, tenant: str, endpoint_id: str) -> None:
        """With its deliveries, sent or not."""
        async with tenant_transaction(self._pool, tenant) as connection:
            await _one(connection, tenant, endpoint_id, lock=True)
            for table in ("delivery_attempts", "deliveries", "endpoints"):
                await connection.execute(
                    f"DELETE FROM handoff.{table} WHERE tenant = $1 AND endpoint_id = $2::uuid", tenant, endpoint_id
                )

    async def rotate(self, tenant: str, endpoint_id: str, secret: bytes, overlap: int) -> Row:
        """Sign with `secret` from now on, and with the one before as well for `overlap` ms; one still older is dropped."""
        async with tenant_transaction(self._pool, tenant) as connection:
            await _one(connection, tenant, endpoint_id, lock=True)
            now = self._clock.now()
            await connection.execute(
                "UPDATE handoff.endpoints SET old_secret = CASE WHEN $5::bigint > 0 THEN secret END,"
                " old_secret_until = CASE WHEN $5::bigint > 0 THEN $4::bigint + $5::bigint END, secret = $3, updated_at = $4"
                " WHERE tenant = $1 AND endpoint_id = $2::uuid",
                tenant,
                endpoint_id,
                self._seals.seal(tenant, endpoint_id, secret),
                now,
                overlap,
            )
            return await _one(connection, tenant, endpoint_id)

    async def test(self, tenant: str, endpoint_id: str) -> str:
        """Send the endpoint a message that means nothing; its id. Raises DisabledError."""
        message_id, now = str(uuid4()), self._clock.now()
        made = messages.message(message_id, messages.TEST, now, {"endpoint_id": endpoint_id, "at": iso(now)})
        async with tenant_transaction(self._pool, tenant) as connection:
            await _active(connection, tenant, endpoint_id)
            await _put_for(connection, tenant, endpoint_id, made, now)
        return message_id

    async def deliveries(
        self, tenant: str, endpoint_id: str, state: str | None, after: tuple[int, str] | None, limit: int
    ) -> list[Row]:
        """With their tries, the newest message first. after: creation (ms) and message of the last one of the page before"""
        async with tenant_transaction(self._pool, tenant) as connection:
            await _one(connection, tenant, endpoint_id)
            rows = await connection.fetch(
                f"SELECT {_DELIVERY} FROM handoff.deliveries d JOIN handoff.messages m USING (tenant, message_id)"
                " WHERE d.tenant = $1 AND d.endpoint_id = $2::uuid AND ($3::text IS NULL OR d.state = $3)"
                " AND ($4::bigint IS NULL OR (d.created_at, d.message_id) < ($4, $5::uuid))"
                " ORDER BY d.created_at DESC, d.message_id DESC LIMIT $6",
                tenant,
                endpoint_id,
                state,
                after[0] if after else None,
                after[1] if after else None,
                limit,
            )
            return [dict(row) for row in rows]

    async def delivery(self, tenant: str, endpoint_id: str, message_id: str) -> Row:
        """With its tries and what was sent. Raises UnknownDeliveryError."""
        async with tenant_transaction(self._pool, tenant) as connection:
            await _one(connection, tenant, endpoint_id)
            row = await connection.fetchrow(
                f"SELECT {_DELIVERY}, m.body FROM handoff.deliveries d JOIN handoff.messages m USING (tenant, message_id)"
                " WHERE d.tenant = $1 AND d.endpoint_id = $2::uuid AND d.message_id = $3::uuid",
                tenant,
                endpoint_id,
                message_id,
            )
            if row is None:
                raise UnknownDeliveryError
            return dict(row)

    async def resend(self, tenant: str, endpoint_id: str, message_id: str) -> None:
        """Send a message again, whatever became of it, under the same id. Raises UnknownDeliveryError, DisabledError."""
        async with tenant_transaction(self._pool, tenant) as connection:
            await _active(connection, tenant, endpoint_id)
            if not await self._again(connection, tenant, endpoint_id, "message_id = $4::uuid", message_id):
                raise UnknownDeliveryError

    async def resend_failed(self, tenant: str, endpoint_id: str, since: int) -> int:
        """Send again what came since then (ms) and was given up, or waits for its next try; how many. Raises DisabledError."""
        async with tenant_transaction(self._pool, tenant) as connection:
            await _active(connection, tenant, endpoint_id)
            return await self._again(
                connection, tenant, endpoint_id, "created_at >= $4 AND state <> 'delivered'", since
            )

    async def _again(self, connection: Connection, tenant: str, endpoint_id: str, which: str, value: str | int) -> int:
        status = await connection.execute(
            "UPDATE handoff.deliveries SET state = 'pending', tries = 0, due_at = $3, ended_at = NULL"
            f" WHERE tenant = $1 AND endpoint_id = $2::uuid AND {which}",
            tenant,
            endpoint_id,
            self._clock.now(),
            value,
        )
        await connection.execute(
            "UPDATE handoff.endpoints SET paused_until = 0 WHERE tenant = $1 AND endpoint_id = $2::uuid",
            tenant,
            endpoint_id,
        )
        return int(status.rsplit(" ", 1)[1])


async def _one(connection: Connection, tenant: str, endpoint_id: str, *, lock: bool = False) -> Row:
    row = await connection.fetchrow(
        f"SELECT {_SHOWN} FROM handoff.endpoints e WHERE tenant = $1 AND endpoint_id = $2::uuid"
        f" {'FOR UPDATE' if lock else ''}",
        tenant,
        endpoint_id,
    )
    if row is None:
        raise UnknownEndpointError
    return dict(row)


async def _active(connection: Connection, tenant: str, endpoint_id: str) -> None:
    if (await _one(connection, tenant, endpoint_id, lock=True))["state"] != "active":
        raise DisabledError


async def _put_for(connection: Connection, tenant: str, endpoint_id: str, message: Message, now: int) -> None:
    """For one endpoint, whatever it has asked for."""
    await connection.execute(
        "INSERT INTO handoff.messages (tenant, message_id, type, body, at) VALUES ($1, $2::uuid, $3, $4, $5)",
        tenant,
        message.message_id,
        message.type,
        message.body,
        now,
    )
    await connection.execute(
        "INSERT INTO handoff.deliveries (tenant, endpoint_id, message_id, created_at, due_at)"
        " VALUES ($1, $2::uuid, $3::uuid, $4, $4)",
        tenant,
        endpoint_id,
        message.message_id,
        now,
    )
