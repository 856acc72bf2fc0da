"""What libraries do wrong, mended as in the process of a service: `tests/conftest.py` does it for the tests."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from redis.asyncio import Redis

from shared.kit.kafka import reader

pytestmark = pytest.mark.servers
MOMENTS = 60  # turns of the loop; a command is answered after fewer


def test_a_connection_that_has_just_been_lost_is_an_error_of_kafka(kafka_url: str) -> None:
    """In the loop that services run on, and before aiokafka has noticed."""

    async def losing() -> None:
        async with reader(kafka_url) as consumer:
            await consumer.topics()
            (connection,) = consumer._client._conns.values()
            connection._writer.transport.abort()
            await asyncio.sleep(0)
            assert connection._writer is not None, "nobody has noticed"
            with pytest.raises(KafkaError, match="is lost"):
                await connection.send(MetadataRequest([]))
            assert await consumer.topics(), "it is connected anew"

    uvloop.run(losing())


async def test_whoever_is_cancelled_while_redis_is_asked_is_cancelled(redis_url: str) -> None:
    redis = Redis.from_url(redis_url, socket_timeout=5)
    ended_before = 0
    for moment in range(MOMENTS):
        await redis.ping()  # connected
        asking = asyncio.create_task(redis.execute_command("PING"))
        for _ in range(moment):
            await asyncio.sleep(0)
        if not asking.cancel():
            ended_before += 1
            continue
        await asyncio.wait({asking})
        assert asking.cancelled(), f"a cancellation after {moment} turns got lost"
    await redis.aclose()
    assert ended_before < MOMENTS
