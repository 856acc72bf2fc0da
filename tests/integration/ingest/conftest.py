"""A running ingest over real servers, and what it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson
import pytest
import uvicorn
from redis.asyncio import Redis

from services.ingest.app import Service, build
from services.ingest.doors import rates
from services.ingest.settings import IngestSettings
from shared.kit.kafka import KafkaPublisher, Outgoing, Publisher
from shared.kit.service import cancel
from shared.schemas.base import record_key

DATABASE = 9  # of Redis: these tests empty it
rates.BUDGET_SECONDS = rates.SOCKET_SECONDS = 60  # else a busy machine counts some calls and lets others pass


@dataclass
class Ingest:
    """A live server. `written(topic)` are the records of this test's tenant in the order of their partitions."""

    url: str
    tenant: str
    key: str
    trusted_key: str
    kafka: str
    redis: Redis
    service: Service
    http: httpx.AsyncClient
    whole_topic: Callable[[str, str], Awaitable[list[Any]]]
    _running: list[asyncio.Task[Any]] = field(default_factory=list)

    async def send(self, call: str, body: Any, *, key: str | None = None, **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"X-Write-Key": key or self.key} | options.pop("headers", {})
        return await self.http.post(f"{self.url}/v1/{call}", content=content, headers=headers, **options)

    async def written(self, topic: str) -> list[dict[str, Any]]:
        mine = [r for r in await self.whole_topic(self.kafka, topic) if r.key.startswith(f"{self.tenant}/".encode())]
        return [orjson.loads(r.value) | {"_key": r.key.decode(), "_raw": r.value} for r in mine]

    async def touches(self) -> list[dict[str, Any]]:
        return [record for record in await self.written("touchpoints") if record["record"] == "touch"]

    async def links(self) -> list[dict[str, Any]]:
        return [record for record in await self.written("touchpoints") if record["record"] == "link"]

    async def ready(self, *, wanted: int = 200, seconds: float = 60) -> None:
        await eventually(self._answers, wanted, seconds)

    async def _answers(self) -> Any:
        try:
            return (await self.http.get(f"{self.url}/readyz")).status_code
        except httpx.TransportError as error:
            return error

    async def stop(self) -> None:
        await cancel(self._running)
        await self.service.closing.aclose()
        await self.http.aclose()
        await self.redis.aclose()


async def eventually(read: Callable[[], Awaitable[Any]], wanted: Any, seconds: float = 30) -> None:
    """Waits until `read` gives `wanted`; fails with what it gave last."""
    end = monotonic() + seconds
    while (found := await read()) != wanted:
        assert monotonic() < end, f"still {found!r}, wanted {wanted!r}"
        await asyncio.sleep(0.02)


@pytest.fixture
def wait_until() -> Callable[..., Awaitable[None]]:
    return eventually


Start = Callable[..., Awaitable[Ingest]]


@pytest.fixture
async def start(
    kafka_url: str,
    redis_url: str,
    tenant: str,
    identity_secret: str,
    whole_topic: Callable[[str, str], Awaitable[list[Any]]],
) -> AsyncIterator[Start]:
    """Starts ingest for this test's tenant, with a website (untrusted) and a server (trusted) as its sources."""
    started: list[Ingest] = []
    own_redis = urlunsplit(urlsplit(redis_url)._replace(path=f"/{DATABASE}"))

    async def begin(
        policy: dict[str, Any] | None = None, *, publisher: Publisher | None = None, sequence: int = 1, **settings: Any
    ) -> Ingest:
        key, trusted_key = f"{tenant}-web", f"{tenant}-server"
        body = {
            "kind": "sources",
            "sources": [
                {"id": "web", "write_keys": [key]},
                {"id": "server", "write_keys": [trusted_key], "trusted": True},
            ],
        } | (policy or {})
        await _publish_policy(kafka_url, tenant, body, sequence)
        configured = IngestSettings(
            kafka_bootstrap_servers=kafka_url, identity_secret=identity_secret, redis_url=own_redis, **settings
        )
        service = build(configured, publisher=publisher)
        server = uvicorn.Server(uvicorn.Config(service.app, port=0, log_config=None, lifespan="off", access_log=False))
        server.capture_signals = _no_signals  # type: ignore[assignment]
        running = [asyncio.create_task(work) for work in (server.serve(), *service.tasks.values())]
        await eventually(partial(_started, server), True)
        port = server.servers[0].sockets[0].getsockname()[1]
        ingest = Ingest(
            f"http://127.0.0.1:{port}",
            tenant,
            key,
            trusted_key,
            kafka_url,
            Redis.from_url(own_redis),
            service,
            httpx.AsyncClient(timeout=30),
            whole_topic,
            running,
        )
        started.append(ingest)
        await ingest.ready()
        return ingest

    yield begin
    for ingest in started:
        await ingest.stop()


async def _started(server: uvicorn.Server) -> bool:
    return server.started


class _no_signals:  # noqa: N801
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


async def _publish_policy(kafka: str, tenant: str, body: dict[str, Any], sequence: int) -> None:
    record = {
        "record": "policy",
        "tenant": tenant,
        "kind": "sources",
        "sequence": sequence,
        "hash": f"{sequence}",
        "body": body,
        "activated_at": 1,
    }
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    try:
        await publisher.publish([Outgoing("policies", record_key(tenant, "sources"), orjson.dumps(record))])
    finally:
        await publisher.stop()


@pytest.fixture
def publish_policy(kafka_url: str) -> Callable[..., Awaitable[None]]:
    """Publishes a version of a tenant's `sources` policy: (tenant, body, sequence)."""
    return partial(_publish_policy, kafka_url)


@pytest.fixture
async def ingest(start: Start) -> Ingest:
    return await start()


@dataclass
class Counted:
    """Ingest at an address of its own. `calls` are (method, path, status) of what was called there, in order."""

    ingest: Ingest
    url: str = ""
    calls: list[tuple[str, str, int]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def remember(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.calls.append((scope["method"], scope["path"], message["status"]))
            await send(message)

        await self.ingest.service.app(scope, receive, remember)


@pytest.fixture
async def counted(ingest: Ingest) -> AsyncIterator[Counted]:
    """Ingest, and how often it was called: what a client sends again would show."""
    made = Counted(ingest)
    server = uvicorn.Server(uvicorn.Config(made, port=0, log_config=None, lifespan="off", access_log=False))
    server.capture_signals = _no_signals  # type: ignore[assignment]
    running = [asyncio.create_task(server.serve())]
    await eventually(partial(_started, server), True)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield made
    await cancel(running)
