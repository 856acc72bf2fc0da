"""When clocks are due, and how they end."""

from __future__ import annotations

import pytest

from services.handoff.domain.clocks import Clock, start_clocks
from services.handoff.domain.ending import fire

MINUTE = 60_000


def start(given, *, qualifying_at, lead_class="score", to_accept=True):
    return start_clocks(
        given.sla.terms("sato", lead_class),
        assignment=1,
        rep_id="sato",
        lead_class=lead_class,
        to_accept=to_accept,
        qualifying_at=qualifying_at,
        now=given.now,
    )


def test_acceptance_is_due_from_the_offer_and_the_first_touch_from_the_qualifying_touch(given):
    accept, first_touch = start(given, qualifying_at=given.now - 2 * MINUTE)
    assert accept.due_at == given.now + MINUTE
    assert first_touch.due_at == given.now - 2 * MINUTE + 10 * MINUTE


def test_a_lead_that_was_routed_late_is_not_due_to_be_touched_before_it_may_be_accepted(given):
    accept, first_touch = start(given, qualifying_at=given.now - 60 * MINUTE)
    assert first_touch.due_at == accept.due_at


def test_a_class_of_the_policy_has_its_own_promise_and_an_unknown_one_the_default(given):
    assert start(given, qualifying_at=given.now, lead_class="hand_raise")[0].due_at == given.now + 30_000
    assert start(given, qualifying_at=given.now, lead_class="no-such-class")[0].due_at == given.now + MINUTE


@pytest.mark.parametrize("end", [lambda c: c.met(5), lambda c: c.cancelled(5), lambda c: c.breached()])
def test_a_clock_ends_once(end):
    ended = end(Clock(1, "accept", started_at=0, due_at=10))
    assert ended.met(7) is ended
    assert ended.cancelled(7) is ended
    assert ended.breached() is ended
    assert not ended.is_due(99)


def test_a_clock_is_never_early(given):
    opportunity = given.offered()
    assert fire(opportunity, given.now + MINUTE - 1).opportunity == opportunity


def test_a_breach_is_at_the_due_time_however_late_it_is_noticed(given):
    change = fire(given.offered(), given.now + 5 * 60 * MINUTE)
    due = given.now + MINUTE
    assert [event.at for event in change.events] == [due, due]
    assert change.opportunity.offers[-1].ended_at == due
    assert {clock.kind: clock.ended_at for clock in change.opportunity.clocks} == {"accept": due, "first_touch": due}


def test_what_is_told_of_a_breach_does_not_depend_on_when_it_is_noticed(given):
    opportunity = given.offered()
    assert fire(opportunity, given.now + MINUTE).events == fire(opportunity, given.now + 90 * MINUTE).events


def test_of_two_overdue_clocks_of_one_offer_the_acceptance_breaks_and_the_other_is_cancelled(given, clocks):
    change = fire(given.offered(qualifying_at=given.now - 60 * MINUTE), given.now + 60 * MINUTE)
    assert clocks(change) == {(1, "accept"): "breached", (1, "first_touch"): "cancelled"}
