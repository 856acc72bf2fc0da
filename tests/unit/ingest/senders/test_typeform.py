"""Typeform's submissions."""

from __future__ import annotations

import pytest

FIELDS = [
    {"id": "DlXFaesGBpoF", "ref": "your_mail", "type": "email", "title": "メールアドレス"},
    {"id": "SMEUb7VJz92Q", "ref": "01J9Z", "type": "short_text", "title": "会社名"},
    {"id": "k6TP9oLGgHjl", "ref": "role", "type": "short_text", "title": "役職"},
    {"id": "M5tXK5kG7IeA", "ref": "when", "type": "multiple_choice", "title": "導入時期"},
    {"id": "WOTdC00F8A3h", "ref": "areas", "type": "multiple_choice", "title": "ご興味"},
    {"id": "RUqkXSeXBXSd", "ref": "agreed", "type": "legal", "title": "個人情報の取扱い"},
    {"id": "X", "type": "contact_info", "properties": {"fields": [{"id": "Y", "title": "First name"}]}},
]
ANSWERS = [
    {"type": "email", "email": "haruka.mori@aozora.example", "field": {"id": "DlXFaesGBpoF", "type": "email"}},
    {"type": "text", "text": "青空機械", "field": {"id": "SMEUb7VJz92Q", "ref": "01J9Z"}},
    {"type": "text", "text": "課長", "field": {"id": "k6TP9oLGgHjl", "ref": "role"}},
    {"type": "choice", "choice": {"label": "3か月以内"}, "field": {"id": "M5tXK5kG7IeA", "ref": "when"}},
    {"type": "choices", "choices": {"labels": ["SFA", "MA"], "other": "ETL"}, "field": {"id": "WOTdC00F8A3h"}},
    {"type": "boolean", "boolean": True, "field": {"id": "RUqkXSeXBXSd", "ref": "agreed"}},
    {"type": "text", "text": "Haruka", "field": {"id": "Y"}},
    {"type": "phone_number", "phone_number": "+81312345678", "field": {"id": "Z"}},
]
SENT = {
    "event_id": "01J9ZC3M7QH",
    "event_type": "form_response",
    "form_response": {
        "form_id": "lT4Z3j",
        "token": "a3a12ec67a1365927098a606107fac15",
        "landed_at": "2026-09-20T08:10:00Z",
        "submitted_at": "2026-09-20T08:15:00Z",
        "hidden": {"utm_campaign": "autumn", "utm_source": "newsletter", "user_id": "u-7"},
        "calculated": {"score": 9},
        "variables": [{"key": "score", "type": "number", "number": 4}, {"key": "plan", "type": "text", "text": "pro"}],
        "definition": {"id": "lT4Z3j", "title": "資料請求フォーム", "fields": FIELDS},
        "answers": ANSWERS,
    },
}
EVIDENCE = {
    "evidence": [{"criterion": "timeline", "fields": ["導入時期"], "values": {"T1": ["3か月以内"]}}],
    "mapping": [
        {
            "id": "catalog",
            "when": {"event.properties.form_id": {"eq": "lT4Z3j"}},
            "type": "catalog_downloaded",
            "topic": "SFA",
        }
    ],
}


def response(**more):
    return SENT | {"form_response": SENT["form_response"] | more}


@pytest.fixture
def here(hook):
    return hook("typeform", "a secret")


def test_a_submission_is_told_by_its_questions(here):
    touch = here.touch(SENT)
    assert (touch.event, touch.type) == ("form_response", "contact_requested")
    assert here.touch(response(hidden={})).channel == "inbound_form"
    assert (touch.at, touch.campaign) == (1_789_892_100_000, "autumn")
    assert touch.attributes["company"] == "青空機械"
    assert touch.attributes["level"] == "manager"
    assert touch.person
    assert here.kinds(SENT)[0] >= {"email", "user"}


def test_forms_are_told_apart_by_the_tenants_mapping_and_answers_are_evidence(hook):
    touch = hook("typeform", "a secret", policy=EVIDENCE).touch(SENT)
    assert (touch.type, touch.topic, touch.evidence) == ("catalog_downloaded", "SFA", {"timeline": "T1"})


def test_a_submission_that_somebody_sends_again_is_the_same(here):
    again = SENT | {"event_id": "01J9ZFOTHER"}
    assert here.touch(SENT).event_id == here.touch(again).event_id != here.touch(response(token="other")).event_id


def test_who_gives_no_address_is_nobody_and_kept_as_that(here):
    nameless = response(hidden={}, answers=ANSWERS[1:4])
    assert here.kinds(nameless) == [{"anonymous"}]
    assert here.kinds(response(hidden={}, answers=ANSWERS[:1])) == [{"email"}]


def test_answers_in_shapes_unheard_of_are_passed_over(here):
    strange = [*ANSWERS, 7, {}, {"type": "email"}, {"type": "file", "file": {}}, {"type": "choice", "choice": 1}]
    assert here.touch(response(answers=strange)).type == "contact_requested"


def test_a_submission_that_is_not_finished_is_no_request(here):
    assert here.touch(SENT | {"event_type": "form_response_partial"}).type == "custom"
