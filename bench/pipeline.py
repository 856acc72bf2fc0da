"""The whole way: from the webhook until the opportunity is visible in the API, everything on one machine.

200 events a second, each a request of its own: one in ten is the demo request of somebody new, whose way is measured from
before the request until the list of opportunities, asked every 10 ms, shows it (so up to 10 ms are the measuring); four are
page views of people who are known, so that scores and the router have work; five are anonymous. Beside it the Kafka round trip
at the same rate right before and after, while the services idle.
"""

from __future__ import annotations

import asyncio
import base64
import time
from contextlib import AsyncExitStack, ExitStack

import orjson
import uvloop

from bench import setup
from bench.harness import Process, Row, percentile, row, say, servers
from bench.load import Client, request
from bench.round_trip import round_trips, shown, ticks
from shared.schemas import ids

PER_SECOND, SECONDS, SETTLING = 200, 30, 6
ONE_IN = 10
POLL_SECONDS = 0.010
PATIENCE_SECONDS = 60
KNOWN, VISITORS = 500, 500


def measure() -> list[Row]:
    with servers() as env, ExitStack() as closing:
        key = uvloop.run(setup.prepare(env))
        urls = {service: f"http://127.0.0.1:{port}" for service, port in setup.ports().items()}
        env |= {f"{service.upper()}_PORT": url.rpartition(":")[2] for service, url in urls.items()}
        processes = {name: closing.enter_context(Process(f"services.{name}", env=env)) for name in urls}
        for name, process in processes.items():
            process.wait_ready(f"{urls[name]}/readyz")
        say("all services are ready")
        bootstrap = env["KAFKA_BOOTSTRAP_SERVERS"]
        baseline = uvloop.run(round_trips(bootstrap, PER_SECOND, SECONDS / 3))
        before = {name: process.cpu_seconds() for name, process in processes.items()}
        seen = uvloop.run(_drive(urls, key, env["IDENTITY_SECRET"].encode()))
        for name, process in processes.items():
            used = (process.cpu_seconds() - before[name]) / (SECONDS + SETTLING)
            say(f"{name}: {used:.0%} of a processor")
        baseline += uvloop.run(round_trips(bootstrap, PER_SECOND, SECONDS / 3))
    return [
        row(
            f"webhook → opportunity visible in the API, {PER_SECOND} events/s, {label}",
            percentile(seen, share),
            "ms",
            percentile(baseline, share),
        )
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]


async def _drive(urls: dict[str, str], key: str, secret: bytes) -> list[float]:
    """Milliseconds of each measured way."""
    headers = {
        "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
        "Content-Type": "application/json",
    }
    bearer = {"Authorization": f"Bearer {setup.TOKEN}"}
    tenant_secret = ids.tenant_secret(secret, setup.TENANT)
    seen: list[float] = []
    async with AsyncExitStack() as closing:
        ingest = await closing.enter_async_context(Client(urls["ingest"]))
        handoff = await closing.enter_async_context(Client(urls["handoff"]))

        async def one(number: int, data: bytes, find: bytes) -> None:
            started = time.perf_counter()
            answer = orjson.loads(await ingest.call(data))
            if answer["accepted"] != 1:
                raise RuntimeError(f"event {number} was not accepted: {answer}")
            if not find:
                return
            while not orjson.loads(await handoff.call(find))["items"]:
                if time.perf_counter() - started > PATIENCE_SECONDS:
                    raise RuntimeError(f"event {number} made no opportunity within {PATIENCE_SECONDS} s")
                await asyncio.sleep(POLL_SECONDS)
            if number >= SETTLING * PER_SECOND:
                seen.append((time.perf_counter() - started) * 1000)

        async with asyncio.TaskGroup() as tasks:
            async for number in ticks(PER_SECOND, PER_SECOND * (SETTLING + SECONDS)):
                data = request("POST", urls["ingest"] + "/v1/track", headers, orjson.dumps(_event(number)))
                find = b""
                if number % ONE_IN == 0:
                    lead = ids.lead_id(ids.identity_id(tenant_secret, setup.TENANT, "email", _mail(number)))
                    find = request("GET", f"{urls['handoff']}/v1/opportunities?lead_id={lead}", bearer)
                tasks.create_task(one(number, data, find))
    say(f"webhook → opportunity at {PER_SECOND}/s: {shown(seen)}")
    return seen


def _mail(number: int) -> str:
    return f"person{number}@company{number}.example"


def _event(number: int) -> dict[str, object]:
    event: dict[str, object] = {"messageId": f"pipeline-{number}"}
    if number % ONE_IN == 0:
        traits = {"email": _mail(number), "title": "部長", "company": {"name": f"Company {number}", "employees": 1200}}
        answers = {"budget": "approved", "authority": "decision maker", "need": "speed", "timeline": "3 months"}
        return event | {"event": "Demo Requested", "properties": answers, "context": {"traits": traits}}
    if number % 2:
        return event | {"event": "Whitepaper Downloaded", "anonymousId": f"visitor-{number % VISITORS}"}
    page = {"path": f"/papers/{number % 40}", "topic": "routing"}
    return event | {"event": "Page Viewed", "userId": f"user-{number % KNOWN}", "properties": page}
