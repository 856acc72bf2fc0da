"""The Python SDKs of senders, unchanged, against ingest: each event once on the topic, a request per batch, nothing sent again."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mixpanel
import orjson
import posthog
import pytest
import requests
from amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify
from cloudevents.core.bindings import http as cloudevents_http
from cloudevents.core.v1.event import CloudEvent
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient
from snowplow_tracker import Emitter, PageView, SelfDescribing, SelfDescribingJson, StructuredEvent, Subject, Tracker

from shared.schemas.touches import Touch

pytestmark = pytest.mark.servers

MANY = 20
UUID = "018f6f2e-9a3b-7c4d-8e5f-0123456789ab"
WAIT = 2.0  # seconds that a client waits for more events; each gets at once as many as make a batch

Send = Callable[[str, str], Any]


def through_segment(url: str, key: str, *, zipped: bool = False) -> None:
    client = SegmentClient(key, host=url, gzip=zipped, max_retries=3, upload_size=MANY + 2, upload_interval=WAIT)
    client.identify("u-1", {"email": "taro@hinode-soft.co.jp", "title": "部長"})
    client.page(None, "Docs", "Pricing", {"url": "https://hinode.example/pricing"}, anonymous_id="a-1")
    for number in range(MANY):
        client.track("u-1", "Demo Requested", {"number": number, "form": "デモ"})
    client.shutdown()


def through_segment_zipped(url: str, key: str) -> None:
    through_segment(url, key, zipped=True)


def through_rudder(url: str, key: str) -> None:
    client = RudderClient(key, host=url, max_retries=3, upload_size=MANY + 2, upload_interval=WAIT)
    client.identify("u-1", {"email": "taro@hinode-soft.co.jp", "title": "部長"})
    client.page("u-1", "Docs", "Pricing", {"url": "https://hinode.example/pricing"})
    for number in range(MANY):
        client.track("u-1", "Demo Requested", {"number": number, "form": "デモ"})
    client.join()


def through_snowplow(url: str, key: str, method: Any = "post", *, base64: bool = True) -> None:
    at = urlsplit(url)
    emitter = Emitter(at.hostname or "", protocol="http", port=at.port, method=method, batch_size=MANY + 2)
    subject = Subject().set_user_id("u-1").set_domain_user_id("browser")
    tracker = Tracker("baton", emitter, subject=subject, app_id=key, encode_base64=base64)
    tracker.track(PageView("https://hinode.example/pricing", page_title="料金"))
    tracker.track(StructuredEvent(category="form", action="Demo Requested"))
    schema = "iglu:jp.hinode/demo_requested/jsonschema/1-0-0"
    for number in range(MANY):
        tracker.track(SelfDescribing(SelfDescribingJson(schema, {"number": number, "form": "デモ"})))
    tracker.flush()


def through_snowplow_plain(url: str, key: str) -> None:
    through_snowplow(url, key, base64=False)


def through_snowplow_get(url: str, key: str) -> None:
    through_snowplow(url, key, "get")


def through_posthog(url: str, key: str, *, zipped: bool = False) -> None:
    client = posthog.Posthog(key, host=url, gzip=zipped, max_retries=3, flush_at=MANY + 2, flush_interval=WAIT)
    client.capture("$identify", distinct_id="u-1", properties={"$anon_distinct_id": UUID, "$set": {"title": "部長"}})
    client.capture("$pageview", distinct_id=UUID, properties={"$current_url": "https://hinode.example/pricing"})
    for number in range(MANY):
        client.capture("Demo Requested", distinct_id="u-1", properties={"number": number, "form": "デモ"})
    client.shutdown()


def through_posthog_zipped(url: str, key: str) -> None:
    through_posthog(url, key, zipped=True)


def through_mixpanel(url: str, key: str) -> None:
    endpoints = {"events_url": f"{url}/track", "people_url": f"{url}/engage", "import_url": f"{url}/import"}
    consumer = mixpanel.BufferedConsumer(max_size=MANY + 1, **endpoints)
    client = mixpanel.Mixpanel(key, consumer=consumer)
    client.people_set("u-1", {"$email": "taro@hinode-soft.co.jp", "title": "部長"})
    client.track(f"$device:{UUID}", "$mp_web_page_view", {"current_url_path": "/pricing"})
    for number in range(MANY):
        client.track("u-1", "Demo Requested", {"number": number, "form": "デモ"})
    consumer.flush()


def through_amplitude(url: str, key: str, path: str = "/2/httpapi") -> None:
    client = Amplitude(key, Config(server_url=url + path, flush_queue_size=MANY + 10, flush_interval_millis=2_000))
    client.identify(Identify().set("title", "部長"), EventOptions(user_id="user-1", device_id="device-1"))
    told = {"[Amplitude] Page URL": "https://hinode.example/pricing"}
    client.track(BaseEvent("[Amplitude] Page Viewed", device_id="device-1", event_properties=told))
    for number in range(MANY):
        told = {"number": number, "form": "デモ"}
        client.track(BaseEvent("Demo Requested", user_id="user-1", event_properties=told))
    for sending in client.flush():
        sending.result(30)
    client.shutdown()


def through_amplitude_batch(url: str, key: str) -> None:
    through_amplitude(url, key, "/batch")


ALL = {"demo_requested": MANY, "identify": 1, "page_viewed": 1}
SENDERS: list[tuple[Send, dict[str, int], dict[str, int]]] = [
    (through_segment, {"POST /v1/batch": 1}, ALL),
    (through_segment_zipped, {"POST /v1/batch": 1}, ALL),
    (through_rudder, {"POST /v1/batch": 1}, ALL),
    (
        through_snowplow,
        {"POST /com.snowplowanalytics.snowplow/tp2": 1},
        {"demo_requested": MANY + 1, "page_viewed": 1},
    ),
    (
        through_snowplow_plain,
        {"POST /com.snowplowanalytics.snowplow/tp2": 1},
        {"demo_requested": MANY + 1, "page_viewed": 1},
    ),
    (through_snowplow_get, {"GET /i": MANY + 2}, {"demo_requested": MANY + 1, "page_viewed": 1}),
    (through_posthog, {"POST /batch/": 1}, ALL),
    (through_posthog_zipped, {"POST /batch/": 1}, ALL),
    (through_mixpanel, {"POST /track": 1, "POST /engage": 1}, ALL),
    (through_amplitude, {"POST /2/httpapi": 1}, ALL),
    (through_amplitude_batch, {"POST /batch": 1}, ALL),
]
NAMED = [pytest.param(*sender, id=sender[0].__name__) for sender in SENDERS]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Clients log what they are refused, with all of it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


async def check(counted: Any, requests_made: dict[str, int], types: dict[str, int]) -> list[dict[str, Any]]:
    """What was called and what became of it: every event once, with the sender's time."""
    assert Counter(f"{method} {path}" for method, path, _ in counted.calls) == requests_made
    assert {status for _, _, status in counted.calls} == {200}
    assert await counted.ingest.written("ingest-rejected") == []
    touches = await counted.ingest.touches()
    assert Counter(touch["type"] for touch in touches) == types
    assert len({touch["event_id"] for touch in touches}) == len(touches)
    for touch in touches:
        Touch.model_validate_json(touch["_raw"])
        assert touch.get("clock", "kept") in ("kept", "clamped", "absent")
    return touches


@pytest.mark.parametrize(("send", "requests_made", "types"), NAMED)
async def test_each_event_arrives_once_in_one_request_per_batch(counted, send, requests_made, types):
    await asyncio.to_thread(send, counted.url, counted.ingest.key)

    touches = await check(counted, requests_made, types)
    assert [touch["path"] for touch in touches if touch["type"] == "page_viewed"] == ["/pricing"]
    levels = [touch["attributes"]["level"] for touch in touches if touch["type"] == "identify"]
    assert levels == ["head"] * types.get("identify", 0)


@pytest.mark.parametrize(
    "send", [send for send, _, _ in SENDERS if send is not through_mixpanel], ids=lambda send: send.__name__
)
async def test_a_client_with_a_wrong_key_gives_up_after_one_try(counted, send):
    await asyncio.to_thread(send, counted.url, "nobody's")

    tries = MANY + 2 if send is through_snowplow_get else 1
    assert [status for _, _, status in counted.calls] == [401] * tries
    assert await counted.ingest.touches() == []


async def test_mixpanels_client_is_told_why_it_is_refused(counted):
    with pytest.raises(mixpanel.MixpanelException):
        await asyncio.to_thread(through_mixpanel, counted.url, "nobody's")
    assert [status for _, _, status in counted.calls] == [401]


async def test_mixpanels_import_is_admitted_by_its_secret(counted):
    def send() -> None:
        client = mixpanel.Mixpanel("a token", consumer=mixpanel.Consumer(import_url=f"{counted.url}/import"))
        client.import_data("", "u-1", "Demo Requested", 1_790_000_000, api_secret=counted.ingest.trusted_key)

    await asyncio.to_thread(send)
    await check(counted, {"POST /import": 1}, {"demo_requested": 1})


@pytest.mark.parametrize("form", ["binary", "structured"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_cloudevents_are_understood_in_either_form_with_or_without_a_length(counted, form, chunked):
    encode = {"binary": cloudevents_http.to_binary_event, "structured": cloudevents_http.to_structured_event}[form]

    def send() -> None:
        for number in range(3):
            event = CloudEvent(
                {"type": "jp.hinode.demo.requested", "source": "/店 舗", "subject": '"a % of b"', "id": f"{number}"},
                {"userId": "u-1", "email": "taro@hinode-soft.co.jp", "form": "デモ"},
            )
            message = encode(event)
            body = iter([message.body[:5], message.body[5:]]) if chunked else message.body
            headers = {**message.headers, "X-Write-Key": counted.ingest.key}
            assert requests.post(f"{counted.url}/events", data=body, headers=headers, timeout=30).status_code == 200

    await asyncio.to_thread(send)
    await check(counted, {"POST /events": 3}, {"demo_requested": 3})


async def test_a_batch_of_cloudevents_is_one_request(counted):
    events = [
        {"specversion": "1.0", "type": "demo_requested", "source": "/a", "id": f"{number}", "data": {"userId": "u-1"}}
        for number in range(MANY)
    ]
    headers = {"X-Write-Key": counted.ingest.key, "Content-Type": "application/cloudevents-batch+json"}
    body = orjson.dumps(events)
    answer = await asyncio.to_thread(requests.post, f"{counted.url}/events", data=body, headers=headers, timeout=30)
    assert answer.status_code == 200
    await check(counted, {"POST /events": 1}, {"demo_requested": MANY})


# Clients that cannot be installed beside the ones above: they take exactly 200 for success, and anything else as a reason to
# send again unless `code` and `message` say otherwise.
EARLIER = {
    "analytics-python==1.4.post1": "analytics",
    "segment-analytics-python==2.3.4": "segment.analytics",
}
SCRIPT = """
import sys
from importlib import import_module
package, url, key, many = sys.argv[1:]
made = import_module(package).Client(key, host=url, max_retries=2, upload_size=int(many), upload_interval=2)
for number in range(int(many)):
    made.track("u-1", "Demo Requested", {"number": number})
made.shutdown()
"""


@pytest.fixture(scope="module", params=EARLIER, ids=lambda wanted: wanted)
def earlier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Package and folder of an earlier client; absent by name where no registry has it."""
    folder = tmp_path_factory.mktemp("earlier")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--retries",
        "10",
        "--target",
        str(folder),
        request.param,
    ]
    done = subprocess.run(install, capture_output=True, text=True, timeout=180)
    if "No matching distribution" in done.stderr:  # which pip says of a registry that it does not reach too
        pytest.skip(f"{request.param}: no registry has it here")
    assert done.returncode == 0, done.stderr
    return EARLIER[request.param], folder


@pytest.mark.parametrize("wrong", [False, True])
async def test_earlier_clients_send_once_and_give_up_at_once(counted, earlier, wrong):
    package, folder = earlier
    key = "nobody's" if wrong else counted.ingest.key
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SCRIPT, package, counted.url, key, str(MANY)),
        env=os.environ | {"PYTHONPATH": str(folder)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    if wrong:
        assert counted.calls == [("POST", "/v1/batch", 401)]
    else:
        await check(counted, {"POST /v1/batch": 1}, {"demo_requested": MANY})
