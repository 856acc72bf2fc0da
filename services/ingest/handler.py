"""The whole of ingest: claim, find the lead, publish, confirm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import orjson
import structlog
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from services.ingest import metrics
from services.ingest.domain.touch import Draft, complete
from services.ingest.links import Conflict, Link, Links, Resolved
from shared.kit.clock import Clock
from shared.kit.kafka import Outgoing, Publisher
from shared.schemas.base import record_key
from shared.schemas.topics import IDENTITY_CONFLICTS, IDENTITY_LINKS, TOUCHPOINTS

log = structlog.get_logger(__name__)

# Per draft whether it was accepted, else it is a duplicate; the other records are written beside them.
Handle = Callable[[Sequence[Draft], Sequence[Outgoing]], Awaitable[list[bool]]]

MOST_PER_SCRIPT = 500  # Redis does nothing else while a script runs: some milliseconds


class UnavailableError(Exception):
    """Nothing is known to be kept: the sender shall send it again. what: redis, kafka, links, spool, or room (too much waits)"""

    def __init__(self, message: str, what: str = "links") -> None:
        super().__init__(message)
        self.what = what


@dataclass(slots=True)
class Plan:
    """What is to be written for the drafts of one tenant, and confirmed afterwards."""

    tenant: str
    owners: list[str | None]
    links: list[Link]
    records: list[Outgoing] = field(default_factory=list)
    claims: list[tuple[str, int]] = field(default_factory=list)  # event ids, and how long each is remembered (s)


class Ingest:
    """Makes touches of drafts, exactly one body per event id, whatever is retried and wherever it crashes.

    Before anything is published, the claim of an event holds its whole body; who sends the event again, because it heard no
    answer, publishes that body again. Only what Kafka has acknowledged answers as a duplicate.
    """

    def __init__(self, links: Links, publisher: Publisher, clock: Clock) -> None:
        self._links, self._publisher, self._clock = links, publisher, clock

    async def handle(self, drafts: Sequence[Draft], others: Sequence[Outgoing] = ()) -> list[bool]:
        """Per draft whether it was accepted; else it is a duplicate, of an event confirmed before or earlier in `drafts`.

        `others` are records to be written beside the touches.

        Raises UnavailableError when Redis or Kafka is away, and LinksLostError when Redis has to be filled first.
        """
        accepted, plans = await self._resolve(drafts)
        await self._publish([*(record for plan in plans for record in plan.records), *others])
        await self._confirm(plans)
        return accepted

    async def _resolve(self, drafts: Sequence[Draft]) -> tuple[list[bool], list[Plan]]:
        accepted = [False] * len(drafts)
        parts = _parts(drafts)
        plans = await asyncio.gather(*(self._resolve_part([drafts[index] for index in part]) for part in parts))
        for part, made in zip(parts, plans, strict=True):
            for index, owner in zip(part, made.owners, strict=True):
                accepted[index] = owner is not None
        return accepted, plans

    async def _resolve_part(self, drafts: Sequence[Draft]) -> Plan:
        tenant, now = drafts[0].tenant, self._clock.now()
        try:
            resolved = await self._links.resolve(tenant, drafts, now)
        except RedisError as error:
            raise _unavailable("redis", error) from error
        return plan(tenant, drafts, resolved, now)

    async def _publish(self, records: list[Outgoing]) -> None:
        if not records:
            return
        try:
            await self._publisher.publish(records)
        except KafkaError as error:
            raise _unavailable("kafka", error) from error

    async def _confirm(self, plans: Sequence[Plan]) -> None:
        """A claim that stays pending is no loss: Kafka has the event, and whoever sends it again writes the same body again."""
        for done in plans:
            if not done.claims:
                continue
            try:
                await self._links.confirm(done.tenant, done.claims, done.links)
            except RedisError as error:
                metrics.UNCONFIRMED.inc()
                log.warning("claims_not_confirmed", tenant=done.tenant, error=repr(error))


def plan(tenant: str, drafts: Sequence[Draft], resolved: Resolved, now: int) -> Plan:
    """The records that say what `resolved` decided: links first, each to everybody concerned, then touches and conflicts."""
    todo = Plan(tenant, resolved.owners, resolved.links)
    for link in resolved.links:
        todo.records.extend(link_records(tenant, link, now))
    for index, (draft, owner) in enumerate(zip(drafts, resolved.owners, strict=True)):
        if owner is not None:
            body = complete(owner, resolved.earlier.get(index, draft.body))
            todo.records.append(Outgoing(TOUCHPOINTS.name, record_key(tenant, owner), body))
            todo.claims.append((draft.event_id, draft.claim_seconds))
    sources = {draft.event_id: draft.source_id for draft in drafts} if resolved.conflicts else {}
    for conflict in resolved.conflicts:
        todo.records.append(_conflict_record(tenant, conflict, sources[conflict.event_id], now))
    metrics.LINKS.inc(len(resolved.links))
    metrics.CONFLICTS.inc(len(resolved.conflicts))
    metrics.LINKS_REFUSED.inc(resolved.limited)
    return todo


def link_records(tenant: str, link: Link, now: int) -> list[Outgoing]:
    """What tells of a register: to the topic of links, and to each lead that has to know."""
    wire = {
        "record": "link",
        "tenant": tenant,
        "identity_id": link.identity,
        "identity_kind": link.kind,
        "owner": link.owner,
        "sequence": link.sequence,
        "received_at": now,
    }
    kept = Outgoing(
        IDENTITY_LINKS.name, record_key(tenant, link.identity), orjson.dumps(wire | {"lead_id": link.owner})
    )
    told = [
        Outgoing(TOUCHPOINTS.name, record_key(tenant, lead), orjson.dumps(wire | {"lead_id": lead}))
        for lead in link.told
    ]
    return [kept, *told]


def _conflict_record(tenant: str, conflict: Conflict, source_id: str, now: int) -> Outgoing:
    wire = {
        "record": "conflict",
        "tenant": tenant,
        "lead_id": conflict.lead,
        "other_lead_id": conflict.other_lead,
        "identity_id": conflict.identity,
        "source_id": source_id,
        "event_id": conflict.event_id,
        "received_at": now,
    }
    return Outgoing(IDENTITY_CONFLICTS.name, record_key(tenant, conflict.lead), orjson.dumps(wire))


def _parts(drafts: Sequence[Draft]) -> list[list[int]]:
    """Indexes of the drafts of one script call each: of one tenant, no more than it may hold, every event id once."""
    chosen: dict[str, dict[str, int]] = {}
    for index, draft in enumerate(drafts):
        chosen.setdefault(draft.tenant, {}).setdefault(draft.event_id, index)
    return [
        indexes[start : start + MOST_PER_SCRIPT]
        for by_event in chosen.values()
        for indexes in [list(by_event.values())]
        for start in range(0, len(indexes), MOST_PER_SCRIPT)
    ]


def _unavailable(what: str, error: Exception) -> UnavailableError:
    log.warning("unavailable", what=what, error=f"{type(error).__name__}: {error}")
    return UnavailableError(f"{what} is away", what)
