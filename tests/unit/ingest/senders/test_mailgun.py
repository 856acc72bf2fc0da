"""Mailgun, whose signature covers nothing of the event."""

from __future__ import annotations

import hmac

import pytest

KEY = "mailgun-signing-key"
TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
EVENT = {
    "event": "clicked",
    "id": "Ase7i2zsRYeDXztHGENqRA",
    "timestamp": 1_789_999_990.329574,
    "log-level": "info",
    "recipient": "taro@minato-seisakusho.co.jp",
    "url": "https://www.example.jp/pricing?utm_source=mail&utm_medium=email",
    "ip": "50.56.129.169",
    "client-info": {"client-type": "browser", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/31.0"},
    "tags": ["2026-09 news", "dx"],
    "user-variables": {"topic": "検査"},
    "flags": {"is-test-mode": False},
    "message": {"headers": {"message-id": "20130503182626.18666.16540@example.jp"}},
}


def delivery(at: object, event: object = EVENT, *, token: object = TOKEN, **change: object) -> dict[str, object]:
    digest = hmac.digest(KEY.encode(), f"{at}{token}".encode(), "sha256").hex()
    return {"signature": {"timestamp": str(at), "token": token, "signature": digest} | change, "event-data": event}


def test_time_and_token_are_signed_and_late_tries_are_let_in(hook, now):
    mailgun = hook("mailgun", KEY)
    at = now // 1000
    assert mailgun.refused(mailgun.request(delivery(at))) is None
    assert mailgun.refused(mailgun.request(delivery(at - 8 * 3600))) is None, "Mailgun tries for eight hours"
    assert mailgun.refused(mailgun.request(delivery(at - 86_401))) == "stale_timestamp"
    assert mailgun.refused(mailgun.request(delivery(at + 301))) == "future_timestamp"
    assert mailgun.refused(mailgun.request(delivery(at, token="other", signature="00" * 32))) == "bad_signature"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signature": None}, "no_signature"),
        ({"signature": "zz"}, "bad_signature_format"),
        ({"signature": "é"}, "bad_signature_format"),
        ({"token": ""}, "bad_signature_format"),
        ({"token": "t" * 200}, "bad_signature_format"),
        ({"timestamp": "1.5"}, "bad_timestamp"),
        ({"timestamp": "１７９"}, "bad_timestamp"),
        ({"timestamp": None}, "bad_timestamp"),
        ({"timestamp": {}}, "bad_timestamp"),
    ],
)
def test_whatever_is_malformed_is_not_let_in(hook, now, change, code):
    mailgun = hook("mailgun", KEY)
    assert mailgun.refused(mailgun.request(delivery(now // 1000, **change))) == code


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"signature":[]}'])
def test_a_body_without_signature_is_not_let_in(hook, body):
    mailgun = hook("mailgun", KEY)
    assert mailgun.refused(mailgun.request(body)) in ("malformed_json", "no_signature")


def test_another_event_under_the_token_of_one_that_came_is_the_same_event(hook, now):
    """Whoever has seen one delivery can forge others; they shall be duplicates."""
    mailgun = hook("mailgun", KEY)
    forged = delivery(now // 1000, EVENT | {"id": "other", "recipient": "hanako@example.co.jp", "event": "opened"})
    assert mailgun.refused(mailgun.request(forged)) is None
    assert mailgun.touch(forged).event_id == mailgun.touch(delivery(now // 1000)).event_id


def test_the_source_is_not_trusted_to_link(hook):
    assert hook("mailgun", KEY).known.sender.trusted is False


@pytest.mark.parametrize(
    ("event", "touch_type"),
    [
        ({"event": "clicked"}, "email_clicked"),
        ({"event": "opened"}, "email_opened"),
        ({"event": "delivered"}, "email_delivered"),
        ({"event": "unsubscribed"}, "email_unsubscribed"),
        ({"event": "complained"}, "email_unsubscribed"),
        ({"event": "failed", "severity": "permanent"}, "email_bounced"),
        ({"event": "failed", "severity": "temporary"}, "custom"),
        ({"event": "failed"}, "custom"),
        ({"event": "accepted"}, "custom"),
    ],
)
def test_events_have_their_touch_types(hook, now, event, touch_type):
    assert hook("mailgun", KEY).touch(delivery(now // 1000, EVENT | event)).type == touch_type


def test_a_click_tells_campaign_topic_and_page(hook, now):
    touch = hook("mailgun", KEY).touch(delivery(now // 1000))
    assert (touch.campaign, touch.topic, touch.path, touch.channel) == (
        "2026-09 news",
        "検査",
        "/pricing",
        "email_nurture",
    )
    assert touch.at == 1_789_999_990_330
    assert touch.automated is False


@pytest.mark.parametrize(
    "client",
    [
        {"bot": "apple"},
        {"client-type": "robot"},
        {"user-agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"},
    ],
)
def test_opens_by_proxies_are_automated(hook, now, client):
    opened = EVENT | {"event": "opened", "client-info": client}
    assert hook("mailgun", KEY).touch(delivery(now // 1000, opened)).automated


def test_a_mail_in_test_mode_is_a_test(hook, now):
    tested = EVENT | {"flags": {"is-test-mode": True}}
    assert hook("mailgun", KEY).touch(delivery(now // 1000, tested)).is_test


def test_a_delivery_without_an_event_is_refused(hook, now):
    assert hook("mailgun", KEY).refusals(delivery(now // 1000, "x")) == ["wrong_type"]
