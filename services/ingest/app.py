"""Composition root of ingest: every real thing is built here, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from starlette.types import ASGIApp

from services.ingest import metrics
from services.ingest.api import Tracking
from services.ingest.domain.normalise import email
from services.ingest.domain.touch import Draft
from services.ingest.errors import install_errors
from services.ingest.follower import Follower
from services.ingest.gather import Gathered
from services.ingest.guard import Guard
from services.ingest.handler import Ingest, UnavailableError
from services.ingest.hooks import Hooks
from services.ingest.intake import Intake
from services.ingest.links import LinksLostError, RedisLinks
from services.ingest.quarantine import Seals
from services.ingest.settings import IngestSettings
from services.ingest.sources import Sources
from shared.kit.clock import Clock, SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.kafka import KafkaPublisher, Message, Outgoing, Publisher
from shared.kit.policies import take
from shared.kit.service import Probes, serve
from shared.kit.start import spare_the_collector
from shared.schemas.policies import SourcesPolicy
from shared.schemas.policies.book import PolicyBook
from shared.schemas.topics import POLICIES

log = structlog.get_logger(__name__)


@dataclass
class Service:
    """ingest, wired. `tasks` have to run beside `app`; `closing` has to be unwound at the end."""

    app: ASGIApp
    tasks: dict[str, Coroutine[Any, Any, None]]
    closing: AsyncExitStack
    probes: Probes = field(default_factory=Probes)


class Policies:
    """Takes the tenants' `sources` policies into use as they are published."""

    def __init__(self, sources: Sources) -> None:
        self._book = PolicyBook({"sources": SourcesPolicy})
        self._sources = sources

    def apply(self, message: Message) -> None:
        entry = take(self._book, message)
        if entry and isinstance(entry.policy, SourcesPolicy):
            tenant = (message.key or b"").decode().partition("/")[0]
            self._sources.load(tenant, entry.policy)
            log.info("policy_in_force", tenant=tenant, sequence=entry.ref.sequence)


def build(settings: IngestSettings, *, clock: Clock | None = None, publisher: Publisher | None = None) -> Service:
    """Raises nothing while servers are away: the service waits for them, not ready meanwhile.

    clock, publisher: other than the system's and Kafka's, for tests
    """
    closing = AsyncExitStack()
    clock = clock or SystemClock()
    email.warm_up()
    redis = _redis(settings.redis_url)
    closing.push_async_callback(redis.aclose)
    kafka = KafkaPublisher(settings.kafka_bootstrap_servers)
    closing.push_async_callback(kafka.stop)
    started = asyncio.Event()
    sources = Sources(settings.master_secret(), claim_seconds=settings.ingest_claim_hours * 3600)
    policies = CompactedTopic(settings.kafka_bootstrap_servers, POLICIES, Policies(sources).apply)
    links = RedisLinks(redis)
    follower = Follower(
        settings.kafka_bootstrap_servers,
        links,
        sources.tenants,
        clock,
        reclaim_minutes=settings.ingest_reclaim_minutes,
        claim_seconds=settings.ingest_claim_hours * 3600,
    )
    ingest = Ingest(links, publisher or kafka, clock)

    async def handle(drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        if drafts and not follower.ready:
            raise UnavailableError("the link registers are being read")
        while True:
            try:
                return await ingest.handle(drafts, others)
            except LinksLostError as lost:
                # A tenant that is new has lost nothing; calls of several may be written together.
                if not await _opened(links, str(lost)):
                    follower.report_loss()
                    raise
            except UnavailableError as away:
                if isinstance(away.__cause__, RedisError):
                    follower.suspect()
                raise

    intake = Intake(Gathered(handle))
    known = policies.caught_up.is_set
    tracking = Tracking(
        sources,
        intake,
        clock,
        batch_bytes=settings.ingest_batch_bytes,
        body_bytes=settings.ingest_body_bytes,
        complete=known,
    )
    seals = Seals(settings.master_secret())
    hooks = Hooks(sources, intake, clock, seals, body_bytes=settings.ingest_body_bytes, complete=known)
    app = FastAPI(
        title="Baton ingest",
        description="Takes events: POST /v1/track, /v1/identify, /v1/batch and the like.",
        docs_url=None,
        redoc_url=None,
    )
    install_errors(app)
    guard = Guard(
        tracking.doors() | hooks.doors(),
        app,
        read_seconds=settings.ingest_read_seconds,
        concurrent=settings.ingest_concurrent_requests,
    )
    tasks = {
        "publisher": _start(kafka, started),
        "policies": _with_kafka(started, policies.run),
        "links": _with_kafka(policies.caught_up, follower.run),  # whose tenants have to be known first
    }
    metrics.IN_FLIGHT.set_function(guard.in_flight)
    service = Service(guard, tasks, closing)
    service.probes.ready = {
        "kafka": started.is_set,
        "policies": policies.caught_up.is_set,
        "links": lambda: follower.ready,
        "redis": lambda: _answers(redis),
    }
    service.probes.install(app)
    return service


async def run(settings: IngestSettings) -> int:
    """Serve until told to stop; the exit status."""
    service = build(settings)
    spare_the_collector(full_every=50)
    return await serve(
        service.app, host=settings.host, port=settings.ingest_port, tasks=service.tasks, closing=service.closing
    )


def _redis(url: str) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=32,
        timeout=5,
        socket_timeout=5,
        socket_connect_timeout=2,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),  # a Redis that was started again may have forgotten: nobody shall overlook it
    )
    return Redis(connection_pool=pool)


async def _start(publisher: KafkaPublisher, started: asyncio.Event) -> None:
    """Until cancelled, as every task of a service."""
    while not started.is_set():
        try:
            await publisher.start()
            started.set()
        except KafkaError as error:
            log.warning("waiting_for_kafka", error=repr(error))
            await publisher.stop()
            await asyncio.sleep(1)
    await asyncio.Event().wait()


async def _with_kafka(there: asyncio.Event, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    await there.wait()
    await run()


async def _opened(links: RedisLinks, tenant: str) -> bool:
    try:
        return await links.open(tenant)
    except RedisError as error:
        raise UnavailableError("redis is away") from error


async def _answers(redis: Redis) -> bool:
    return bool(await redis.ping())
