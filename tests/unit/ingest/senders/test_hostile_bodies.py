"""Bodies and headers that were made to hurt: each is answered as any other that is wrong, and takes no more memory than it has."""

from __future__ import annotations

import tracemalloc

import orjson
import pytest

from services.ingest import reading
from services.ingest.domain import mapping
from services.ingest.domain.parse import parse
from services.ingest.request import Request
from services.ingest.senders.snowplow import SNOWPLOW
from shared.normalise.text import clean

KEYED = {"X-Write-Key": "key"}
ON_KEYS = [
    ("/v1/track", rb'{"writeKey":"\ud800","event":"Seen","userId":"u"}'),
    ("/capture", rb'{"api_key":"\ud800","event":"Seen","distinct_id":"u"}'),
    ("/2/httpapi", rb'{"api_key":"\ud800","events":[{"event_type":"Seen","user_id":"u"}]}'),
    ("/track", rb'{"event":"Seen","properties":{"token":"\ud800","distinct_id":"u"}}'),
    ("/api/s/track", rb'{"writeKey":"\ud800","event":"Seen","userId":"u"}'),
]


@pytest.mark.parametrize(("path", "body"), ON_KEYS)
async def test_half_a_surrogate_pair_as_key_is_an_unknown_key(wire, path, body):
    assert (await wire.call(path, body)).status == 401
    assert (await wire.call(path, body, headers=KEYED)).status in (200, 400)


async def test_a_key_of_a_megabyte_in_the_body_is_not_remembered(wire):
    reading._spellings.cache_clear()
    body = {"writeKey": "k" * 1_000_000, "batch": [{"type": "track", "event": "Of nobody"}]}
    answer = await wire.call("/v1/batch", body, headers=KEYED)
    assert (answer.status, orjson.loads(answer.body)["rejected"]) == (200, 1)
    assert reading._spellings.cache_info().currsize == 0


@pytest.mark.parametrize("depth", [70, 300, 1000, 1020])
async def test_an_event_of_a_thousand_brackets_is_refused_alone(wire, depth):
    deep = b"[" * depth + b"]" * depth
    good = b'{"type":"track","event":"Good","userId":"u"}'
    body = b'{"batch":[{"type":"track","event":"Deep","userId":"u","properties":{"a":' + deep + b"}}," + good + b"]}"
    answer = await wire.call("/v1/batch", body, headers=KEYED)
    assert answer.status == 200
    assert [touch.event for touch in wire.touches] == ["Good"]
    assert [rejected.code for rejected in wire.rejected] == ["too_deep"]


def test_brackets_in_texts_do_not_hide_depth():
    nested = b"[" * 60 + b'"' + b"]" * 60 + b'",' + b"[" * 60 + b'"' + b"[" * 60 + b'"' + b"]" * 120
    assert parse(nested).suspect
    assert not parse(b'{"a":"' + b"[" * 100 + b'"}').suspect


@pytest.mark.parametrize(
    "text", ["\ufdfa" * 1_000_000, "ab " * 1_000_000, " " * 1_000_000 + "a" + "\ufdfa" * 1_000_000]
)
def test_a_text_of_megabytes_is_not_normalised_whole(text):
    tracemalloc.start()
    try:
        found = clean(text)
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found
    assert len(found) <= 200
    assert grown < len(text.encode()) + 2_000_000


@pytest.mark.parametrize(
    ("cookie", "browser"),
    [
        (b"sp=0a-1", "0a-1"),
        (b'a=b; sp="0a-1"; c', "0a-1"),
        (b"xsp=1; sp = 2", None),
        (b'sp="' + b'\\"' * 15_000 + b'"', None),
        (b"sp=" + b"a" * 65, None),
        ("sp=é".encode(), None),
    ],
)
def test_the_collectors_cookie_names_a_browser_or_nobody(cookie, browser):
    request = Request("GET", "/i", b"e=pv", [(b"cookie", cookie)], b"")
    assert SNOWPLOW.read(request).envelope.items[0].get("nuid") == browser


@pytest.mark.parametrize("length", [100, 5_000, 1_000_000])
async def test_long_addresses_are_read_and_not_remembered(wire, length):
    mapping._split.cache_clear()
    url = "https://hinode.example/a?" + "x" * length
    event = {"event": "Seen", "userId": "u", "context": {"page": {"url": url, "referrer": f"https://{url[-length:]}/"}}}
    assert (await wire.call("/v1/track", event, headers=KEYED)).status == 200
    assert wire.touches[0].path == "/a"
    assert len(wire.touches[0].detail or "") <= 100
    assert mapping._split.cache_info().currsize == (2 if length == 100 else 0)


@pytest.mark.parametrize("said", [rb"\ud800", b"k" * 100_000, b"no call"])
async def test_a_type_that_is_no_call_is_refused_and_not_repeated(wire, said):
    body = b'{"type":"' + said + b'","event":"Seen","userId":"u"}'
    answer = await wire.call("/api/s/event", body, headers=KEYED)
    assert (answer.status, len(wire.rejected)) == (400, 1)
    assert wire.rejected[0].call is None


@pytest.mark.parametrize("letter", ["ß", "ΐ", "ﬃ", "\ufdfa", "İ"])
async def test_letters_that_become_several_make_no_touch_that_nobody_can_read(wire, letter):
    long = letter * 100
    told = dict.fromkeys(("company", "industry", "title", "topic", "landing_page", "state", "utm_source", "name"), long)
    campaign = {"name": long, "source": long, "medium": long}
    event = {"event": long, "userId": long, "properties": told | {"path": long}, "traits": told}
    answer = await wire.call("/v1/track", event | {"context": {"campaign": campaign}}, headers=KEYED)
    assert answer.status == 200
    assert len(wire.touches[0].detail or "") <= 100  # what the contract does not take was not read back into `touches`
