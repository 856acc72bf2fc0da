"""Identities put right by people: linked, un-linked, looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
from redis.asyncio import Redis

from services.ingest import scripts
from services.ingest.domain.people import Person
from services.ingest.handler import MOST_PER_SCRIPT, link_records
from services.ingest.links import Link, LinksLostError, RedisLinks, ready_key
from shared.kit.clock import Clock
from shared.kit.kafka import Publisher

Action = Literal["link", "unlink", "show"]


@dataclass(frozen=True, slots=True)
class Owned:
    """An identity of a lead. own: the lead it has by itself;  told: everybody knows of it"""

    id: str
    kind: str
    own: str
    sequence: int
    told: bool


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of it.

    outcome: done; same (they were one already); own (it is with its own lead); unknown and unknown_other (never seen, or a lead
             that has nothing any more); elsewhere (with another lead than was said); full (as many identities as a lead may
             have); nobody (two anonymous ids that are nobody's)
    lead:    that it is about now;  earlier: that lost something;  changed: identities that were told about
    """

    outcome: str
    lead: str | None
    earlier: str | None
    changed: int
    identities: tuple[Owned, ...]


class Mending:
    """Changes registers as events do: in one script, then published to everybody concerned, then confirmed. What dies in between
    is told again with the next event of the lead, or when the command is given again."""

    def __init__(self, redis: Redis, links: RedisLinks, publisher: Publisher, clock: Clock, *, most: int = 50) -> None:
        """most: identities that a lead may have"""
        self._links, self._publisher, self._clock, self._most = links, publisher, clock, most
        text = scripts.text("registers", "mend")
        self._script = redis.register_script(text)

    async def mend(self, tenant: str, action: Action, one: Person, other: Person | None = None) -> Mended:
        """Raises LinksLostError, RedisError and KafkaError; of the last it is known that it was done and not who heard of it."""
        now = self._clock.now()
        packed = msgspec.msgpack.encode((now, self._most, action, one, other if other else False))
        answer = msgspec.msgpack.decode(await self._script(keys=[ready_key(tenant)], args=[packed]))
        if answer is False:
            raise LinksLostError(tenant)
        outcome, lead, earlier, rows, identities = answer
        links = [
            Link(identity, kind, owner, sequence, tuple(told.split())) for identity, kind, owner, sequence, told in rows
        ]
        for start in range(0, len(links), MOST_PER_SCRIPT):
            part = links[start : start + MOST_PER_SCRIPT]
            await self._publisher.publish([record for link in part for record in link_records(tenant, link, now)])
            await self._links.confirm(tenant, [], part)
        owned = tuple(Owned(*row) for row in identities)
        return Mended(outcome, lead or None, earlier or None, len(links), owned)
