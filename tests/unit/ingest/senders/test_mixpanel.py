"""Mixpanel's calls."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import urlencode

import orjson
import pytest

UUID = "018f6f2e-9a3b-7c4d-8e5f-0123456789ab"
TOLD = {"token": "key", "distinct_id": "u-1", "$insert_id": "1", "time": 1_789_999_999}
EVENT = {"event": "Demo Requested", "properties": TOLD}


def form(tree, **more):
    return urlencode({"data": orjson.dumps(tree).decode(), **more}).encode()


@pytest.mark.parametrize(
    ("body", "query", "answered"),
    [
        (form(EVENT, verbose=1, ip=0), "", b'{"status":1,"error":null}'),
        (form(EVENT), "", b"1"),
        (urlencode({"data": b64encode(orjson.dumps(EVENT))}).encode(), "verbose=1", b'{"status":1,"error":null}'),
        (orjson.dumps([EVENT]), "", b"1"),
        (orjson.dumps(EVENT), "verbose=1", b'{"status":1,"error":null}'),
    ],
)
@pytest.mark.parametrize("path", ["/track", "/track/"])
async def test_an_event_is_read_in_every_shape(wire, path, body, query, answered):
    answer = await wire.call(path, body, query=query)
    assert (answer.status, answer.body) == (200, answered)
    assert [(touch.type, touch.at) for touch in wire.touches] == [("demo_requested", 1_789_999_999_000)]


async def test_a_view_may_be_told_by_asking_for_a_picture(wire):
    answer = await wire.call("/track", method="GET", query=urlencode({"data": orjson.dumps(EVENT), "img": 1}))
    assert (answer.status, answer.media) == (200, b"image/gif")
    assert len(wire.touches) == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"distinct_id": "u-1"}, {"user": "u-1"}),
        ({"distinct_id": UUID}, {"anonymous": UUID}),
        ({"distinct_id": f"$device:{UUID}"}, {"anonymous": UUID}),
        ({"distinct_id": f"$device:{UUID}", "$device_id": UUID}, {"anonymous": UUID}),
        ({"distinct_id": "u-1", "$device_id": UUID, "$user_id": "u-1"}, {"user": "u-1", "anonymous": UUID}),
        ({"distinct_id": UUID, "$user_id": UUID}, {"user": UUID}),
        ({"distinct_id": "d-1", "$device_id": "d-1"}, {"anonymous": "d-1"}),
    ],
)
async def test_a_device_never_becomes_a_user(wire, told, expected):
    await wire.call("/track", [{"event": "x", "properties": {"token": "key"} | told}])
    assert wire.identities() == wire.named(**expected)


@pytest.mark.parametrize(
    ("event", "told", "expected"),
    [
        ("$identify", {"$identified_id": "u-1", "$anon_id": UUID}, {"user": "u-1", "anonymous": UUID}),
        ("$create_alias", {"distinct_id": UUID, "alias": "u-1"}, {"user": "u-1", "anonymous": UUID}),
        ("$merge", {"$distinct_ids": ["u-1", f"$device:{UUID}"]}, {"user": "u-1", "anonymous": UUID}),
    ],
)
async def test_links_of_devices_and_people_are_understood(wire, event, told, expected):
    await wire.call("/track", [{"event": event, "properties": {"token": "key"} | told}])
    assert wire.identities() == wire.named(**expected)


async def test_a_profile_tells_traits(wire):
    change = {"$token": "key", "$distinct_id": "u-1", "$set": {"$email": "taro@hinode-soft.co.jp", "title": "部長"}}
    answer = await wire.call("/engage", form(change, verbose=1))
    assert orjson.loads(answer.body) == {"status": 1, "error": None}
    assert (wire.touches[0].type, wire.touches[0].attributes["level"]) == ("identify", "head")
    assert wire.identities() == wire.named(user="u-1", email="taro@hinode-soft.co.jp")


OTHER = EVENT | {"event": "x"}


@pytest.mark.parametrize("body", [orjson.dumps([EVENT, OTHER]), orjson.dumps(EVENT) + b"\n" + orjson.dumps(OTHER)])
async def test_an_import_is_admitted_by_its_secret_and_counts(wire, body):
    headers = {"Authorization": "Basic " + b64encode(b"shop-key:").decode()}
    answer = await wire.call("/import", body, query="strict=1", headers=headers)
    assert orjson.loads(answer.body)["num_records_imported"] == 2
    assert {touch.source_id for touch in wire.touches} == {"shop"}, "the header counts more than the token"


async def test_one_bad_event_costs_no_other(wire):
    bad = [3, {"event": "x", "properties": []}, {"event": "$merge", "properties": {"$distinct_ids": ["a"]}}]
    await wire.call("/track", [EVENT, *bad])
    assert [event.code for event in wire.rejected] == ["wrong_type", "no_identity", "no_identity"]
    assert len(wire.touches) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (form({"event": "x", "properties": {"token": "nobody's"}}, verbose=1), 401, "unknown_write_key"),
        (b"verbose=1", 400, "malformed_json"),
        (b"verbose=1&data=!!", 400, "bad_base64"),
        (form({"event": "x", "properties": {"token": "key"}}, verbose=1), 400, "no_identity"),
    ],
)
async def test_a_refusal_says_why_in_words_that_its_clients_read(wire, body, status, code):
    answer = await wire.call("/track", body)
    said = orjson.loads(answer.body)
    assert (answer.status, said["status"], said["code"]) == (status, 0, code)


async def test_a_deletion_is_refused_and_kept(wire):
    answer = await wire.call("/engage", form({"$token": "key", "$distinct_id": "u-1", "$delete": ""}))
    assert (answer.status, orjson.loads(answer.body)["code"]) == (400, "not_supported")
    assert len(wire.rejected) == 1


@pytest.mark.parametrize("other", [{"distinct_id": "u-2"}, {"time": 1_789_999_998}, {"$insert_id": "2"}, None])
async def test_an_event_is_known_by_its_name_person_time_and_id_together(wire, other):
    second = {"event": "Seen" if other is None else EVENT["event"], "properties": TOLD | (other or {})}
    for event in (EVENT, second, EVENT, second):
        assert (await wire.call("/track", form([event]))).status == 200
    assert len(wire.touches) == 2
