"""What a breach does by policy, the clock of qualifying, what is tracked after a breach, and due dates."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from services.handoff.domain.clocks import start_clocks
from services.handoff.domain.ending import fire
from services.handoff.domain.rep import accept, log_touch, qualify
from services.handoff.domain.routed import route
from services.handoff.domain.terms import Hours, Promises, Terms
from shared.schemas.policies import SlaPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.sla import LeadClass

MINUTE = 60_000
NAMED = LeadClass(id="score", accept=60, first_touch=600, qualify=1200, untouched="tell_manager")
PROMISES = Promises(SlaPolicy(default=NAMED))


@pytest.fixture
def taken(given):
    """A lead that inside sales has accepted after half a minute."""
    offered = route(None, given.routed(leg="is"), PROMISES, given.now).opportunity
    return accept(offered, "sato", given.now + MINUTE // 2).opportunity


def test_where_policy_says_so_a_breach_is_told_to_the_manager_and_the_lead_stays(given, taken, kinds, clocks):
    change = fire(taken, given.now + 11 * MINUTE)
    assert kinds(change) == ["clock-breached"]
    assert change.events[0].effect == "tell_manager"
    assert change.opportunity.current().rep_id == "sato"
    assert clocks(change) == {(1, "accept"): "met", (1, "first_touch"): "breached", (1, "qualify"): "running"}
    assert fire(change.opportunity, given.now + 11 * MINUTE).events == (), "once"


def test_what_was_late_is_tracked_until_it_is_done_and_once(given, taken, kinds):
    late = fire(taken, given.now + 11 * MINUTE).opportunity
    touched = log_touch(late, given.touch(), given.now + 15 * MINUTE)
    assert kinds(touched) == ["activity-logged", "clock-met-late"]
    clock = next(c for c in touched.opportunity.clocks if c.kind == "first_touch")
    assert (clock.state, clock.done_at) == ("breached", given.now + 15 * MINUTE)
    again = log_touch(touched.opportunity, given.touch(activity_id="a-2"), given.now + 16 * MINUTE)
    assert kinds(again) == ["activity-logged"]


def test_who_manages_a_pool_that_has_had_the_lead_keeps_it_however_late(given, kinds):
    """There is nobody left to take it to."""
    strict = Promises(SlaPolicy(default=NAMED.model_copy(update={"untouched": "take_back"})))
    for pool, taken_back in (("tokyo", True), ("manager:tokyo", False)):
        offered = route(None, given.routed(mode="assign", pool_id=pool), strict, given.now).opportunity
        change = fire(offered, given.now + 60 * MINUTE)
        assert ("offer-expired" in kinds(change), change.opportunity.current() is None) == (taken_back, taken_back), (
            pool
        )
        assert "clock-breached" in kinds(change)


def test_an_offer_that_nobody_accepts_goes_on_whatever_else_policy_says(given, kinds):
    offered = route(None, given.routed(), PROMISES, given.now).opportunity
    assert "offer-expired" in kinds(fire(offered, given.now + MINUTE))


def test_qualifying_is_due_from_the_acceptance_and_met_by_passing_on(given, taken, kinds, clocks):
    clock = next(c for c in taken.clocks if c.kind == "qualify")
    assert clock.due_at == given.now + MINUTE // 2 + 20 * MINUTE
    change = qualify(taken, "sato", given.now + 5 * MINUTE)
    assert kinds(change)[:2] == ["clock-met", "lead-qualified"]
    assert clocks(change)[(1, "qualify")] == "met"


def test_who_qualifies_too_late_is_told_on_and_keeps_the_lead(given, taken, kinds):
    touched = log_touch(taken, given.touch(), given.now + MINUTE).opportunity
    late = fire(touched, given.now + 21 * MINUTE)
    assert [(e.kind, e.clock, e.effect) for e in late.events] == [("clock-breached", "qualify", "tell_manager")]
    assert "clock-met-late" in kinds(qualify(late.opportunity, "sato", given.now + 30 * MINUTE))


def test_field_sales_has_no_clock_of_qualifying(given):
    offered = route(None, given.routed(leg="fs"), PROMISES, given.now).opportunity
    assert {c.kind for c in accept(offered, "sato", given.now).opportunity.clocks} == {"accept", "first_touch"}


def test_a_promise_that_is_no_longer_made_is_cancelled(given, taken):
    without = Promises(SlaPolicy(default=NAMED.model_copy(update={"qualify": None})))
    moved = taken.by_promises(without, given.now + MINUTE)
    assert next(c for c in moved.clocks if c.kind == "qualify").state == "cancelled"


def tokyo(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)


def fair(hours, **more):
    office = Calendar(id="office", blocks=(Block(open="09:00", close="18:00"),))
    return Terms(
        accept=hours * 3600,
        first_touch=hours * 3600,
        due_date=True,
        hours=Hours(zone="Asia/Tokyo", calendar=office, **more),
    )


def due(terms, now):
    return start_clocks(
        terms, assignment=1, rep_id="sato", lead_class="fair", to_accept=False, qualifying_at=now, now=now
    )[0]


@pytest.mark.parametrize(
    ("scanned", "expected"),
    [
        ("2026-05-22T10:00", "2026-05-26T18:00"),  # 18 hours of work from Friday morning: Tuesday's end of work
        ("2026-05-22T17:59", "2026-05-26T18:00"),
        ("2026-05-22T20:00", "2026-05-26T18:00"),  # in the evening: as of Monday morning, to Tuesday
    ],
)
def test_cards_of_one_day_of_a_trade_fair_are_due_together_at_the_end_of_a_day(scanned, expected):
    assert due(fair(18), tokyo(scanned)).due_at == tokyo(expected)


def test_a_due_date_moves_with_the_holders_absence(given):
    clock = due(fair(9), tokyo("2026-05-22T20:00"))
    assert clock.due_at == tokyo("2026-05-25T18:00")
    away = fair(9, away=(tokyo("2026-05-25T12:00"), tokyo("2026-05-26T09:00")))
    assert clock.under(away, tokyo("2026-05-25T12:00")).due_at == tokyo("2026-05-26T18:00")


def test_a_due_date_whose_time_is_over_stays_the_end_of_that_day_when_something_changes():
    clock = due(fair(1), tokyo("2026-05-25T09:00"))
    later = fair(1, away=(tokyo("2026-06-01T00:00"), tokyo("2026-06-02T00:00")))
    assert clock.under(later, tokyo("2026-05-25T15:00")).due_at == tokyo("2026-05-25T18:00")


def test_a_pause_lengthens_the_longest_time_as_well():
    terms = fair(90).model_copy(update={"at_most": 3600, "due_date": False})
    start = tokyo("2026-05-25T09:00")
    stands = due(terms, start).standing(start, start + 30 * MINUTE)
    assert stands.due_at == start + 90 * MINUTE
    assert stands.counts(start + 10 * MINUTE).due_at == start + 70 * MINUTE


def test_what_makes_no_sense_with_plain_time_is_refused():
    for wrong in ({"due_date": True}, {"at_most": 60}):
        with pytest.raises(ValidationError):
            LeadClass(id="fair", accept=60, first_touch=60, **wrong)


STEPS = ({"at": 80, "do": "tell_manager"}, {"at": 150, "do": "tell_their_manager"}, {"at": 200, "do": "take_back"})
STEPWISE = Promises(
    SlaPolicy(default=LeadClass.model_validate(NAMED.model_dump() | {"remind": (50,), "escalate": STEPS}))
)


@pytest.fixture
def stepwise(given):
    """A lead that a rep has been told to take, and has not touched: the first touch is due after ten minutes."""
    return route(None, given.routed(mode="assign", qualifying_at=given.now), STEPWISE, given.now).opportunity


def step_by_step(opportunity, moments):
    """What is told at each of them: minute since the offer, kind, share, effect."""
    told = []
    for moment in moments:
        change = fire(opportunity, moment)
        opportunity = change.opportunity
        told += [(round((e.at - moments[0]) / MINUTE), e.kind, e.share, e.effect) for e in change.events]
    return told


def test_a_clock_escalates_step_by_step_until_the_lead_is_taken_back(given, stepwise):
    told = step_by_step(stepwise, [given.now + minute * MINUTE for minute in range(30)])
    assert told == [
        (5, "clock-reminder", 50, None),
        (8, "clock-escalated", 80, "tell_manager"),
        (10, "clock-breached", None, "tell_manager"),
        (15, "clock-escalated", 150, "tell_their_manager"),
        (20, "offer-expired", None, "reroute"),
    ]


def test_who_looks_once_and_late_finds_the_last_of_the_steps(given, stepwise, clocks):
    change = fire(stepwise, given.now + 60 * MINUTE)
    assert [(e.kind, e.at - given.now) for e in change.events] == [
        ("clock-breached", 10 * MINUTE),
        ("offer-expired", 20 * MINUTE),
    ]
    assert change.opportunity.current() is None
    assert clocks(change) == {(1, "first_touch"): "breached"}
    assert fire(change.opportunity, given.now + 90 * MINUTE).events == ()


def test_nothing_follows_once_what_was_late_is_done(given, stepwise, kinds):
    late = fire(stepwise, given.now + 11 * MINUTE).opportunity
    touched = log_touch(late, given.touch(), given.now + 12 * MINUTE)
    assert "clock-met-late" in kinds(touched)
    assert fire(touched.opportunity, given.now + 60 * MINUTE).events == ()


def test_nothing_follows_when_the_lead_has_gone_to_somebody_else(given, stepwise):
    late = fire(stepwise, given.now + 11 * MINUTE).opportunity
    moved = route(late, given.routed(2, "tanaka", mode="assign"), STEPWISE, given.now + 12 * MINUTE).opportunity
    after = fire(moved, given.now + 21 * MINUTE)
    assert {e.rep_id for e in after.events} == {"tanaka"}


def test_a_lead_that_was_touched_or_has_nobody_else_to_go_to_is_never_taken_by_a_step(given, kinds):
    for more, minutes in (({"leg": "is"}, 60), ({"pool_id": "manager:tokyo", "mode": "assign"}, 60)):
        opportunity = route(None, given.routed(qualifying_at=given.now, **more), STEPWISE, given.now).opportunity
        if "leg" in more:
            opportunity = log_touch(opportunity, given.touch(), given.now).opportunity
        change = fire(opportunity, given.now + minutes * MINUTE)
        assert change.opportunity.current().rep_id == "sato"
        assert [e.effect for e in change.events if e.kind == "clock-escalated"] == ["tell_manager"], more


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"escalate": ({"at": 100, "do": "tell_manager"},)}, "100"),
        ({"remind": (50,), "escalate": ({"at": 50, "do": "tell_manager"},)}, "names no share"),
        ({"escalate": ({"at": 200, "do": "tell_manager"}, {"at": 150, "do": "tell_manager"})}, "rising"),
        ({"escalate": ({"at": 150, "do": "take_back"}, {"at": 200, "do": "tell_manager"})}, "last step"),
        ({"escalate": ({"at": 90, "do": "take_back"},)}, "last step"),
        ({"untouched": "take_back", "escalate": ({"at": 150, "do": "take_back"},)}, "last step"),
    ],
)
def test_steps_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        LeadClass.model_validate(NAMED.model_dump() | wrong)
