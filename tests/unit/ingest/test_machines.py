"""Robots, mail scanners, and verdicts that come late."""

from __future__ import annotations

import pytest

from services.ingest.domain.automated import is_robot, mark_scanners, scanner_clicks
from shared.schemas.ids import derived_id

ROBOTS = """
Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
Mozilla/5.0 (compatible; bingbot/2.0)
Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0 Safari/537.36
facebookexternalhit/1.1
Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)
YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html
Mozilla/5.0 (compatible; proofpoint)
Mozilla/5.0 BarracudaSentinel (EE)
Mimecast/1.0
Slackbot-LinkExpanding 1.0
Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)
Pingdom.com_bot_version_1.4
Mozilla/5.0 (compatible; AhrefsBot/7.0)
Hatena-Favicon2
"""
PEOPLE = """
Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36
Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Line/14.0
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Gecko/20100101 Firefox/130.0
analytics-python/2.4.0
python-requests/2.32.0
okhttp/4.12.0
axios/1.7.2
node-fetch/1.0
Go-http-client/2.0
Mozilla/5.0 (Linux; Android 11; CUBOT X50) Chrome/120.0 Mobile Safari/537.36
"""


@pytest.mark.parametrize("agent", ROBOTS.strip().splitlines())
def test_a_robot_says_so(agent):
    assert is_robot(agent)


@pytest.mark.parametrize("agent", PEOPLE.strip().splitlines())
def test_browsers_and_sdks_are_no_robots(agent):
    assert not is_robot(agent)


@pytest.mark.parametrize("said", [True, "true", "1", "YES"])
def test_a_sender_may_say_that_it_was_a_machine_or_a_test(touch, said):
    made = touch("track", {"event": "x", "properties": {"automated": said, "is_test": said}})
    assert (made.automated, made.is_test) == (True, True)


@pytest.mark.parametrize("said", [False, "false", "0", "", None, {}, 2])
def test_anything_else_does_not_say_so(touch, said):
    made = touch("track", {"event": "x", "properties": {"automated": said, "is_test": said}})
    assert (made.automated, made.is_test) == (False, False)


def click(link, at="2026-04-01T09:00:00.000Z", who="taro@hinode.example", name="Email Link Clicked"):
    return {
        "type": "track",
        "event": name,
        "timestamp": at,
        "context": {"traits": {"email": who}},
        "properties": {"url": link},
    }


def test_several_links_within_a_second_are_a_scanners():
    messages = [
        click("https://a.example/1"),
        click("https://a.example/2", "2026-04-01T09:00:00.900Z", "TARO@hinode.example"),
        click("https://a.example/3", "2026-04-01T09:00:02.000Z"),
        click("https://a.example/1", who="hanako@hinode.example"),
        {"type": "track", "event": "Email Opened"},
    ]
    assert scanner_clicks(messages) == {0, 1}
    assert [message.get("properties", {}).get("automated") for message in mark_scanners(messages)] == [
        True,
        True,
        None,
        None,
        None,
    ]
    assert "automated" not in messages[0]["properties"], "what was sent stays as it was"


@pytest.mark.parametrize(
    "messages",
    [
        [click("https://a.example/1"), click("https://a.example/1")],  # a double click
        [click("https://a.example/1"), click("https://a.example/2", "2026-04-01T09:00:01.000Z")],
        [click("https://a.example/1"), click("https://a.example/2", name="Page Viewed")],
        [click("https://a.example/1"), click("https://a.example/2", "soon")],
        [click("https://a.example/1", who=None), click("https://a.example/2", who=None)],
        [None, [], "click", {"event": "click"}, {"event": "click", "properties": []}],
        [],
    ],
)
def test_what_a_hand_can_do_is_no_scanners(messages):
    assert scanner_clicks(messages) == frozenset()


def test_scanners_are_found_in_a_batch(read):
    items = [click(f"https://a.example/{number}") for number in range(3)]
    assert [b'"automated":true' in made.body for made in read("batch", {"batch": items}).drafts] == [True] * 3
    assert [b'"automated":true' in made.body for made in read("batch", {"batch": items[:1]}).drafts] == [False]


@pytest.mark.parametrize("name", ["Bot Detected", "bot_detected", "BotDetected"])
def test_a_late_verdict_condemns_messages_of_its_own_source(touch, name):
    made = touch("track", {"event": name, "properties": {"message_ids": ["m-7", "m-8", 9, "m-7"]}})
    assert made.condemns == tuple(derived_id("event", "hinode", "web", known) for known in ("m-7", "m-8", "9"))
    assert (made.type, made.automated) == ("custom", True)
    assert made.condemns[0] == touch("track", {"event": "x", "messageId": "m-7"}).event_id


def test_a_verdict_that_condemns_nothing_or_too_much_is_refused(refusal):
    verdict = {"event": "Bot Detected", "userId": "u"}
    for said in ({}, {"message_ids": []}, {"message_ids": [None, {}]}, {"message_ids": {}}):
        assert refusal("track", verdict | {"properties": said}) == "no_message_ids"
    many = {"message_ids": [str(number) for number in range(101)]}
    assert refusal("track", verdict | {"properties": many}) == "too_many_message_ids"
