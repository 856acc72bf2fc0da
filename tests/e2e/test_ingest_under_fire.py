"""P1 of ingest alone, by faults at random moments: every answer that a client was given agrees with the topics."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from redis import Redis
from redis.exceptions import RedisError

from baton.stack import Stack
from baton.stack.ports import free_port
from shared.kit.kafka import KafkaPublisher, Outgoing, ensure_topics
from shared.schemas import ids
from shared.schemas.base import record_key

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
ROUNDS = int(os.environ.get("BATON_FIRE_ROUNDS", "1"))  # of every fault; `make chaos` asks for more
PAUSE = 7.0  # seconds for which a server is stopped: longer than anybody waits for it
TENANT, SOURCE, KEY = "fire", "web", "fire-key"


class World:
    """A broker, a Redis and an ingest that can be hurt, and clients that remember what they were told."""

    def __init__(self, home: Path, closing: ExitStack) -> None:
        self._closing = closing
        ports = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)
        own = {name: value for name, value in os.environ.items() if not name.endswith(("_SERVERS", "_URL"))}
        self.stack = Stack(home / "stack", say=lambda line: None, ports=ports, environ=own)
        closing.callback(self.stack.stop)
        addresses = self.stack.start()
        self.kafka, self.redis = addresses.kafka, Redis.from_url(addresses.redis, socket_timeout=2)
        asyncio.run(ensure_topics(self.kafka))
        asyncio.run(self._publish_sources())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = closing.enter_context((home / "ingest.log").open("ab"))
        self._environment = own | {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "REDIS_URL": addresses.redis,
            "IDENTITY_SECRET": "fire-identity-secret-of-at-least-32-bytes",
            "INGEST_PORT": str(self.port),
            "INGEST_SPOOL_DIR": str(home / "spool"),
            "BATON_LOG_LEVEL": "WARNING",
        }
        self.log = home / "ingest.log"
        self.start()
        closing.callback(self._stop)

    async def _publish_sources(self) -> None:
        body = {"kind": "sources", "sources": [{"id": SOURCE, "write_keys": [KEY]}]}
        record = {"record": "policy", "tenant": TENANT, "kind": "sources", "sequence": 1, "hash": "1", "body": body}
        publisher = KafkaPublisher(self.kafka)
        await publisher.start()
        key = record_key(TENANT, "sources")
        await publisher.publish([Outgoing("policies", key, orjson.dumps(record | {"activated_at": 1}))])
        await publisher.stop()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
        )

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def kill_ingest(self) -> None:
        self._process.kill()
        self._process.wait()
        self.start()

    def stop_for_a_while(self, server: str) -> None:
        victim = self.stack._child(server).pid
        processes = [victim, *_descendants(victim)]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE)  # the fault itself: a server that hangs for so long
        for pid in processes:
            os.kill(pid, signal.SIGCONT)

    def kill(self, server: str) -> None:
        self.stack.kill(server)
        time.sleep(2)  # the fault itself: a server that is away for so long
        self.stack.restart(server)

    def empty_redis(self) -> None:
        self.redis.flushall()

    def until(self, condition: Callable[[], object], what: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (httpx.HTTPError, RedisError):
                pass
            time.sleep(0.05)
        pytest.fail(f"{what} did not come about within {seconds} s\n{self.log.read_text(errors='replace')[-3000:]}")

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def ready(self) -> bool:
        return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200


@dataclass
class Client(threading.Thread):
    """Sends batches in which one event in five is bad, each until it is answered for good, now and then twice."""

    world: World
    name_: str
    seed: int
    accepted: set[str] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        rng = random.Random(self.seed)
        number = 0
        with httpx.Client(headers={"X-Write-Key": KEY}, timeout=20) as http:
            while not self.stopping.is_set():
                batch = [self._event(number + step) for step in range(rng.randint(1, 12))]
                number += len(batch)
                self._send(http, batch)
                if rng.random() < 0.2:
                    self._send(http, batch)

    def _event(self, number: int) -> dict[str, Any]:
        event = {"type": "track", "event": "Whitepaper Downloaded", "messageId": f"{self.name_}-{number}"}
        if number % 5 == 4:
            return event | {"properties": {"bad": number}}  # of nobody
        return event | {"userId": f"u-{number % 40}", "anonymousId": f"a-{self.name_}-{number % 60}"}

    def _send(self, http: httpx.Client, batch: list[dict[str, Any]]) -> None:
        while True:
            try:
                answer = http.post(f"{self.world.url}/v1/batch", json={"batch": batch})
            except httpx.HTTPError:
                self.answers[0] += 1
                time.sleep(0.05)  # a sender that backs off
                continue
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                return self._note(batch, answer.json())
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                self.wrong.append(f"{answer.status_code} {answer.text}")
                return None
            time.sleep(0.05)  # a sender that backs off, impatiently

    def _note(self, batch: list[dict[str, Any]], said: dict[str, Any]) -> None:
        bad = {index for index, event in enumerate(batch) if "userId" not in event}
        results = {result["index"]: result for result in said.get("results", [])}
        told_rejected = {index for index, result in results.items() if result["status"] == "rejected"}
        if told_rejected != bad or said["accepted"] + said["duplicate"] + said["rejected"] != len(batch):
            self.wrong.append(f"of {len(batch)} events, {bad} of them bad, we were told {said}")
        self.accepted |= {event["messageId"] for index, event in enumerate(batch) if index not in bad}
        self.rejected.update(event["messageId"] for index, event in enumerate(batch) if index in bad)


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # what was listed may have ended since
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as closing:
        made = World(tmp_path_factory.mktemp("fire"), closing)
        made.until(made.ready, "the start")
        yield made


@pytest.fixture(scope="module")
def clients(world: World) -> list[Client]:
    """What the clients were told while everything around ingest failed, in an order drawn anew each time."""
    seed = int(os.environ.get("BATON_FIRE_SEED") or uuid4().int % 10**6)
    sys.stderr.write(f"\nBATON_FIRE_SEED={seed} repeats the order of the faults\n")
    rng = random.Random(seed)
    senders = [Client(world, f"c{number}-{seed}", seed + number) for number in range(3)]
    for sender in senders:
        sender.start()
    faults: list[Callable[[], None]] = [
        world.kill_ingest,
        lambda: world.stop_for_a_while("kafka"),
        lambda: world.kill("kafka"),
        lambda: world.stop_for_a_while("redis"),
        lambda: world.kill("redis"),
        world.empty_redis,
    ] * ROUNDS
    rng.shuffle(faults)
    for fault in faults:
        before = sum(len(sender.accepted) for sender in senders)
        world.until(
            lambda before=before: sum(len(sender.accepted) for sender in senders) > before + 100,
            "events between two faults",
        )
        time.sleep(rng.random())  # at a random moment
        fault()
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(120)
        assert not sender.is_alive(), "a sender still waits for an answer"
    world.until(world.ready, "readiness after the last fault")
    world.until(lambda: world.metric("baton_ingest_spool_rows") == 0, "an empty spool")
    return senders


@pytest.fixture(scope="module")
def everything(world: World, clients: list[Client], whole_topic: Any) -> Callable[[str], list[dict[str, Any]]]:
    """All records of a topic, read when nothing is away any more."""
    return lambda topic: [orjson.loads(record.value) for record in asyncio.run(whole_topic(world.kafka, topic))]


def test_what_was_accepted_is_on_the_topic_with_one_body_and_nothing_else_is(clients, everything):
    accepted = set().union(*(client.accepted for client in clients))
    bodies: dict[str, set[bytes]] = {}
    for record in everything("touchpoints"):
        if record["record"] == "touch":
            body = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
            bodies.setdefault(record["event_id"], set()).add(body)
    expected = {ids.derived_id("event", TENANT, SOURCE, message) for message in accepted}
    assert len(accepted) > 600
    assert not expected - bodies.keys(), f"{len(expected - bodies.keys())} acknowledged events are lost"
    assert not bodies.keys() - expected, "events that nobody was told of, though every sender waited for its answer"
    twice = {event for event, versions in bodies.items() if len(versions) > 1}
    assert not twice, f"{len(twice)} events have two bodies"


def test_what_was_rejected_is_kept_with_its_reason(clients, everything):
    told = set().union(*(client.rejected for client in clients))
    kept = [record for record in everything("ingest-rejected") if record["tenant"] == TENANT]
    found = {orjson.loads(b64decode(record["raw"]))["messageId"] for record in kept}
    assert found == told
    assert {record["code"] for record in kept} == {"no_identity"}


def test_no_client_was_told_anything_but_success_or_come_back(clients):
    assert [wrong for client in clients for wrong in client.wrong] == []
    assert all(client.answers[200] for client in clients)


def test_outages_of_kafka_and_redis_cost_no_client_an_event(clients):
    """They are answered from the spool: only the death of ingest itself cuts connections."""
    answers = sum((client.answers for client in clients), Counter())
    assert answers[503] <= answers[200] * 0.2, f"{answers}: the spool was hardly used"
