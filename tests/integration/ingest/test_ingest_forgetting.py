"""A Redis that forgot: what came before is not taken twice."""

from __future__ import annotations

import pytest

from services.ingest.links import APPLIED

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
