"""The whole service as a process: Kafka in, Postgres, Kafka out, clocks that fire, kills that change nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.handoff.settings import HandoffSettings
from shared.kit.auth import token_hash
from shared.kit.kafka import KafkaPublisher, Outgoing
from shared.schemas.policies import SlaPolicy
from shared.schemas.policies.sla import LeadClass
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_ROUTED, POLICIES, dead_letters

pytestmark = pytest.mark.servers

DEADLINE = 60  # seconds until a condition that never comes is a failure


class Service:
    """`python -m services.handoff` on real servers."""

    def __init__(self, environment, port):
        self._environment, self.url = environment, f"http://127.0.0.1:{port}"
        self.process = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.handoff", env=os.environ | self._environment
        )
        async with httpx.AsyncClient() as client:
            await until(lambda: self._ready(client))

    async def _ready(self, client):
        assert self.process.returncode is None, "the service ended"
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self, how=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.process.wait()


async def until(condition):
    """Wait for a condition; fail after the deadline."""
    end = time.monotonic() + DEADLINE
    while True:
        if result := await condition():
            return result
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.02)


class Topic:
    """Everything of a topic that belongs to a tenant, from the beginning."""

    def __init__(self, bootstrap, name, tenant):
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._name, self._tenant, self.records = name, tenant.encode() + b"/", []

    async def start(self):
        await self._consumer.start()
        await self._consumer._client.force_metadata_update()
        self._consumer._client.add_topic(self._name)
        partitions = [TopicPartition(self._name, p) for p in await self._partitions()]
        self._consumer.assign(partitions)

    async def _partitions(self):
        return await until(self._known_partitions)

    async def _known_partitions(self):
        await self._consumer._client.force_metadata_update()
        return self._consumer._client.cluster.partitions_for_topic(self._name)

    async def read(self):
        for records in (await self._consumer.getmany(timeout_ms=50)).values():
            self.records += [record for record in records if record.key.startswith(self._tenant)]
        return self.records

    async def kinds(self):
        return [orjson.loads(record.value)["kind"] for record in await self.read()]

    async def stop(self):
        await self._consumer.stop()


@pytest.fixture
async def kafka(kafka_url):
    publisher = KafkaPublisher(kafka_url)
    await publisher.start()
    yield publisher
    await publisher.stop()


@pytest.fixture
async def service(kafka_url, database_url, identity_secret, free_port):
    made = Service(
        {
            "KAFKA_BOOTSTRAP_SERVERS": kafka_url,
            "DATABASE_URL": database_url,
            "IDENTITY_SECRET": identity_secret,
            "HANDOFF_PORT": str(free_port),
            "HANDOFF_POLICY_WAIT_SECONDS": "10",
        },
        free_port,
    )
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def events(kafka_url, world):
    topic = Topic(kafka_url, HANDOFF_EVENTS.name, world.tenant)
    await topic.start()
    yield topic
    await topic.stop()


async def tell(kafka, *records):
    topic = LEAD_ROUTED.name
    await kafka.publish([Outgoing(topic, record.key(), record.model_dump_json().encode()) for record in records])


async def apply(kafka, publish, tenant, policy, sequence=1):
    message = publish(tenant, sequence, policy)
    await kafka.publish([Outgoing(POLICIES.name, message.key, message.value)])


def sla(accept, first_touch):
    return SlaPolicy(default=LeadClass(id="score", accept=accept, first_touch=first_touch))


@pytest.fixture
async def api(service, world, owner):
    token = f"token-{world.tenant}"
    await owner.execute(
        "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'crm', '{api}')",
        world.tenant,
        token_hash(token),
    )
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:
        yield client


def of_today(world, lead, **more):
    """The router speaks of real time here, as the service's clock is the real one."""
    return world.routed(lead, qualifying_at=round(time.time() * 1000), **more)


async def test_a_routed_lead_is_offered_accepted_touched_and_all_of_it_is_told(
    service, kafka, api, events, world, publish
):
    await apply(kafka, publish, world.tenant, sla(600, 3600))
    await tell(kafka, of_today(world, "lead-1"))

    async def visible():
        return (await api.get("/v1/opportunities", params={"lead_id": "lead-1"})).json()["items"]

    [item] = await until(visible)
    path = f"/v1/opportunities/{item['id']}"
    assert (await api.post(f"{path}/accept", json={"rep_id": "sato"})).status_code == 200
    assert (await api.post(f"{path}/activities", json={"type": "call_connected"})).status_code == 200

    expected = [
        "stage-changed", "offer-opened", "offer-accepted", "clock-met", "stage-changed", "activity-logged", "clock-met",
    ]  # fmt: skip

    async def told():
        return len(await events.kinds()) >= len(expected)

    await until(told)
    assert await events.kinds() == expected
    metrics = (await api.get("/metrics")).text
    assert 'baton_handoff_offers_total{outcome="accepted"}' in metrics
    assert 'baton_handoff_clocks_ended_total{kind="first_touch",outcome="met"}' in metrics


async def test_an_offer_that_nobody_accepts_expires_and_the_router_hears_of_it(service, kafka, events, world, publish):
    await apply(kafka, publish, world.tenant, sla(1, 3600))
    await tell(kafka, of_today(world, "lead-1"))

    async def expired():
        return "offer-expired" in await events.kinds()

    await until(expired)
    assert await events.kinds() == ["stage-changed", "offer-opened", "clock-breached", "offer-expired"]
    # As the router would answer: somebody else, with a new clock.
    await tell(kafka, of_today(world, "lead-1", assignment=2, rep="tanaka"))

    async def reopened():
        return (await events.kinds()).count("offer-opened") == 2

    await until(reopened)


async def test_kills_in_the_middle_lose_and_double_nothing(service, kafka, events, world, publish):
    await apply(kafka, publish, world.tenant, sla(1, 3600))
    leads = [f"lead-{n:03}" for n in range(200)]
    for half in (leads[:100], leads[100:]):  # each kill costs the ten seconds until the group gives the dead member up
        await tell(kafka, *(of_today(world, lead) for lead in half))
        await service.stop(signal.SIGKILL)
        await service.start()

    async def settled():
        return len({record.key for record in await events.read() if b"offer-expired" in record.value}) == len(leads)

    await until(settled)
    offers = await world.offers()
    assert len(offers) == len(leads)
    assert {state for _, _, state in offers} == {"expired"}
    told = {}
    for record in events.records:
        event = orjson.loads(record.value)
        known = told.setdefault(event["event_id"], (event, record.key))
        assert known == (event, record.key)  # what is told again is the same
    assert len(told) == 4 * len(leads)


async def test_what_cannot_be_applied_goes_to_the_dead_letters_and_stops_nobody_else(
    service, kafka, kafka_url, api, world, publish
):
    letters = Topic(kafka_url, dead_letters(LEAD_ROUTED).name, world.tenant)
    await letters.start()
    await apply(kafka, publish, world.tenant, sla(600, 3600))
    lawless = f"{world.tenant}/no-policy"
    stranger = of_today(world, "lead-x").model_copy(update={"tenant": f"{world.tenant}-none"})
    await kafka.publish([Outgoing(LEAD_ROUTED.name, lawless.encode(), stranger.model_dump_json().encode())])
    await kafka.publish([Outgoing(LEAD_ROUTED.name, world.routed("lead-1").key(), b"{broken")])
    await tell(kafka, of_today(world, "lead-1"))

    async def visible():
        return (await api.get("/v1/opportunities", params={"lead_id": "lead-1"})).json()["items"]

    await until(visible)

    async def both():
        return len(await letters.read()) == 2

    await until(both)
    reasons = {dict(record.headers)["baton-reason"] for record in letters.records}
    assert reasons == {b"no_policy", b"unreadable"}
    await letters.stop()


async def test_the_service_stops_cleanly_when_told_to(service):
    assert await service.stop() == 0


async def test_a_missing_setting_is_said_in_one_sentence():
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "IDENTITY_SECRET")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.handoff",
        env=environment | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert "DATABASE_URL" in said.decode()
    assert "Traceback" not in said.decode()


def test_every_setting_of_handoff_stands_in_its_readme():
    with open("services/handoff/README.md", encoding="utf-8") as file:
        readme = file.read()
    assert not [
        name for name in HandoffSettings.model_fields if name.startswith("handoff_") and name.upper() not in readme
    ]
