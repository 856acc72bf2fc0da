"""Whom a notification reaches, in which language, and when."""

from __future__ import annotations

import pytest

from services.handoff.telling.recipients import Recipients, language
from shared.availability.people import FOREVER, Away
from shared.schemas.policies import TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.teams import Address, Channel, Member, Pool, Rep

NINE = 1_763_424_000_000  # 2025-11-18T09:00+09:00, a Tuesday
HOUR = 3_600_000
TEAMS = TeamsPolicy(
    calendars=(Calendar(id="office", blocks=(Block(open="09:00", close="18:00"),)),),
    channels=(Channel(id="chat", url="env:CHAT"), Channel(id="mail", url="env:MAIL")),
    reps=(
        Rep(
            id="sato",
            name="Sato",
            email="sato@hinode.example",
            manager="boss",
            calendar="office",
            notify=(Address(channel="chat", to="@sato"), Address(channel="mail"), Address(channel="gone")),
        ),
        Rep(id="boss", name="Boss", manager="chief"),
        Rep(id="chief", name="Chief"),
        Rep(id="loner", name="Loner"),
    ),
    pools=(Pool(id="tokyo", manager="chief", members=(Member(rep="sato"),)),),
)
RECIPIENTS = Recipients(TEAMS)


@pytest.mark.parametrize(
    ("rep", "audience", "pool", "told"),
    [
        ("sato", "rep", None, "sato"),
        ("sato", "manager", "tokyo", "boss"),
        ("sato", "their_manager", "tokyo", "chief"),
        ("loner", "manager", "tokyo", "chief"),
        ("loner", "manager", "elsewhere", "loner"),
        ("chief", "manager", None, "chief"),
        ("nobody", "manager", None, "nobody"),
    ],
)
def test_managers_are_those_of_the_rep_then_of_the_pool_and_else_one_hears_of_it_oneself(rep, audience, pool, told):
    assert RECIPIENTS.audience(rep, audience, pool) == told


def test_a_rep_is_told_on_the_channels_that_there_are():
    assert RECIPIENTS.channels("sato") == [("sato", "chat"), ("sato", "mail")]
    assert RECIPIENTS.channels("boss") == RECIPIENTS.channels("nobody") == []


def test_who_names_no_address_is_reached_by_mail_address():
    assert RECIPIENTS.reached("sato", "chat").to == "@sato"
    assert RECIPIENTS.reached("sato", "mail").to == "sato@hinode.example"
    assert RECIPIENTS.reached("sato", "gone") is None
    assert RECIPIENTS.reached("boss", "chat") is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "ja"),
        ({"zone": "Europe/Berlin"}, "en"),
        ({"zone": "Europe/Berlin", "languages": ("de", "ja")}, "ja"),
        ({"languages": ("zh", "en")}, "en"),
        ({"languages": ("en",), "tell_in": "ja"}, "ja"),
    ],
)
def test_a_rep_is_written_to_in_the_language_of_the_policy_then_in_theirs_then_in_that_of_their_zone(more, told):
    assert language(Rep(id="a", name="A", **more)) == told


@pytest.mark.parametrize(
    ("at", "away", "when"),
    [
        (NINE, None, NINE),
        (NINE - 1, None, NINE),
        (NINE + 9 * HOUR, None, NINE + 24 * HOUR),
        (NINE + 3 * 24 * HOUR + 9 * HOUR, None, NINE + 6 * 24 * HOUR),
        (NINE, Away(NINE, NINE + HOUR), NINE + HOUR),
        (NINE, Away(NINE, NINE + 10 * HOUR), NINE + 24 * HOUR),
        (NINE, Away(NINE, None), FOREVER),
    ],
)
def test_a_rep_is_disturbed_when_they_are_at_work(at, away, when):
    assert RECIPIENTS.from_when("sato", {"sato": away} if away else {}, at) == when


def test_who_has_no_hours_may_be_disturbed_at_any_time():
    assert RECIPIENTS.from_when("boss", {}, NINE - 6 * HOUR) == NINE - 6 * HOUR
