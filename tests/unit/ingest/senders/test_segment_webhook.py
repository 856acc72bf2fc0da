"""Segment's webhook destinations."""

from __future__ import annotations

import hmac
import json

import orjson
import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.senders.segment_webhook import signed_part

SECRET = "shared-secret"
EVENT = {
    "type": "track",
    "event": "Demo Requested",
    "messageId": "ajs-1",
    "userId": "u-1",
    "timestamp": "2026-09-21T13:00:00.000Z",
    "originalTimestamp": "2026-09-21T04:00:00.000Z",
    "sentAt": "2026-09-21T04:00:01.000Z",
    "receivedAt": "2026-09-21T13:00:01.000Z",
    "context": {"campaign": {"name": "autumn", "source": "google", "medium": "cpc"}},
    "properties": {"form": "demo / デモ"},
}


def digest(part: bytes) -> str:
    return hmac.digest(SECRET.encode(), part, "sha1").hex()


def as_javascript(*events: object) -> bytes:
    """As JSON.stringify writes."""
    return json.dumps(list(events), separators=(",", ":"), ensure_ascii=False).encode()


def test_a_single_event_is_signed_as_a_whole(hook):
    segment, body = hook("segment_webhook", SECRET), orjson.dumps(EVENT)
    assert segment.refused(segment.request(body, {"X-Signature": digest(body)})) is None
    assert segment.refused(segment.request(body + b" ", {"X-Signature": digest(body)})) == "bad_signature"
    assert segment.refused(segment.request(body)) == "no_signature"


def test_of_a_batch_the_first_event_is_signed_by_its_bytes(hook):
    segment = hook("segment_webhook", SECRET)
    number = EVENT | {"properties": {"amount": 1e21, "text": "\u2028/日"}}
    body = b' [ {"type":"track","event":"x","userId":"u","a":1.0,"b":1e3} , {"type":"track"}]'
    first = body.strip(b" [").split(b" ,")[0]
    assert segment.refused(segment.request(body, {"X-Signature": digest(first)})) is None
    body = as_javascript(number, EVENT)
    assert segment.refused(segment.request(body, {"X-Signature": digest(as_javascript(number)[1:-1])})) is None
    assert (
        segment.refused(segment.request(body, {"X-Signature": digest(as_javascript(EVENT)[1:-1])})) == "bad_signature"
    )


@pytest.mark.parametrize("body", [b"[]", b"[", b"[,", b"[nope]", b"[" * 5_000, b"[\xff]", b"[" + b"9" * 9_000 + b"]"])
def test_a_batch_of_which_nothing_is_signed_is_not_let_in(body):
    with pytest.raises(Refused) as refused:
        signed_part(body)
    assert (refused.value.code, refused.value.status) == ("bad_signature_format", 401)


def test_what_is_not_signed_is_refused_event_by_event(hook):
    segment = hook("segment_webhook", SECRET)
    others = [EVENT | {"messageId": "ajs-2"}, EVENT]
    found = segment.read(segment.request([EVENT, *others]))
    assert [made.position for made in found.drafts] == [0]
    assert [refused.code for refused in found.refused.values()] == ["unsigned", "unsigned"]


def test_a_secret_in_the_header_vouches_for_the_others(hook):
    segment = hook("segment_webhook", SECRET, "header-secret")
    body = as_javascript(EVENT, EVENT | {"messageId": "ajs-2"})
    headers = {"X-Signature": digest(as_javascript(EVENT)[1:-1]), "X-Baton-Secret": "header-secret"}
    assert segment.refused(segment.request(body, headers)) is None
    assert len(segment.touches(body, headers)) == 2
    assert segment.refused(segment.request(body, headers | {"X-Baton-Secret": "wrong"})) == "wrong_credential"
    assert segment.refused(segment.request(body, {"X-Baton-Secret": "header-secret"})) == "no_signature"


def test_the_time_that_segment_settled_is_kept(hook):
    touch = hook("segment_webhook", SECRET).touch(EVENT)
    assert (touch.type, touch.campaign, touch.clock) == ("demo_requested", "autumn", "kept")
    assert touch.at == 1_789_995_600_000


def test_a_delivery_has_the_id_of_its_message_and_no_trust_to_link(hook):
    segment = hook("segment_webhook", SECRET)
    assert segment.touch(EVENT).event_id == segment.touch(EVENT | {"receivedAt": "later"}).event_id
    assert segment.known.sender.trusted is False


def test_a_batch_may_be_as_large_as_segment_makes_it(hook):
    segment = hook("segment_webhook", SECRET)
    assert len(segment.touches([EVENT] * 4_000, {"X-Baton-Secret": SECRET})) == 4_000
    with pytest.raises(Refused, match="too_many_events"):
        segment.read(segment.request([EVENT] * 4_001))
