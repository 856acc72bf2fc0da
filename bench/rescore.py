"""Re-scoring: how many leads a worker re-scores in a second when nothing holds it back, and what a lead takes in Redis.

The states of 100,000 leads of the demo tenant, with three to twenty touches each over sixty days, are put into Redis. One worker's
re-scoring then walks over all partitions without its throttle, publishing to Kafka, with no events in between. Beside it: reading,
decoding and writing the same states with nothing scored or published; a walk for a tenant that has none of them; and the leads
that are due in the next twenty days, looked at for what time alone changes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import uvloop
from redis.asyncio import Redis
from ruamel.yaml import YAML

from bench.harness import Row, row, say, servers
from bench.setup import POLICIES, TENANT
from bench.touches import DAY, Person, Touches, people
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.codec import decode_state, encode_state
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from services.scoring.handler import Scorer
from services.scoring.policies import Policies
from services.scoring.rescoring import PAGE, Rescoring
from services.scoring.states import Change, RedisStates, connect
from services.scoring.subjects import lead_key
from services.scoring.timers import Timers
from services.scoring.wire import INPUTS, decode
from shared.kit.clock import FakeClock, SystemClock
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import EMBEDDED_PARTITIONS, KafkaPublisher, Message, ensure_topics
from shared.schemas.policies import PolicyPublished
from shared.schemas.topics import TOUCHPOINTS

LEADS = int(os.environ.get("BENCH_RESCORE_LEADS") or 100_000)
FILL = 500
APPLIED = dict.fromkeys(INPUTS, 1)
UNTHROTTLED = 1e9


@dataclass
class Worker:
    """One that owns all partitions. clock: moved by hand"""

    states: RedisStates
    scorer: Scorer
    policies: Policies
    clock: FakeClock

    def owned(self, now: int) -> dict[int, int]:
        return dict.fromkeys(range(EMBEDDED_PARTITIONS), now)


def measure() -> list[Row]:
    with servers() as env:
        return uvloop.run(_measure(env))


async def _measure(env: dict[str, str]) -> list[Row]:
    bootstrap, secret = env["KAFKA_BOOTSTRAP_SERVERS"], env["IDENTITY_SECRET"].encode()
    await ensure_topics(bootstrap)
    redis, publisher = connect(env["REDIS_URL"]), KafkaPublisher(bootstrap)
    await publisher.start()
    policies, clock = Policies(), FakeClock(SystemClock().now())
    _publish(policies, TENANT, 1)
    states = RedisStates(redis)
    scorer = Scorer(states, publisher, policies, DeadLetters(publisher, clock, group="bench", most=1), clock)
    worker = Worker(states, scorer, policies, clock)
    try:
        bytes_of_one = await _fill(redis, worker, people(secret, LEADS))
        bare = await _rate("read and written alone", lambda: _bare(states))
        _publish(policies, TENANT, 2)
        scored = await _rate("re-scored", lambda: _walk(worker))
        _publish(policies, "nobody", 3)
        passed = await _rate("passed for another tenant", lambda: _walk(worker))
        clock.advance(days=20)
        changed = await _rate("looked at for time alone", lambda: _time(worker))
    finally:
        await publisher.stop()
        await redis.aclose()
    return [
        row("re-scoring, one worker, beside reading and writing the same states", scored, "leads/s", bare),
        row("re-scoring of 1 M leads, one worker, beside its throttle of 2,000/s", 1e6 / scored, "s", 500),
        row("leads of other tenants passed, beside re-scoring them", passed, "leads/s", scored),
        row("leads looked at for what time alone changed, beside re-scoring them", changed, "leads/s", scored),
        row("Redis memory of a lead, beside its state as bytes", *bytes_of_one),
    ]


def _publish(policies: Policies, tenant: str, sequence: int) -> None:
    body = YAML(typ="safe").load((POLICIES / TENANT / "scoring.yaml").read_text())
    record = PolicyPublished(tenant=tenant, kind="scoring", sequence=sequence, hash="h", body=body, activated_at=1)
    policies.apply(Message("policies", 0, 0, record.key(), record.model_dump_json().encode()))


async def _fill(redis: Redis, worker: Worker, leads: list[Person]) -> tuple[float, str, float]:
    """Write all states; bytes per lead in Redis, and of the states alone."""
    rules = worker.policies.find(TENANT)
    assert rules is not None
    before = await _memory(redis)
    written, now = 0, worker.clock.now()
    for first in range(0, len(leads), FILL):
        partition = first // FILL % EMBEDDED_PARTITIONS
        found = [_state(person, rules, now) for person in leads[first : first + FILL]]
        written += sum(len(state) for _, state, _ in found)
        await worker.states.save(
            [
                Change(
                    partition,
                    APPLIED if first >= FILL * EMBEDDED_PARTITIONS else {},
                    APPLIED,
                    {key: state for key, state, _ in found},
                    {key: due for key, _, due in found},
                )
            ]
        )
    say(f"{len(leads):,} states written")
    return (await _memory(redis) - before) / len(leads), "bytes", written / len(leads)


def _state(person: Person, rules: Rules, now: int) -> tuple[str, bytes, int | None]:
    rng = random.Random(person.number)
    touches = Touches([person], seed=person.number)
    told = Told(TENANT, person.lead_id)
    for at in sorted(now - rng.randrange(60 * DAY) for _ in range(rng.randint(3, 20))):
        touch = decode(TOUCHPOINTS.name, touches.next(at)[1].value)
        told.inputs.append((touch, None))  # type: ignore[arg-type]
    decision = decide(told, LeadState(), rules, Now(1))
    assert isinstance(decision.state, LeadState)
    return lead_key(TENANT, person.lead_id), encode_state(decision.state), decision.due


async def _memory(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def _rate(what: str, work: Callable[[], Awaitable[int]]) -> float:
    """Leads in a second."""
    began, busy = time.perf_counter(), time.process_time()
    leads = await work()
    seconds, processor = time.perf_counter() - began, time.process_time() - busy
    say(f"{what}: {leads:,} in {seconds:.1f} s, {processor / max(1, leads) * 1e6:.0f} µs of this process each")
    return leads / seconds


async def _bare(states: RedisStates) -> int:
    leads = 0
    for partition in range(EMBEDDED_PARTITIONS):
        async for names in _pages(states, partition):
            loaded = (await states.load({partition: names}))[partition]
            again = {name: encode_state(decode_state(raw)) for name, raw in loaded.states.items()}
            await states.save([Change(partition, loaded.applied, APPLIED, again)])
            leads += len(names)
    return leads


async def _pages(states: RedisStates, partition: int) -> AsyncIterator[list[str]]:
    cursor = -1
    while cursor:
        cursor, names = await states.subjects(partition, max(0, cursor), PAGE)
        yield names


async def _walk(worker: Worker) -> int:
    rescoring = Rescoring(
        worker.states, worker.scorer, worker.policies, worker.owned, worker.clock, per_second=UNTHROTTLED
    )
    while await rescoring.step():
        pass
    return sum((await worker.states.sizes(range(EMBEDDED_PARTITIONS))).values())


async def _time(worker: Worker) -> int:
    timers = Timers(worker.states, worker.scorer, worker.owned, worker.clock)
    found = await worker.states.due(range(EMBEDDED_PARTITIONS), worker.clock.now(), LEADS)
    await timers.fire()
    return sum(map(len, found.values()))
