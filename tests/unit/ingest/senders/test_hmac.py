"""Webhooks of anybody, by the scheme that the source's policy writes down."""

from __future__ import annotations

import hmac
from base64 import b64encode

import pytest

GITHUB_LIKE = {
    "header": "X-Hub-Signature-256",
    "prefix": "sha256=",
    "event_id": "X-GitHub-Delivery",
    "event": "X-GitHub-Event",
}
STRIPE_LIKE = {"header": "Stripe-Signature", "separator": ",", "field": "v1", "signed": "{t}.{body}", "timestamp": "t"}
SECRET = "a secret"
LEAD = b'{"event":"Demo Requested","user":{"email":"m.kato@kumo.example","user_id":"u-7"}}'


def sign(message: bytes, digest: str = "sha256") -> str:
    return hmac.digest(SECRET.encode(), message, digest).hex()


def test_the_event_and_its_id_may_stand_in_headers(hook):
    here = hook("hmac", SECRET, signature=GITHUB_LIKE)
    headers = {"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-GitHub-Event": "trial_started"}
    assert here.refused(here.request(LEAD, headers | {"X-Hub-Signature-256": "sha256=" + sign(LEAD)})) is None
    assert here.touch(LEAD, headers).type == "trial_started"
    [one] = here.read(here.request(LEAD, headers)).drafts
    [other] = here.read(here.request(LEAD, headers | {"X-GitHub-Delivery": "other"})).drafts
    assert one.event_id != other.event_id


def test_a_stripe_like_event_is_told_by_its_object(hook):
    here = hook("hmac", SECRET, signature=STRIPE_LIKE)
    sent = {
        "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
        "object": "event",
        "type": "customer.created",
        "created": 1_789_999_000,
        "data": {"object": {"id": "cus_9s6XKzkNRiz8i3", "object": "customer", "email": "m.kato@kumo.example"}},
    }
    touch = here.touch(sent)
    assert (touch.event, touch.type, touch.at) == ("customer.created", "custom", 1_789_999_000_000)
    assert not touch.is_test
    assert here.touch(sent | {"livemode": False}).is_test
    again, other = here.touch(sent | {"pending_webhooks": 2}), here.touch(sent | {"id": "evt_2"})
    assert touch.event_id == again.event_id != other.event_id


def test_an_id_at_the_top_of_a_flat_body_is_the_persons_and_not_the_events(hook):
    here = hook("hmac", SECRET, signature=GITHUB_LIKE)
    first = {"id": 7, "event": "Demo Requested", "email": "m.kato@kumo.example"}
    assert here.touch(first).event_id != here.touch(first | {"event": "Quote Requested"}).event_id


def test_the_name_of_a_time_in_a_list_counts_before_a_header_of_that_name(hook):
    here = hook("hmac", SECRET, signature=STRIPE_LIKE)
    seconds = here.now // 1000
    good = f"t={seconds},v1={sign(b'%d.' % seconds + LEAD)}"
    assert here.refused(here.request(LEAD, {"Stripe-Signature": good, "t": "1"})) is None
    apart = {"Stripe-Signature": good.partition(",")[2], "t": str(seconds)}
    assert here.refused(here.request(LEAD, apart)) is None


@pytest.mark.parametrize(
    ("scheme", "message", "headers"),
    [
        ({"header": "X-Sig", "signed": "{method}{url}{body}"}, b"POSThttps://h.example/in/x?a=1" + LEAD, {}),
        (
            {"header": "X-Sig", "signed": "{id}.{t}.{body}", "timestamp": "X-Time", "unit": "ms", "event_id": "X-Id"},
            b"i-1.1790000000000." + LEAD,
            {"X-Time": "1790000000000", "X-Id": "i-1"},
        ),
    ],
)
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_method_address_id_and_time_may_be_signed(hook, scheme, message, headers, digest):
    source = {"signature": scheme | {"digest": digest, "encoding": "base64"}, "public_url": "https://h.example/in/x"}
    here = hook("hmac", SECRET, **source)
    made = b64encode(hmac.digest(SECRET.encode(), message, digest)).decode()
    request = here.request(LEAD, headers | {"X-Sig": made}, query=b"a=1")
    assert here.refused(request) is None
    for name in headers:
        pair = (name.lower().encode(), b"1790000000001")
        others = [kept for kept in request.headers if kept[0] != pair[0]]
        assert here.refused(request._replace(headers=[*others, pair])) == "bad_signature"


def test_an_address_that_is_not_known_is_said_so(hook):
    here = hook("hmac", SECRET, signature={"header": "X-Sig", "signed": "{url}{body}"})
    assert here.refused(here.request(LEAD, {"X-Sig": sign(LEAD)})) == "no_public_url"


def test_a_public_url_without_a_path_is_completed_and_hosts_in_headers_are_not_believed(hook):
    scheme = {"header": "X-Sig", "signed": "{url}{body}"}
    here = hook("hmac", SECRET, signature=scheme, public_url="https://h.example/")
    headers = {
        "X-Sig": sign(b"https://h.example/hooks/hook" + LEAD),
        "Host": "10.0.0.1",
        "X-Forwarded-Host": "evil.example",
    }
    assert here.refused(here.request(LEAD, headers)) is None
    forged = sign(b"https://evil.example/hooks/hook" + LEAD)
    assert here.refused(here.request(LEAD, headers | {"X-Sig": forged})) == "bad_signature"


def test_an_empty_separator_is_none(hook):
    here = hook("hmac", SECRET, signature={"header": "X-Sig", "separator": "", "field": ""})
    assert here.refused(here.request(LEAD, {"X-Sig": sign(LEAD)})) is None
