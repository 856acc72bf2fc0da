"""A signed webhook, from the request until its answer: verified, claimed, acknowledged by Kafka. 200 a second, each of its own.

Beside it the Kafka round trip at the same rate. Senders give up after 3 to 5 s, and Intercom serves addresses slower than 500 ms
last; the goal is a p99 below 250 ms.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time

import orjson
import uvloop

from baton.stack.ports import free_port
from bench.harness import Process, Row, percentile, row, say, servers
from bench.load import Client, request
from bench.round_trip import round_trips, shown, ticks
from shared.kit.kafka import KafkaPublisher, Outgoing, ensure_topics
from shared.schemas.base import record_key

PER_SECOND, SECONDS, SETTLING = 200, 20, 4
TENANT, SOURCE = "bench", "hooks"
SECRET = b"bench-webhook-secret-of-32-bytes"


def measure() -> list[Row]:
    with servers() as env:
        env["BENCH_SECRET"] = "whsec_" + base64.b64encode(SECRET).decode()
        bootstrap = env["KAFKA_BOOTSTRAP_SERVERS"]
        uvloop.run(_prepare(bootstrap))
        port = free_port()
        env["INGEST_PORT"], url = str(port), f"http://127.0.0.1:{port}"
        with Process("services.ingest", env=env, ready=f"{url}/readyz") as ingest:
            baseline = uvloop.run(round_trips(bootstrap, PER_SECOND, SECONDS / 3))
            before = ingest.cpu_seconds()
            answered = uvloop.run(_drive(url))
            say(f"ingest: {(ingest.cpu_seconds() - before) / (SECONDS + SETTLING):.0%} of a processor")
    return [
        row(
            f"signed webhook until answered, {PER_SECOND}/s, {label}",
            percentile(answered, share),
            "ms",
            percentile(baseline, share),
        )
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]


async def _prepare(bootstrap: str) -> None:
    """Topics, and a tenant with one source."""
    await ensure_topics(bootstrap)
    source = {"id": SOURCE, "kind": "standard_webhooks", "secrets": [{"id": "only", "value": "env:BENCH_SECRET"}]}
    policy = {
        "record": "policy",
        "tenant": TENANT,
        "kind": "sources",
        "sequence": 1,
        "hash": "1",
        "body": {"kind": "sources", "sources": [source]},
        "activated_at": 1,
    }
    publisher = KafkaPublisher(bootstrap)
    await publisher.start()
    await publisher.publish([Outgoing("policies", record_key(TENANT, "sources"), orjson.dumps(policy))])
    await publisher.stop()


async def _drive(url: str) -> list[float]:
    """Milliseconds of each request after the first few seconds."""
    answered: list[float] = []
    async with Client(url) as client:

        async def one(number: int) -> None:
            data = _signed(url, number)
            started = time.perf_counter()
            answer = orjson.loads(await client.call(data))
            if answer["accepted"] != 1:
                raise RuntimeError(f"webhook {number} was not accepted: {answer}")
            if number >= SETTLING * PER_SECOND:
                answered.append((time.perf_counter() - started) * 1000)

        async with asyncio.TaskGroup() as tasks:
            async for number in ticks(PER_SECOND, PER_SECOND * (SETTLING + SECONDS)):
                tasks.create_task(one(number))
    say(f"signed webhook at {PER_SECOND}/s: {shown(answered)}")
    return answered


def _signed(url: str, number: int) -> bytes:
    moment, name = int(time.time()), f"msg_{number}"
    body = orjson.dumps(
        {
            "type": "webinar_registered",
            "timestamp": moment,
            "data": {"email": f"person{number}@company{number % 500}.example", "name": "Aiko Example"},
        }
    )
    signed = hmac.digest(SECRET, f"{name}.{moment}.".encode() + body, "sha256")
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(moment),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }
    return request("POST", f"{url}/hooks/{SOURCE}", headers, body)
