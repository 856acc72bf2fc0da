"""The embedded stack itself: what it promises about real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from redis.asyncio import Redis

from baton.stack import Addresses, Stack, StackError, running
from baton.stack.process import start_time

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
FREE = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)
OWN = {
    name: value
    for name, value in os.environ.items()
    if name not in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL") and not name.endswith("_PORT")
}
SUPERVISOR = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is born with it ignored
from pathlib import Path
from baton.stack import Stack
stack = Stack(Path(sys.argv[1]), say=print, ports=dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0))
try:
    stack.start()
    print("all ready", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    print("interrupted", "dead:", stack.dead(), flush=True)
    stack.stop()
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), say=print, ports=FREE, environ=OWN) as started:
        yield started


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has started a stack in `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)],
        cwd="/",
        env={**OWN, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout
        lines = list(iter(process.stdout.readline, "all ready\n")) if process.poll() is None else []
        assert process.poll() is None, lines
        yield process
        process.kill()


async def topic(addresses: Addresses, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=8, replication_factor=1)])
    finally:
        await admin.close()


async def produce(addresses: Addresses, name: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=addresses.kafka, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(name, value, key=b"one partition")


async def consume(addresses: Addresses, name: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(name, bootstrap_servers=addresses.kafka, auto_offset_reset="earliest") as consumer:
        return [(await consumer.getone()).value for _ in range(count)]


async def ask(addresses: Addresses, query: str) -> Any:
    connection = await asyncpg.connect(addresses.database)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        threading.Event().wait(0.01)


def processes(home: Path) -> dict[str, tuple[int, str]]:
    children = json.loads((home / "state.json").read_text())["children"]
    return {name: (child["pid"], child["started"]) for name, child in children.items()}


def alive(children: dict[str, tuple[int, str]]) -> set[str]:
    return {name for name, (pid, started) in children.items() if start_time(pid) == started}


async def test_kafka_keeps_and_gives_what_it_acknowledged(stack: Stack):
    await topic(stack.addresses(), "greetings")
    await produce(stack.addresses(), "greetings", b"hello", b"world")
    assert await consume(stack.addresses(), "greetings", 2) == [b"hello", b"world"]


async def test_kafka_has_eight_partitions_by_default_and_makes_no_topic_unasked(stack: Stack):
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.addresses().kafka)
    await admin.start()
    try:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
        settings = {setting[0]: setting[1] for setting in answer.resources[0][4]}
    finally:
        await admin.close()
    assert settings["num.partitions"] == "8"
    assert settings["auto.create.topics.enable"] == "false"


async def test_postgres_answers_as_baton_in_utf8_and_utc(stack: Stack):
    assert await ask(stack.addresses(), "SELECT current_user || '/' || current_database()") == "baton/baton"
    assert await ask(stack.addresses(), "SHOW server_encoding") == "UTF8"
    assert await ask(stack.addresses(), "SHOW timezone") == "UTC"
    assert await ask(stack.addresses(), "SELECT rolsuper FROM pg_roles WHERE rolname = 'baton'") is True


async def test_redis_answers_keeps_every_write_and_evicts_nothing(stack: Stack):
    async with Redis.from_url(stack.addresses().redis, decode_responses=True) as redis:
        assert await redis.ping()
        assert await redis.config_get("appendonly") == {"appendonly": "yes"}
        assert await redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


async def test_killed_kafka_comes_back_with_its_data_at_the_same_address(stack: Stack):
    before = stack.addresses()
    await topic(before, "kept")
    await produce(before, "kept", b"1", b"2", b"3")
    stack.kill("kafka")
    assert stack.dead() == "kafka"
    stack.restart("kafka")
    assert stack.dead() is None
    assert stack.addresses() == before
    await produce(before, "kept", b"4")
    assert await consume(before, "kept", 4) == [b"1", b"2", b"3", b"4"]


async def test_killed_postgres_comes_back_with_its_data_at_the_same_address(stack: Stack):
    before = stack.addresses()
    await ask(before, "CREATE TABLE kept AS SELECT 7 AS n")
    stack.kill("postgres")
    assert stack.dead() == "postgres"
    stack.restart("postgres")
    assert stack.addresses() == before
    assert await ask(before, "SELECT n FROM kept") == 7


async def test_killed_redis_comes_back_with_its_data_at_the_same_address(stack: Stack):
    before = stack.addresses()
    async with Redis.from_url(before.redis) as redis:
        await redis.set("kept", "7")
    stack.kill("redis")
    assert stack.dead() == "redis"
    stack.restart("redis")
    assert stack.addresses() == before
    async with Redis.from_url(before.redis) as redis:
        assert await redis.get("kept") == b"7"


def test_restart_of_a_server_that_runs_stops_it_first(stack: Stack):
    before = processes(stack.home)
    stack.restart("redis")
    after = processes(stack.home)
    assert before["redis"] not in after.values()
    assert alive(after) == {"kafka", "postgres", "redis"}


def test_each_server_has_a_process_group_of_its_own(stack: Stack):
    groups = {os.getpgid(pid) for pid, _ in processes(stack.home).values()}
    assert len(groups) == 3
    assert os.getpgid(0) not in groups


def test_second_start_is_refused_and_finds_the_first(stack: Stack):
    found = running(stack.home)
    assert found
    assert found["ready"]
    assert (found["pid"], Addresses(**found["addresses"])) == (os.getpid(), stack.addresses())
    with pytest.raises(StackError, match="already runs in"):
        Stack(stack.home, say=print, ports=FREE, environ=OWN).start()
    assert alive(processes(stack.home)) == {"kafka", "postgres", "redis"}


async def test_next_start_finds_data_and_ports_of_the_last(tmp_path: Path):
    with Stack(tmp_path, say=print, ports=FREE, environ=OWN) as first:
        before, children = first.addresses(), processes(tmp_path)
        await topic(before, "kept")
        await produce(before, "kept", b"1")
        await ask(before, "CREATE TABLE kept AS SELECT 7 AS n")
    assert alive(children) == set()
    assert running(tmp_path) is None
    with Stack(tmp_path, say=print, ports=FREE, environ=OWN) as second:
        assert second.addresses() == before
        assert await consume(before, "kept", 1) == [b"1"]
        assert await ask(before, "SELECT n FROM kept") == 7


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's death signal is Linux's")
def test_killed_supervisor_leaves_no_server_and_the_next_starts(tmp_path: Path, supervisor: subprocess.Popen[str]):
    children = processes(tmp_path)
    assert alive(children) == {"kafka", "postgres", "redis"}
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not alive(children))
    assert running(tmp_path) is None
    with Stack(tmp_path, say=print, ports=FREE, environ=OWN) as following:
        assert following.dead() is None


def test_interrupt_from_the_terminal_reaches_the_supervisor_only(tmp_path: Path, supervisor: subprocess.Popen[str]):
    children = processes(tmp_path)
    os.killpg(supervisor.pid, signal.SIGINT)
    assert supervisor.stdout
    assert supervisor.stdout.readline() == "interrupted dead: None\n"
    assert supervisor.wait(60) == 0
    assert alive(children) == set()
