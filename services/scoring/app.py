"""Composition root: what scoring is made of, and how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI

from services.scoring import metrics
from services.scoring.beginnings import Beginnings
from services.scoring.epochs import Epochs, begun
from services.scoring.handler import Scorer
from services.scoring.policies import Policies
from services.scoring.recorded import Recorded
from services.scoring.replays import Replays
from services.scoring.rescoring import Rescoring
from services.scoring.settings import Settings
from services.scoring.states import RedisStates, connect
from services.scoring.stream import Stream
from services.scoring.timers import Timers
from shared.kit.clock import SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import KafkaPublisher
from shared.kit.service import Probes, serve
from shared.kit.start import spare_the_collector
from shared.schemas.topics import POLICIES, SCORE_EPOCHS

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 30.0  # for the topics of policies and epochs, each, once Kafka is there


async def run(settings: Settings) -> int:
    """Serve until told to stop; the exit status."""
    closing = AsyncExitStack()
    redis = connect(settings.redis_url)
    closing.push_async_callback(redis.aclose)
    states = RedisStates(redis, group=settings.group)
    publisher = KafkaPublisher(settings.kafka_bootstrap_servers)
    closing.push_async_callback(publisher.stop)
    policies = Policies(patience=settings.policy_patience_seconds)
    follower = CompactedTopic(settings.kafka_bootstrap_servers, POLICIES, policies.apply)
    epochs = Epochs(settings.group)
    epoch_follower = CompactedTopic(settings.kafka_bootstrap_servers, SCORE_EPOCHS, epochs.apply)
    clock = SystemClock()
    replays = Replays(Recorded(redis, settings.group), states, policies, clock)
    dead_letters = DeadLetters(publisher, clock, group=settings.group, most=settings.dead_letters_per_minute)
    scorer = Scorer(states, publisher, policies, dead_letters, clock, cached_leads=settings.cached_leads)
    rescoring = Rescoring(
        states, scorer, policies, lambda now: stream.owned(now), clock, per_second=settings.rescore_per_second
    )
    beginnings = Beginnings(states, scorer.forget, accept_loss=settings.accept_loss, begin=rescoring.begin)
    stream = Stream(settings, scorer, beginnings)
    timers = Timers(states, scorer, stream.owned, clock)
    metrics.DUE_LATE.set_function(timers.late_seconds)
    kafka_up, entered = asyncio.Event(), asyncio.Event()

    async def follow_policies() -> None:
        await kafka_up.wait()
        await follower.run()

    async def follow_epochs() -> None:
        await kafka_up.wait()
        await epoch_follower.run()

    async def enter() -> None:
        """Take the states in force. The topic is told anew of an epoch that only the store knows of: it was made anew itself."""
        await epoch_follower.catch_up(PATIENCE_SECONDS)
        number = await states.enter(epochs.number)
        log.info("epoch", number=number)
        if number > epochs.number:
            refs = {tenant: rules.ref for tenant, (rules, _) in policies.all().items()}
            await publisher.publish(begun(settings.group, number, clock.now(), refs))
        entered.set()

    async def leave() -> None:
        await entered.wait()
        await epochs.ended(states.epoch)

    async def note_rules() -> None:
        await entered.wait()
        await replays.run()

    async def run_stream() -> None:
        await until_up(publisher.start)
        kafka_up.set()
        await follower.catch_up(PATIENCE_SECONDS)  # a touch that is read before its policy would be rejected
        await enter()
        spare_the_collector(
            full_every=1_000
        )  # a state in memory is many small objects, and a full pass takes up to 0.7 s
        await stream.run()

    async def run_timers() -> None:
        await follower.caught_up.wait()
        await timers.run()

    async def run_rescoring() -> None:
        await follower.caught_up.wait()
        await rescoring.run()

    probes = Probes()
    probes.live["progress"] = stream.is_live
    probes.ready["policies"] = follower.caught_up.is_set
    probes.ready["partitions"] = stream.is_ready
    http = FastAPI(
        title="Baton scoring",
        description="Turns touches into scores; it has no API.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    probes.install(http)
    return await serve(
        http,
        host=settings.host,
        port=settings.port,
        tasks={
            "policies": follow_policies(),
            "epochs": follow_epochs(),
            "epoch": leave(),
            "replays": note_rules(),
            "stream": run_stream(),
            "timers": run_timers(),
            "rescoring": run_rescoring(),
        },
        closing=closing,
    )


async def until_up(start: Callable[[], Awaitable[None]], *, pause: float = 1.0) -> None:
    """Start a Kafka client, again and again until the broker is there."""
    while True:
        try:
            return await start()
        except (KafkaError, OSError) as error:
            log.warning("kafka_unreachable", error=repr(error))
            await asyncio.sleep(pause)
