"""Segment's and RudderStack's calls, in all the forms in which they come."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import urlencode

import orjson
import pytest

TRACK = {"userId": "u-1", "event": "Demo Requested", "messageId": "m-1"}
BATCH = {"batch": [TRACK | {"type": "track"}, {"type": "page", "anonymousId": "a-1", "messageId": "m-2"}]}
KEY = {"X-Write-Key": "key"}


@pytest.mark.parametrize(
    ("query", "headers", "more"),
    [
        ("", {"Authorization": "Basic " + b64encode(b"key:").decode()}, {}),
        ("", {"Authorization": "Basic " + b64encode(b"key:a password").decode()}, {}),
        ("", {"Authorization": "Bearer an-oauth-token"}, {"writeKey": "key"}),
        ("", {"X-Write-Key": "key", "Authorization": "Basic " + b64encode(b"no such:").decode()}, {}),
        ("writeKey=key", {}, {}),
        ("", {}, {"writeKey": "key"}),
    ],
)
async def test_the_key_may_stand_wherever_sdks_put_it(wire, query, headers, more):
    answer = await wire.call("/v1/track", TRACK | more, query=query, headers=headers)
    assert answer.status == 200
    assert [touch.source_id for touch in wire.touches] == ["web"]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import", "/beacon/v1/batch"])
@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8", ""])
@pytest.mark.parametrize(
    ("encode", "encoding"),
    [(bytes, None), (gzip.compress, "gzip"), (zlib.compress, "deflate"), (gzip.compress, None)],
)
async def test_a_batch_is_read_whatever_its_labels_say(wire, path, media, encode, encoding):
    headers = {"Content-Type": media} | ({"Content-Encoding": encoding} if encoding else {})
    answer = await wire.call(path, encode(orjson.dumps(BATCH)), query="writeKey=key", headers=headers)
    assert answer.status == 200, "201 and 204 would be sent again by some SDKs"
    assert orjson.loads(answer.body)["accepted"] == 2
    assert [touch.type for touch in wire.touches] == ["demo_requested", "page_viewed"]


async def test_an_unknown_key_is_refused_and_no_browser_asks_for_a_password(wire):
    answer = await wire.call("/v1/track", TRACK, headers={"X-Write-Key": "nobody's"})
    assert (answer.status, orjson.loads(answer.body)["code"]) == (401, "unknown_write_key")
    assert not dict(answer.headers)[b"www-authenticate"].startswith(b"Basic")


async def test_merge_is_refused_clearly_and_kept(wire):
    answer = await wire.call("/v1/merge", {"mergeProperties": []}, headers=KEY)
    assert (answer.status, orjson.loads(answer.body)["code"]) == (400, "not_supported")
    assert [event.code for event in wire.rejected] == ["not_supported"]


@pytest.mark.parametrize(
    "query",
    [
        {"userId": "u-1", "event": "Demo Requested", "messageId": "m-1", "context.page.url": "https://x.example/a?b=c"},
        {"userId": "u-1", "event": "Demo Requested", "context": '{"page":{"url":"https://x.example/a"}}'},
        {
            "data": urlsafe_b64encode(
                orjson.dumps(TRACK | {"context": {"page": {"url": "https://x.example/a"}}})
            ).decode()
        },
    ],
)
@pytest.mark.parametrize("path", ["/pixel/v1/track", "/v1/pixel/track"])
async def test_a_pixel_tells_an_event_and_shows_a_picture(wire, path, query):
    answer = await wire.call(path, method="GET", query=urlencode(query | {"writeKey": "key"}))
    assert (answer.status, answer.media, answer.body[:6]) == (200, b"image/gif", b"GIF89a")
    assert (b"cache-control", b"no-store") in answer.headers
    (touch,) = wire.touches
    assert (touch.type, touch.path) == ("demo_requested", "/a")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("writeKey=nobody's&userId=u&event=x", 401),
        ("userId=u&event=x", 401),
        ("writeKey=key&event=x", 400),
        ("writeKey=key&data=%21%21", 400),
        ("writeKey=key&data=WzFd", 400),
        ("writeKey=key&userId=u&event=x&properties={broken", 400),
        ("writeKey=key&userId=u&event=x&properties=text", 400),
        ("writeKey=key&userId=u&event=x&context=1&context.page.url=x", 400),
    ],
)
async def test_a_pixel_that_is_refused_shows_a_picture_too_and_its_status_says_so(wire, query, status):
    answer = await wire.call("/pixel/v1/track", method="GET", query=query)
    assert (answer.status, answer.media) == (status, b"image/gif")
    assert b"www-authenticate" not in dict(answer.headers), "or browsers would ask visitors for a password"
    assert wire.touches == []


@pytest.mark.parametrize(
    ("path", "body", "call"),
    [
        ("/v1/t", TRACK, "demo_requested"),
        ("/v1/p", {"anonymousId": "a"}, "page_viewed"),
        ("/v1/i", {"userId": "u"}, "identify"),
        ("/v1/b", {"batch": [TRACK | {"type": "track"}]}, "demo_requested"),
    ],
)
async def test_the_short_paths_of_the_browser_library_are_the_same(wire, path, body, call):
    assert (await wire.call(path, body, headers=KEY)).status == 200
    assert [touch.type for touch in wire.touches] == [call]
