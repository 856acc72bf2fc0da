"""Bounds that need no socket: of JSON, of pace, of origins."""

from __future__ import annotations

import orjson
import pytest

from services.ingest.answers import Answer
from services.ingest.domain.envelope import open_body
from services.ingest.domain.parse import MOST_KEYS, check, parse
from services.ingest.domain.refusals import Refused
from services.ingest.doors import cors, reader
from services.ingest.request import Request


@pytest.mark.parametrize("keys", [MOST_KEYS, MOST_KEYS + 1])
def test_an_object_has_so_many_keys_and_no_more(keys: int) -> None:
    event = {"properties": {str(number): 0 for number in range(keys)}}
    parsed = parse(orjson.dumps({"batch": [event]}))
    assert parsed.suspect
    if keys <= MOST_KEYS:
        check(open_body("batch", parsed.tree).items[0])
        return
    with pytest.raises(Refused) as refused:
        check(open_body("batch", parsed.tree).items[0])
    assert refused.value.code == "too_many_keys"


def test_the_pace_that_a_body_has_to_keep() -> None:
    deadline = reader._deadline
    assert deadline(100, 0, 10) == 100 + reader.GRACE_SECONDS
    assert deadline(100, 3 * reader.LEAST_PER_SECOND, 10) == 100 + reader.GRACE_SECONDS + 3
    assert deadline(100, 1 << 30, 10) == 110


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Www.Hinode.example/contact?x#y", "https://www.hinode.example"),
        ("https://hinode.example:443", "https://hinode.example"),
        ("http://hinode.example:8080/", "http://hinode.example:8080"),
        ("https://日の出.example", "https://xn--u9jx32h9un.example"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://user@hinode.example/", "https://hinode.example"),
        ("null", None),
        ("", None),
        ("file:///etc", None),
        ("https://", None),
        ("https://a:b", None),
        ("https://[::1", None),
        ("https://" + "日" * 70 + ".example", None),
    ],
)
def test_an_address_has_one_origin_however_it_is_written(address: str, origin: str | None) -> None:
    assert cors.origin_of(address) == origin


@pytest.mark.parametrize(
    "origin", [b"https://b.example", b"null", b"", None, b"\xff\xfe", b"https://a.example.evil.example"]
)
def test_who_is_not_on_the_list_may_not(origin: bytes | None) -> None:
    cors.check(origin, ())
    with pytest.raises(Refused) as refused:
        cors.check(origin, ("https://a.example",))
    assert (refused.value.code, refused.value.status) == ("origin_not_allowed", 403)


def call(**headers: bytes) -> Request:
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Request("OPTIONS", "/v1/track", b"", named, b"")


@pytest.mark.parametrize("asked", [b"x\r\ny: z", b"a" * 600, b"<script>", b"\xff"])
def test_header_names_that_are_none_are_not_repeated(asked: bytes) -> None:
    answer = cors.preflight(call(origin=b"https://a.example", access_control_request_headers=asked), ("POST",))
    assert asked not in dict(answer.headers)[b"access-control-allow-headers"]


def test_an_origin_that_is_none_is_not_repeated() -> None:
    answer = cors.readable(Answer(200, b""), call(origin=b"https://a.example/\xff \t"))
    assert b"access-control-allow-origin" not in dict(answer.headers)


def test_what_a_sender_says_itself_is_left_as_it_is() -> None:
    own = Answer(200, b"", ((b"access-control-allow-origin", b"x"), (b"access-control-allow-credentials", b"true")))
    assert cors.readable(own, call(origin=b"https://a.example")) == own
    assert cors.readable(Answer(200, b""), call()) == Answer(200, b"")
