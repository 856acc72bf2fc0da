"""What an event becomes. Every touch here is also checked against the contract, to the last field."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from shared.kit.person import reveal

MAPPING = {
    "mapping": [
        {
            "id": "pricing",
            "when": {"event.path": {"contains": ["pricing", "料金"]}},
            "type": "pricing_page_viewed",
            "topic": "price",
        },
        {
            "id": "trial",
            "when": {"event.properties.form": {"eq": "trial"}},
            "type": "trial_started",
            "channel": "inbound_form",
        },
        {"id": "yes", "when": {"event.properties.flag": {"eq": True}}, "type": "poc_run"},
    ]
}
EVIDENCE = {
    "evidence": [
        {
            "criterion": "B1",
            "fields": ["予算", "budget"],
            "values": {"secured": ["確保済", "確保済み", "secured"], "none": ["無"]},
            "otherwise": "named",
        },
        {"criterion": "T1", "fields": ["timing"], "values": {"now": ["すぐ"]}},
    ]
}


@pytest.mark.parametrize(
    ("call", "body", "expected"),
    [
        ("identify", {}, "identify"),
        ("page", {"name": "Home"}, "page_viewed"),
        ("screen", {"name": "Home"}, "page_viewed"),
        ("track", {"event": "Demo Requested"}, "demo_requested"),
        ("track", {"event": "whitepaper-downloaded"}, "whitepaper_downloaded"),
        ("track", {"event": "WebinarAttended"}, "webinar_attended"),
        ("track", {"event": "Something Else"}, "custom"),
        ("track", {"event": "お問い合わせ"}, "custom"),
        ("group", {"groupId": "g"}, "custom"),
        ("alias", {"previousId": "p"}, "custom"),
    ],
)
def test_an_event_that_no_rule_maps_has_the_type_its_name_says(touch, call, body, expected):
    assert touch(call, body).type == expected


def test_the_first_rule_that_holds_decides(touch):
    made = touch(
        "page", {"properties": {"url": "https://hinode.example/ja/料金/?email=a@b.jp#top", "form": "trial"}}, MAPPING
    )
    assert (made.type, made.topic, made.channel) == ("pricing_page_viewed", "price", None)
    assert made.path == "/ja/料金/", "of an address only the path travels"
    assert (
        touch("track", {"event": "Demo Requested", "properties": {"form": "trial"}}, MAPPING).channel == "inbound_form"
    )


def test_a_truth_value_is_not_the_number_one(touch, sender, read):
    policy = MAPPING
    assert touch("track", {"event": "x", "properties": {"flag": True}}, policy).type == "poc_run"
    both = [{"type": "track", "event": "x", "userId": "u", "properties": {"flag": flag}} for flag in (True, 1, True)]
    types = [b'"poc_run"' in made.body for made in read("batch", {"batch": both}, policy).drafts]
    assert types == [True, False, True]


@pytest.mark.parametrize("field", ["traits", "context", "properties"])
def test_a_person_is_told_of_in_traits_in_the_context_or_by_a_form(touch, field):
    said = {
        "email": " Taro@Hinode-Soft.co.jp",
        "name": "山田 太郎 様",
        "jobTitle": "情報システム部長",
        "company_name": "ミナト製作所 御中",
        "従業員数": "300-999",
        "業種": "製造業",
        "電話番号": "03-1234-5678",
        "country": "日本",
        "message": "見積もりをください\n至急",
    }
    body = {"context": {"traits": said}} if field == "context" else {field: said}
    made = touch("track", {"event": "Form Submitted"} | body)
    assert made.attributes == {
        "level": "head",
        "level_confidence": "high",
        "department": "it",
        "company": "ミナト製作所",
        "employees": 300,
        "size_band": "s5",
        "industry": "jsic:E",
        "country": "JP",
        "domain": "hinode-soft.co.jp",
        "own_domain": True,
        "account": "hinode-soft.co.jp",
    }
    assert reveal(made.person) == {
        "email": "taro@hinode-soft.co.jp",
        "name": "山田 太郎",
        "title": "情報システム部長",
        "phone": "+81312345678",
        "free_text": "見積もりをください\n至急",
    }
    outside = made.model_dump_json(exclude={"person"})
    assert not any(secret in outside for secret in ("taro", "山田", "1234", "見積もり"))


def test_a_company_may_be_an_object_of_its_own(touch):
    traits = {"company": {"name": "ACME", "employee_count": "1,200", "industry": "Manufacturing"}}
    assert touch("identify", {"traits": traits}).attributes == {
        "company": "ACME",
        "employees": 1200,
        "size_band": "s6",
        "industry": "jsic:E",
    }


def test_a_group_call_tells_of_the_company_not_of_the_person(touch):
    made = touch("group", {"groupId": "g", "traits": {"name": "ACME 御中", "employees": 20, "industry": "G"}})
    assert made.attributes == {"company": "ACME", "employees": 20, "size_band": "s2", "industry": "jsic:G"}
    assert made.person is None


def test_the_title_of_a_page_is_not_a_persons(touch):
    made = touch("page", {"name": "社長挨拶", "properties": {"title": "代表取締役社長より", "name": "社長挨拶"}})
    assert made.attributes == {}
    assert made.person is None


def test_the_department_may_stand_in_the_title_and_the_department_field_wins(touch):
    joined = {"title": "経理部 課長"}
    made = touch("identify", {"traits": joined})
    assert (made.attributes["level"], made.attributes["department"]) == ("manager", "finance")
    apart = joined | {"department": "総務部"}
    assert touch("identify", {"traits": apart}).attributes["department"] == "general_affairs"


def test_a_student_is_of_that_kind(touch):
    assert touch("identify", {"traits": {"title": "学生"}}).attributes["kind"] == "student"


def test_answers_become_evidence_and_what_is_not_said_does_not(touch):
    said = {"予算": "確保済", "timing": "いつか"}
    assert touch("track", {"event": "x", "properties": said}, EVIDENCE).evidence == {"B1": "secured"}
    assert touch("track", {"event": "x", "properties": {"budget": "500万"}}, EVIDENCE).evidence == {"B1": "named"}
    assert touch("identify", {"traits": {"budget": ["？", "SECURED"]}}, EVIDENCE).evidence == {"B1": "secured"}
    assert touch("track", {"event": "x", "properties": {"予算": "", "budget": "無"}}, EVIDENCE).evidence == {
        "B1": "none"
    }


def test_bots_and_tests_are_marked(touch):
    bot = {"context": {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}
    assert touch("page", bot).automated
    assert not touch("page", {"context": {"userAgent": "analytics-python/2.4.0"}}).automated
    assert touch("track", {"event": "x", "properties": {"is_test": True}}).is_test


def test_neither_ip_nor_user_agent_is_kept(touch):
    made = touch("page", {"context": {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 Secret"}})
    assert "203.0.113.9" not in made.model_dump_json()
    assert "Secret" not in made.model_dump_json()


def test_a_desks_address_never_links(read):
    traits = {"email": "info@hinode-soft.co.jp"}
    (with_user,) = read("identify", {"userId": "u", "traits": traits}).drafts
    (alone,) = read("identify", {"anonymousId": "a", "traits": traits}).drafts
    assert [known.kind for known in with_user.identities.strong] == ["user"]
    assert [known.kind for known in alone.identities.strong] == ["email"]


def test_a_user_id_that_is_an_address_is_one_too(read):
    (made,) = read("track", {"event": "x", "userId": "Taro@hinode.example"}).drafts
    assert [known.kind for known in made.identities.strong] == ["user", "email"]


def test_free_mail_of_the_tenants_list_is_nobodys_own(touch):
    policy = {"free_mail_domains": ["Club.example"]}
    made = touch("identify", {"traits": {"email": "x@club.example"}}, policy)
    assert made.attributes == {"domain": "club.example", "own_domain": False}


def test_texts_of_any_length_are_forgotten_again(touch):
    """A write key stands in every page: what a sender makes up must not stay in memory."""
    policy = {
        "mapping": [{"id": "trial", "when": {"event.properties.form": {"contains": "trial"}}, "type": "trial_started"}]
    }

    def send(number: int) -> None:
        long = f"{number}".zfill(100_000)
        told = {"url": f"https://a.example/{long}", "form": long, long: 1, "employees": long, "category": long}
        made = touch("track", {"event": long, "properties": told, "traits": {long: long, "companySize": long}}, policy)
        assert (made.type, len(made.path)) == ("custom", 500)

    send(0)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1, 40):
            send(number)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@pytest.mark.parametrize(
    ("more", "later", "same"),
    [
        ({}, 0, True),
        ({"sentAt": "2026-09-21T14:00:00Z", "writeKey": "key", "_metadata": {"tries": 2}}, 0, True),
        ({}, 86_400_000, False),  # who comes back the next day has come twice
        ({"properties": {"path": "/b"}}, 0, False),
        ({"userId": "u-2"}, 0, False),
    ],
)
def test_without_an_id_content_and_day_say_which_event_it_is(read, now, more, later, same):
    seen = {"event": "Seen", "userId": "u-1", "properties": {"path": "/a"}}
    [first] = read("track", seen | {"sentAt": "2026-09-21T13:59:00Z"}, received_at=now).drafts
    [second] = read("track", seen | more, received_at=now + later).drafts
    assert (first.event_id == second.event_id) is same
