"""Calendly's meetings and routing forms."""

from __future__ import annotations

import hmac

import pytest

from services.ingest.senders.calendly import translate

SHORT = "00Q5g00000ABCDE"
INVITEE = "https://api.calendly.com/scheduled_events/GBGBDCAADAEDCRZ2/invitees/AAAAAAAAAAAAAAAA"
BOOKED = {
    "event": "invitee.created",
    "created_at": "2026-09-20T08:15:00.000000Z",
    "created_by": "https://api.calendly.com/users/AAAAAAAAAAAAAAAA",
    "payload": {
        "uri": INVITEE,
        "email": "haruka.mori@aozora.example",
        "name": "森 遥",
        "first_name": None,
        "last_name": None,
        "status": "active",
        "old_invitee": None,
        "new_invitee": None,
        "rescheduled": False,
        "questions_and_answers": [
            {"question": "会社名", "answer": "青空機械", "position": 0},
            {"question": "ご相談内容", "answer": "来期の導入について", "position": 1},
        ],
        "tracking": {"utm_campaign": "autumn", "utm_source": "mail", "salesforce_uuid": SHORT},
        "scheduled_event": {"name": "製品のご説明 30分", "start_time": "2026-09-24T02:00:00.000000Z"},
    },
}
FORM = {
    "event": "routing_form_submission.created",
    "created_at": "2026-09-20T08:15:00.000000Z",
    "payload": {
        "uri": "https://api.calendly.com/routing_form_submissions/AAAA",
        "questions_and_answers": [
            {"question": "Where do we write to?", "answer": "haruka.mori@aozora.example"},
            {"question": "Company", "answer": "Aozora"},
        ],
        "tracking": {},
    },
}


def invitee(event: str = "invitee.created", **more):
    return BOOKED | {"event": event, "payload": BOOKED["payload"] | more}


@pytest.fixture
def here(hook):
    return hook("calendly", "a secret")


def test_a_booked_meeting(here):
    touch = here.touch(BOOKED)
    assert (touch.event, touch.type, touch.campaign) == ("invitee.created", "meeting_booked", "autumn")
    assert touch.at == 1_789_892_100_000
    assert touch.attributes["company"] == "青空機械"
    assert here.kinds(BOOKED) == [{"email", "external"}]


def test_a_meeting_that_was_moved_does_not_count_as_booked_again(here):
    moved = invitee(uri=INVITEE + "B", old_invitee=INVITEE)
    cancelled = invitee("invitee.canceled", rescheduled=True, new_invitee=INVITEE + "B")
    assert [here.touch(event).type for event in (moved, cancelled)] == ["custom", "custom"]
    assert here.touch(moved).event == "invitee.rescheduled"


def test_a_delivery_that_comes_again_is_the_same_and_a_cancellation_is_not(here):
    absent = invitee("invitee_no_show.created", no_show={"uri": "https://api.calendly.com/invitee_no_shows/1"})
    absent_again = invitee("invitee_no_show.created", no_show={"uri": "https://api.calendly.com/invitee_no_shows/2"})
    events = [BOOKED, invitee("invitee.canceled"), absent, absent_again]
    assert len({here.touch(event).event_id for event in events}) == 4
    assert here.touch(BOOKED).event_id == here.touch(BOOKED | {"created_at": "2026-09-20T08:15:09Z"}).event_id


def test_a_routing_form_names_its_sender_among_the_answers(here):
    touch = here.touch(FORM)
    assert touch.type == "contact_requested"
    assert here.kinds(FORM) == [{"email"}]


@pytest.mark.parametrize(
    ("off", "code"), [(0, None), (-180, None), (-181, "stale_timestamp"), (181, "future_timestamp")]
)
def test_a_signed_time_may_be_three_minutes_off_and_no_more(here, off, code):
    seconds = here.now // 1000 + off
    made = hmac.digest(b"a secret", b"%d.{}" % seconds, "sha256").hex()
    assert here.refused(here.request(b"{}", {"Calendly-Webhook-Signature": f"t={seconds},v1={made}"})) == code


def test_an_id_of_salesforce_is_the_one_that_salesforce_tells_itself():
    short, long = (translate(invitee(tracking={"salesforce_uuid": said})) for said in (SHORT, SHORT + "IAQ"))
    assert short["externalId"] == long["externalId"] == f"salesforce:{SHORT}"
