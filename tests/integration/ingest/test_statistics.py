"""What is counted is added up in Redis once, and waits while Redis is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from services.ingest.domain.refusals import Refused
from services.ingest.reading import Read
from services.ingest.seen import Seen
from services.ingest.sources import Sources
from services.ingest.statistics import Statistics
from shared.kit.clock import FakeClock
from shared.schemas.policies import SourcesPolicy

pytestmark = pytest.mark.servers


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    made = Redis.from_url(urlunsplit(urlsplit(redis_url)._replace(path="/9")))
    yield made
    await made.aclose()


async def test_what_was_seen_is_added_once_however_often_and_late_it_is_written(redis, tenant, monkeypatch):
    clock = FakeClock(1_790_000_000_000)
    sources = Sources(b"a master secret of 32 bytes or more", {})
    sources.load(tenant, SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": ["key"]}]}))
    web = sources.find("key").sender
    seen = Seen()
    statistics = Statistics(redis, seen, clock)

    async def rejected() -> dict[str, int]:
        (figures,) = await statistics.read([(tenant, "web")])
        return figures.by("rejected")

    seen.taken(web, clock.now(), Read(refused={0: Refused("x", "x")}), [])
    with monkeypatch.context() as away:

        def cut(*_: object, **__: object) -> None:
            raise RedisConnectionError("cut")

        away.setattr(redis, "pipeline", cut)
        await statistics.flush()
        seen.taken(web, clock.now(), Read(refused={0: Refused("x", "x")}), [])
        await statistics.flush()
    assert await rejected() == {}
    await statistics.flush()
    assert await rejected() == {"x": 2}
    await statistics.flush()
    assert await rejected() == {"x": 2}
