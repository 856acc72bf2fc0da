"""Customer.io's reporting webhooks."""

from __future__ import annotations

import hmac

import pytest

OPENED = {
    "event_id": "01E4C4CT6YDC7Y5M7FE1GWWPQJ",
    "object_type": "email",
    "metric": "opened",
    "timestamp": 1_789_990_000,
    "data": {
        "customer_id": "u-7",
        "identifiers": {"id": "u-7", "email": "haruka.mori@aozora.example", "cio_id": "d9c106000001"},
        "recipient": "haruka.mori@aozora.example",
        "delivery_id": "RPILAgUBcRhIBqSfeiIwdIYJKxTY",
        "campaign_id": 9,
        "action_id": 96,
        "subject": "10月のセミナー",
    },
}


def event(metric: str, kind: str = "email", **more):
    return OPENED | {"metric": metric, "object_type": kind, "data": OPENED["data"] | more}


@pytest.fixture
def here(hook):
    return hook("customerio", "a secret")


@pytest.mark.parametrize(
    ("kind", "metric", "expected"),
    [
        ("email", "delivered", "email_delivered"),
        ("email", "opened", "email_opened"),
        ("email", "clicked", "email_clicked"),
        ("email", "bounced", "email_bounced"),
        ("email", "unsubscribed", "email_unsubscribed"),
        ("email", "spammed", "email_unsubscribed"),
        ("customer", "unsubscribed", "email_unsubscribed"),
        ("customer", "subscribed", "newsletter_subscribed"),
        ("email", "sent", "custom"),
        ("email", "converted", "custom"),
        ("push", "clicked", "custom"),
        ("sms", "delivered", "custom"),
    ],
)
def test_every_metric_has_its_touch_type(here, kind, metric, expected):
    touch = here.touch(event(metric, kind))
    assert (touch.event, touch.type, touch.channel) == (f"{kind}_{metric}", expected, "email_nurture")
    assert touch.at == 1_789_990_000_000


def test_the_person_is_named_by_all_that_customerio_knows(here):
    assert here.kinds(OPENED) == [{"user", "email", "external"}]
    by_mail = OPENED | {"data": {"recipient": "haruka.mori@aozora.example"}}
    assert here.kinds(by_mail) == [{"email"}]


def test_what_a_text_message_was_sent_to_is_no_mail_address(here):
    assert here.refusals(OPENED | {"object_type": "sms", "data": {"recipient": "haruka.mori@aozora.example"}}) == [
        "no_identity"
    ]


def test_of_a_clicked_address_only_the_path_is_kept(here):
    assert here.touch(event("clicked", href="https://www.aozora.example/pricing?u=1")).path == "/pricing"


def test_what_was_fetched_ahead_is_automated(here):
    assert here.touch(event("opened", prefetched=True)).automated
    assert not here.touch(event("opened", prefetched=False)).automated


def test_another_attempt_is_the_same_event(here):
    other = OPENED | {"event_id": "01E4C4CT6YDC7Y5M7FE1GWWPQK"}
    assert here.touch(OPENED).event_id == here.touch(OPENED).event_id != here.touch(other).event_id


def test_time_and_body_are_signed(here):
    seconds = here.now // 1000
    made = hmac.digest(b"a secret", b"v0:%d:{}" % seconds, "sha256").hex()
    headers = {"X-CIO-Signature": made, "X-CIO-Timestamp": str(seconds)}
    assert here.refused(here.request(b"{}", headers)) is None
    assert here.refused(here.request(b"{}", headers | {"X-CIO-Timestamp": str(seconds + 1)})) == "bad_signature"
