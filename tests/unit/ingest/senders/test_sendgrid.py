"""SendGrid's events."""

from __future__ import annotations

import pytest

MAIL = {
    "email": "haruka.mori@aozora.example",
    "timestamp": 1_789_990_000,
    "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
    "category": ["autumn seminar", "jp"],
    "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
}
OPENED = MAIL | {
    "event": "open",
    "sg_event_id": "sg_event_open",
    "sg_machine_open": False,
    "useragent": "Mozilla/5.0 (Macintosh)",
    "ip": "255.255.255.255",
}
CLICKED = MAIL | {
    "event": "click",
    "sg_event_id": "sg_event_click",
    "url": "https://www.aozora.example/pricing?u=1#top",
    "useragent": "Mozilla/5.0 (Macintosh)",
    "ip": "255.255.255.255",
}


@pytest.fixture
def here(hook):
    return hook("sendgrid", "a public key")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("delivered", "email_delivered"),
        ("bounce", "email_bounced"),
        ("open", "email_opened"),
        ("click", "email_clicked"),
        ("unsubscribe", "email_unsubscribed"),
        ("group_unsubscribe", "email_unsubscribed"),
        ("spamreport", "email_unsubscribed"),
        ("group_resubscribe", "newsletter_subscribed"),
        ("processed", "custom"),
        ("deferred", "custom"),
        ("dropped", "custom"),
    ],
)
def test_every_event_has_its_touch_type(here, event, expected):
    touch = here.touch([MAIL | {"event": event, "sg_event_id": "e"}])
    assert (touch.event, touch.type, touch.channel, touch.at) == (event, expected, "email_nurture", 1_789_990_000_000)


def test_the_category_or_the_name_of_the_mailing_is_its_campaign(here):
    assert here.touch([OPENED]).campaign == "autumn seminar"
    assert here.touch([OPENED | {"category": "one"}]).campaign == "one"
    assert here.touch([OPENED | {"singlesend_name": "10月号"}]).campaign == "10月号"
    assert here.touch([OPENED | {"category": [7, None]}]).campaign is None


def test_of_a_clicked_address_only_the_path_is_kept(here):
    assert here.touch([CLICKED]).path == "/pricing"


def test_what_a_mail_program_opened_by_itself_is_automated(here):
    assert not here.touch([OPENED]).automated
    assert here.touch([OPENED | {"sg_machine_open": True}]).automated


def test_a_scanner_clicks_every_link_at_once(here):
    def click(number: int, **more):
        return CLICKED | {"sg_event_id": f"c{number}", "url": f"https://aozora.example/{number}"} | more

    burst = [click(1), OPENED, click(2), click(3)]
    assert [touch.automated for touch in here.touches(burst)] == [True, False, True, True]
    apart = [click(number, timestamp=1_789_990_000 + number) for number in range(4)]
    assert not any(touch.automated for touch in here.touches(apart))
    one_link = [click(number) | {"url": "https://aozora.example/"} for number in range(4)]
    assert not any(touch.automated for touch in here.touches(one_link))
    assert [touch.automated for touch in here.touches([*burst, click(4, email="a@b.example")])][4] is False


def test_an_event_that_comes_again_is_the_same_and_custom_arguments_are_no_part_of_its_id(here):
    one, again, other = here.touches([OPENED, OPENED | {"sg_event_id": "sg_event_open", "n": 2}, CLICKED])
    assert one.event_id == again.event_id != other.event_id


def test_custom_arguments_may_name_the_user(here):
    assert here.kinds([OPENED, OPENED | {"user_id": "u-7"}]) == [{"email"}, {"email", "user"}]


def test_the_test_of_sendgrids_settings_is_a_test(here):
    assert here.touch([OPENED | {"email": "example@test.com"}]).is_test
    assert not here.touch([OPENED]).is_test


def test_one_bad_event_costs_no_other(here):
    read = here.read(here.request([OPENED, 7, {"event": "open"}, CLICKED]))
    assert {index: refused.code for index, refused in read.refused.items()} == {1: "wrong_type", 2: "no_identity"}
    assert len(read.drafts) == 2
