"""Lead forms of Google Ads."""

from __future__ import annotations

from base64 import b64decode

import orjson
import pytest

KEY = "our-google-key"


def column(name: str, value: str, asked: str | None = None) -> dict[str, str]:
    return {"column_id": name, "string_value": value} | ({"column_name": asked} if asked else {})


LEAD = {
    "lead_id": "TeSter-123-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789",
    "user_column_data": [
        column("FULL_NAME", "山田 太郎", "Full Name"),
        column("EMAIL", "taro@gmail.com"),
        column("WORK_EMAIL", "taro@minato-seisakusho.co.jp"),
        column("PHONE_NUMBER", "+819012345678"),
        column("COMPANY_NAME", "株式会社ミナト製作所"),
        column("JOB_TITLE", "情報システム部長"),
        column("POSTAL_CODE", "220-0012"),
        column("what_is_your_budget", "300万円", "予算"),
        column("EMPTY", ""),
    ],
    "api_version": "1.0",
    "form_id": 40000000000,
    "campaign_id": 20000000000,
    "adgroup_id": 30000000000,
    "creative_id": 50000000000,
    "gcl_id": "EAIaIQobChMI",
    "google_key": KEY,
    "lead_submit_time": "2026-09-21T12:30:00Z",
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"google_key": "other"}, "wrong_credential"),
        ({"google_key": "é日"}, "wrong_credential"),
        ({"google_key": ""}, "no_credential"),
        ({"google_key": None}, "no_credential"),
        ({"google_key": [KEY]}, "no_credential"),
    ],
)
def test_the_key_in_the_body_is_what_counts(hook, change, code):
    google = hook("google_leads", "older", KEY)
    assert google.refused(google.request(LEAD | change)) == code


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"google_key": NaN}', b'{"google_key":"\\ud800"}'])
def test_what_is_no_lead_at_all_is_not_let_in(hook, body):
    google = hook("google_leads", KEY)
    assert google.refused(google.request(body)) in ("malformed_json", "no_credential", "wrong_credential")


def test_a_secret_past_its_time_proves_nothing(hook):
    google = hook("google_leads", (KEY, "2026-01-01T00:00:00Z"))
    assert google.refused(google.request(LEAD)) == "no_secret"


def test_a_lead_is_a_person_with_answers(hook):
    google = hook(
        "google_leads", KEY, policy={"evidence": [{"criterion": "B1", "fields": ["予算"], "otherwise": "named"}]}
    )
    touch = google.touch(LEAD)
    assert (touch.type, touch.channel, touch.detail, touch.campaign) == (
        "ad_form_submitted",
        "paid_search",
        "google",
        "20000000000",
    )
    assert touch.person.fields["email"] == "taro@minato-seisakusho.co.jp", "the address at work, not the private one"
    assert touch.person.fields["name"] == "山田 太郎"
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert touch.evidence == {"B1": "named"}
    assert touch.is_test is False
    assert google.kinds(LEAD)[0] >= {"external", "email"}


def test_a_test_lead_is_marked(hook):
    assert hook("google_leads", KEY).touch(LEAD | {"is_test": True}).is_test


def test_a_lead_that_comes_again_has_the_same_id(hook):
    google = hook("google_leads", KEY)
    again = LEAD | {"user_column_data": LEAD["user_column_data"][:3]}
    assert google.touch(LEAD).event_id == google.touch(again).event_id
    assert google.touch(LEAD).event_id != google.touch(LEAD | {"lead_id": "other"}).event_id


def test_the_key_is_not_kept_with_what_is_refused(hook):
    google = hook("google_leads", KEY)
    from services.ingest.reading import read_body

    opened = google.webhook.read(google.request(LEAD | {"lead_submit_time": "1970-01-01"}), google.known.keys)
    found = read_body(opened.envelope, google.known.sender, google.now, suspect=False, hide=[KEY.encode()])
    (record,) = found.records
    kept = b64decode(orjson.loads(record.value)["raw"])
    assert b"***" in kept
    assert KEY.encode() not in kept
