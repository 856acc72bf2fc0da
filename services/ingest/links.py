"""Claims and link registers in Redis: every change is one atomic script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from redis.asyncio import Redis

from services.ingest import scripts
from services.ingest.domain.identifiers import Identity
from services.ingest.domain.touch import Draft

APPLIED = "baton:ingest:applied"


class LinksLostError(Exception):
    """Redis does not hold the registers of this tenant: they have to be read from the topic again."""


@dataclass(frozen=True, slots=True)
class Link:
    """A register as it is now. told: leads that have not been told of it, besides the topic of links itself"""

    identity: str
    kind: str
    owner: str
    sequence: int
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    event_id: str
    lead: str
    other_lead: str
    identity: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a batch of drafts.

    owners: per draft the lead, or None where its event id is confirmed already
    earlier: per index of a draft that was claimed before and never confirmed: the body that was, or was about to be, published
    links:  registers whose latest change has not been confirmed
    limited: links that were not made, because a lead has as many identities as it may have
    """

    owners: list[str | None]
    earlier: dict[int, bytes]
    links: list[Link]
    conflicts: list[Conflict]
    limited: int


class Links(Protocol):
    """Who an identity belongs to, and which events are known."""

    async def resolve(self, tenant: str, drafts: Sequence[Draft], now: int) -> Resolved:
        """Claim the drafts' events and find their leads. Raises LinksLostError; another exception means that it is not known."""
        ...

    async def confirm(self, tenant: str, claims: Sequence[tuple[str, int]], links: Sequence[Link]) -> None:
        """claims: event ids and for how many seconds each is to be remembered. Kafka has acknowledged these."""
        ...


class RedisLinks:
    """`most`: identities that a lead may have."""

    def __init__(self, redis: Redis, *, most: int = 50) -> None:
        self._redis, self._most = redis, most
        self._resolve = redis.register_script(scripts.text("registers", "resolve"))
        self._confirm = redis.register_script(scripts.text("registers", "confirm"))
        self._apply = redis.register_script(scripts.text("registers", "apply"))
        self._advance = redis.register_script(scripts.text("advance"))

    async def resolve(self, tenant: str, drafts: Sequence[Draft], now: int) -> Resolved:
        events = [
            (
                draft.event_id,
                draft.body.decode(),  # as text: the cmsgpack of Redis knows no binary
                draft.trusted,
                [_packed(known) for known in draft.identities.strong],
                _packed(draft.identities.anonymous),
                _packed(draft.identities.previous),
                draft.claim_seconds,
            )
            for draft in drafts
        ]
        packed = msgspec.msgpack.encode((now, self._most, events))
        answer = msgspec.msgpack.decode(await self._resolve(keys=[ready_key(tenant)], args=[packed]))
        if answer is False:
            raise LinksLostError(tenant)
        return _resolved(*answer)

    async def confirm(self, tenant: str, claims: Sequence[tuple[str, int]], links: Sequence[Link]) -> None:
        told = [(link.identity, link.sequence, link.owner) for link in links]
        packed = msgspec.msgpack.encode((claims, told))
        await self._confirm(keys=[ready_key(tenant)], args=[packed])

    async def apply(self, tenant: str, links: Iterable[tuple[Identity, str, int]]) -> None:
        """Take in registers (identity, owner, sequence) as they stand in the topic."""
        rows = [(known.id, known.kind, known.lead, owner, sequence) for known, owner, sequence in links]
        await self._apply(keys=[ready_key(tenant)], args=[msgspec.msgpack.encode(rows)])

    async def applied(self) -> dict[int, int] | None:
        """Partition -> next offset of the topic; None where Redis holds nothing, or lost it."""
        known = await self._redis.hgetall(APPLIED)
        return {int(field): int(offset) for field, offset in known.items() if field.isdigit()} or None

    async def advance(self, steps: Mapping[int, tuple[int, int]]) -> bool:
        """The records of each partition between the two offsets are applied. False where Redis knows of less: it lost data."""
        rows = [(str(partition), start, end) for partition, (start, end) in steps.items()]
        packed = msgspec.msgpack.encode((False, rows))
        return bool(await self._advance(keys=[APPLIED], args=[packed]))

    async def is_same(self) -> bool:
        """Whether this is the Redis process that was last said to be complete: one that was started since, or took over from
        another, may lack the last second of what the other was told."""
        return await self._redis.hget(APPLIED, "run") == (await self._run())

    async def _run(self) -> bytes:
        return str((await self._redis.info("server")).get("run_id", "")).encode()

    async def complete(self, offsets: Mapping[int, int], tenants: Iterable[str]) -> None:
        """Everything before these offsets is applied: the tenants' registers may be used."""
        packed = msgspec.msgpack.encode((True, [(str(partition), 0, end) for partition, end in offsets.items()]))
        await self._advance(keys=[APPLIED], args=[packed])
        await self._redis.hset(APPLIED, "run", await self._run())
        for tenant in tenants:
            await self._open(tenant)

    async def open(self, tenant: str) -> bool:
        """Open the registers of a tenant that had none until now; False where it had some, which are lost."""
        if not await self._redis.exists(APPLIED) or await self._redis.hexists(APPLIED, f"t:{tenant}"):
            return False
        await self._open(tenant)
        return True

    async def _open(self, tenant: str) -> None:
        # In this order: a crash in between looks like a loss, which a rebuild heals.
        await self._redis.hset(APPLIED, f"t:{tenant}", "1")
        await self._redis.set(ready_key(tenant), "1")

    async def forget(self) -> None:
        """Before a rebuild: nothing counts as applied."""
        await self._redis.delete(APPLIED)


def ready_key(tenant: str) -> str:
    """The key by which scripts find the registers of a tenant."""
    return f"baton:ingest:{{{tenant}}}:ready"


def _packed(known: Identity | None) -> Any:
    # False for "none": a hole would end an array of Lua.
    return (known.id, known.kind, known.lead) if known else False


def _resolved(outcomes: Any, links: Any, conflicts: Any, limited: int) -> Resolved:
    owners: list[str | None] = []
    earlier: dict[int, bytes] = {}
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, list):
            owners.append(outcome[0])
            earlier[index] = outcome[1].encode()
        else:
            owners.append(outcome or None)
    return Resolved(
        owners,
        earlier,
        [Link(identity, kind, owner, sequence, tuple(told.split())) for identity, kind, owner, sequence, told in links],
        [Conflict(*conflict) for conflict in conflicts],
        limited,
    )
