"""Who moves a deal to another stage has touched the lead; who loses it has not."""

from __future__ import annotations

import pytest

from services.handoff.domain.ending import fire
from services.handoff.domain.rep import accept, log_touch
from services.handoff.domain.routed import route
from services.handoff.domain.terms import Promises
from services.handoff.pipeline.deal import Deal
from services.handoff.pipeline.handover import applied, worked
from shared.schemas.policies import SlaPolicy
from shared.schemas.policies.sla import LeadClass, Step

MINUTE = 60_000
BEGUN = Deal(stage="accepted", stage_since=0)


@pytest.fixture
def accepted(given):
    return accept(given.offered(), "sato", given.now).opportunity


def first_touch(change):
    clock = next(clock for clock in change.opportunity.clocks if clock.kind == "first_touch")
    return clock.state, clock.done_by


def become(**other):
    return BEGUN.model_copy(update={"version": 1, **other})


def moved(opportunity, after, now):
    """As the desk does it: what is due first, then the touch, then the deal."""
    change = fire(opportunity, now)
    change = change.then(worked(change.opportunity, BEGUN, after, now))
    return change.then(applied(change.opportunity, BEGUN, after, now))


@pytest.mark.parametrize(
    ("after", "ended"),
    [
        (become(stage="discovery"), ("met", "stage")),
        (become(stage="won", closed_at=1), ("met", "stage")),
        (become(stage="lost", closed_at=1), ("cancelled", None)),
        (become(next_step="電話"), ("running", None)),
    ],
)
def test_a_move_or_a_win_meets_the_first_touch_and_a_loss_or_a_word_does_not(given, accepted, after, ended):
    assert first_touch(moved(accepted, after, given.now + MINUTE)) == ended


def test_what_is_told_says_that_it_was_the_stage_and_an_activity_says_nothing(given, accepted):
    change = moved(accepted, become(stage="discovery"), given.now + MINUTE)
    [told] = [event for event in change.events if event.kind == "clock-met"]
    assert (told.clock, told.done_by, told.rep_id) == ("first_touch", "stage", "sato")
    later = log_touch(change.opportunity, given.touch(), given.now + 2 * MINUTE)
    assert [event.kind for event in later.events] == ["activity-logged"], "it is met once"
    assert first_touch(log_touch(accepted, given.touch(), given.now)) == ("met", None)


def test_a_move_after_the_breach_is_a_touch_that_came_late_and_ends_the_steps(given):
    late_class = LeadClass(
        id="score",
        accept=60,
        first_touch=600,
        untouched="tell_manager",
        escalate=(Step(at=200, do="take_back"),),
    )
    promises = Promises(SlaPolicy(default=late_class))
    opportunity = accept(route(None, given.routed(), promises, given.now).opportunity, "sato", given.now).opportunity
    late = moved(opportunity, become(stage="discovery"), given.now + 11 * MINUTE)
    assert first_touch(late) == ("breached", "stage")
    assert [event.done_by for event in late.events if event.kind == "clock-met-late"] == ["stage"]
    assert fire(late.opportunity, given.now + 3600 * MINUTE).events == ()
