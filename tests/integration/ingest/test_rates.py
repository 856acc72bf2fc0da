"""How often a source may call, and which sites may: refused early, cheaply, and never because Redis is away."""

from __future__ import annotations

import asyncio
import hmac
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.domain.refusals import Refused
from services.ingest.doors import rates as module
from services.ingest.doors.rates import Rates, rates_redis
from services.ingest.request import Request
from services.ingest.senders import TRACKERS, WEBHOOKS
from services.ingest.sources import Registered, Sources
from shared.schemas.policies import SourcesPolicy
from shared.schemas.policies.sources import Rate

pytestmark = pytest.mark.servers

EVENT = {"event": "x", "userId": "u-1"}
HOUR = 1 / 3600  # calls a second: nothing comes back while a test runs


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = rates_redis(urlunsplit(urlsplit(redis_url)._replace(path="/9")))
    yield client
    await client.aclose()


def source(tenant: str, per_second: float, burst: int, source_id: str = "web") -> Registered:
    sources = Sources(b"a master secret of 32 bytes or more", {})
    sources.load(
        tenant, SourcesPolicy.model_validate({"sources": [{"id": source_id, "write_keys": [f"{tenant}-key"]}]})
    )
    known = sources.named(source_id, tenant)
    assert known
    return replace(known, rate=Rate(per_second=per_second, burst=burst))


async def count(rates: Rates, known: Registered, calls: int) -> int:
    """How many of so many calls get in."""
    admitted = 0
    for _ in range(calls):
        try:
            await rates.admit(known)
            admitted += 1
        except Refused:
            pass
    return admitted


async def test_a_burst_passes_and_not_one_more(redis: Redis, tenant: str) -> None:
    known = source(tenant, HOUR, 5)
    assert await count(Rates(redis), known, 20) == 5


async def test_whoever_is_refused_hears_when_to_come_again(redis: Redis, tenant: str) -> None:
    rates, known = Rates(redis), source(tenant, HOUR, 1)
    await rates.admit(known)
    with pytest.raises(Refused) as refused:
        await rates.admit(known, status=503)
    assert (refused.value.code, refused.value.status) == ("rate_limited", 503)
    assert 3500 < refused.value.retry_after <= 3600


async def test_a_source_comes_back_at_its_rate(redis: Redis, tenant: str) -> None:
    rates, known = Rates(redis), source(tenant, 20, 1)
    await rates.admit(known)
    async with asyncio.timeout(30):
        while await count(rates, known, 1) == 0:
            await asyncio.sleep(0.01)


async def test_refused_calls_are_not_counted_against_the_source(redis: Redis, tenant: str) -> None:
    """Else a client that knocks ten times a second would be locked out for ever."""
    rates, known = Rates(redis), source(tenant, HOUR, 1)
    await rates.admit(known)
    await count(rates, known, 50)
    with pytest.raises(Refused) as refused:
        await rates.admit(known)
    assert 3500 < refused.value.retry_after <= 3600


async def test_processes_count_together_and_sources_apart(redis: Redis, tenant: str) -> None:
    one, other = Rates(redis), Rates(redis)
    known = source(tenant, HOUR, 4)
    assert await count(one, known, 3) + await count(other, known, 3) == 4
    assert await count(one, source(tenant, HOUR, 4, "app"), 6) == 4
    assert await count(one, source(f"{tenant}-b", HOUR, 4), 6) == 4


async def test_a_faster_rate_in_the_policy_counts_at_once(redis: Redis, tenant: str) -> None:
    rates = Rates(redis)
    await count(rates, source(tenant, HOUR, 10), 10)
    faster = source(tenant, 1000, 1)
    async with asyncio.timeout(30):
        while await count(rates, faster, 1) == 0:
            await asyncio.sleep(0.01)


async def test_without_a_rate_nobody_is_asked() -> None:
    gone = rates_redis("redis://127.0.0.1:1/0")
    await Rates(gone).admit(replace(source("t", 1, 1), rate=None))
    await gone.aclose()


async def test_while_redis_is_away_everything_passes(tenant: str) -> None:
    gone = rates_redis("redis://127.0.0.1:1/0")
    assert await count(Rates(gone), source(tenant, HOUR, 1), 10) == 10
    await gone.aclose()


async def test_a_redis_that_does_not_answer_costs_its_budget_once(tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    monkeypatch.setattr(module, "BUDGET_SECONDS", 0.5)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 3600)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    client = rates_redis(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    assert await count(Rates(client), source(tenant, HOUR, 1), 10) == 10
    assert asked == 1
    await client.aclose()
    server.close()


def limited(tenant: str, **more: Any) -> dict[str, Any]:
    return {
        "sources": [{"id": "web", "write_keys": [f"{tenant}-web"], "rate": {"per_second": HOUR, "burst": 2}} | more]
    }


@pytest.mark.parametrize("where", ["header", "body"])
async def test_too_many_tracking_calls_are_429_and_are_no_rejects(start, tenant, where) -> None:
    ingest = await start(limited(tenant))
    headers = {"X-Write-Key": ingest.key} if where == "header" else {}
    body = orjson.dumps(EVENT | {"writeKey": ingest.key})
    answers = [
        await ingest.http.post(
            f"{ingest.url}/v1/track", content=body, headers=headers | {"Origin": "https://a.example"}
        )
        for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert 3500 < int(answers[2].headers["retry-after"]) <= 3600
    assert answers[2].headers["access-control-allow-origin"] == "https://a.example", "a page can read why"
    assert await ingest.written("ingest-rejected") == []
    assert 'baton_ingest_shed_total{reason="rate"}' in (await ingest.http.get(f"{ingest.url}/metrics")).text


async def test_a_site_that_is_not_listed_is_refused_and_kept_as_a_reject(start, tenant) -> None:
    ingest = await start(limited(tenant, rate=None, origins=["https://www.hinode.example", "https://日の出.example"]))

    async def status(origin: str | None) -> int:
        answer = await ingest.send("track", EVENT, headers={"Origin": origin} if origin else {})
        assert ("access-control-allow-origin" in answer.headers) == (answer.status_code == 200 and origin is not None)
        return answer.status_code

    assert await status(None) == 200, "servers have no origin"
    assert await status("https://www.hinode.example") == 200
    assert await status("https://xn--u9jx32h9un.example") == 200, "as browsers write it"
    assert [await status(origin) for origin in ("https://evil.example", "null", "http://www.hinode.example")] == [
        403
    ] * 3
    assert [record["code"] for record in await ingest.written("ingest-rejected")] == ["origin_not_allowed"] * 3


async def test_browsers_are_told_before_they_ask_what_they_may_send(ingest) -> None:
    answer = await ingest.http.options(
        f"{ingest.url}/v1/batch",
        headers={
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "anonymousid,content-type",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert "anonymousid" in answer.headers["access-control-allow-headers"]
    assert {"X-Write-Key", "Authorization"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_webhook_that_comes_too_often_is_503_and_what_is_not_signed_uses_nothing_up(
    start, tenant, monkeypatch
) -> None:
    secret = b"a secret of the sender"
    monkeypatch.setenv("TEST_HOOK_SECRET", "whsec_" + b64encode(secret).decode())
    source = {"id": "shop", "kind": "standard_webhooks", "rate": {"per_second": HOUR, "burst": 1}}
    ingest = await start({"sources": [source | {"secrets": [{"id": "a", "value": "env:TEST_HOOK_SECRET"}]}]})

    async def send(number: int, key: bytes) -> httpx.Response:
        body, now = orjson.dumps(EVENT), str(int(time.time()))
        signed = f"msg-{number}.{now}.".encode() + body
        signature = "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
        headers = {"webhook-id": f"msg-{number}", "webhook-timestamp": now, "webhook-signature": signature}
        return await ingest.http.post(f"{ingest.url}/hooks/{tenant}/shop", content=body, headers=headers)

    answers = [await send(0, b"a forger's key"), await send(1, secret), await send(2, secret), await send(3, b"forger")]
    assert [answer.status_code for answer in answers] == [401, 200, 503, 401]
    assert 3500 < int(answers[2].headers["retry-after"]) <= 3600


@pytest.mark.parametrize("sender", [*TRACKERS, *WEBHOOKS.values()], ids=lambda sender: type(sender).__name__)
def test_every_sender_hears_when_to_come_again(sender: Any) -> None:
    """However its protocol words a failure."""
    request = Request("POST", "/", b"", [], b"")
    for status in (429, 503):
        answer = sender.failure(request, Refused("rate_limited", "too often", status, retry_after=7))
        assert answer.status == status
        assert (b"retry-after", b"7") in answer.headers


async def test_webhooks_are_not_for_browsers(ingest) -> None:
    answer = await ingest.http.options(f"{ingest.url}/hooks/x", headers={"Origin": "https://a.example"})
    assert answer.status_code == 404
    assert "access-control-allow-origin" not in answer.headers
