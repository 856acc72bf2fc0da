"""PostHog's calls: whose an id is that may be a person's or a browser's, and every shape of a body."""

from __future__ import annotations

import gzip
from base64 import b64encode
from urllib.parse import urlencode

import orjson
import pytest

UUID = "018f6f2e-9a3b-7c4d-8e5f-0123456789ab"
OLD = "18f2c3a5b6c7d8-0a1b2c3d4e5f60-1b525636-1fa400-18f2c3a5b6d9e1"
EVENT = {"event": "Demo Requested", "distinct_id": "u-1", "uuid": "0", "properties": {}}
PACKED = gzip.compress(orjson.dumps({"api_key": "key", **EVENT}), mtime=0)


async def send(wire, *events):
    answer = await wire.call("/batch/", {"api_key": "key", "batch": list(events)})
    assert answer.status == 200
    return answer


@pytest.mark.parametrize(
    ("distinct", "properties", "expected"),
    [
        ("u-1", {}, {"user": "u-1"}),
        (UUID, {}, {"anonymous": UUID}),
        (OLD, {}, {"anonymous": OLD}),
        (UUID, {"$is_identified": False, "$device_id": UUID}, {"anonymous": UUID}),
        ("a-1", {"$is_identified": False}, {"anonymous": "a-1"}),
        ("a-1", {"$process_person_profile": False}, {"anonymous": "a-1"}),
        ("a-1", {"$device_id": "a-1"}, {"anonymous": "a-1"}),
        (UUID, {"$is_identified": True, "$device_id": "d-1"}, {"user": UUID, "anonymous": "d-1"}),
        (UUID, {"$user_id": UUID}, {"user": UUID}),
        ("u-1", {"$device_id": UUID}, {"user": "u-1", "anonymous": UUID}),
        (UUID, {"$device_id": OLD}, {"anonymous": UUID}),  # after reset(): the device stays, the browser is new
    ],
)
async def test_a_browser_never_becomes_a_user(wire, distinct, properties, expected):
    await send(wire, EVENT | {"distinct_id": distinct, "properties": properties})
    assert wire.identities() == wire.named(**expected)


async def test_identify_links_browser_and_person_and_tells_traits(wire):
    told = {"$anon_distinct_id": UUID, "$set": {"email": "taro@hinode-soft.co.jp"}, "$set_once": {"title": "部長"}}
    await send(wire, EVENT | {"event": "$identify", "properties": told})
    assert wire.touches[0].type == "identify"
    assert wire.touches[0].attributes["level"] == "head"
    assert wire.identities() == wire.named(user="u-1", email="taro@hinode-soft.co.jp", anonymous=UUID)


@pytest.mark.parametrize(("one", "other"), [("u-1", UUID), (UUID, "u-1")])
async def test_an_alias_links_a_person_and_a_browser_in_either_order(wire, one, other):
    await send(wire, {"event": "$create_alias", "distinct_id": one, "properties": {"distinct_id": one, "alias": other}})
    assert wire.identities() == wire.named(user="u-1", anonymous=UUID)


@pytest.mark.parametrize(
    ("event", "kind", "name"),
    [
        ({"event": "$pageview", "properties": {"$current_url": "https://x.example/pricing?a=b"}}, "page_viewed", None),
        ({"event": "$screen", "properties": {"$screen_name": "Home"}}, "page_viewed", "Home"),
        ({"event": "$autocapture"}, "custom", "$autocapture"),
        ({"event": "survey sent"}, "survey_answered", "survey sent"),
        ({"event": "$set", "properties": {"$set": {"title": "課長"}}}, "identify", None),
        ({"event": "$groupidentify", "properties": {"$group_type": "company", "$group_key": "5"}}, "custom", None),
    ],
)
async def test_its_own_events_have_their_meaning(wire, event, kind, name):
    await send(wire, EVENT | event)
    assert (wire.touches[0].type, wire.touches[0].event) == (kind, name)


@pytest.mark.parametrize(("kind", "company"), [("company", "日の出ソフト"), ("project", None)])
async def test_only_a_group_that_is_a_company_tells_of_the_company(wire, kind, company):
    group = {"$group_type": kind, "$group_key": "5", "$group_set": {"name": "日の出ソフト"}}
    await send(wire, EVENT | {"event": "$groupidentify", "properties": group})
    assert wire.touches[0].attributes.get("company") == company


@pytest.mark.parametrize(
    ("body", "query", "headers"),
    [
        ({"api_key": "key", "batch": [EVENT]}, "", {}),
        ({"token": "key", **EVENT}, "", {}),
        ([EVENT | {"properties": {"token": "key"}}], "", {}),
        (EVENT | {"properties": {"token": "key"}}, "", {}),
        (EVENT, "", {"X-Write-Key": "key"}),
        (PACKED, "compression=gzip-js", {}),
        (PACKED, "", {"Content-Encoding": "gzip"}),
        (urlencode({"data": orjson.dumps({"api_key": "key", **EVENT})}).encode(), "", {}),
        (urlencode({"data": b64encode(orjson.dumps({"api_key": "key", **EVENT}))}).encode(), "compression=base64", {}),
    ],
)
@pytest.mark.parametrize("path", ["/batch", "/batch/", "/capture/", "/e/", "/i/v0/e/"])
async def test_every_shape_of_a_body_is_read_at_every_path(wire, path, body, query, headers):
    answer = await wire.call(path, body, query=query, headers=headers)
    assert (answer.status, orjson.loads(answer.body)["status"]) == (200, 1)
    assert [(touch.type, touch.source_id) for touch in wire.touches] == [("demo_requested", "web")]


@pytest.mark.parametrize(
    ("body", "query", "status", "code"),
    [
        (b"N4IgbghgTgLgdg", "compression=lz64", 415, "unsupported_encoding"),
        (b"no JSON", "", 400, "malformed_json"),
        (b"\x1f\x8bbroken", "compression=gzip-js", 400, "bad_encoding"),
        ({"api_key": "key", "batch": {}}, "", 400, "no_batch"),
        (b"data=3", "", 400, "bad_base64"),
        ({"api_key": "nobody's", "batch": [EVENT]}, "", 401, "unknown_write_key"),
        ({"api_key": "key", "event": "x"}, "", 400, "no_identity"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_a_code(wire, body, query, status, code):
    answer = await wire.call("/e/", body, query=query)
    assert (answer.status, orjson.loads(answer.body)["code"]) == (status, code)


async def test_one_bad_event_costs_no_other(wire):
    bad = [
        3,
        EVENT | {"distinct_id": "$posthog_cookieless"},
        {"event": "$create_alias", "distinct_id": UUID, "properties": {"alias": OLD}},
        EVENT | {"properties": {"token": "shop-key"}},
        EVENT | {"event": ""},
    ]
    answer = await send(wire, EVENT, *bad, EVENT | {"uuid": "2"})
    assert [event.code for event in wire.rejected] == [
        "wrong_type",
        "no_identity",
        "no_identity",
        "another_key",
        "no_event_name",
    ]
    assert (orjson.loads(answer.body)["accepted"], len(wire.touches)) == (2, 2)


async def test_amplitudes_batches_come_by_the_same_path(wire):
    event = {"event_type": "Demo Requested", "user_id": "u-1"}
    answer = await wire.call("/batch", {"api_key": "key", "events": [event]})
    assert orjson.loads(answer.body)["events_ingested"] == 1
    refused = await wire.call("/batch", {"api_key": "nobody's", "events": [event]})
    assert orjson.loads(refused.body)["code"] == 401, "a number, as Amplitude's clients want it"
