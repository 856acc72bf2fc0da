"""Kafka and Redis hang, die, come back, forget: every answer that a sender was given agrees with the topics."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from baton.stack import Stack
from services.ingest.app import build
from services.ingest.settings import IngestSettings
from services.ingest.spool import SpoolUnusableError
from shared.kit import closing
from shared.kit.kafka import KafkaPublisher, KafkaSource, Outgoing, reader
from shared.schemas import ids
from shared.schemas.topics import TOUCHPOINTS

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

REBUILDS = "baton_ingest_link_rebuilds_total"
SENDER_SECONDS = 20  # for which senders wait for an answer: a busy machine is no failure
USUAL_SECONDS = 3  # in which it comes all the same, mostly: the fastest clients give up after that


class Servers:
    """A Kafka and a Redis of these tests' own, which can be hurt."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._hanging: dict[str, list[int]] = {}

    def hang(self, name: str) -> None:
        """On a busy machine a process goes on for some milliseconds after the signal: until all its threads stand."""
        self._hanging[name] = _family(self._stack._child(name).pid)
        for pid in self._hanging[name]:
            os.kill(pid, signal.SIGSTOP)
        end = monotonic() + 10
        while not all(_stands(pid) for pid in self._hanging[name]):
            assert monotonic() < end, f"{name} goes on after SIGSTOP"

    def go_on(self, name: str) -> None:
        for pid in self._hanging.pop(name):
            os.kill(pid, signal.SIGCONT)

    def kill(self, name: str) -> None:
        self._stack.kill(name)

    async def restart(self, name: str) -> None:
        """As the stack does it, but the event loop goes on while the server starts."""
        server = self._stack._servers[name]
        self._stack._child(name).terminate(1)
        await asyncio.to_thread(server.prepare)
        self._stack._children[name] = server.launch()

        async def ready() -> bool:
            return await asyncio.to_thread(server.is_ready)

        await until(ready, f"{name} back again")

    def heal(self) -> None:
        """After a test that failed half-way."""
        for name in list(self._hanging):
            self.go_on(name)
        while name := self._stack.dead():
            self._stack.restart(name)


def _family(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            children += map(int, (task / "children").read_text().split())
    return [pid, *(member for child in children for member in _family(child))]


def _stands(pid: int) -> bool:
    try:
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # a thread that has just ended
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


@pytest.fixture
def servers_of_own(own_stack: Stack) -> Iterator[Servers]:
    servers = Servers(own_stack)
    yield servers
    servers.heal()


@pytest.fixture(scope="module")
def kafka_url(own_stack: Stack) -> str:
    return own_stack.addresses().kafka


@pytest.fixture(scope="module")
def redis_url(own_stack: Stack) -> str:
    return own_stack.addresses().redis


class Senders:
    """Some that send at the same time, each batch until it is answered 200, and remember what they were told."""

    def __init__(self, ingest: Any) -> None:
        self._ingest = ingest
        self.told: set[str] = set()
        self.answers: dict[int, int] = {}
        self.took: list[float] = []
        self._stopping = asyncio.Event()

    async def run(self, me: int) -> None:
        number = 0
        async with httpx.AsyncClient(timeout=SENDER_SECONDS, headers={"X-Write-Key": self._ingest.key}) as http:
            while not self._stopping.is_set():
                names = [f"{me}-{number}-{part}" for part in range(5)]
                batch = [
                    {"type": "track", "event": "Seen", "userId": f"u-{number % 7}", "messageId": name} for name in names
                ]
                batch[0]["anonymousId"] = f"a-{me}-{number % 5}"
                while (await self._send(http, batch)) != 200:
                    await asyncio.sleep(0.05)
                self.told.update(names)
                number += 1
                await asyncio.sleep(0.005)

    async def _send(self, http: httpx.AsyncClient, batch: list[dict[str, Any]]) -> int:
        began = monotonic()
        answer = await http.post(f"{self._ingest.url}/v1/batch", json={"batch": batch})
        self.took.append(monotonic() - began)
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
        if answer.status_code == 200:
            said = answer.json()
            assert said["accepted"] + said["duplicate"] == len(batch), said
        return answer.status_code

    async def more(self, count: int = 100) -> None:
        """Until so many more events have been answered."""
        wanted = len(self.told) + count
        await until(lambda: len(self.told) >= wanted, "answers")

    def stop(self) -> None:
        self._stopping.set()


async def until(holds: Callable[[], Any], what: str, seconds: float = 90) -> None:
    end = monotonic() + seconds
    while True:
        found = holds()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert monotonic() < end, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.02)


async def metric(url: str, name: str) -> float:
    async with httpx.AsyncClient(timeout=10) as http:
        lines = (await http.get(f"{url}/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def spooled(url: str) -> bool:
    return await metric(url, "baton_ingest_spool_rows") > 0


async def begun_anew(url: str, rebuilds: float) -> bool:
    return await metric(url, REBUILDS) > rebuilds


async def drained(url: str) -> None:
    async def empty() -> bool:
        return await metric(url, "baton_ingest_spool_rows") == 0

    await until(empty, "an empty spool")


@asynccontextmanager
async def sending(ingest: Any, count: int = 4) -> AsyncIterator[Senders]:
    """Senders at work; when they have stopped, what they were told is held against the topic."""
    senders = Senders(ingest)
    async with asyncio.TaskGroup() as group:
        for me in range(count):
            group.create_task(senders.run(me))
        await senders.more(50)
        try:
            yield senders
        finally:
            senders.stop()
    await ingest.ready()
    await drained(ingest.url)
    await agrees(ingest, senders.told)


async def agrees(ingest: Any, told: set[str]) -> None:
    bodies: dict[str, set[bytes]] = {}
    for touch in await ingest.touches():
        bodies.setdefault(touch["event_id"], set()).add(touch["_raw"])
    expected = {ids.derived_id("event", ingest.tenant, "web", name) for name in told}
    assert expected - bodies.keys() == set(), "acknowledged, and lost"
    assert bodies.keys() - expected == set(), "every sender waited for its answer, so nothing else may be there"
    assert {event for event, versions in bodies.items() if len(versions) > 1} == set(), "two bodies of one event"


@pytest.fixture
def spooling(start: Any, tmp_path: Path, servers_of_own: Servers) -> Callable[..., Awaitable[Any]]:
    """Starts ingest with a spool in this test's directory."""

    async def begin(**settings: Any) -> Any:
        return await start(**{"ingest_spool_dir": tmp_path / "spool"} | settings)

    return begin


@pytest.mark.parametrize("server", ["kafka", "redis"])
@pytest.mark.parametrize("fault", ["hangs", "dies"])
async def test_no_sender_notices_that_a_server_is_away(
    spooling: Any, servers_of_own: Servers, server: str, fault: str
) -> None:
    """The second time, Redis forgets while Kafka is away: a consumer without a broker cannot be closed in order, and whoever closes
    it, to begin anew, must outlive that."""
    ingest = await spooling()
    async with sending(ingest) as senders:
        for forgets in (False, server == "kafka"):
            servers_of_own.hang(server) if fault == "hangs" else servers_of_own.kill(server)
            await until(lambda: spooled(ingest.url), "something in the spool")
            await senders.more(300)
            assert (await ingest.http.get(f"{ingest.url}/readyz")).status_code == 200
            if forgets:
                before = await metric(ingest.url, REBUILDS)
                await ingest.redis.flushdb()
                await until(lambda: begun_anew(ingest.url, before), "the reading of links begun anew", 150)  # noqa: B023
            if fault == "hangs":
                servers_of_own.go_on(server)
            else:
                await servers_of_own.restart(server)
            await drained(ingest.url)
            await senders.more()
    assert senders.answers.keys() == {200}
    assert median(senders.took) < USUAL_SECONDS


async def test_a_redis_that_forgot_everything_costs_nobody_an_event(spooling: Any) -> None:
    ingest = await spooling()
    async with sending(ingest) as senders:
        for _ in range(3):
            await ingest.redis.flushdb()
            await senders.more(300)
    assert senders.answers.keys() == {200}


async def test_both_away_and_redis_forgets_meanwhile(spooling: Any, servers_of_own: Servers) -> None:
    ingest = await spooling()
    async with sending(ingest) as senders:
        servers_of_own.hang("kafka")
        await until(lambda: spooled(ingest.url), "something in the spool")
        await ingest.redis.flushdb()
        servers_of_own.hang("redis")
        await senders.more(300)
        servers_of_own.go_on("kafka")
        await senders.more(300)
        servers_of_own.go_on("redis")
        await drained(ingest.url)
        await senders.more()
    assert senders.answers.keys() == {200}


async def test_clients_of_a_kafka_that_hangs_are_closed_all_the_same(
    kafka_url: str, servers_of_own: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CLOSING_SECONDS", 0.5)
    before = asyncio.all_tasks()
    publisher, source = KafkaPublisher(kafka_url), KafkaSource(kafka_url, uuid4().hex, [TOUCHPOINTS])
    await publisher.start()
    await source.start()
    async with AsyncExitStack() as stack:
        follower = await stack.enter_async_context(reader(kafka_url))
        follower.assign([TopicPartition(TOUCHPOINTS.name, 0)])
        await publisher.publish([Outgoing(TOUCHPOINTS.name, b"t/1", b"acknowledged")])
        servers_of_own.hang("kafka")
        stuck = asyncio.create_task(publisher.publish([Outgoing(TOUCHPOINTS.name, b"t/1", b"never acknowledged")]))
        await follower.getmany(timeout_ms=200)
        async with asyncio.timeout(15):  # a request alone may take 40
            await publisher.stop()
            await source.stop()
            await stack.aclose()
    with pytest.raises(KafkaError):
        await stuck
    async with asyncio.timeout(15):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left, timeout=0.1)


async def test_what_is_refused_is_kept_in_the_spool_too(spooling: Any, servers_of_own: Servers) -> None:
    ingest = await spooling()
    servers_of_own.hang("kafka")
    assert (await ingest.send("track", b"no JSON")).status_code == 400
    assert (await ingest.send("track", {"event": "of nobody"})).status_code == 400
    assert await spooled(ingest.url)
    servers_of_own.go_on("kafka")
    await drained(ingest.url)
    assert {record["code"] for record in await ingest.written("ingest-rejected")} == {"malformed_json", "no_identity"}


async def test_identities_are_resolved_when_the_spool_is_drained(spooling: Any, servers_of_own: Servers) -> None:
    ingest = await spooling()
    servers_of_own.hang("redis")
    await ingest.send("page", {"anonymousId": "a-1", "messageId": "m-1"})
    await ingest.send("identify", {"anonymousId": "a-1", "userId": "u-1", "messageId": "m-2"})
    await ingest.send("page", {"anonymousId": "a-1", "messageId": "m-3"})
    servers_of_own.go_on("redis")
    await drained(ingest.url)
    touches = {touch["event_id"]: touch["lead_id"] for touch in await ingest.touches()}
    second, third = (touches[ids.derived_id("event", ingest.tenant, "web", name)] for name in ("m-2", "m-3"))
    assert second == third
    assert {link["owner"] for link in await ingest.links()} == {second}


async def test_a_second_process_on_the_same_directory_is_refused(
    spooling: Any, tmp_path: Path, kafka_url: str, redis_url: str, identity_secret: str
) -> None:
    await spooling()
    settings = IngestSettings(
        kafka_bootstrap_servers=kafka_url,
        identity_secret=identity_secret,
        redis_url=redis_url,
        ingest_spool_dir=tmp_path / "spool",
    )
    with pytest.raises(SpoolUnusableError, match="in use by another process"):
        build(settings)


# --- the process dies, the disk is small ------------------------------------------------------------------------------


class Process:
    """ingest as it runs in earnest."""

    def __init__(self, environment: dict[str, str], port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {**os.environ, **environment, "INGEST_PORT": str(port)}
        self._log = log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.ingest"], env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(60)

    async def ready(self) -> None:
        async def answers() -> bool:
            assert self._process.poll() is None, self.said()
            try:
                async with httpx.AsyncClient(timeout=10) as http:
                    return (await http.get(f"{self.url}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, "readiness")

    def said(self) -> str:
        return self._log.read_text()


@pytest.fixture
async def process(
    start: Any, tmp_path: Path, kafka_url: str, redis_url: str, identity_secret: str, free_port: int
) -> AsyncIterator[Callable[..., Awaitable[tuple[Process, Any]]]]:
    """Starts ingest as a process; beside it one without a spool for this test's tenant, which reads the topics."""
    running: list[Process] = []

    async def begin(**settings: str) -> tuple[Process, Any]:
        reader = await start()
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka_url,
            "REDIS_URL": f"{redis_url.rpartition('/')[0]}/9",
            "IDENTITY_SECRET": identity_secret,
            "INGEST_SPOOL_DIR": str(tmp_path / "spool"),
        }
        running.append(Process(environment | settings, free_port, tmp_path / "ingest.log"))
        await running[0].ready()
        return running[0], reader

    yield begin
    for one in running:
        one.stop()


async def post(process: Process, key: str, name: str, *, size: int = 10) -> int:
    event = {"event": "Seen", "userId": name, "messageId": name, "properties": {"topic": "x" * size}}
    event["context"] = {"page": {"path": "/" + "p" * min(size, 490), "title": "t" * size}}
    async with httpx.AsyncClient(timeout=SENDER_SECONDS, headers={"X-Write-Key": key}) as http:
        return (await http.post(f"{process.url}/v1/track", json=event)).status_code


async def test_a_process_that_is_killed_and_started_during_the_outage_takes_events_and_loses_none(
    process: Any, servers_of_own: Servers
) -> None:
    ingest, reader = await process()

    async def remembers() -> bool:
        return await post(ingest, reader.key, "first") == 200

    await until(remembers, "write keys")
    await drained(ingest.url)  # a Kafka that is slow may have the first one spooled, too
    servers_of_own.kill("kafka")
    told = {"first"}
    for round_ in range(3):
        for number in range(20):
            assert await post(ingest, reader.key, f"{round_}-{number}") == 200
            told.add(f"{round_}-{number}")
        ingest.kill()
        ingest.start()
        await ingest.ready()
    assert await post(ingest, "an unknown key", "x") == 503, "it may have been made during the outage"
    assert "policies_remembered" in ingest.said()
    assert await metric(ingest.url, "baton_ingest_spool_rows") == 60
    await servers_of_own.restart("kafka")
    await drained(ingest.url)
    assert await post(ingest, reader.key, "last") == 200
    await agrees(reader, told | {"last"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """2 MB in memory."""
    place = tmp_path / "small"
    place.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True
        ).returncode
    ):
        pytest.skip("a tmpfs cannot be mounted here (it takes root and CAP_SYS_ADMIN): the full disk was not tried")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_disk_that_is_full_is_told_and_what_it_holds_is_written_all_the_same(
    small_disk: Path, process: Any, servers_of_own: Servers
) -> None:
    ingest, reader = await process(INGEST_SPOOL_DIR=str(small_disk))

    async def remembers() -> bool:
        return await post(ingest, reader.key, "first") == 200

    await until(remembers, "write keys")
    servers_of_own.kill("kafka")
    told, maybe = {"first"}, set()
    refused = 0
    for number in range(4_000):
        status = await post(ingest, reader.key, f"e-{number}", size=2_000)
        assert status in (200, 503)
        (told if status == 200 else maybe).add(f"e-{number}")
        refused += status == 503
        if refused == 20:
            break
    assert refused == 20, "2 MB were never full"
    assert len(told) > 150
    async with httpx.AsyncClient(timeout=10) as http:
        assert (await http.get(f"{ingest.url}/readyz")).status_code == 503
    assert await metric(ingest.url, "baton_ingest_spool_refused_total") >= 20
    ingest.kill()
    ingest.start()  # on a disk that is full
    await servers_of_own.restart("kafka")
    await ingest.ready()
    await drained(ingest.url)
    for name in sorted(maybe):
        assert await post(ingest, reader.key, name, size=2_000) == 200
    await drained(ingest.url)
    await agrees(reader, told | maybe)


async def test_a_producer_outlives_a_broker_that_hangs_again_and_again(kafka_url: str, servers_of_own: Servers) -> None:
    publisher = KafkaPublisher(kafka_url, patience=60)
    await publisher.start()
    record = Outgoing("ingest-rejected", b"t/web", b"{}")
    try:
        for _ in range(4):
            publisher._patience = 60
            await publisher.publish([record])
            servers_of_own.hang("kafka")
            publisher._patience = 1
            for _ in range(2):
                with pytest.raises(KafkaError):
                    await publisher.publish([record] * 3)
            servers_of_own.go_on("kafka")

            async def written() -> bool:
                try:
                    await publisher.publish([record])
                except KafkaError:
                    return False
                return True

            await until(written, "an acknowledgement", 60)
    finally:
        await publisher.stop()
