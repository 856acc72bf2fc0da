"""The whole service as a process: Kafka in, Postgres, Kafka out; kills change nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kit.kafka import EMBEDDED_PARTITIONS, KafkaPublisher, Outgoing
from shared.schemas.policies import PolicyPublished
from shared.schemas.routing import LeadRouted
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_ROUTED, LEAD_SCORED, POLICIES, dead_letters

pytestmark = pytest.mark.servers

DEADLINE = 90  # seconds until a condition that never comes is a failure


async def until(condition):
    """What `condition` gives once it gives something; fails after the deadline."""
    end = time.monotonic() + DEADLINE
    while not (result := await condition()):
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.05)
    return result


class Service:
    """`python -m services.router` on real servers."""

    def __init__(self, environment, port):
        self._environment, self.url, self.process = environment, f"http://127.0.0.1:{port}", None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.router", env=os.environ | self._environment
        )
        await until(self._ready)

    async def _ready(self):
        assert self.process.returncode is None, "the service ended"
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.url}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

    async def stop(self, how=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.process.wait()


class Topic:
    """Everything of a topic that belongs to a tenant, from the beginning."""

    def __init__(self, bootstrap, name, tenant):
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._partitions = [TopicPartition(name, number) for number in range(EMBEDDED_PARTITIONS)]
        self._mine, self.records = f"{tenant}/".encode(), []

    async def start(self):
        await self._consumer.start()
        self._consumer.assign(self._partitions)

    async def read(self):
        for records in (await self._consumer.getmany(timeout_ms=50)).values():
            self.records += [record for record in records if record.key.startswith(self._mine)]
        return self.records

    async def at_least(self, number):
        async def enough():
            return len(await self.read()) >= number

        await until(enough)
        return self.records

    async def stop(self):
        await self._consumer.stop()


@pytest.fixture
async def kafka(kafka_url):
    publisher = KafkaPublisher(kafka_url)
    await publisher.start()
    yield publisher
    await publisher.stop()


@pytest.fixture
def service(kafka_url, database_url, identity_secret, free_port):
    return Service(
        {
            "KAFKA_BOOTSTRAP_SERVERS": kafka_url,
            "DATABASE_URL": database_url,
            "IDENTITY_SECRET": identity_secret,
            "ROUTER_PORT": str(free_port),
            "ROUTER_SWEEP_SECONDS": "0.5",
        },
        free_port,
    )


@pytest.fixture
async def routed(kafka_url, bare_world):
    topic = Topic(kafka_url, LEAD_ROUTED.name, bare_world.tenant)
    await topic.start()
    yield topic
    await topic.stop()


def policy(tenant, sequence, body):
    record = PolicyPublished(
        tenant=tenant, kind=body["kind"], sequence=sequence, hash=str(sequence), body=body, activated_at=1
    )
    return Outgoing(POLICIES.name, record.key(), record.model_dump_json().encode())


def scores(world, number, first=0):
    made = [world.score(f"l{n:03}", hand_raise="demo_requested") for n in range(first, first + number)]
    return [Outgoing(LEAD_SCORED.name, score.key(), score.model_dump_json().encode()) for score in made]


async def test_leads_travel_through_the_process_and_survive_its_death(
    bare_world, kafka, kafka_url, service, routed, policy_bodies
):
    world = bare_world
    try:
        await kafka.publish(scores(world, 10))
        await service.start()
        # No policies yet: the leads wait for them, and nothing is lost when they come.
        for sequence, body in enumerate(policy_bodies.values(), start=1):
            await kafka.publish([policy(world.tenant, sequence, body)])
        assert len(await routed.at_least(10)) == 10
        await kafka.publish([Outgoing(LEAD_SCORED.name, f"{world.tenant}/x".encode(), b"not a score")])
        for batch in range(1, 6):
            await kafka.publish(scores(world, 10, 10 * batch))
            if batch % 2:
                await service.stop(signal.SIGKILL)
                await service.start()
        first = LeadRouted.model_validate_json((await routed.at_least(60))[0].value)
        declined = world.event(first, "offer-declined", reason="at_capacity", effect="reroute")
        await kafka.publish([Outgoing(HANDOFF_EVENTS.name, declined.key(), declined.model_dump_json().encode())])
        mine = first.lead_id

        async def rerouted():
            records = [LeadRouted.model_validate_json(record.value) for record in await routed.read()]
            return [record for record in records if record.lead_id == mine and record.assignment == 2]

        [again, *_] = await until(rerouted)
        assert again.rep_id != first.rep_id
        assert again.replaces == 1
        assert again.reasons
        owners = {}
        for record in routed.records:
            told = LeadRouted.model_validate_json(record.value)
            assert owners.setdefault((told.lead_id, told.assignment), told) == told, "said twice, and not the same"
        counts = [
            sum(told.rep_id == rep for (_, n), told in owners.items() if n == 1) for rep in ("sato", "tanaka", "mori")
        ]
        assert counts == [20, 20, 20]
        letters = Topic(kafka_url, dead_letters(LEAD_SCORED).name, world.tenant)
        await letters.start()
        found = [dict(letter.headers) for letter in await letters.at_least(1)]
        assert {letter["baton-reason"] for letter in found} == {b"unreadable"}
        assert len({letter["baton-source"] for letter in found}) == 1, (
            "one record, said again after a death at the most"
        )
        await letters.stop()
        assert await service.stop() == 0
    finally:
        if service.process:
            await service.stop(signal.SIGKILL)


async def test_a_missing_setting_is_told_in_one_sentence():
    needed = {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "IDENTITY_SECRET"}
    bare = {name: value for name, value in os.environ.items() if name not in needed}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.router", env=bare, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"router cannot start: settings" in said
    assert b"Traceback" not in said
