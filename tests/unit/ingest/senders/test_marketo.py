"""Marketo's webhooks."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from services.ingest.domain.refusals import Refused

SECRET = "marketo-secret"
CALL = {
    "event": "Fills Out Form",
    "step": 6,
    "form": "お問い合わせ",
    "lead": {
        "id": 1_000_123,
        "email": "taro@minato-seisakusho.co.jp",
        "firstName": "太郎",
        "lastName": "山田",
        "title": "情報システム部長",
        "phone": "",
        "budget": "300万円",
        "created_at": "2018-06-16 11:23:58",
    },
    "company": {"name": "株式会社ミナト製作所", "industry": "製造業", "notes": ""},
    "campaign": {"id": 160, "name": "問い合わせ通知"},
    "program": {"name": "2026 秋の展示会"},
    "datetime": "2026-09-21 21:28:16",
    "utcOffset": "+09:00",
}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-Baton-Secret": SECRET}, None),
        ({"X-Baton-Secret": "older"}, None),
        ({"X-Baton-Secret": "é".encode()}, "wrong_credential"),
        ({"X-Baton-Secret": ""}, "no_credential"),
        ({}, "no_credential"),
    ],
)
def test_the_secret_in_the_header_is_what_counts(hook, headers, code):
    marketo = hook("marketo", SECRET, "older")
    assert marketo.refused(marketo.request(CALL, headers)) == code


def test_two_secrets_in_one_call_are_one_too_many(hook):
    marketo = hook("marketo", SECRET)
    request = marketo.request(CALL)._replace(headers=[(b"x-baton-secret", SECRET.encode())] * 2)
    assert marketo.refused(request) == "many_credentials"


def test_a_call_is_a_person_a_company_and_a_campaign(hook):
    marketo = hook("marketo", SECRET)
    touch = marketo.touch(CALL)
    assert (touch.type, touch.campaign) == ("contact_requested", "2026 秋の展示会")
    assert touch.person.fields["email"] == "taro@minato-seisakusho.co.jp"
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert touch.attributes["level"] == "head"
    assert marketo.kinds(CALL) == [{"external", "email"}]


def test_times_without_a_zone_are_in_the_zone_that_the_template_says_else_utc(hook):
    marketo = hook("marketo", SECRET)
    assert marketo.touch(CALL).at == 1_789_993_696_000
    assert marketo.touch(CALL | {"datetime": "2026-09-21 12:28:16", "utcOffset": ""}).at == 1_789_993_696_000
    assert marketo.touch(CALL | {"datetime": ""}).clock == "absent"
    assert marketo.refusals(CALL | {"datetime": "yesterday"}) == ["bad_time"]


def test_a_call_that_comes_again_has_the_same_id(hook):
    marketo = hook("marketo", SECRET)
    first = marketo.touch(CALL).event_id
    assert marketo.touch(CALL | {"step": 7}).event_id == first
    assert marketo.touch(CALL | {"datetime": "2026-09-21 21:28:17"}).event_id != first
    assert marketo.touch(CALL | {"campaign": {"id": 161}}).event_id != first


@pytest.mark.parametrize(
    ("event", "touch_type"),
    [
        ("Opens Email", "email_opened"),
        ("Fills Out LinkedIn Lead Gen Form", "ad_form_submitted"),
        ("Demo Requested", "demo_requested"),
        ("webhook for A", "custom"),
    ],
)
def test_what_starts_the_campaign_decides_the_touch_type(hook, event, touch_type):
    assert hook("marketo", SECRET).touch(CALL | {"event": event}).type == touch_type


def test_a_flat_form_is_read_too(hook):
    body = urlencode(
        {
            "name": "Interesting Moment",
            "lead_id": "77",
            "email": "taro@minato-seisakusho.co.jp",
            "company[name]": "株式会社ミナト製作所",
            "datetime": "2026-09-21 12:00:00",
            "phone": "",
        }
    ).encode()
    marketo = hook("marketo", SECRET)
    touch = marketo.touch(body)
    assert (touch.type, touch.event) == ("custom", "Interesting Moment")
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert marketo.kinds(body) == [{"external", "email"}]


def test_a_token_that_was_not_encoded_is_no_json(hook):
    marketo = hook("marketo", SECRET)
    with pytest.raises(Refused) as refused:
        marketo.read(marketo.request(b'{"lead": {"name": "Taro "The Man" Yamada"}}'))
    assert (refused.value.code, refused.value.status) == ("malformed_json", 400)


@pytest.mark.parametrize(("body", "code"), [(b"[]", "wrong_type"), (b"", "no_event_name"), (b"name=x", "no_identity")])
def test_what_tells_of_nobody_is_refused(hook, body, code):
    assert hook("marketo", SECRET).refusals(body) == [code]
