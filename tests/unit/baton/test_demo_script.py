"""The demo is the same for the same seed, followable, and about nobody."""

from __future__ import annotations

import threading
from collections import Counter

import httpx
import pytest

from baton.demo import reps
from baton.demo.cast import CAST
from baton.demo.reps import LIVE, Reps, habit
from baton.demo.script import LENGTH, script


def test_the_same_seed_tells_the_same_story() -> None:
    assert script("p", seed=3) == script("p", seed=3)
    assert script("p", seed=3) != script("p", seed=4)


def test_another_performance_sends_other_events_of_the_same_people() -> None:
    first, second = script("one"), script("two")
    assert {step.message["messageId"] for step in first}.isdisjoint(step.message["messageId"] for step in second)
    assert {step.message.get("userId") for step in first} == {step.message.get("userId") for step in second}


def test_steps_come_in_order_within_the_length_of_the_play() -> None:
    times = [step.at for step in script("p")]
    assert times == sorted(times)
    assert all(0 <= at <= LENGTH for at in times)


def test_a_few_dozen_leads_of_two_tenants_play() -> None:
    assert 24 <= len(CAST) <= 60
    assert {person.tenant for person in CAST} == {"northstar", "hinode"}


def test_every_address_belongs_to_nobody() -> None:
    assert all(person.email.endswith(".example") for person in CAST)
    assert len({person.email for person in CAST}) == len(CAST)


def test_a_sender_repeats_itself_and_nobody_else_does() -> None:
    ids = Counter(step.message["messageId"] for step in script("p"))
    assert sorted(count for count in ids.values() if count > 1) == [3, 3]


def test_a_visitor_is_nobody_until_they_say_who_they_are() -> None:
    steps = [step.message for step in script("p") if step.message.get("anonymousId")]
    names = [message for message in steps if message.get("userId")]
    assert len(names) == 2
    for message in names:
        earlier = [m for m in steps if m["anonymousId"] == message["anonymousId"] and m is not message]
        assert len(earlier) == 3
        assert not any(m.get("userId") for m in earlier)


def test_whoever_waits_in_the_chat_is_forgotten_once_and_then_served() -> None:
    assert habit("lead", "rep", 1, LIVE).mood == "forgets"
    assert habit("lead", "rep", 2, LIVE).mood in ("accepts", "touches")


def test_reps_differ_and_most_accept() -> None:
    moods = Counter(habit(f"lead-{n}", "rep", 1, "hand_raise").mood for n in range(400))
    assert set(moods) == {"accepts", "declines", "touches", "forgets"}
    assert moods["accepts"] + moods["touches"] > 200


@pytest.fixture
def floor(monkeypatch):
    """What reps of northstar did and said, who answer at once; and what shows them an offer to this address."""
    monkeypatch.setattr(reps, "habit", lambda *_: reps.Habit("accepts", 0.0))
    asked: list[str] = []
    said: list[str] = []
    cast = Reps({"HANDOFF_URL": "http://handoff", "DEMO_API_TOKEN": "t"}, "northstar", said.append, threading.Event())

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={})

    def offer(email: str | None) -> None:
        item = {
            "id": email or "nobody", "lead_id": "l", "lead_class": "hand_raise", "score": {"grade": "A1"}, "attributes": {},
            "owner": {"rep_id": "sato", "name": "佐藤"}, "clocks": [{"state": "running", "assignment": 1}],
            "person": {"email": email} if email else {},
        }  # fmt: skip
        with httpx.Client(base_url="http://handoff", transport=httpx.MockTransport(answered)) as client:
            for _ in range(2):
                cast.look(client, item)

    return asked, said, offer


def test_reps_answer_for_people_of_the_cast(floor):
    asked, said, offer = floor
    offer("Mei.Tanabe@aozora-kikai.example")
    assert asked == ["/v1/opportunities/Mei.Tanabe@aozora-kikai.example/accept"]
    assert len(said) == 2


@pytest.mark.parametrize("email", ["kato@aoba.example", "k.nishida@umibe-seiyaku.example", "", None])
def test_reps_leave_leads_alone_that_are_not_the_demos_or_are_another_tenants(floor, email):
    asked, said, offer = floor
    offer(email)
    assert (asked, said) == ([], [])
