"""The composition root of handoff: everything real is built here, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI

from services.handoff.activities.api import ActivitiesApi
from services.handoff.activities.desk import ActivityDesk
from services.handoff.answers.api import AnswersApi
from services.handoff.answers.desk import AnswersDesk
from services.handoff.api import Api
from services.handoff.bodies import BodyLimit
from services.handoff.clocks_api import clock_routes
from services.handoff.desk import Desk
from services.handoff.entry import Entry
from services.handoff.examples import with_examples
from services.handoff.exports.api import ExportsApi
from services.handoff.external.api import ExternalApi
from services.handoff.feed import log as feed
from services.handoff.feed.api import feed_routes
from services.handoff.firing import Firing
from services.handoff.handler import Handoff
from services.handoff.links.api import LinksApi
from services.handoff.links.signing import Signer
from services.handoff.moving import Moving
from services.handoff.outbound.addresses import Allowed
from services.handoff.outbound.api import EndpointsApi
from services.handoff.outbound.endpoints import Endpoints
from services.handoff.outbound.post import Poster
from services.handoff.outbound.sender import Sender
from services.handoff.outbound.signing import Seals
from services.handoff.people.api import PeopleApi
from services.handoff.people.approval.api import ApprovalApi
from services.handoff.people.approval.desk import ApprovalDesk
from services.handoff.people.desk import PeopleDesk
from services.handoff.pipeline.api import DealsApi
from services.handoff.pipeline.desk import DealDesk
from services.handoff.policies import Policies
from services.handoff.reads import Reads
from services.handoff.settings import HandoffSettings
from services.handoff.store import SCHEMA
from services.handoff.stream import decode
from services.handoff.telling.api import NotificationsApi
from services.handoff.telling.facts import Gathering
from services.handoff.telling.forks import Forks
from services.handoff.telling.sending import Senders
from services.handoff.telling.teller import Teller
from services.handoff.timeline.api import TimelineApi
from services.handoff.touches.handler import Hearing, Touches
from services.handoff.touches.store import forget as forget_touches
from services.handoff.touches.stream import decode as decode_touch
from services.handoff.turns import DAY
from shared.kit import idempotency, problems
from shared.kit.asked import only_known_parameters
from shared.kit.auth import Tokens
from shared.kit.clock import Clock, SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.database import Pool, open_pool
from shared.kit.dead_letters import DeadLetters
from shared.kit.forgetting import keep_forgetting
from shared.kit.idempotency import Once
from shared.kit.kafka import KafkaPublisher, KafkaSource
from shared.kit.loop import Worker
from shared.kit.outbox import SHARDS, Relay
from shared.kit.service import Probes, serve
from shared.schemas.topics import HORIZON_DAYS, LEAD_ROUTED, POLICIES, TOUCHPOINTS

log = structlog.get_logger(__name__)

GROUP, TOUCHES_GROUP = "handoff", "handoff-touches"
RETRY_SECONDS = 1.0
# One statement keeps them all, and nobody waits for them: so many bytes at once, or what came within that time.
TOUCHES_AT_ONCE, TOUCHES_WAIT_MS, TOUCHES_BYTES = 2_000, 200, 1_048_576
NOWHERE_ELSE = Allowed()
T = TypeVar("T")


def http_app(
    pool: Pool,
    policies: Policies,
    clock: Clock,
    probes: Probes,
    secret: bytes,
    allowed: Allowed = NOWHERE_ELSE,
    public_url: str = "",
    touch_days: int = HORIZON_DAYS,
) -> FastAPI:
    """The API alone; `pool` is of baton_app. secret: what the tenants' secrets derive from;  allowed: what endpoints may be
    although they are not public;  public_url: under which reps reach it;  touch_days: for which touches are kept"""
    app = FastAPI(
        title="Baton handoff",
        version="1",
        description="Opportunities: offers that reps accept or decline, and the SLA clocks on them. `Authorization: Bearer TOKEN`.",
    )
    problems.install(app)
    only_known_parameters(app)
    probes.install(app)
    desk, reads, tokens = Desk(pool, clock, policies), Reads(pool), Tokens(pool)
    # For OnceRoute, by which every POST under /v1 takes an Idempotency-Key.
    app.state.once, app.state.tokens, app.state.seals = Once(pool, SCHEMA, clock), tokens, Seals(secret)
    app.include_router(Api(desk, reads, policies, tokens, clock).router())
    deals = DealDesk(pool, clock, policies)
    app.include_router(DealsApi(pool, deals, reads, policies, tokens).router())
    app.include_router(ExternalApi(pool, deals, policies, tokens, clock).router())
    app.include_router(LinksApi(desk, reads, policies, tokens, clock, Signer(secret), public_url).router())
    app.include_router(EndpointsApi(Endpoints(pool, Seals(secret), clock), tokens, allowed).router())
    app.include_router(NotificationsApi(pool, policies, tokens).router())
    app.include_router(ExportsApi(pool, reads, policies, tokens).router())
    app.include_router(feed_routes(pool, tokens))
    app.include_router(clock_routes(pool, policies, tokens))
    entry = Entry(reads, policies, tokens)
    app.include_router(ActivitiesApi(entry, ActivityDesk(pool, desk, policies, clock), policies, clock).router())
    app.include_router(TimelineApi(pool, entry, policies, clock, touch_days).router())
    people = PeopleDesk(pool, clock, policies)
    app.include_router(PeopleApi(entry, people, secret).router())
    app.include_router(ApprovalApi(entry, ApprovalDesk(pool, clock), people).router())
    app.include_router(AnswersApi(entry, AnswersDesk(pool, clock), policies, clock).router())
    app.add_middleware(BodyLimit)
    describe = app.openapi
    app.openapi = lambda: with_examples(describe())  # type: ignore[method-assign]
    return app


async def run(settings: HandoffSettings) -> int:
    """Serve until told to stop; the exit status."""
    clock, closing = SystemClock(), AsyncExitStack()
    url, kafka = settings.database_url, settings.kafka_bootstrap_servers
    pool = await _until_up("postgres", lambda: open_pool(url, "baton_app", application="handoff"))
    closing.push_async_callback(pool.close)
    # One connection for each shard of the relay, one to listen, two for the firing of clocks, one to move them,
    # four to send webhooks, four to tell people.
    workers = await _until_up(
        "postgres", lambda: open_pool(url, "baton_worker", application="handoff-worker", size=SHARDS + 12)
    )
    closing.push_async_callback(workers.close)
    publisher, source = KafkaPublisher(kafka), KafkaSource(kafka, GROUP, [LEAD_ROUTED])
    heard = KafkaSource(kafka, TOUCHES_GROUP, [TOUCHPOINTS], wait_ms=TOUCHES_WAIT_MS, gather=TOUCHES_BYTES)
    await _until_up("kafka", publisher.start)
    closing.push_async_callback(publisher.stop)
    await _until_up("kafka", source.start)
    closing.push_async_callback(source.stop)
    await _until_up("kafka", heard.start)
    closing.push_async_callback(heard.stop)

    policies = Policies(wait_seconds=settings.handoff_policy_wait_seconds)
    follower = CompactedTopic(kafka, POLICIES, policies.apply)
    dead_letters = DeadLetters(publisher, clock, group=GROUP, most=settings.dead_letters_per_minute)
    worker = Worker(source, decode, Handoff(pool, clock, policies), dead_letters, most=settings.handoff_batch)
    hearing = Hearing(pool, Desk(pool, clock, policies))
    touches = Worker(
        heard,
        decode_touch,
        Touches(pool, hearing, policies),
        DeadLetters(publisher, clock, group=TOUCHES_GROUP, most=settings.dead_letters_per_minute),
        most=TOUCHES_AT_ONCE,
    )
    firing = Firing(workers, clock, policies, poll_seconds=settings.handoff_poll_seconds)
    allowed = Allowed.parse(settings.handoff_webhook_allow)
    poster = Poster(allowed, connections=settings.handoff_webhook_endpoints)
    closing.push_async_callback(poster.close)
    sender = Sender(
        workers,
        poster,
        Seals(settings.master_secret()),
        clock,
        most=settings.handoff_webhook_endpoints,
        poll_seconds=settings.handoff_poll_seconds,
        kept_days=settings.handoff_webhook_days,
    )
    forks = Forks(settings.handoff_webhook_allow)
    closing.callback(forks.close)
    teller = Teller(
        workers,
        policies,
        Senders(forks.send, settings.handoff_secrets_file),
        Gathering(workers, Signer(settings.master_secret()), settings.handoff_public_url),
        clock,
        most=settings.handoff_notify_channels,
        poll_seconds=settings.handoff_poll_seconds,
        kept_days=settings.handoff_notify_days,
    )
    probes = Probes()
    probes.ready |= {
        "policies": follower.caught_up.is_set,
        "partitions": lambda: source.assigned() and heard.assigned(),
        "postgres": lambda: _answers(pool),
    }
    return await serve(
        http_app(
            pool,
            policies,
            clock,
            probes,
            settings.master_secret(),
            allowed,
            settings.handoff_public_url,
            settings.handoff_touch_days,
        ),
        host=settings.host,
        port=settings.handoff_port,
        tasks={
            "policies": follower.run(),
            "lead-routed": _after(follower.caught_up, worker.run),
            "touchpoints": _after(follower.caught_up, touches.run),
            # Not before the policies are known: nothing fires by terms that hold no longer.
            "clocks": _after(follower.caught_up, firing.run),
            "moving": _after(follower.caught_up, Moving(workers, clock, policies).run),
            "webhooks": sender.run(),
            "answers": idempotency.keep_forgetting(workers, SCHEMA, clock),
            "merged": _after(follower.caught_up, lambda: hearing.keep_catching_up(workers, clock)),
            "touches": keep_forgetting(forget_touches, workers, clock, settings.handoff_touch_days * DAY),
            "feed": keep_forgetting(feed.forget, workers, clock, settings.handoff_webhook_days * DAY),
            "notifications": _after(follower.caught_up, teller.run),
            "outbox": Relay(workers, publisher, SCHEMA).run(),
        },
        closing=closing,
    )


async def _after(ready: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    await ready.wait()
    await work()


async def _answers(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT true"))


async def _until_up(server: str, connect: Callable[[], Awaitable[T]]) -> T:
    """Servers may come up after us: try until this one answers. What a retry cannot mend is raised."""
    while True:
        try:
            return await connect()
        except (OSError, KafkaError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            log.warning("waiting_for_server", server=server, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
