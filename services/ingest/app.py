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
from services.ingest.admin.identities import Mending
from services.ingest.admin.replay import Replaying
from services.ingest.admin.requeue import Requeue
from services.ingest.admin.routes import Admin
from services.ingest.admin.routes import install as install_admin
from services.ingest.api import Tracking
from services.ingest.domain.touch import Draft
from services.ingest.doors.guard import Guard
from services.ingest.doors.rates import Rates, rates_redis
from services.ingest.errors import install_errors
from services.ingest.follower import Follower
from services.ingest.forms import Forms
from services.ingest.gather import Gathered
from services.ingest.handler import Ingest, UnavailableError
from services.ingest.hooks import Hooks
from services.ingest.intake import Intake
from services.ingest.links import LinksLostError, RedisLinks
from services.ingest.openapi import describe
from services.ingest.quarantine import Seals
from services.ingest.settings import IngestSettings
from services.ingest.sources import Sources
from services.ingest.spool import Spool, SpoolUnusableError
from services.ingest.spool.standin import StandIn
from services.ingest.statistics import Statistics
from shared.kit.clock import Clock, SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.kafka import PATIENCE_SECONDS, KafkaPublisher, Message, Outgoing, Publisher
from shared.kit.policies import take
from shared.kit.service import Probes, serve
from shared.kit.start import spare_the_collector
from shared.normalise import email
from shared.schemas.ids import tenant_secret
from shared.schemas.policies import SourcesPolicy
from shared.schemas.policies.book import PolicyBook
from shared.schemas.topics import POLICIES

log = structlog.get_logger(__name__)

KEYS_SECONDS = 10.0  # between looks at the files of keys and secrets

SPOOLED_PATIENCE_SECONDS = 2  # of the publisher where there is a spool, which is there sooner than a sender gives up


@dataclass
class Service:
    """ingest, wired. `tasks` have to run beside `app`; `closing` has to be unwound at the end."""

    app: ASGIApp
    tasks: dict[str, Coroutine[Any, Any, None]]
    closing: AsyncExitStack
    probes: Probes = field(default_factory=Probes)


class Policies:
    """Takes the tenants' `sources` policies into use as they are published; keeps them in the spool for a start without Kafka."""

    def __init__(self, sources: Sources, spool: Spool | None) -> None:
        self._book = PolicyBook({"sources": SourcesPolicy})
        self._sources, self._spool = sources, spool

    def load_remembered(self) -> None:
        """Use what was in force in an earlier life, until the topic says more."""
        for key, value in self._spool.policies() if self._spool else ():
            # In a book of its own: the topic decides, even where it was made anew and its sequences are lower.
            self._take(PolicyBook({"sources": SourcesPolicy}), Message(POLICIES.name, -1, -1, key, value))
        if tenants := self._sources.tenants():
            log.warning("policies_remembered", tenants=tenants, until="they are read from Kafka")

    def apply(self, message: Message) -> None:
        if self._take(self._book, message) and self._spool and message.key and message.value:
            self._spool.remember(message.key, message.value)

    def _take(self, book: PolicyBook, message: Message) -> bool:
        entry = take(book, message)
        if not entry or not isinstance(entry.policy, SourcesPolicy):
            return False
        tenant = (message.key or b"").decode().partition("/")[0]
        self._sources.load(tenant, entry.policy)
        log.info("policy_in_force", tenant=tenant, sequence=entry.ref.sequence)
        return True


def build(settings: IngestSettings, *, clock: Clock | None = None, publisher: Publisher | None = None) -> Service:
    """Raises nothing while servers are away: the service waits for them, not ready meanwhile unless it has a spool. Raises
    SpoolUnusableError for a spool that it must not, or cannot, have.

    clock, publisher: other than the system's and Kafka's, for tests
    """
    closing = AsyncExitStack()
    clock = clock or SystemClock()
    email.warm_up()
    spool = _spool(settings, clock, closing)
    redis = _redis(settings.redis_url, seconds=5 if spool is None else 1)
    closing.push_async_callback(redis.aclose)
    kafka = KafkaPublisher(
        settings.kafka_bootstrap_servers, patience=PATIENCE_SECONDS if spool is None else SPOOLED_PATIENCE_SECONDS
    )
    closing.push_async_callback(kafka.stop)
    started = asyncio.Event()
    sources = Sources(
        settings.master_secret(),
        claim_seconds=settings.ingest_claim_hours * 3600,
        names=settings.ingest_secrets_file,
    )
    in_force = Policies(sources, spool)
    in_force.load_remembered()
    policies = CompactedTopic(settings.kafka_bootstrap_servers, POLICIES, in_force.apply)
    links = RedisLinks(redis)
    follower = Follower(
        settings.kafka_bootstrap_servers,
        links,
        sources.tenants,
        sources.claim_seconds,
        reclaim_minutes=settings.ingest_reclaim_minutes,
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

    stand_in = StandIn(handle, spool) if spool else None
    intake = Intake(Gathered(stand_in or handle))
    statistics = Statistics(redis, intake.seen, clock)
    closing.push_async_callback(statistics.flush)
    known = policies.caught_up.is_set
    counting = rates_redis(settings.redis_url)
    closing.push_async_callback(counting.aclose)
    rates = Rates(counting)
    tracking = Tracking(
        sources,
        intake,
        clock,
        batch_bytes=settings.ingest_batch_bytes,
        body_bytes=settings.ingest_body_bytes,
        complete=known,
        rates=rates,
    )
    seals = Seals(settings.master_secret())
    hooks = Hooks(
        sources,
        intake,
        clock,
        seals,
        body_bytes=settings.ingest_body_bytes,
        complete=known,
        quarantined_per_minute=settings.ingest_quarantine_per_minute,
        rates=rates,
    )
    forms = Forms(sources, intake, clock, complete=known, rates=rates)
    app = FastAPI(
        title="Baton ingest",
        description="Takes events: POST /v1/track, /v1/identify, /v1/batch and the like.",
        redoc_url=None,
    )
    describe(app)
    install_errors(app)
    install_admin(
        app,
        Admin(
            token=settings.ingest_admin_token,
            sources=sources,
            statistics=statistics,
            replaying=Replaying(sources, intake),
            requeue=Requeue(settings.kafka_bootstrap_servers, seals, intake),
            mending=Mending(redis, links, publisher or kafka, clock),
            ready=lambda: follower.ready,
            secret_of=lambda tenant: tenant_secret(settings.master_secret(), tenant),
        ),
    )
    guard = Guard(
        tracking.doors() | hooks.doors() | forms.doors(),
        app,
        read_seconds=settings.ingest_read_seconds,
        concurrent=settings.ingest_concurrent_requests,
    )
    tasks = {
        "publisher": _start(kafka, started),
        "policies": _with_kafka(started, policies.run),
        "statistics": statistics.run(),
        "keys": _read_keys(sources),
        "links": _with_kafka(policies.caught_up, follower.run),  # whose tenants have to be known first
    }
    if stand_in:
        tasks["spool"] = stand_in.drain()
        closing.push_async_callback(stand_in.close)
    metrics.IN_FLIGHT.set_function(guard.in_flight)
    service = Service(guard, tasks, closing)

    async def keeps() -> bool:
        if stand_in and (stand_in.has_room() or stand_in.is_draining()):
            return stand_in.has_room()
        return started.is_set() and follower.ready and await _answers(redis)

    service.probes.ready = {"policies": lambda: policies.caught_up.is_set() or bool(sources.tenants())}
    service.probes.ready |= (
        {"kafka and redis, or room in the spool": keeps}
        if spool
        else {"kafka": started.is_set, "links": lambda: follower.ready, "redis": lambda: _answers(redis)}
    )
    service.probes.install(app)
    return service


async def run(settings: IngestSettings) -> int:
    """Serve until told to stop; the exit status."""
    try:
        service = build(settings)
    except SpoolUnusableError as error:
        log.critical("cannot_start", error=str(error))
        return 1
    spare_the_collector(full_every=50)
    return await serve(
        service.app, host=settings.host, port=settings.ingest_port, tasks=service.tasks, closing=service.closing
    )


def _spool(settings: IngestSettings, clock: Clock, closing: AsyncExitStack) -> Spool | None:
    if settings.ingest_spool_dir is None:
        return None
    spool = Spool(settings.ingest_spool_dir, settings.ingest_spool_bytes, clock)
    spool.open()
    closing.push_async_callback(spool.close)
    return spool


def _redis(url: str, *, seconds: float) -> Redis:
    """seconds: for one answer"""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=32,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=min(seconds, 2),
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
    """Until cancelled. A cluster of which only a part is up must not stop a service that has a spool, again and again."""
    await there.wait()
    while True:
        try:
            await run()
        except KafkaError as error:
            log.warning("waiting_for_kafka", error=repr(error))
            await asyncio.sleep(1)


async def _opened(links: RedisLinks, tenant: str) -> bool:
    try:
        return await links.open(tenant)
    except RedisError as error:
        raise UnavailableError("redis is away", "redis") from error


async def _read_keys(sources: Sources) -> None:
    """Keys and secrets in files may be exchanged at any time."""
    while True:
        await asyncio.sleep(KEYS_SECONDS)
        sources.refresh()


async def _answers(redis: Redis) -> bool:
    return bool(await redis.ping())
