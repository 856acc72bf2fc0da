"""P2 on the real broker: two workers are killed, stopped and robbed at random moments, and every score is that of the reference."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis import Redis

from baton.stack import Stack
from baton.stack.ports import free_port
from services.scoring import progress, wire
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain import ledger
from services.scoring.domain.codec import decode_memory, decode_state
from services.scoring.domain.memory import OUTCOME, Memory
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from services.scoring.states import RedisStates, connect
from services.scoring.subjects import lead_key
from shared.kit.dead_letters import Reject
from shared.kit.kafka import EMBEDDED_PARTITIONS, KafkaPublisher, Outgoing, ensure_topics
from shared.kit.partitioner import by_murmur2
from shared.schemas import ids
from shared.schemas.base import record_key
from shared.schemas.policies import PolicyPublished, ScoringPolicy
from shared.schemas.scores import AccountScored, LeadScored, PolicyRef, Version
from shared.schemas.topics import (
    ACCOUNT_SCORED,
    HANDOFF_EVENTS,
    LEAD_SCORED,
    POLICIES,
    SCORE_TRANSFERS,
    TOUCHPOINTS,
    Topic,
)
from shared.schemas.touches import STRONG
from tests import scoring_reference as reference
from tests.e2e.scoring_story import TENANT, Story, a_policy

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
ROUNDS = int(os.environ.get("BATON_FIRE_ROUNDS", "1"))  # of every fault; `make chaos` asks for more
TOUCHES, PEOPLE = 50_000, 3_000
GROUP = "scoring-fire"
PARTITIONS = range(EMBEDDED_PARTITIONS)
SESSION_SECONDS = 6  # the least that the broker admits
CRASHES = 30 * ROUNDS  # by which a worker noticed that something is wrong, after which nothing will come right any more

Json = dict[str, Any]


# --- servers, workers and a sender --------------------------------------------------------------------------------------


class Worker:
    """A scoring process, started again whenever it ends, as its supervisor would."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log, self.statuses = log, Counter[int]()
        self.port = int(environment["SCORING_PORT"])
        self._environment = dict(environment)
        self._stopping = threading.Event()
        self._spawn()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.scoring"], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def _supervise(self) -> None:
        while True:
            status = self.process.wait()
            self.statuses[status] += 1
            if self._stopping.is_set():
                return
            self._spawn()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def is_ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit status."""
        self._stopping.set()
        with suppress(ProcessLookupError):
            self.send(signal.SIGCONT)
            self.send(number)
        self._supervisor.join(60)
        return int(self.process.wait(60))


class World:
    """A broker, a Redis and two workers that can be hurt. They die with the main thread, so that only it hurts them."""

    def __init__(self, home: Path, closing: ExitStack, rng: random.Random) -> None:
        self._home, self._rng = home, rng
        ports = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)
        own = {name: value for name, value in os.environ.items() if not name.endswith(("_SERVERS", "_URL"))}
        spared = own | {"DATABASE_URL": "scoring needs none"}
        self.stack = Stack(home / "stack", say=lambda line: None, ports=ports, environ=spared)
        closing.callback(self.stack.stop)
        addresses = self.stack.start()
        self.kafka, self.redis_url = addresses.kafka, addresses.redis
        asyncio.run(ensure_topics(self.kafka))
        self._environment = (
            own
            | {
                "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
                "REDIS_URL": self.redis_url,
                "IDENTITY_SECRET": "fire-identity-secret-of-at-least-32-bytes",
                "SCORING_GROUP": GROUP,
                "SCORING_SESSION_SECONDS": str(SESSION_SECONDS),
                "SCORING_POLICY_PATIENCE_SECONDS": "1",
                "SCORING_LIVENESS_SECONDS": "20",  # a worker whose group is lost with the broker has to notice before we give up
                "SCORING_CACHED_LEADS": "200",  # of about 660 in a partition: some are held, some are read again
                "BATON_LOG_LEVEL": "WARNING",
            }
        )
        self.workers: list[Worker] = []
        self.looked = 0  # when somebody last asked what is due, ms
        closing.callback(self._end)

    def hire(self, **more: str) -> None:
        name = f"worker-{len(self.workers)}"
        environment = self._environment | {"SCORING_PORT": str(free_port())} | more
        self.workers.append(Worker(environment, self._home / f"{name}.log"))

    def _end(self) -> None:
        for worker in self.workers:
            worker.stop(signal.SIGKILL)

    def said(self) -> str:
        return "\n".join(worker.log.read_text(errors="replace")[-3000:] for worker in self.workers)

    def left(self) -> str:
        """What is still to be done, for whoever has to find out why."""
        found: dict[str, Any] = {
            "statuses": [worker.statuses for worker in self.workers],
            "ready": [worker.is_ready() for worker in self.workers],
        }
        with suppress(KafkaError, OSError):
            committed, applied = asyncio.run(self._committed()), self.applied()
            found["end, committed, applied"] = {
                tp: (end, committed.get(tp), applied.get(tp))
                for tp, end in self.ends().items()
                if end and not end == committed.get(tp) == applied.get(tp)
            }
            found["due"] = asyncio.run(self._due(time.time_ns() // 1_000_000))
        return "\n".join(f"{name}: {value}" for name, value in found.items())

    def until(self, condition: Callable[[], object], what: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and sum(worker.statuses[1] for worker in self.workers) < CRASHES:
            with suppress(KafkaError, OSError):
                if condition():
                    return
            time.sleep(0.05)
        pytest.fail(f"{what} did not come about within {seconds} s and {CRASHES} crashes\n{self.left()}\n{self.said()}")

    # --- faults

    def kill_a_worker(self) -> None:
        self._one_that_works().send(signal.SIGKILL)

    def _one_that_works(self) -> Worker:
        self.until(lambda: any(worker.is_ready() for worker in self.workers), "a worker")
        return self._rng.choice([worker for worker in self.workers if worker.is_ready()] or self.workers)

    def stop_a_worker_in_the_middle_of_a_batch(self) -> None:
        """It waits for Redis, which hangs, and is stopped before it reads the answer: a zombie, when it wakes up in the belief that
        what it reads then still stands. Meanwhile the other one has done all its work."""
        victim = self._one_that_works()
        with self._hanging_redis():
            victim.send(signal.SIGSTOP)
        sent = self.ends()
        self.until(lambda: _sum(self.applied()) >= _sum(sent), "the other worker's taking over")
        victim.send(signal.SIGCONT)

    @contextmanager
    def _hanging_redis(self) -> Iterator[None]:
        """From when on a worker with anything to do waits for it."""
        redis = self.stack._child("redis").pid
        pids = [redis, *_descendants(redis)]
        _signal(pids, signal.SIGSTOP)
        time.sleep(0.5 + self._rng.random())  # until a batch is under way
        yield
        _signal(pids, signal.SIGCONT)

    def restart_redis(self) -> None:
        """Nothing of what it had acknowledged is lost: one that writes every second may put that off by two more on a busy disk."""
        with closing(Redis.from_url(self.redis_url)) as redis:
            redis.config_set("appendfsync", "always")
            redis.ping()
        self.stack.kill("redis")
        time.sleep(self._rng.random())  # the fault itself: a server that is away for so long
        self.stack.restart("redis")

    def restart_redis_without_its_last_moments(self) -> None:
        """Every write of the last moments was acknowledged, and is not there any more."""
        while not self._lose_writes():
            self.stack.restart("redis")
        self.stack.restart("redis")

    def _lose_writes(self) -> bool:
        """Whether they are lost: not when Redis had just begun a new file."""
        file = self._append_only_file()
        kept = file.stat().st_size
        self.until(lambda: file.stat().st_size > kept + 100_000, "writes to lose")
        self.stack.kill("redis")
        if file != self._append_only_file():
            return False
        os.truncate(file, kept)
        return True

    def _append_only_file(self) -> Path:
        folder = self.stack.home / "redis"
        found = [*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof")]
        return max(found, key=lambda file: file.stat().st_mtime_ns)

    def kill_the_broker_and_a_worker_that_waits_for_it(self) -> None:
        """What the worker has saved and not published goes down with both: it could do the one and not the other."""
        victim, kafka = self._one_that_works(), self.stack._child("kafka").pid
        with self._hanging_redis():
            _signal([kafka, *_descendants(kafka)], signal.SIGSTOP)
        time.sleep(0.5)  # until it is saved
        victim.send(signal.SIGKILL)
        self.stack.kill("kafka")
        time.sleep(self._rng.random())  # the fault itself: a broker that is away for so long
        self.stack.restart("kafka")

    # --- what is there

    def applied(self) -> dict[tuple[str, int], int]:
        return asyncio.run(self._applied())

    async def _applied(self) -> dict[tuple[str, int], int]:
        redis = connect(self.redis_url)
        loaded = await RedisStates(redis, group=GROUP).load({partition: [] for partition in PARTITIONS})
        await redis.aclose()
        return {(topic, p): offset for p, found in loaded.items() for topic, offset in found.applied.items()}

    def states(self, leads: list[str]) -> dict[str, bytes]:
        """Of these leads, as they stand in Redis."""
        return asyncio.run(self._states(leads))

    async def _states(self, leads: list[str]) -> dict[str, bytes]:
        wanted: dict[int, list[str]] = {partition: [] for partition in PARTITIONS}
        for lead in leads:
            wanted[by_murmur2(record_key(TENANT, lead), PARTITIONS, ())].append(lead_key(TENANT, lead))
        redis = connect(self.redis_url)
        loaded = await RedisStates(redis, group=GROUP).load(wanted)
        await redis.aclose()
        return {key.partition("/")[2]: raw for found in loaded.values() for key, raw in found.states.items()}

    def ends(self) -> dict[tuple[str, int], int]:
        return asyncio.run(self._ends())

    async def _ends(self) -> dict[tuple[str, int], int]:
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka) as consumer:
            ends = await consumer.end_offsets([TopicPartition(t, p) for t in wire.INPUTS for p in PARTITIONS])
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    def is_done(self) -> bool:
        """Nothing is due or to be told once more after a loss, and everything is acknowledged by the workers, which they do last;
        what they wrote themselves, too.

        What is read may be due at once, and what was due is written and read: so all is read before one looks, and still after.
        """
        if not self._is_read():
            return False
        self.looked = time.time_ns() // 1_000_000
        return not asyncio.run(self._due(self.looked)) and not asyncio.run(self._rescoring()) and self._is_read()

    def _is_read(self) -> bool:
        return asyncio.run(self._committed()) == {tp: end for tp, end in self.ends().items() if end}

    async def _due(self, until: int) -> dict[int, list[tuple[str, int]]]:
        redis = connect(self.redis_url)
        found = await RedisStates(redis, group=GROUP).due(PARTITIONS, until, 1)
        await redis.aclose()
        return found

    async def _rescoring(self) -> bool:
        redis = connect(self.redis_url)
        found = await RedisStates(redis, group=GROUP).rescoring(PARTITIONS)
        await redis.aclose()
        return any(one.behind or one.under_way for one in map(progress.read, found.values()))

    async def _committed(self) -> dict[tuple[str, int], int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(GROUP)
        finally:
            await admin.close()
        return {(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset > 0}


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def _sum(offsets: Mapping[tuple[str, int], int]) -> int:
    return sum(offsets.values())


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # what was listed may have ended since
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found


class Sender(threading.Thread):
    """Publishes what it is given in bursts, each again until it is acknowledged, in a loop of its own."""

    def __init__(self, kafka: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._kafka, self._rng = kafka, random.Random(seed)
        self._given: list[list[Outgoing]] = []
        self._work = threading.Semaphore(0)
        self._closing = False
        self.sent = 0

    def give(self, records: list[Outgoing]) -> None:
        self._given.append(records)
        self._work.release()

    def close(self) -> None:
        self._closing = True
        self._work.release()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        publisher = KafkaPublisher(self._kafka)
        await publisher.start()
        try:
            while True:
                await asyncio.to_thread(self._work.acquire)
                if not self._given:
                    assert self._closing
                    return
                await self._send(publisher, self._given.pop(0))
        finally:
            await publisher.stop()

    async def _send(self, publisher: KafkaPublisher, records: list[Outgoing]) -> None:
        while records:
            size = self._rng.randint(200, 1_500)
            burst, records = records[:size], records[size:]
            while True:
                try:
                    await publisher.publish(burst)
                    break
                except (KafkaError, OSError):
                    await asyncio.sleep(0.1)  # a sender that backs off
            self.sent += len(burst)
            await asyncio.sleep(self._rng.random() / 2)  # a stream of events is no file


# --- what is left when the smoke has cleared ----------------------------------------------------------------------------


@dataclass
class Aftermath:
    """records: by topic;  states: by lead, as decoded from Redis;  undisturbed: by lead, of a reading in which nothing failed
    scores, accounts: of each lead and account, those of the highest version;  ended: up to when all that came due is told, ms
    statuses: with which the workers ended;  causes: why scores were said, of leads"""

    story: Story
    policy: ScoringPolicy
    records: dict[str, list[ConsumerRecord]]
    states: dict[str, LeadState]
    undisturbed: dict[str, LeadState]
    scores: dict[str, list[LeadScored]]
    accounts: dict[str, list[AccountScored]]
    ended: int
    statuses: list[Counter[int]]
    fenced: int
    causes: Counter[str]
    leads: dict[str, reference.Lead] = field(init=False)
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.leads = reference.leads(self.story.records)
        self.rules = Rules(self.policy, PolicyRef(sequence=1, hash="h"))

    def known(self) -> dict[str, reference.Lead]:
        return {name: lead for name, lead in self.leads.items() if reference.is_known(lead)}

    def merged_into(self, name: str) -> str | None:
        state = self.states[name]
        return state.merged_into(name, state.owned(name))

    def read(self, name: str, as_of: int = 0) -> Json:
        """What the engine reads from the lead's state in Redis."""
        scored = score(self.states[name], name, self.rules, as_of)
        saying = wire.Saying(Version(1, 1, 1, scored.as_of), wire.PolicyRef(1, "h"))
        record = wire.lead_scored(TENANT, name, saying, scored)
        return reference.published(LeadScored.model_validate_json(wire.encode(record)))


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory, whole_topic: Any) -> Iterator[Aftermath]:
    seed = int(os.environ.get("BATON_FIRE_SEED") or uuid4().int % 10**6)
    sys.stderr.write(f"\nBATON_FIRE_SEED={seed} repeats the order of the faults\n")
    rng, now = random.Random(seed), time.time_ns() // 1_000_000
    story, policy = Story(random.Random(seed), now, PEOPLE, TOUCHES), a_policy(now)
    with ExitStack() as closing:
        world = World(tmp_path_factory.mktemp("fire"), closing, rng)
        asyncio.run(_publish_policy(world.kafka, policy))
        ended = _burn(world, story, rng, seed)
        statuses = [worker.stop() for worker in world.workers]
        assert statuses == [0, 0], world.said()
        read = (*wire.INPUTS, *(f"{topic}-dlq" for topic in wire.INPUTS))
        records = {topic: asyncio.run(whole_topic(world.kafka, topic)) for topic in read}
        leads = {lead for record in story.records for lead in (record["lead_id"], record.get("owner")) if lead}
        states = {lead: decode_state(raw) for lead, raw in world.states(sorted(leads)).items()}
        rules = Rules(ScoringPolicy.model_validate(policy), PolicyRef(sequence=1, hash="h"))
        yield Aftermath(
            story,
            ScoringPolicy.model_validate(policy),
            records,
            states,
            _undisturbed([*records[TOUCHPOINTS.name], *records[HANDOFF_EVENTS.name]], rules),
            asyncio.run(_highest(world.kafka, LEAD_SCORED, LeadScored, causes := Counter())),
            asyncio.run(_highest(world.kafka, ACCOUNT_SCORED, AccountScored, Counter())),
            ended,
            [worker.statuses for worker in world.workers],
            sum(worker.log.read_text(errors="replace").count('"fenced"') for worker in world.workers),
            causes,
        )


async def _publish_policy(kafka: str, body: Json) -> None:
    policy = PolicyPublished(tenant=TENANT, kind="scoring", sequence=1, hash="h", body=body, activated_at=1)
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    await publisher.publish([Outgoing(POLICIES.name, policy.key(), policy.model_dump_json().encode())])
    await publisher.stop()


def _burn(world: World, story: Story, rng: random.Random, seed: int) -> int:
    """Tell the whole story, a part of it around each fault; up to when all that was due is told, ms."""
    later = [world.kill_a_worker] * 3 * ROUNDS
    later += [world.kill_the_broker_and_a_worker_that_waits_for_it] * ROUNDS
    later += [world.stop_a_worker_in_the_middle_of_a_batch, world.restart_redis] * ROUNDS
    rng.shuffle(later)
    out = story.told()
    size = len(out) // (len(later) + 3)
    parts = [out[start : start + size] for start in range(0, len(out), size)]
    sender = Sender(world.kafka, seed)
    sender.start()
    sender.give(parts.pop(0))
    world.until(lambda: sender.sent > 100, "records that are there before anybody reads them")
    world.hire()
    time.sleep(rng.random())  # the second one comes while the first one begins: nothing is committed yet
    world.hire(SCORING_INSTANCE_ID="scoring-1")
    world.until(lambda: world.workers[0].is_ready() and world.workers[1].is_ready(), "the start")
    for fault in [world.restart_redis_without_its_last_moments, *later]:
        before = _sum(world.applied())
        sender.give(parts.pop(0))
        if fault == world.restart_redis_without_its_last_moments:
            sender.give(parts.pop(0))  # it needs some that are still being written when it comes
        world.until(lambda before=before: _sum(world.applied()) > before + 500, "progress before the next fault")
        time.sleep(rng.random())  # at a random moment
        began = time.monotonic()
        fault()
        sys.stderr.write(f"{fault.__name__.replace('_', ' ')}: {time.monotonic() - began:.1f} s\n")
    for part in parts:
        sender.give(part)
    sender.close()
    sender.join(300)
    assert not sender.is_alive(), "the sender still waits for an acknowledgement"
    world.until(lambda: all(worker.is_ready() for worker in world.workers) and world.is_done(), "an end", 400)
    return world.looked  # not now: what came due since may not be told yet


def _undisturbed(records: list[ConsumerRecord], rules: Rules) -> dict[str, LeadState]:
    """States of a reading of the same records, in which nothing failed, nobody else worked and all fitted into one batch."""
    states: dict[str, LeadState] = {}
    told: dict[str, Told] = {}
    for record in records:
        with suppress(Reject):
            read = wire.decode(record.topic, record.value)
            if isinstance(read, wire.Touch | wire.LinkChanged) and read.tenant == TENANT:
                told.setdefault(read.lead_id, Told(TENANT, read.lead_id)).inputs.append((read, None))
    while told:
        passed_on: dict[str, Told] = {}
        for lead, said in told.items():
            decision = decide(said, states.get(lead, LeadState()), rules, Now(1))
            assert isinstance(decision.state, LeadState)
            states[lead] = decision.state
            for out in decision.records:
                if out.topic == SCORE_TRANSFERS.name:
                    transfer = wire.decode(out.topic, out.value)
                    assert isinstance(transfer, wire.ScoreTransfer)
                    target = passed_on.setdefault(transfer.lead_id, Told(TENANT, transfer.lead_id))
                    target.inputs.append((transfer, decode_memory(transfer.memory)))
        told = passed_on
    return states


S = TypeVar("S", LeadScored, AccountScored)


class Head(msgspec.Struct):
    """The part of a score that says which of two stands, and why it was said."""

    version: Version
    cause: str = ""


async def _highest(kafka: str, topic: Topic, kind: type[S], causes: Counter[str]) -> dict[str, list[S]]:
    """Of each subject the scores of the highest version, one for each body; `causes` counts why all were said. The topic is too
    large to be held whole."""
    best: dict[bytes, tuple[Version, set[bytes]]] = {}
    head = msgspec.json.Decoder(Head)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(topic.name, number) for number in PARTITIONS]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    said = head.decode(record.value)
                    version = said.version
                    causes[said.cause] += 1
                    known = best.get(record.key)
                    if known is None or version > known[0]:
                        best[record.key] = version, {record.value}
                    elif version == known[0]:
                        known[1].add(record.value)
    return {
        key.decode().partition("/")[2]: [kind.model_validate_json(body) for body in bodies]
        for key, (_, bodies) in best.items()
    }


def settled(memory: Memory) -> Json:
    """A memory in plain words, without the days that count for nothing any more: those it forgets when it thinks of it."""
    plain = memory.copy()
    for key, slots in plain.marks.items():
        parts = ledger.key_parts(key)
        if parts.length > 0:
            oldest = (plain.received_at - parts.horizon + parts.zone) // parts.length
            plain.marks[key] = {bucket: marks for bucket, marks in slots.items() if int(bucket) >= oldest}
    plain.marks = {key: slots for key, slots in plain.marks.items() if slots}
    return dict(zip(Memory.__struct_fields__, msgspec.to_builtins(plain), strict=True))


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """Three of those that differ, and what both say."""
    names = [name for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)]
    return {"differ": len(names), "of": len(wanted)} | {
        name: (found.get(name), wanted.get(name)) for name in names[:3]
    } if names else {}  # fmt: skip


def test_every_score_that_the_states_give_is_that_of_the_reference(aftermath: Aftermath) -> None:
    wanted = {name: reference.scored(lead, aftermath.policy) for name, lead in aftermath.known().items()}
    assert len(wanted) > PEOPLE
    assert differing({name: aftermath.read(name) for name in wanted}, wanted) == {}


def test_every_state_is_that_of_an_undisturbed_reading(aftermath: Aftermath) -> None:
    """What a lead owns, and whose it knows each identity to be."""

    def what_counts(states: Mapping[str, LeadState]) -> dict[str, Any]:
        return {
            lead: (
                {
                    identity: settled(state.memories[identity])
                    for identity in state.owned(lead)
                    if identity in state.memories
                },
                {identity: register for identity, register in state.registers.items() if register.kind != OUTCOME},
            )
            for lead, state in states.items()
        }

    assert differing(what_counts(aftermath.states), what_counts(aftermath.undisturbed)) == {}


def test_nothing_that_a_lead_remembers_of_another_leads_identity_is_unknown_to_its_owner(aftermath: Aftermath) -> None:
    passed_on = 0
    for lead, state in aftermath.states.items():
        for identity, memory in state.memories.items():
            owner = state.owner(identity)
            if owner != lead:
                passed_on += 1
                theirs = aftermath.states[owner].memories[identity]
                both = theirs.copy()
                both.absorb(memory)
                assert settled(both) == settled(theirs), f"{identity} of {lead}, now of {owner}"
    assert passed_on > 500


def test_the_highest_version_of_every_lead_says_what_its_state_says(aftermath: Aftermath) -> None:
    twice = {lead: scores for lead, scores in aftermath.scores.items() if len(scores) > 1}
    assert differing(twice, {}) == {}, "one version, two bodies"
    said = {lead: score for lead, [score] in aftermath.scores.items() if score.merged_into is None}
    found = {lead: reference.published(score) for lead, score in said.items()}
    wanted = {lead: aftermath.read(lead, score.as_of) for lead, score in said.items()}
    assert differing(found, wanted) == {}
    gone = {lead: score.merged_into for lead, [score] in aftermath.scores.items() if score.merged_into}
    assert differing(gone, {lead: aftermath.merged_into(lead) for lead in gone}) == {}
    assert not [lead for lead in said if aftermath.merged_into(lead)]
    assert all(score.cause != "input" or score.as_of == aftermath.read(lead)["as_of"] for lead, score in said.items())


def test_what_time_alone_changed_is_told(aftermath: Aftermath) -> None:
    """As grade and temperature would be now, so they were said when they became it."""
    known, policy = aftermath.known(), aftermath.policy
    said = {lead: score for lead, [score] in aftermath.scores.items() if score.merged_into is None}
    now = {
        lead: reference.scored(known[lead], policy, max(aftermath.ended, score.as_of)) for lead, score in said.items()
    }
    wanted = {lead: (scored["grade"], scored["temperature"]) for lead, scored in now.items()}
    assert differing({lead: (score.grade, score.temperature) for lead, score in said.items()}, wanted) == {}
    # Some of them by time, if only in between: what is told anew after a loss of Redis may be told last.
    assert aftermath.causes["time"] > 0


def test_every_account_knows_its_people_as_they_were_last_scored(aftermath: Aftermath) -> None:
    scores = [score for [score] in aftermath.scores.values()]
    counted = [one for one in scores if not (one.merged_into or one.is_test or one.internal) and one.account]
    people = Counter(score.account for score in counted)
    assert {account: said.people for account, [said] in aftermath.accounts.items() if said.people} == people
    leads = {score.lead_id: (score.account, score.engagement.total, score.grade[0]) for score in counted}
    named = {
        one.lead_id: (account, one.engagement, one.fit)
        for account, [said] in aftermath.accounts.items()
        for one in said.contributors
    }
    assert len(named) > 100
    assert differing(named, {lead: leads.get(lead) for lead in named}) == {}


def test_every_known_lead_has_a_score_and_every_other_one_that_had_says_who_took_over(aftermath: Aftermath) -> None:
    known = aftermath.known()
    said = {lead: scores[0].merged_into for lead, scores in aftermath.scores.items()}
    assert {lead for lead, taken in said.items() if taken is None} == known.keys()
    registers = {
        register["identity_id"]: register["owner"] for lead in aftermath.leads.values() for register in lead.registers
    }
    became = {ids.lead_id(identity): owner for identity, owner in registers.items()}
    strong = {
        record["lead_id"]
        for record in aftermath.story.records
        if record.get("identity_kind") in STRONG and record.get("owner", record["lead_id"]) == record["lead_id"]
    }
    gone = {lead for lead, taken in said.items() if taken is not None}
    assert len(gone) > 50
    assert gone == strong - known.keys()
    assert all(said[lead] == became[lead] for lead in gone if lead in became)


def test_what_nobody_can_read_is_in_the_dead_letters_with_its_reason_and_stopped_nothing(aftermath: Aftermath) -> None:
    """A crash after it was put there puts it there again: the same record, from the same place, for the same reason."""
    poisoned = {
        f"{topic}/{record.partition}/{record.offset}": record.value
        for topic in wire.INPUTS
        for record in aftermath.records[topic]
        if record.value in aftermath.story.poisons
    }
    assert set(poisoned.values()) == aftermath.story.poisons
    letters: dict[str, list[tuple[bytes, bytes]]] = {}
    for topic in wire.INPUTS:
        for record in aftermath.records[f"{topic}-dlq"]:
            headers = dict(record.headers)
            assert headers["baton-group"] == GROUP.encode()
            letters.setdefault(headers["baton-source"].decode(), []).append((record.value, headers["baton-reason"]))
    assert letters.keys() == poisoned.keys()
    for place, found in letters.items():
        value = poisoned[place]
        reason = b"no_policy" if b"without-a-policy" in value else b"undecodable"
        assert set(found) == {(value, reason)}
        assert len(found) <= 1 + sum(sum(statuses.values()) for statuses in aftermath.statuses)


def test_the_faults_were_felt(aftermath: Aftermath) -> None:
    statuses = sum(aftermath.statuses, Counter[int]())
    sys.stderr.write(f"workers ended with {dict(statuses)}; refused at the fence: {aftermath.fenced}\n")
    assert statuses[-signal.SIGKILL] == 4 * ROUNDS
    assert statuses[0] == 2, "those that were told to stop, and no other"
    assert statuses[1] > 0, "nobody noticed that Redis had lost what it acknowledged"
    assert set(statuses) == {-signal.SIGKILL, 0, 1}
