"""Whose a touch from another system is, and what it does."""

from __future__ import annotations

import pytest

from services.handoff.domain.hearing import Heard, hear
from services.handoff.domain.rep import accept, decline
from services.handoff.domain.routed import route, withdraw

COUNTING = frozenset({"call_connected"})
MET = ["activity-logged", "clock-met"]
TAKEN = ["activity-logged", "offer-accepted", "clock-met", "stage-changed", "clock-met"]


def heard(at, rep=None, **more):
    return Heard("lead-1", "e-1", more.get("type", "call_connected"), at, at, "pbx", rep)


@pytest.fixture
def taken(given):
    return accept(given.offered(), "sato", given.now + 1).opportunity


@pytest.fixture
def told(given, kinds):
    """(who did it, what is told); None where it is no activity."""

    def told(opportunity, touch, *, chosen=None, after=10):
        found = hear(opportunity, touch, chosen or {}, COUNTING, given.now + after)
        return found and (found[1].rep_id, kinds(found[0]))

    return told


def test_of_whoever_has_the_lead_it_stops_the_clock_named_or_not(given, taken, told):
    assert told(taken, heard(given.now + 5)) == ("sato", MET)
    assert told(taken, heard(given.now + 5, "sato")) == ("sato", MET)
    assert told(taken, heard(given.now + 5, "tanaka")) == ("tanaka", ["activity-logged"])


def test_who_is_asked_takes_it_by_a_call_that_names_them_alone(given, told):
    assert told(given.offered(), heard(given.now + 5, "sato")) == ("sato", TAKEN)
    assert told(given.offered(), heard(given.now + 5)) == (None, ["activity-logged"])
    assert told(given.offered(mode="assign"), heard(given.now + 5)) == ("sato", TAKEN[:2] + TAKEN[3:])


def test_what_came_before_the_router_chose_is_no_touch_and_what_came_since_is_though_the_offer_came_later(
    given, taken, told
):
    assert told(taken, heard(given.now - 1)) is None
    assert told(taken, heard(given.now - 1), chosen={1: given.now - 2}) == ("sato", MET)
    assert told(taken, heard(given.now - 2, "sato"), chosen={1: given.now - 1}) is None


def test_what_came_while_another_rep_had_it_is_kept_and_does_nothing_to_the_next_one(given, taken, told):
    back = decline(taken, "sato", given.reason(), given.now + 20, note_given=False).opportunity
    routed = route(back, given.routed(2, "tanaka"), given.sla, given.now + 30).opportunity
    second = accept(routed, "tanaka", given.now + 31).opportunity
    assert told(second, heard(given.now + 10), after=40) == (None, ["activity-logged"])
    assert told(second, heard(given.now + 10, "tanaka"), after=40) == ("tanaka", ["activity-logged"])
    assert told(second, heard(given.now + 35), after=40) == ("tanaka", MET)
    assert told(back, heard(given.now + 25), after=26) == (None, ["activity-logged"])


def test_an_offer_whose_time_was_over_is_not_saved_by_it(given, kinds):
    change, activity = hear(given.offered(), heard(given.now + 5, "sato"), {}, COUNTING, given.now + 61_000)
    assert kinds(change)[:2] == ["clock-breached", "offer-expired"]
    assert (activity.rep_id, change.opportunity.current()) == ("sato", None)


def test_only_types_that_policy_counts_and_only_while_it_is_open(given, taken, told):
    assert told(taken, heard(given.now + 5, type="email_sent_by_rep")) is None
    closed = withdraw(given.offered(), given.withdrawn(), given.now + 1).opportunity
    assert told(closed, heard(given.now + 5)) is None


def test_scoring_is_told_that_it_has_it_already(given, taken):
    change, _ = hear(taken, heard(given.now + 5), {}, COUNTING, given.now + 6)
    assert [event.touch for event in change.events] == ["e-1", None]
