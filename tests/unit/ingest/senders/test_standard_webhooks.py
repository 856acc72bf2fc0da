"""Events of Standard Webhooks, as their guidelines have them: type, timestamp, data."""

from __future__ import annotations

import pytest

ID = {"webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"}
BOOKED = {
    "type": "demo.requested",
    "timestamp": "2026-09-20T08:15:00.344522Z",
    "data": {
        "id": 7,
        "contact": {"email": "m.kato@kumo.example", "name": "加藤 美咲", "title": "部長", "company": "くも商事"},
        "topic": "routing",
        "utm_campaign": "autumn",
    },
}


@pytest.fixture
def here(hook):
    return hook("standard_webhooks", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")


def test_an_event_is_told_by_its_type_data_and_time(here):
    touch = here.touch(BOOKED, ID)
    assert (touch.event, touch.type, touch.at) == ("demo.requested", "demo_requested", 1_789_892_100_345)
    assert touch.trusted
    assert (touch.topic, touch.campaign) == ("routing", "autumn")
    assert touch.attributes["company"] == "くも商事"
    assert touch.person
    assert here.kinds(BOOKED, ID) == [{"email"}]


def test_a_delivery_that_comes_again_is_the_same_event(here):
    [one] = here.read(here.request(BOOKED, ID)).drafts
    [again] = here.read(here.request(BOOKED | {"timestamp": "2026-09-20T09:00:00Z"}, ID)).drafts
    [other] = here.read(here.request(BOOKED, {"webhook-id": "msg_other"})).drafts
    assert one.event_id == again.event_id != other.event_id


def test_the_person_may_stand_in_data_itself(here):
    flat = {
        "type": "contact.requested",
        "data": {"email": "m.kato@kumo.example", "name": "加藤 美咲", "user_id": "u-7"},
    }
    assert here.touch(flat, ID).type == "contact_requested"
    assert here.kinds(flat, ID) == [{"email", "user"}]


def test_a_message_of_the_segment_api_is_taken_as_it_is(here):
    sent = {"type": "identify", "userId": "u-7", "traits": {"email": "m.kato@kumo.example"}, "messageId": "theirs"}
    assert here.touch(sent, ID).type == "identify"
    assert here.kinds(sent, ID) == [{"email", "user"}]


def test_an_event_of_nobody_and_what_is_no_event_are_refused(here):
    assert here.refusals({"type": "report.ready", "data": {"id": 1}}, ID) == ["no_identity"]
    assert here.refusals({"data": {"email": "m.kato@kumo.example"}}, ID) == ["no_event_name"]
    assert here.refusals([1], ID) == ["wrong_type"]


def test_of_both_families_of_headers_the_standard_one_names_the_event(here):
    svix = {"svix-id": "msg_svix", "svix-signature": "v1,x"}
    [both] = here.read(here.request(BOOKED, ID | {"webhook-signature": "v1,x"} | svix)).drafts
    [one] = here.read(here.request(BOOKED, ID)).drafts
    [other] = here.read(here.request(BOOKED, svix)).drafts
    assert both.event_id == one.event_id != other.event_id
