"""Mailchimp's audience webhooks."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

SECRET = "a+long/secret"
SUBSCRIBE = {
    "type": "subscribe",
    "fired_at": "2026-09-21 12:35:57",
    "data[id]": "8a25ff1d98",
    "data[list_id]": "a6b5da1054",
    "data[email]": "taro@minato-seisakusho.co.jp",
    "data[email_type]": "html",
    "data[merges][EMAIL]": "taro@minato-seisakusho.co.jp",
    "data[merges][FNAME]": "太郎",
    "data[merges][LNAME]": "山田",
    "data[merges][COMPANY]": "株式会社ミナト製作所",
    "data[merges][ADDRESS]": "横浜市西区1-2-3",
    "data[merges][INTERESTS]": "検査,DX",
    "data[ip_opt]": "10.20.10.30",
}


def form(**change: str) -> bytes:
    return urlencode(SUBSCRIBE | change).encode()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"secret=a+long/secret", None),
        (b"x=1&secret=a%2Blong%2Fsecret", None),
        (b"secret=other", "wrong_credential"),
        (b"secret=%ff%C3%A9", "wrong_credential"),
        (b"secret=", "no_credential"),
        (b"", "no_credential"),
        (b"Secret=a+long/secret", "no_credential"),
        (b"secret=a+long/secret&secret=other", "many_credentials"),
    ],
)
def test_the_secret_in_the_address_is_what_counts(hook, query, code):
    mailchimp = hook("mailchimp", "older", SECRET)
    assert mailchimp.refused(mailchimp.request(form(), query=query)) == code


def test_a_look_without_a_secret_is_welcome(hook):
    mailchimp = hook("mailchimp", SECRET)
    for method in ("GET", "HEAD"):
        assert mailchimp.webhook.probe(mailchimp.request(method=method), mailchimp.known.keys).status == 200


@pytest.mark.parametrize(
    ("event", "touch_type"),
    [
        ("subscribe", "newsletter_subscribed"),
        ("unsubscribe", "email_unsubscribed"),
        ("cleaned", "email_bounced"),
        ("profile", "identify"),
        ("upemail", "custom"),
    ],
)
def test_events_have_their_touch_types(hook, event, touch_type):
    assert hook("mailchimp", SECRET).touch(form(type=event)).type == touch_type


def test_merge_fields_are_the_person(hook):
    touch = hook("mailchimp", SECRET).touch(form())
    assert touch.person.fields["email"] == "taro@minato-seisakusho.co.jp"
    assert touch.person.fields["last_name"] == "山田"
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert (touch.channel, touch.at) == ("email_nurture", 1_789_994_157_000)
    assert "横浜" not in touch.model_dump_json()


def test_a_change_that_comes_again_has_the_same_id(hook):
    mailchimp = hook("mailchimp", SECRET)
    first = mailchimp.touch(form()).event_id
    assert mailchimp.touch(form(**{"data[ip_opt]": "1.1.1.1"})).event_id == first
    assert mailchimp.touch(form(fired_at="2026-09-21 12:35:58")).event_id != first
    assert mailchimp.touch(form(type="profile")).event_id != first


def test_an_address_that_changed_is_known_by_the_new_one(hook):
    body = urlencode(
        {
            "type": "upemail",
            "fired_at": "2026-09-21 12:00:00",
            "data[list_id]": "a6b5da1054",
            "data[new_id]": "51da8c3259",
            "data[new_email]": "taro@new.example.co.jp",
            "data[old_email]": "taro@minato-seisakusho.co.jp",
        }
    ).encode()
    touch = hook("mailchimp", SECRET).touch(body)
    assert touch.person.fields["email"] == "taro@new.example.co.jp"


@pytest.mark.parametrize("body", [b"", b"data[email]=x", b"type=&data=x", b"\xff=%ff", b"type[a]=x"])
def test_what_is_no_webhook_is_refused(hook, body):
    assert hook("mailchimp", SECRET).refusals(body) == ["wrong_type"]


def test_a_campaign_is_about_nobody(hook):
    assert hook("mailchimp", SECRET).refusals(b"type=campaign&data[id]=1&data[status]=sent") == ["no_identity"]
