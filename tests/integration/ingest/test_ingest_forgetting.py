"""A Redis that forgot: what came before is not taken twice."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.asyncio import Redis

from services.ingest.links import APPLIED, RedisLinks
from services.ingest.recent import reclaim

pytestmark = pytest.mark.servers

EVENT = {"event": "Whitepaper Downloaded", "userId": "u-1", "messageId": "m-1"}


async def test_an_event_that_comes_again_after_redis_was_emptied_keeps_its_one_body(ingest, wait_until):
    assert (await ingest.send("track", EVENT)).json()["accepted"] == 1
    await ingest.redis.flushdb()
    await ingest.ready(wanted=503)
    await ingest.ready()
    assert (await ingest.send("track", EVENT)).json()["duplicate"] == 1
    assert len(await ingest.touches()) == 1


async def test_a_redis_that_was_started_again_is_told_what_it_may_have_forgotten(ingest, wait_until):
    assert (await ingest.send("track", EVENT)).json()["accepted"] == 1
    claims = await ingest.redis.keys(f"baton:ingest:{{{ingest.tenant}}}:c:*")
    await ingest.redis.delete(*claims)  # the last second, which it had not written down
    await ingest.redis.hset(APPLIED, "run", "another")  # as it looks after a start

    async def remembered():
        return await ingest.redis.mget(*claims)

    await wait_until(remembered, [b"1"])
    await ingest.ready()
    assert (await ingest.send("track", EVENT)).json()["duplicate"] == 1


async def test_after_a_redis_that_forgot_a_files_events_are_remembered_as_long_as_before(start):
    key = {"id": "list", "kind": "import", "write_keys": ["a-key-of-the-import"]}
    ingest = await start({"sources": [key]})
    assert (await ingest.send("track", EVENT, key="a-key-of-the-import")).json()["accepted"] == 1
    (claim,) = await ingest.redis.keys(f"baton:ingest:{{{ingest.tenant}}}:c:*")
    before = await ingest.redis.ttl(claim)
    assert 89 * 86_400 < before <= 90 * 86_400
    await ingest.redis.flushdb()
    await ingest.ready(wanted=503)
    await ingest.ready()
    assert 89 * 86_400 < await ingest.redis.ttl(claim) <= 90 * 86_400


async def test_what_came_before_a_long_outage_is_claimed_again_after_it(ingest, redis_url, kafka_url):
    assert (await ingest.send("track", EVENT)).json()["accepted"] == 1
    again = Redis.from_url(urlunsplit(urlsplit(redis_url)._replace(path="/8")))
    # However long ago it was: of the topic's last millisecond, which only its latest record is in.
    assert await reclaim(kafka_url, RedisLinks(again), 0, lambda tenant, source: 60) >= 1
    await again.flushdb()
    await again.aclose()
