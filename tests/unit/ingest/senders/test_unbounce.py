"""Landing pages of Unbounce."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

SECRET = "unbounce-secret"
TOLD = {
    "email": ["taro@minato-seisakusho.co.jp"],
    "name": ["山田 太郎"],
    "company": ["株式会社ミナト製作所"],
    "job_title": ["情報システム部長"],
    "budget": ["300万円"],
    "interests": ["検査", "DX"],
    "utm_campaign": ["autumn"],
    "utm_source": ["google"],
    "utm_medium": ["cpc"],
    "ip_address": ["50.56.129.169"],
    "page_name": ["ignored"],
    "time_submitted": ["04:17 PM UTC"],
    "date_submitted": ["2026-09-20"],
}


def form(told: object = TOLD, **change: str) -> bytes:
    whole = {
        "page_url": "https://lp.example.jp/demo?utm_content=x",
        "page_name": "デモ依頼 LP",
        "page_id": "5e05e0f0",
        "variant": "b",
        "data.json": told if isinstance(told, str) else json.dumps(told),
        "data.xml": "<form_data><!DOCTYPE x></form_data>",
    }
    return urlencode(whole | change).encode()


def test_the_secret_in_the_address_is_what_counts(hook):
    unbounce = hook("unbounce", SECRET)
    assert unbounce.refused(unbounce.request(form(), query=b"secret=unbounce-secret")) is None
    assert unbounce.refused(unbounce.request(form(), query=b"secret=other")) == "wrong_credential"
    assert unbounce.refused(unbounce.request(form())) == "no_credential"


def test_a_submission_is_a_person_who_asks_to_be_contacted(hook):
    policy = {"evidence": [{"criterion": "B1", "fields": ["budget"], "otherwise": "named"}]}
    touch = hook("unbounce", SECRET, policy=policy).touch(form())
    assert (touch.type, touch.campaign, touch.channel, touch.path) == (
        "contact_requested",
        "autumn",
        "paid_search",
        "/demo",
    )
    assert touch.at == 1_789_921_020_000
    assert touch.person.fields["email"] == "taro@minato-seisakusho.co.jp"
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert touch.evidence == {"B1": "named"}
    assert "50.56.129.169" not in touch.model_dump_json()


def test_what_the_page_is_for_is_in_policy(hook):
    rule = {
        "id": "demo",
        "when": {"event.name": {"eq": "Form Submitted"}, "event.properties.form": {"contains": ["デモ"]}},
        "type": "demo_requested",
    }
    assert hook("unbounce", SECRET, policy={"mapping": [rule]}).touch(form()).type == "demo_requested"


def test_without_tags_it_came_by_a_form(hook):
    told = {name: value for name, value in TOLD.items() if not name.startswith("utm_")}
    touch = hook("unbounce", SECRET).touch(form(told, page_url="https://lp.example.jp/demo"))
    assert touch.channel == "inbound_form"


def test_the_same_content_on_one_day_is_one_event(hook):
    unbounce = hook("unbounce", SECRET)
    assert unbounce.touch(form()).event_id == unbounce.touch(form()).event_id
    assert unbounce.touch(form()).event_id != unbounce.touch(form(TOLD | {"budget": ["1"]})).event_id


def test_a_moment_of_another_shape_is_that_of_receipt(hook):
    touch = hook("unbounce", SECRET).touch(form(TOLD | {"date_submitted": ["20.9.2026"]}))
    assert touch.clock == "absent"


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("", "malformed_json"),
        ("{", "malformed_json"),
        ("[]", "wrong_type"),
        ({"company": ["x"]}, "no_identity"),
        ('{"email":["a@b.jp"],"x":"\\ud800"}', "bad_text"),
        ('{"email":["a@b.jp"],"x":"\\u0000"}', "nul_character"),
        ('{"email":["a@b.jp"],"x":NaN}', "not_a_number"),
        ('{"email":' + "[" * 100 + "]" * 100 + "}", "too_deep"),
    ],
)
def test_what_is_no_submission_is_refused(hook, told, code):
    assert hook("unbounce", SECRET).refusals(form(told)) == [code]
