"""Jitsu's calls, and its keys of two parts."""

from __future__ import annotations

from base64 import b64encode

import orjson
import pytest

EVENT = {"type": "track", "event": "Demo Requested", "userId": "u-1", "messageId": "m-1"}


@pytest.mark.parametrize("path", ["/api/s/track", "/api/s/s2s/track", "/api/s/event", "/api/s/s2s/event"])
async def test_an_event_is_taken_at_every_path(wire, path):
    answer = await wire.call(path, EVENT, headers={"X-Write-Key": "key"})
    assert (answer.status, orjson.loads(answer.body)["ok"]) == (200, True)
    assert [touch.type for touch in wire.touches] == ["demo_requested"]


@pytest.mark.parametrize(
    ("headers", "body", "source"),
    [
        ({"X-Write-Key": "id:secret"}, {}, "shop"),
        ({"X-Write-Key": "key:its secret"}, {}, "web"),
        ({"Authorization": "Basic " + b64encode(b"id:secret").decode()}, {}, "shop"),
        ({"Authorization": "Basic " + b64encode(b"key:its secret").decode()}, {}, "web"),
        ({}, {"writeKey": "id:secret"}, "shop"),
        ({}, {"writeKey": "key:its secret"}, "web"),
    ],
)
async def test_a_key_is_known_as_a_whole_or_by_its_id(wire, headers, body, source):
    assert (await wire.call("/api/s/track", EVENT | body, headers=headers)).status == 200
    assert [touch.source_id for touch in wire.touches] == [source]


async def test_another_secret_than_the_one_in_the_key_does_not_admit(wire):
    answer = await wire.call("/api/s/track", EVENT, headers={"X-Write-Key": "id:another"})
    assert answer.status == 401


async def test_a_type_that_is_none_is_refused(wire):
    answer = await wire.call("/api/s/teleport", EVENT | {"type": "teleport"}, headers={"X-Write-Key": "key"})
    assert (answer.status, orjson.loads(answer.body)["code"]) == (400, "unknown_type")
