"""Whatever fails at whatever moment: once the sender is answered, every event stands on the topic, under one body.

A failure before an effect leaves it undone; one after it looks the same to the handler, and is not. Both are tried for each effect.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from services.ingest.api import Tracking
from services.ingest.domain.identifiers import Identity
from services.ingest.gather import Gathered
from services.ingest.handler import Ingest
from services.ingest.intake import Intake
from services.ingest.links import RedisLinks
from services.ingest.request import Request
from services.ingest.sources import Sources
from shared.kit.clock import FakeClock
from shared.kit.kafka import FakePublisher
from shared.schemas import ids
from shared.schemas.policies import SourcesPolicy

pytestmark = pytest.mark.servers

KEY = "web-key"
MAIL = {"email": "taro@hinode-soft.co.jp"}


class Failing:
    """Passes calls on, and fails the next one to `method` before or after it has had its effect."""

    def __init__(self, inner: Any, error: Exception) -> None:
        self._inner, self._error = inner, error
        self.next: tuple[str, str] | None = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def called(*arguments: Any) -> Any:
            fails, self.next = (self.next, None) if self.next and self.next[0] == name else (None, self.next)
            if fails == (name, "before"):
                raise self._error
            result = await method(*arguments)
            if fails == (name, "after"):
                raise self._error
            return result

        return called


class World:
    def __init__(self, redis: Redis, tenant: str) -> None:
        self.tenant, self.clock, self.topic = tenant, FakeClock(1_790_000_000_000), FakePublisher()
        self.links = Failing(RedisLinks(redis), RedisConnectionError("cut"))
        self.publisher = Failing(self.topic, KafkaError("cut"))
        self.sources = Sources(b"a master secret of 32 bytes or more", {})
        self.start()

    def start(self, mapping: tuple[dict[str, Any], ...] = ()) -> None:
        """A new process, under a policy that may have changed."""
        policy = {"sources": [{"id": "web", "write_keys": [KEY], "trusted": True}], "mapping": mapping}
        self.sources.load(self.tenant, SourcesPolicy.model_validate(policy))
        handle = Gathered(Ingest(self.links, self.publisher, self.clock).handle)
        tracking = Tracking(
            self.sources,
            Intake(handle),
            self.clock,
            batch_bytes=4_000_000,
            body_bytes=1_000_000,
            complete=lambda: True,
        )
        self.batch = tracking.doors()["/v1/batch"].endpoint

    async def send(self, *events: dict[str, Any], sent_at: str | None = None) -> tuple[int, dict[str, Any]]:
        body = orjson.dumps({"batch": events, "sentAt": sent_at})
        answer = await self.batch(Request("POST", "/v1/batch", b"", [(b"x-write-key", KEY.encode())], body))
        return answer.status, orjson.loads(answer.body)

    def bodies(self) -> dict[str, set[tuple[bytes, bytes]]]:
        """event id -> the different (key, body) under which it stands on the topic"""
        found: dict[str, set[tuple[bytes, bytes]]] = defaultdict(set)
        for record in self.topic.records:
            touch = orjson.loads(record.value or b"")
            if touch["record"] == "touch":
                found[touch["event_id"]].add((record.key, record.value or b""))
        return found

    def links_told(self) -> set[tuple[str, str, str]]:
        """(identity, owner, who was told)"""
        links = [orjson.loads(record.value or b"") | {"key": record.key} for record in self.topic.records]
        return {
            (link["identity_id"], link["owner"], link["key"].decode().partition("/")[2])
            for link in links
            if link["record"] == "link"
        }


@pytest.fixture
async def world(redis_url: str, tenant: str) -> AsyncIterator[World]:
    redis = Redis.from_url(urlunsplit(urlsplit(redis_url)._replace(path="/9")))
    links = RedisLinks(redis)
    await links.complete({0: 0}, [tenant])
    yield World(redis, tenant)
    await redis.aclose()


EVENTS = (
    {"type": "track", "event": "Seen", "anonymousId": "a-1", "messageId": "m-1"},
    {"type": "identify", "userId": "u-1", "anonymousId": "a-1", "traits": MAIL, "messageId": "m-2"},
    {"type": "track", "event": "No time and no id", "userId": "u-2"},
    {"type": "track", "event": "Old", "userId": "u-1", "messageId": "m-3", "timestamp": "2026-09-01T00:00:00Z"},
)
EFFECTS = [
    (what, method, when)
    for what, method in (("links", "resolve"), ("publisher", "publish"), ("links", "confirm"))
    for when in ("before", "after")
]


@pytest.mark.parametrize(("what", "method", "when"), EFFECTS)
async def test_an_event_that_was_answered_stands_on_the_topic_under_one_body(world, what, method, when):
    getattr(world, what).next = (method, when)
    status, _ = await world.send(*EVENTS, sent_at="2026-09-21T12:00:00Z")
    assert status == (200 if method == "confirm" else 503), "only what Kafka has not acknowledged is asked for again"

    # Before the sender tries again everything changes that a body could depend on: the time, its own clock, the policy, the links.
    world.clock.advance(seconds=3700)
    await world.send({"type": "identify", "userId": "u-9", "anonymousId": "a-1", "messageId": "m-9"})
    world.start(mapping=({"id": "all", "when": {"event.type": {"exists": True}}, "type": "custom"},))
    status, answer = await world.send(*EVENTS, sent_at="2026-09-21T20:00:00Z")

    assert status == 200
    assert answer["accepted"] + answer["duplicate"] == len(EVENTS)
    bodies = world.bodies()
    assert len(bodies) == len(EVENTS) + 1
    assert {event: len(different) for event, different in bodies.items() if len(different) > 1} == {}
    assert (await world.send(*EVENTS))[1]["duplicate"] == len(EVENTS)


@pytest.mark.parametrize(("what", "method", "when"), EFFECTS)
async def test_everybody_concerned_hears_of_a_link_whatever_failed(world, what, method, when):
    await world.send({"type": "identify", "anonymousId": "w", "userId": "u-1", "messageId": "m-1"})
    await world.send({"type": "identify", "anonymousId": "x", "traits": MAIL, "messageId": "m-2"})
    merge = {"type": "identify", "userId": "u-1", "traits": MAIL, "messageId": "m-3"}
    getattr(world, what).next = (method, when)
    await world.send(merge)
    await world.send(merge)
    # Somebody else of the same lead, in case the sender of the merge never comes back.
    await world.send({"type": "track", "event": "x", "userId": "u-1", "messageId": "m-4"})

    leads = sorted({key.decode().partition("/")[2] for different in world.bodies().values() for key, _ in different})
    survivor = leads[0]
    moved = {identity for identity, owner, told in world.links_told() if owner == survivor and told == leads[1]}
    assert len(leads) == 2
    assert len(moved) == 2, "the loser hears of each of its identities (its strong one and the visitor's)"


async def test_a_link_whose_sender_never_came_back_is_told_with_the_leads_next_event(world):
    await world.send({"type": "identify", "userId": "u-1", "messageId": "m-1"})
    world.publisher.next = ("publish", "before")
    await world.send({"type": "identify", "userId": "u-1", "anonymousId": "a-1", "messageId": "m-2"})
    before = world.links_told()
    await world.send({"type": "track", "event": "x", "userId": "u-1", "messageId": "m-3"})

    told = world.links_told() - before
    assert len({identity for identity, *_ in told}) == 1
    assert len(told) == 3, "the topic of links, the visitor's own lead, and the lead that owns the visitor now"
    await world.send({"type": "track", "event": "x", "userId": "u-1", "messageId": "m-4"})
    assert world.links_told() - before == told


async def test_a_link_written_after_a_newer_one_does_not_stay_the_last_of_the_topic(world):
    """The topic keeps what was written last of a key; two processes may write in another order than they decided."""
    await world.send({"type": "identify", "userId": "u-1", "anonymousId": "a-1", "messageId": "m-1"})
    await world.send({"type": "identify", "userId": "u-2", "anonymousId": "a-1", "messageId": "m-2"})

    def kept() -> list[dict[str, Any]]:
        links = [orjson.loads(record.value) for record in world.topic.records if record.topic == "identity-links"]
        return [link for link in links if link["identity_kind"] == "anonymous"]

    async def follow(*links: dict[str, Any]) -> None:
        rows = [
            (Identity(k["identity_id"], "anonymous", ids.lead_id(k["identity_id"])), k["owner"], k["sequence"])
            for k in links
        ]
        await world.links.apply(world.tenant, rows)

    older, newer = kept()
    await follow(older, newer)
    await world.send({"type": "track", "event": "x", "anonymousId": "a-1", "messageId": "m-3"})
    assert kept() == [older, newer], "in order there is nothing to mend"

    await follow(newer, older)
    await world.send({"type": "track", "event": "x", "anonymousId": "a-1", "messageId": "m-4"})
    last = kept()[-1]
    assert len(kept()) == 3
    assert (last["owner"], last["sequence"]) == (newer["owner"], newer["sequence"])

    await follow(last)
    await world.send({"type": "track", "event": "x", "anonymousId": "a-1", "messageId": "m-5"})
    assert len(kept()) == 3


async def test_an_acknowledgement_of_an_older_link_says_nothing_of_a_newer_one(world):
    """While one call waits for Kafka, another changes the same register."""
    published = asyncio.Event()
    go_on = asyncio.Event()
    publish = world.topic.publish

    async def slowly(records):
        world.topic.publish = publish
        await publish(records)
        published.set()
        await go_on.wait()

    world.topic.publish = slowly
    first = asyncio.create_task(
        world.send({"type": "identify", "userId": "u-1", "anonymousId": "a-1", "messageId": "m-1"})
    )
    await published.wait()
    world.publisher.next = ("publish", "before")
    status, _ = await world.send({"type": "identify", "userId": "u-2", "anonymousId": "a-1", "messageId": "m-2"})
    assert status == 503
    go_on.set()
    assert (await first)[0] == 200
    before = world.links_told()
    await world.send({"type": "track", "event": "x", "anonymousId": "a-1", "messageId": "m-3"})
    assert world.links_told() - before, "that the visitor is nobody's now had not been told"


async def test_two_tries_at_the_same_moment_write_one_body(world):
    answers = await asyncio.gather(*(world.send(*EVENTS) for _ in range(8)))
    assert {status for status, _ in answers} == {200}
    assert all(len(different) == 1 for different in world.bodies().values())


async def test_a_lead_has_no_more_identities_than_it_may_have(world):
    for number in range(60):
        await world.send({"type": "page", "userId": "u-1", "anonymousId": f"a-{number}", "messageId": f"m-{number}"})
    owners = {identity: owner for identity, owner, _ in world.links_told()}
    assert len(owners) == 50
    assert len(set(owners.values())) == 1
