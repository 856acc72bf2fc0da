"""The composition root of the router."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI

from services.router.accounts_api import account_routes
from services.router.api import Leads, routes
from services.router.availability_api import availability_routes
from services.router.fairness_api import fairness_routes
from services.router.handler import Router
from services.router.offboarding import Offboarding
from services.router.offboarding_api import offboarding_routes
from services.router.ordering import Orders
from services.router.orders_api import order_routes
from services.router.policies import Policies
from services.router.reps_api import rep_routes
from services.router.settings import RouterSettings
from services.router.stream import GROUP, TOPICS, worker
from services.router.sweep import Sweep
from services.router.traces import Traces
from services.router.why_not_api import why_not_routes
from shared.kit import problems
from shared.kit.asked import only_known_parameters
from shared.kit.auth import Tokens
from shared.kit.clock import Clock, SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.database import Pool, open_pool
from shared.kit.dead_letters import DeadLetters
from shared.kit.idempotency import Once, keep_forgetting
from shared.kit.kafka import KafkaPublisher, KafkaSource
from shared.kit.outbox import SHARDS, Relay
from shared.kit.service import Probes, serve
from shared.schemas.topics import POLICIES

log = structlog.get_logger(__name__)
T = TypeVar("T")
DESCRIPTION = (
    "Leads: who has each, why that rep and no other, and what the others wait for. `Authorization: Bearer TOKEN`."
)
WORKER_CONNECTIONS = (
    SHARDS + 3
)  # one per shard of the outbox, its listener, the sweep, one to spare and to forget answers


def http_app(
    pool: Pool, workers: Pool, policies: Policies, clock: Clock, probes: Probes, master_secret: bytes
) -> FastAPI:
    """The API alone. pool: of baton_app;  workers: of baton_worker"""
    app = FastAPI(title="Baton router", version="1", description=DESCRIPTION)
    problems.install(app)
    only_known_parameters(app)
    probes.install(app)
    tokens, follow, changed = Tokens(pool), policies.following, policies.changed.set
    app.include_router(account_routes(pool, tokens))
    app.include_router(availability_routes(pool, tokens, follow, clock, changed))
    moving = Offboarding(pool, workers, follow, clock)
    app.include_router(offboarding_routes(pool, tokens, follow, moving, clock, changed))
    app.include_router(why_not_routes(pool, tokens, follow, clock))
    app.include_router(rep_routes(pool, tokens, follow, clock))
    app.include_router(fairness_routes(pool, tokens, follow, clock))
    app.include_router(order_routes(Orders(follow, clock), Once(pool, "router", clock), tokens, follow, changed))
    app.include_router(routes(Leads(pool, follow, clock), tokens, master_secret))
    return app


async def run(settings: RouterSettings) -> int:
    """Serve until told to stop; the exit status."""
    clock, policies, probes = SystemClock(), Policies(), Probes()
    bootstrap = settings.kafka_bootstrap_servers
    async with AsyncExitStack() as closing:
        pool = await _open(settings, "baton_app", settings.router_database_connections, closing)
        workers = await _open(settings, "baton_worker", WORKER_CONNECTIONS, closing)
        publisher = KafkaPublisher(bootstrap)
        await until_up("kafka", publisher.start)
        closing.push_async_callback(publisher.stop)
        following = CompactedTopic(bootstrap, POLICIES, policies.apply)
        source = KafkaSource(bootstrap, GROUP, TOPICS)
        closing.push_async_callback(source.stop)
        router = Router(pool, policies.following, clock, freed=policies.changed.set)
        sweep = Sweep(
            pool,
            workers,
            policies.following,
            policies.tenants,
            clock,
            policies.changed,
            every_seconds=settings.router_sweep_seconds,
        )
        dead_letters = DeadLetters(publisher, clock, group=GROUP, most=settings.dead_letters_per_minute)
        loop = worker(source, router, dead_letters, settings.router_batch_records)

        async def consume() -> None:
            await following.caught_up.wait()
            await until_up("kafka", source.start)
            await loop.run()

        async def keep_sweeping() -> None:
            await following.caught_up.wait()
            await sweep.run()

        async def database_answers() -> bool:
            return bool(await pool.fetchval("SELECT 1"))

        probes.ready |= {
            "policies read": following.caught_up.is_set,
            "partitions assigned": source.assigned,
            "postgres answers": database_answers,
        }
        app = http_app(pool, workers, policies, clock, probes, settings.master_secret())
        tasks = {
            "policies": following.run(),
            "consume": consume(),
            "sweep": keep_sweeping(),
            "traces": Traces(pool, policies.tenants, following.caught_up, clock, days=settings.router_trace_days).run(),
            "relay": Relay(workers, publisher, "router").run(),
            "forget answers": keep_forgetting(workers, "router", clock),
        }
        return await serve(app, host=settings.host, port=settings.router_port, tasks=tasks, closing=closing.pop_all())


async def _open(settings: RouterSettings, role: str, size: int, closing: AsyncExitStack) -> Pool:
    async def connect() -> Pool:
        return await open_pool(settings.database_url, role, application="router", size=size)  # type: ignore[arg-type]

    pool = await until_up("postgres", connect)
    closing.push_async_callback(pool.close)
    return pool


async def until_up(what: str, connect: Callable[[], Awaitable[T]], every_seconds: float = 1.0) -> T:
    """What `connect` gives, tried until the server is there."""
    while True:
        try:
            return await connect()
        except (OSError, KafkaError, asyncpg.PostgresError) as error:  # not there, or not migrated yet
            log.info("waiting_for", server=what, error=repr(error))
            await asyncio.sleep(every_seconds)
