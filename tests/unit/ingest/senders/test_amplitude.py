"""Amplitude's calls."""

from __future__ import annotations

import orjson
import pytest

EVENT = {
    "event_type": "Demo Requested",
    "user_id": "u-1",
    "device_id": "d-1",
    "insert_id": "1",
    "time": 1_789_999_999_000,
}


async def send(wire, *events):
    return await wire.call("/2/httpapi", {"api_key": "key", "events": list(events)})


async def test_an_event_tells_who_when_and_what(wire):
    person = {"$set": {"email": "taro@hinode-soft.co.jp"}, "$setOnce": {"title": "部長"}}
    answer = await send(wire, EVENT | {"user_properties": person, "event_properties": {"topic": "cloud"}})
    assert orjson.loads(answer.body) | {"payload_size_bytes": 0, "results": []} == {
        "code": 200,
        "events_ingested": 1,
        "payload_size_bytes": 0,
        "results": [],
    }
    (touch,) = wire.touches
    assert (touch.type, touch.topic, touch.at) == ("demo_requested", "cloud", 1_789_999_999_000)
    assert touch.attributes["level"] == "head"
    assert wire.identities() == wire.named(user="u-1", email="taro@hinode-soft.co.jp", anonymous="d-1")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"event_type": "$identify", "user_properties": {"$set": {"title": "課長"}}}, "identify"),
        ({"event_type": "[Amplitude] Page Viewed"}, "page_viewed"),
        (
            {"event_type": "$groupidentify", "groups": {"company": "a"}, "group_properties": {"$set": {"name": "A"}}},
            "custom",
        ),
    ],
)
async def test_its_own_events_have_their_meaning(wire, event, kind):
    await send(wire, EVENT | event)
    assert [touch.type for touch in wire.touches] == [kind]


async def test_the_same_insert_id_on_another_device_is_another_event(wire):
    answer = await send(wire, EVENT, EVENT, EVENT | {"device_id": "d-2"})
    assert orjson.loads(answer.body)["events_ingested"] == 3, "a repetition is a success too"
    assert len(wire.touches) == 2


async def test_one_bad_event_costs_no_other(wire):
    answer = await send(wire, EVENT, "no object", {"event_type": "x"}, EVENT | {"insert_id": "2"})
    assert (answer.status, orjson.loads(answer.body)["events_ingested"]) == (200, 2)
    assert [event.code for event in wire.rejected] == ["wrong_type", "no_identity"]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"api_key": "key"}, 400, "no_batch"),
        (b"no JSON", 400, "malformed_json"),
        ({"api_key": "nobody's", "events": [EVENT]}, 401, "unknown_write_key"),
    ],
)
async def test_what_can_never_succeed_makes_no_client_send_again(wire, body, status, reason):
    answer = await wire.call("/2/httpapi", body)
    said = orjson.loads(answer.body)
    assert (answer.status, said["code"], said["reason"]) == (status, status, reason)
    assert said["missing_field"], "without it its clients take a 400 for a fault of a few events, and send all again"
    assert status != 401 or said["error"].startswith("Invalid API key: ")


async def test_a_body_that_is_too_large_is_sent_again_in_parts(wire):
    answer = await wire.call("/2/httpapi", {"events": []}, too_large=True)
    said = orjson.loads(answer.body)
    assert (answer.status, said["code"], "missing_field" in said) == (413, 413, False)
