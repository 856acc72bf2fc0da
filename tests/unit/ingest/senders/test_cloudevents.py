"""CloudEvents in each of their three forms over HTTP."""

from __future__ import annotations

from base64 import b64encode

import orjson
import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.senders.cloudevents import attribute
from services.ingest.senders.cloudevents_events import usual_type

KEY = {"X-Write-Key": "key"}
STRUCTURED = KEY | {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = KEY | {"Content-Type": "application/cloudevents-batch+json"}
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "com.acme.demo_requested",
    "time": "2026-09-21T09:00:00Z",
    "data": {"userId": "u-1", "email": "taro@hinode-soft.co.jp", "topic": "cloud"},
}
BINARY = {f"ce-{name}": value for name, value in EVENT.items() if isinstance(value, str)}


async def test_the_three_forms_of_an_event_are_one_event(wire):
    data = orjson.dumps(EVENT["data"])
    packed = {**EVENT, "data": None, "data_base64": b64encode(data).decode()}
    first = await wire.call("/events", EVENT, headers=STRUCTURED)
    again = [
        await wire.call("/events", data, headers=KEY | BINARY | {"Content-Type": "application/json"}),
        await wire.call("/events", [EVENT], headers=BATCH),
        await wire.call("/events", packed, headers=STRUCTURED),
        await wire.call("/events", EVENT, headers=KEY | {"Content-Type": "text/plain"}),
        await wire.call("/events", EVENT, headers={"Authorization": "Bearer key"}),
        await wire.call("/events", EVENT, query="writeKey=key"),
    ]
    assert [first.status, *(answer.status for answer in again)] == [200] * 7
    assert [orjson.loads(answer.body)["duplicate"] for answer in again] == [1] * 6
    (touch,) = wire.touches
    assert (touch.type, touch.event, touch.topic) == ("demo_requested", "com.acme.demo_requested", "cloud")
    assert wire.identities() == wire.named(user="u-1", email="taro@hinode-soft.co.jp")


async def test_ids_are_told_apart_by_their_source(wire):
    for source, event_id in [("/a", "b/1"), ("/a/b", "1"), ("/a", "1")]:
        await wire.call("/events", EVENT | {"source": source, "id": event_id}, headers=STRUCTURED)
    assert len({touch.event_id for touch in wire.touches}) == 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("demo_requested", "demo_requested"),
        ("com.acme.demo.requested", "demo_requested"),
        ("com.acme.DemoRequested.v1", "demo_requested"),
        ("jp.hinode.webinar.registered.2.1", "webinar_registered"),
        ("com.acme.order.created", None),
        ("...", None),
        ("v1", None),
    ],
)
def test_a_type_ends_in_what_it_means(name, kind):
    assert usual_type(name) == kind


async def test_an_event_that_identifies_tells_traits(wire):
    event = EVENT | {"type": "com.acme.identify", "data": {"userId": "u-1", "title": "部長"}}
    await wire.call("/events", event, headers=STRUCTURED)
    assert (wire.touches[0].type, wire.touches[0].attributes["level"]) == ("identify", "head")


async def test_data_may_be_a_tracking_call_of_its_own(wire):
    data = {"type": "page", "anonymousId": "a-1", "context": {"page": {"url": "https://x.example/pricing"}}}
    await wire.call("/events", EVENT | {"data": data}, headers=STRUCTURED)
    assert (wire.touches[0].type, wire.touches[0].path) == ("page_viewed", "/pricing")


async def test_who_it_was_may_stand_in_attributes(wire):
    await wire.call("/events", b"", headers=KEY | BINARY | {"ce-userid": "u-9"})
    assert wire.identities() == wire.named(user="u-9")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        (b'"a \\"quoted\\" value"', 'a "quoted" value'),
        (b"%2541", "%41"),
        (b"100%", "100%"),
        ("部長".encode(), "部長"),
        (b'"', '"'),
    ],
)
def test_a_header_is_unquoted_and_decoded_once(value, meant):
    assert attribute(value) == meant


@pytest.mark.parametrize("value", [b"%C0%A0", b"%FF", b"\xff"])
def test_a_header_that_is_not_utf_8_is_refused(value):
    with pytest.raises(Refused):
        attribute(value)


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        ({"body": EVENT | {"specversion": "0.3"}, "headers": STRUCTURED}, 400, "bad_cloudevent"),
        ({"body": EVENT | {"id": ""}, "headers": STRUCTURED}, 400, "bad_cloudevent"),
        ({"body": EVENT | {"source": None}, "headers": STRUCTURED}, 400, "bad_cloudevent"),
        ({"body": EVENT | {"time": "soon"}, "headers": STRUCTURED}, 400, "bad_time"),
        ({"body": EVENT | {"data": 3}, "headers": STRUCTURED}, 400, "no_identity"),
        ({"body": EVENT | {"data_base64": "!"}, "headers": STRUCTURED}, 400, "bad_base64"),
        ({"body": EVENT | {"data_base64": "eyI="}, "headers": STRUCTURED}, 400, "malformed_json"),
        ({"body": [EVENT], "headers": STRUCTURED}, 400, "wrong_type"),
        ({"body": EVENT, "headers": BATCH}, 400, "no_batch"),
        ({"body": b"{", "headers": KEY | BINARY}, 400, "malformed_json"),
        ({"headers": KEY | BINARY | {"ce-datacontenttype": "application/json"}}, 400, "bad_cloudevent"),
        ({"headers": KEY | BINARY | {"ce-subject": "%C0%A0"}}, 400, "bad_cloudevent"),
        (
            {"body": b"x", "headers": KEY | {"Content-Type": "application/cloudevents+avro"}},
            415,
            "unsupported_encoding",
        ),
        ({"body": b"", "headers": KEY}, 400, "no_cloudevent"),
        ({"body": EVENT, "headers": {}}, 401, "unknown_write_key"),
        ({"method": "PUT", "headers": KEY}, 405, "method_not_allowed"),
    ],
)
async def test_what_is_no_cloudevent_is_refused_with_a_code(wire, call, status, code):
    answer = await wire.call("/events", **call)
    assert (answer.status, orjson.loads(answer.body)["code"]) == (status, code)
    assert wire.touches == []


async def test_one_bad_event_costs_no_other_and_a_batch_may_be_empty(wire):
    answer = await wire.call("/events", [EVENT, 3, EVENT | {"id": "2", "type": ""}, EVENT | {"id": "3"}], headers=BATCH)
    assert [result["index"] for result in orjson.loads(answer.body)["results"]] == [1, 2]
    assert len(wire.touches) == 2
    assert (await wire.call("/events", [], headers=BATCH)).status == 200


async def test_a_sender_that_asks_first_may_deliver(wire):
    answer = await wire.call("/events", method="OPTIONS", headers={"WebHook-Request-Origin": "eventgrid.example"})
    assert answer.status == 200
    assert dict(answer.headers)[b"webhook-allowed-origin"] == b"eventgrid.example"
    unasked = await wire.call("/events", method="OPTIONS", headers={"Origin": "https://www.hinode.example"})
    assert b"webhook-allowed-origin" not in dict(unasked.headers)
