"""What events tell about being contacted."""

from __future__ import annotations

import pytest

POLICY = {
    "consent": [
        {"fields": ["newsletter", "メルマガ"], "channel": "email", "version": "2026-04"},
        {"fields": ["call_ok"], "channel": "phone", "purpose": "follow_up", "basis": "business_relation"},
    ]
}


def told(made):
    return [(one.channel, one.purpose, one.granted, one.basis) for one in made.consents]


YES, NO = ("email", "marketing", True, "opt_in"), ("email", "marketing", False, "none")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (True, [YES]),
        ("on", [YES]),
        ("はい", [YES]),
        ("ＹＥＳ", [YES]),
        (1, [YES]),
        (["希望する"], [YES]),
        (False, [NO]),
        ("いいえ", [NO]),
        ("希望しない", [NO]),
        (0, [NO]),
        (["はい", "いいえ"], [NO]),
        ("たぶん", []),
        ("", []),
        (None, []),
        ({}, []),
    ],
)
@pytest.mark.parametrize("place", ["properties", "traits"])
def test_a_tick_is_a_yes_or_a_no_or_says_nothing(touch, place, answer, expected):
    made = touch("track", {"event": "x", place: {"newsletter": answer}}, POLICY)
    assert told(made) == expected


def test_a_rule_tells_channel_purpose_basis_and_version(touch):
    made = touch("track", {"event": "x", "properties": {"メルマガ": "on", "call_ok": "yes"}}, POLICY)
    assert told(made) == [YES, ("phone", "follow_up", True, "business_relation")]
    assert [one.version for one in made.consents] == ["2026-04", None]


CARD = [("email", "marketing", True, "card"), ("phone", "marketing", True, "card")]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("Trade Fair Card Scanned", CARD),
        ("Card Exchanged", CARD),
        ("Newsletter Subscribed", [YES]),
        ("Email Unsubscribed", [NO]),
        ("Spam Reported", [NO]),
        ("spamreport", [NO]),
        ("Email Marked as Spam", [NO]),
        ("complained", [NO]),
        ("Consent Withdrawn", [NO]),
        ("Consent Granted", [YES]),
        ("Demo Requested", []),
        ("Something", []),
    ],
)
def test_what_some_touches_say_by_what_they_are(touch, event, expected):
    assert told(touch("track", {"event": event})) == expected


def test_a_withdrawal_may_name_its_channel_and_purpose(touch):
    said = {"channel": "Phone", "purpose": "follow_up", "version": "v2"}
    made = touch("track", {"event": "Consent Withdrawn", "properties": said})
    assert told(made) == [("phone", "follow_up", False, "none")]
    assert made.consents[0].version == "v2"
    assert told(touch("track", {"event": "Consent Withdrawn", "properties": {"channel": "telepathy"}})) == [NO]


def test_a_no_beats_what_the_touch_is_and_an_unsubscription_every_tick(touch):
    refused = touch("track", {"event": "Newsletter Subscribed", "properties": {"newsletter": "no"}}, POLICY)
    assert told(refused) == [NO]
    left = touch("track", {"event": "Email Unsubscribed", "properties": {"newsletter": "yes"}}, POLICY)
    assert told(left) == [NO]


def test_a_tick_on_a_card_is_the_stronger_basis(touch):
    made = touch("track", {"event": "Card Exchanged", "properties": {"newsletter": "yes"}}, POLICY)
    assert told(made) == [YES, ("phone", "marketing", True, "card")]


@pytest.mark.parametrize(
    ("event", "answers"),
    [
        ({"event": "Newsletter Subscribed"}, {"consent.email": "opt_in"}),
        ({"event": "Email Unsubscribed"}, {"consent.email": "withdrawn"}),
        (
            {"event": "Trade Fair Card Scanned"},
            {"consent.email.basis": "card", "consent.phone.basis": "card"},
        ),
    ],
)
def test_consent_to_marketing_travels_with_the_answers_so_that_the_gate_may_ask_for_it(touch, event, answers):
    assert touch("track", event).evidence == answers
