"""Servers for the tests: from the URLs where set, from Docker with BATON_TEST_SERVERS=docker, else the embedded stack.

A test that needs them never skips for want of them: it fails, and says why. What is absent otherwise (a data set,
Docker, promtool) is skipped by name, and the skips are counted at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from baton.migrations import upgrade
from baton.stack import ports
from shared.kit import database, kafka
from shared.kit.kafka import ensure_topics
from shared.kit.mended import mend

if TYPE_CHECKING:
    from baton.stack import Stack

ROOT = Path(__file__).parent.parent
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
FREE_PORTS = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)
IDENTITY_SECRET = "test-identity-secret-of-at-least-32-bytes"

# No deadlines, no complaint of slow data: a busy machine is no failure. In CI the examples are the same each time.
# `--hypothesis-profile` chooses: "quick" is for every edit (`make check`), "thorough" for `make test`. Histories that tests
# make without Hypothesis are as many as its examples, or some times as many.
EXAMPLES = {"quick": 20, "thorough": 75}
for name, examples in EXAMPLES.items():
    settings.register_profile(
        name,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=bool(os.environ.get("CI")),
        max_examples=examples,
    )
settings.load_profile("quick")
mend()  # as in the process of a service

# What gives up soon, for the sake of somebody who waits, gives up late in the process of a test.
database.ACQUIRE_SECONDS = 120
kafka.LAST_COMMIT_SECONDS = kafka.READING_SECONDS = 60
# Workers that run side by side choose among other ports.
ports.FALLBACK = ports.FALLBACK[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) :: WORKERS]


# What `make test` begins late, each minutes of work that cannot be divided: what shares a Baton that it starts, which runs until
# its worker ends, and then what makes a world of its own to hurt.
SHARED = {
    "tests/integration/cli/": "cli",
    "tests/e2e/test_one_lead.py": "e2e",
    "tests/e2e/test_the_caveats.py": "e2e",
    "tests/e2e/test_the_whole_story.py": "e2e",
    "tests/e2e/test_under_fire.py": "e2e",
}


class Together(LoadFileScheduling):
    """What shares a Baton, or else a module, goes to one worker, in the order in which workers collect."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist: in the order in which groups are to be begun, those of many tests first."""
    groups = {item: _group(item.nodeid.partition("::")[0]) for item in items}
    sizes = Counter(groups.values())
    if "PYTEST_XDIST_WORKER" not in os.environ or sizes.keys().isdisjoint(SHARED.values()):
        return

    def order(item: pytest.Item) -> tuple[int, int, str]:
        group = groups[item]
        late = 1 if group in SHARED.values() else 2 if group.startswith("tests/e2e/") else 0
        return late, -sizes[group], group

    items.sort(key=order)


def _group(path: str) -> str:
    return next((group for start, group in SHARED.items() if path.startswith(start)), path)


@dataclass(frozen=True, slots=True)
class Servers:
    kafka: str
    database: str
    redis: str


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Addresses of a real Kafka, Postgres and Redis."""
    with ExitStack() as closing:
        yield (
            _docker(closing)
            if os.environ.get("BATON_TEST_SERVERS") == "docker"
            else _embedded(tmp_path_factory, closing)
        )


def _embedded(tmp_path_factory: pytest.TempPathFactory, closing: ExitStack) -> Servers:
    from baton.stack import Stack

    stack = Stack(tmp_path_factory.mktemp("stack"), say=lambda line: sys.stderr.write(f"{line}\n"), ports=FREE_PORTS)
    closing.callback(stack.stop)
    addresses = stack.start()
    return Servers(addresses.kafka, addresses.database, addresses.redis)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker and a Redis that a module may hurt, with the topics made."""
    from baton.stack import Stack

    own = {name: value for name, value in os.environ.items() if not name.endswith(("_SERVERS", "_URL"))}
    stack = Stack(
        tmp_path_factory.mktemp("hurt"),
        say=lambda line: None,
        ports=FREE_PORTS,
        environ=own | {"DATABASE_URL": "postgresql://is.not.needed/here"},
    )
    with stack:
        asyncio.run(ensure_topics(stack.addresses().kafka))
        yield stack


def _docker(closing: ExitStack) -> Servers:
    from testcontainers.community.kafka import KafkaContainer
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.community.redis import RedisContainer

    kafka = closing.enter_context(
        KafkaContainer("confluentinc/cp-kafka:7.6.0").with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    )
    postgres = closing.enter_context(PostgresContainer("postgres:17", username="baton", dbname="baton", driver=None))
    redis = closing.enter_context(RedisContainer("redis:7"))
    return Servers(
        kafka.get_bootstrap_server(),
        postgres.get_connection_url(),
        f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0",
    )


@pytest.fixture(scope="session")
def kafka_url(servers: Servers) -> str:
    """Bootstrap servers; the topics of the registry exist."""
    asyncio.run(ensure_topics(servers.kafka))
    return servers.kafka


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    return servers.redis


@pytest.fixture(scope="session")
def database_url(servers: Servers) -> Iterator[str]:
    """A fresh, migrated database of this session's own."""
    name = f"baton_test_{uuid4().hex[:10]}"
    asyncio.run(_execute(servers.database, f'CREATE DATABASE "{name}"'))
    url = urlunsplit(urlsplit(servers.database)._replace(path=f"/{name}"))
    upgrade(url)
    yield url
    asyncio.run(_execute(servers.database, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _whole(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.set_topics([topic])
        while not (
            numbers := consumer.partitions_for_topic(topic)
        ):  # a broker that just came back knows no leaders yet
            await asyncio.sleep(0.1)
            await consumer._client.force_metadata_update()
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await consumer.stop()


@pytest.fixture(scope="session")
def whole_topic() -> Callable[[str, str], Awaitable[list[ConsumerRecord]]]:
    """Reads all that stands in a topic now: (bootstrap servers, topic), in the order of each partition."""
    return _whole


@pytest.fixture
def tenant() -> str:
    """A tenant of this test's own."""
    return f"t-{uuid4().hex[:8]}"


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    return ports.free_port()


@pytest.fixture(scope="session")
def identity_secret() -> str:
    return IDENTITY_SECRET


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say by name what was not tested here."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = {
            str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
            for report in skipped
        }
        terminalreporter.write_line(f"{len(skipped)} tests skipped: " + "; ".join(sorted(reasons)))
