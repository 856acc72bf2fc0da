"""Intercom's notifications."""

from __future__ import annotations

import hmac

import pytest


def notification(topic: str, item: dict, **more):
    return {
        "type": "notification_event",
        "id": "notif_8b9f1a4c-8c3f-4b63-b62a-0d3f3b8f1c9a",
        "topic": topic,
        "app_id": "lkqcyt9t",
        "created_at": 1_789_990_000,
        "delivery_attempts": 1,
        "data": {"type": "notification_event_data", "item": item},
    } | more


CONTACT = {
    "type": "contact",
    "id": "5ee3d479d1cf3dedbee23d68",
    "external_id": "u-7",
    "role": "user",
    "email": "haruka.mori@aozora.example",
    "name": "森 遥",
    "phone": "+819012345678",
    "location": {"type": "location", "country": "Japan", "country_code": "JP"},
    "custom_attributes": {"company_name": "青空機械", "job_title": "部長"},
}
CONVERSATION = {
    "type": "conversation",
    "id": "137324500000000",
    "source": {
        "type": "conversation",
        "subject": "",
        "body": "<p>料金を<b>教えて</b>ください</p>",
        "url": "https://www.aozora.example/pricing?x=1",
        "author": {"type": "lead", "id": "6ab1", "name": "森 遥", "email": "haruka.mori@aozora.example"},
    },
    "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "6ab1", "external_id": "u-7"}]},
}
OLDER = {
    "type": "conversation",
    "id": "1",
    "user": {"type": "user", "id": "6ab1", "user_id": "u-7", "name": "森 遥", "email": "haruka.mori@aozora.example"},
    "assignee": {"type": "admin", "id": "3330619", "email": "andy@us.example"},
    "conversation_message": {"body": "<p>hi</p>", "author": {"type": "admin", "id": "3330619"}},
}


@pytest.fixture
def here(hook):
    return hook("intercom", "a secret")


def test_a_contact_is_told_with_its_attributes(here):
    sent = notification("contact.user.created", CONTACT)
    touch = here.touch(sent)
    assert (touch.event, touch.type, touch.at) == ("contact.user.created", "identify", 1_789_990_000_000)
    assert (touch.attributes["company"], touch.attributes["level"], touch.attributes["country"]) == (
        "青空機械",
        "head",
        "JP",
    )
    assert here.kinds(sent)[0] >= {"email", "user", "external"}


@pytest.mark.parametrize("item", [CONVERSATION, OLDER])
def test_a_conversation_belongs_to_who_began_it_and_not_to_us(here, item):
    sent = notification("conversation.user.created", item)
    touch = here.touch(sent)
    assert touch.type == "chat_started"
    assert here.kinds(sent) == [{"email", "user", "external"}]
    assert touch.identity_id == here.touch(notification("contact.user.created", CONTACT)).identity_id


def test_what_the_person_asked_is_kept_as_text(here):
    touch = here.touch(notification("conversation.user.created", CONVERSATION))
    assert "<b>" not in str(touch.person)
    assert touch.path == "/pricing"


def test_a_conversation_that_one_of_us_began_is_no_chat_of_the_person(here):
    assert here.touch(notification("conversation.admin.single.created", OLDER)).type == "custom"


def test_an_event_of_the_customers_own_has_its_own_name(here):
    item = {"type": "event", "event_name": "Trial Started", "user_id": "u-7", "id": "e-1", "metadata": {"topic": "MA"}}
    touch = here.touch(notification("event.created", item))
    assert (touch.event, touch.type, touch.topic) == ("Trial Started", "trial_started", "MA")


def test_what_is_about_nobody_is_refused(here):
    assert here.refusals(notification("company.created", {"type": "company", "id": "c-1", "name": "x"})) == [
        "no_identity"
    ]
    assert here.refusals(notification("admin.logged_in", {"type": "admin", "id": "1", "email": "andy@us.example"})) == [
        "no_identity"
    ]


def test_another_attempt_is_the_same_event(here):
    sent = notification("contact.user.created", CONTACT)
    other = sent | {"id": "notif_other"}
    assert (
        here.touch(sent).event_id == here.touch(sent | {"delivery_attempts": 3}).event_id != here.touch(other).event_id
    )


def test_a_ping_is_answered_and_becomes_nothing(here):
    ping = here.request(notification("ping", {"type": "ping", "message": "something something interzen"}))
    assert here.webhook.challenge(ping, here.known.keys).status == 200
    other = here.request(notification("contact.user.created", CONTACT | {"name": "ping"}))
    assert here.webhook.challenge(other, here.known.keys) is None
    assert here.webhook.challenge(here.request(b"{ping"), here.known.keys) is None


def test_a_head_request_is_welcome(here):
    assert here.webhook.probe(here.request(method="HEAD"), here.known.keys).status == 200


def test_it_is_signed_with_sha1(here):
    made = hmac.digest(b"a secret", b"{}", "sha1").hex()
    assert here.refused(here.request(b"{}", {"X-Hub-Signature": f"sha1={made}"})) is None
    assert here.refused(here.request(b"{} ", {"X-Hub-Signature": f"sha1={made}"})) == "bad_signature"
