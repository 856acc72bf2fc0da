"""Calls as real clients make them, good and bad, over real servers."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from base64 import b64decode, b64encode

import orjson
import pytest
import requests
from segment.analytics.client import Client

from services.ingest.doors import reader as bounds
from shared.schemas.touches import RejectedEvent, Touch

pytestmark = pytest.mark.servers

GOOD = {"type": "track", "event": "Good", "userId": "u-1"}


def send_through_segment(url: str, key: str, *, zipped: bool) -> list[str]:
    """What the real client sends, and what went wrong for it."""
    errors: list[str] = []
    client = Client(key, host=url, gzip=zipped, max_retries=1, on_error=lambda error, _: errors.append(str(error)))
    client.identify(
        "u-1", {"email": "taro@hinode-soft.co.jp", "title": "部長", "company": {"name": "日の出", "employees": 400}}
    )
    client.track("u-1", "Demo Requested", {"budget": float("nan")})
    client.track("u-1", "Demo Requested", {"form": "デモ"})
    client.page("u-1", "Docs", "Pricing", {"url": "https://hinode.example/pricing?secret=1"})
    client.screen("u-1", "App", "Home")
    client.group("u-1", "g-1", {"name": "日の出ソフト", "employees": 400})
    client.alias("a-1", "u-1")
    client.shutdown()
    return errors


@pytest.mark.parametrize("zipped", [False, True])
async def test_the_real_segment_client_is_understood(ingest, zipped):
    errors = await asyncio.to_thread(send_through_segment, ingest.url, ingest.key, zipped=zipped)

    assert errors == []
    touches = await ingest.touches()
    assert sorted(touch["type"] for touch in touches) == [
        "custom",
        "custom",
        "demo_requested",
        "identify",
        "page_viewed",
        "page_viewed",
    ], "all but the one with NaN in it"
    for touch in touches:
        Touch.model_validate_json(touch["_raw"])
        assert touch["clock"] == "kept"
    (page,) = [touch for touch in touches if touch.get("path")]
    assert page["path"] == "/pricing"
    (refused,) = await ingest.written("ingest-rejected")
    assert refused["code"] == "not_a_number"


async def test_the_real_client_sends_a_permanent_refusal_once(ingest):
    """Its retries are what turns a wrong answer into duplicates: count what it does."""
    errors: list[str] = []

    def send() -> None:
        client = Client(
            "nobodys-key", host=ingest.url, max_retries=5, on_error=lambda error, _: errors.append(str(error))
        )
        client.track("u-1", "x")
        client.shutdown()

    await asyncio.to_thread(send)
    assert len(errors) == 1
    assert "unknown_write_key" in errors[0]


async def test_what_is_sent_again_is_a_duplicate_and_stands_once_on_the_topic(ingest):
    body = {"batch": [GOOD | {"messageId": f"m-{n}"} for n in range(3)], "sentAt": "2026-11-21T00:00:00Z"}
    first = await ingest.send("batch", body)
    again = await ingest.send("batch", body | {"batch": [*body["batch"], GOOD | {"messageId": "m-new"}]})

    assert first.json() == {"success": True, "accepted": 3, "duplicate": 0, "rejected": 0}
    assert (again.json()["accepted"], again.json()["duplicate"]) == (1, 3)
    assert [result["status"] for result in again.json()["results"]] == ["duplicate"] * 3
    ids = [touch["event_id"] for touch in await ingest.touches()]
    assert len(ids) == len(set(ids)) == 4


async def test_an_id_that_stands_twice_in_a_batch_counts_once(ingest):
    answer = await ingest.send("batch", {"batch": [GOOD | {"messageId": "same"}, GOOD | {"messageId": "same"}]})
    assert (answer.json()["accepted"], answer.json()["duplicate"]) == (1, 1)
    assert len(await ingest.touches()) == 1


async def test_one_tenants_ids_never_hide_anothers_or_another_sources(ingest):
    for key in (ingest.key, ingest.trusted_key):
        assert (await ingest.send("track", GOOD | {"messageId": "m"}, key=key)).json()["accepted"] == 1


@pytest.mark.parametrize("how", ["header", "basic", "basic without colon", "bearer", "query", "body"])
async def test_the_write_key_may_stand_wherever_senders_put_it(ingest, how):
    key = ingest.key
    headers = {
        "header": {"X-Write-Key": key, "Authorization": "Basic " + b64encode(b"other:").decode()},
        "basic": {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()},
        "basic without colon": {"Authorization": "Basic " + b64encode(key.encode()).decode()},
        "bearer": {"Authorization": f"Bearer {key}"},
        "body": {"Authorization": "Bearer an-oauth-token"},
    }.get(how, {})
    body = GOOD | ({"writeKey": key} if how == "body" else {})
    answer = await ingest.http.post(
        f"{ingest.url}/v1/track" + (f"?writeKey={key}" if how == "query" else ""),
        content=orjson.dumps(body),
        headers=headers,
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8", "image/png", ""])
async def test_the_content_type_is_never_looked_at(ingest, kind):
    answer = await ingest.send("track", GOOD, headers={"Content-Type": kind})
    assert answer.status_code == 200


async def refused(ingest, call, body, **options):
    answer = await ingest.send(call, body, **options)
    assert set(answer.json()) == {"code", "message"}
    assert all(isinstance(value, str) for value in answer.json().values())
    return answer.status_code, answer.json()["code"]


async def test_a_bad_call_gets_a_clear_answer_with_a_stable_code_and_is_kept(ingest):
    bomb = gzip.compress(b"\0" * 50_000_000)
    cases = [
        ("batch", b'{"batch": [', {}, (400, "malformed_json")),
        ("track", b"\xff\xfe", {}, (400, "malformed_json")),
        ("batch", {"batch": 5}, {}, (400, "no_batch")),
        ("batch", b"[" + b"5," * 100 + b"5]", {}, (400, "wrong_type")),
        ("batch", {"batch": [GOOD] * 2501}, {}, (400, "too_many_events")),
        ("track", {"event": "x"}, {}, (400, "no_identity")),
        ("track", {"event": 5, "userId": "u"}, {}, (400, "no_event_name")),
        ("track", GOOD | {"userId": [1]}, {}, (400, "wrong_type")),
        ("track", GOOD | {"properties": {"a": "\0"}}, {}, (400, "nul_character")),
        ("track", GOOD | {"timestamp": "1970-01-01T00:00:00Z"}, {}, (400, "bad_time")),
        ("track", b" " * 10_000_000, {}, (413, "too_large")),
        ("track", bomb, {"headers": {"Content-Encoding": "gzip"}}, (413, "too_large")),
        ("track", b"x", {"headers": {"Content-Encoding": "br"}}, (415, "unsupported_encoding")),
        ("track", b"x", {"headers": {"Content-Encoding": "gzip, gzip"}}, (400, "many_encodings")),
        ("track", b"x", {"headers": {"Content-Encoding": "gzip"}}, (400, "bad_encoding")),
    ]
    for call, body, options, expected in cases:
        assert await refused(ingest, call, body, **options) == expected
    kept = [RejectedEvent.model_validate_json(record["_raw"]) for record in await ingest.written("ingest-rejected")]
    assert sorted(event.code for event in kept) == sorted(code for *_, (_, code) in cases)
    assert all(event.source_id == "web" for event in kept)
    assert {b64decode(event.raw) for event in kept if event.index is None} >= {b'{"batch": [', b"\xff\xfe"}
    assert await ingest.touches() == []


async def test_nobody_is_let_in_without_a_key_and_nothing_is_kept_of_him(ingest):
    for key in ("nobodys", "", "\u00e9".encode("latin-1")):
        answer = await ingest.http.post(
            f"{ingest.url}/v1/track", content=orjson.dumps(GOOD), headers={"X-Write-Key": key}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_write_key")
    answer = await ingest.http.post(f"{ingest.url}/v1/track", content=b"{")
    assert answer.json()["code"] == "malformed_json"
    assert await ingest.written("ingest-rejected") == []


async def test_the_future_is_clamped_and_said_to_be(ingest):
    assert (await ingest.send("track", GOOD | {"timestamp": "2099-01-01T00:00:00Z"})).status_code == 200
    (touch,) = await ingest.touches()
    assert (touch["clock"], touch["at"]) == ("clamped", touch["received_at"])


async def test_a_bad_event_loses_no_neighbour(ingest):
    bad = [5, {"type": "page"}, GOOD | {"timestamp": "1970-01-01"}, GOOD | {"properties": {"x": "\0"}}]
    batch = [GOOD | {"messageId": "a"}, *bad, GOOD | {"messageId": "b"}]
    answer = await ingest.send("batch", json.dumps({"batch": batch}).encode())

    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "accepted": 2,
        "duplicate": 0,
        "rejected": 4,
        "results": [
            {
                "index": index,
                "status": "rejected",
                "code": code,
                "message": answer.json()["results"][index - 1]["message"],
            }
            for index, code in enumerate(["wrong_type", "no_identity", "bad_time", "nul_character"], start=1)
        ],
    }
    assert len(await ingest.touches()) == 2
    assert len(await ingest.written("ingest-rejected")) == 4


async def test_a_client_that_sends_all_before_it_reads_still_sees_the_refusal(ingest):
    """The real HTTP client of most SDKs: a reset in the middle would look like a network error, and be tried again."""
    send = requests.post
    answer = await asyncio.to_thread(
        send, f"{ingest.url}/v1/track", data=b" " * 60_000_000, headers={"X-Write-Key": ingest.key}, timeout=60
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_chunked_body_without_length_is_bounded_too(ingest):
    async def endless():
        for _ in range(200):
            yield b" " * 65_536

    answer = await ingest.http.post(f"{ingest.url}/v1/track", content=endless(), headers={"X-Write-Key": ingest.key})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_too_many_headers_are_refused(ingest):
    answer = await ingest.send("track", GOOD, headers={f"X-{n}": "x" for n in range(120)})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


async def test_whoever_sends_too_slowly_is_told_to_come_back(start):
    ingest = await start(ingest_read_seconds=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(ingest.url.rpartition(":")[2]))
    writer.write(
        f"POST /v1/track HTTP/1.1\r\nHost: x\r\nX-Write-Key: {ingest.key}\r\nContent-Length: 100\r\n\r\n{{".encode()
    )
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 503")
    assert "retry-after: 2" in answer
    assert '"slow_body"' in answer


async def test_more_calls_than_bearable_are_shed_before_their_bodies_are_read(start, wait_until, monkeypatch):
    monkeypatch.setattr(bounds, "GRACE_SECONDS", 3600)
    ingest = await start(ingest_concurrent_requests=1, ingest_read_seconds=3600)

    async def is_held() -> bool:
        metrics = (await ingest.http.get(f"{ingest.url}/metrics")).text
        return "baton_ingest_in_flight_requests 1.0" in metrics

    with socket.create_connection(("127.0.0.1", int(ingest.url.rpartition(":")[2]))) as idle:
        idle.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await wait_until(is_held, True)
        answer = await ingest.send("track", GOOD)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "2")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/track", 405, "method_not_allowed"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("POST", "/readyz", 405, "method_not_allowed"),
    ],
)
async def test_every_error_has_code_and_message(ingest, method, path, status, code):
    answer = await ingest.http.request(method, ingest.url + path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_probes_and_metrics_answer(ingest):
    await ingest.send("track", GOOD)
    assert (await ingest.http.get(f"{ingest.url}/livez")).status_code == 200
    metrics = (await ingest.http.get(f"{ingest.url}/metrics")).text
    assert 'baton_ingest_events_total{outcome="accepted"}' in metrics
