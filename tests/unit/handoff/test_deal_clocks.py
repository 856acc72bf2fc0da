"""Clocks of a deal: due at the end of a working day of whoever has it, told to them, and later to the manager."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.handoff.domain.deal_clocks import watched
from services.handoff.domain.ending import fire
from services.handoff.domain.pausing import NothingRunsError, pause
from services.handoff.domain.rep import accept, decline, log_touch
from services.handoff.domain.routed import route
from services.handoff.domain.terms import Promises
from shared.schemas.policies import SlaPolicy, TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar, Period
from shared.schemas.policies.sla import DealClocks, LeadClass, PauseReason
from shared.schemas.policies.teams import Member, Pool, Rep

OFFICE = Calendar(id="office", blocks=(Block(open="09:00", close="18:00"),))
POOLS = (Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),)
FRIDAY, MONDAY, TUESDAY = date(2026, 5, 22), date(2026, 5, 25), date(2026, 5, 26)


def tokyo(day, hour=18):
    return round(datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000)


def promises(manager_after=2, **sato):
    reps = (Rep(id="sato", name="佐藤", calendar="office", **sato), Rep(id="tanaka", name="田中", calendar="office"))
    sla = SlaPolicy(
        default=LeadClass(id="score", accept=86_400, first_touch=864_000), deals=DealClocks(manager_after=manager_after)
    )
    return Promises(sla, TeamsPolicy(reps=reps, pools=POOLS, calendars=(OFFICE,)))


@pytest.fixture
def deal(given):
    """Accepted by 佐藤, who has called, on Friday at ten."""
    now = tokyo(FRIDAY, 10)
    offered = route(None, given.routed(qualifying_at=now), promises(), now).opportunity
    return log_touch(accept(offered, "sato", now).opportunity, given.touch(), now).opportunity


def told(change):
    return [(e.kind, e.clock, e.effect, e.at) for e in change.events]


def of(opportunity, kind):
    return next(clock for clock in opportunity.clocks if clock.kind == kind)


def test_a_next_step_is_late_after_work_on_its_day_and_the_manager_hears_two_working_days_later(deal):
    deal = watched(deal, {"next_step": FRIDAY}, promises(), tokyo(FRIDAY, 10)).opportunity
    assert fire(deal, tokyo(FRIDAY) - 1).events == ()
    late = fire(deal, tokyo(FRIDAY))
    assert told(late) == [("clock-breached", "next_step", "tell_holder", tokyo(FRIDAY))]
    assert late.opportunity.current().rep_id == "sato"
    assert fire(late.opportunity, tokyo(TUESDAY) - 1).events == ()
    escalated = fire(late.opportunity, tokyo(TUESDAY))
    assert told(escalated) == [("clock-escalated", "next_step", "tell_manager", tokyo(TUESDAY))]
    assert fire(escalated.opportunity, tokyo(TUESDAY) * 2).events == ()


def test_who_looks_late_tells_both_of_their_own_moments(deal):
    deal = watched(deal, {"next_step": FRIDAY}, promises(), tokyo(FRIDAY, 10)).opportunity
    assert [at for *_, at in told(fire(deal, tokyo(date(2026, 6, 30))))] == [tokyo(FRIDAY), tokyo(TUESDAY)]


@pytest.mark.parametrize(("day", "due"), [(date(2026, 5, 23), MONDAY), (MONDAY, MONDAY)])
def test_a_day_off_is_due_at_the_end_of_the_next_working_day(deal, day, due):
    assert of(watched(deal, {"next_step": day}, promises(), 0).opportunity, "next_step").due_at == tokyo(due)


def test_rot_counts_the_working_days_of_whoever_has_it(deal):
    now = tokyo(FRIDAY, 10)
    assert promises().working_day("sato", now, 2) == TUESDAY
    away = promises(absences=(Period(start="2026-05-25", end="2026-05-25"),))
    assert away.working_day("sato", now, 2) == date(2026, 5, 27)


def test_another_day_begins_anew_and_what_was_late_is_done_late(deal, kinds):
    now = tokyo(FRIDAY, 10)
    deal = watched(deal, {"next_step": FRIDAY}, promises(), now).opportunity
    assert watched(deal, {"next_step": FRIDAY}, promises(), now + 1).opportunity == deal
    moved = watched(deal, {"next_step": MONDAY}, promises(), now)
    assert (kinds(moved), of(moved.opportunity, "next_step").due_at) == ([], tokyo(MONDAY))
    late = fire(moved.opportunity, tokyo(MONDAY)).opportunity
    again = watched(late, {"next_step": TUESDAY}, promises(), tokyo(MONDAY, 20))
    assert kinds(again) == ["clock-met-late"]
    clock = of(again.opportunity, "next_step")
    assert (clock.state, clock.due_at, clock.done_at) == ("running", tokyo(TUESDAY), None)
    first, second = fire(moved.opportunity, tokyo(MONDAY)).events, fire(again.opportunity, tokyo(TUESDAY)).events
    assert first[0].event_id != second[0].event_id
    assert of(watched(late, {"next_step": None}, promises(), tokyo(MONDAY, 20)).opportunity, "next_step").done_at


def test_it_goes_with_the_deal_to_whoever_has_it_next_and_by_their_hours(given, deal):
    now = tokyo(FRIDAY, 10)
    deal = watched(deal, {"next_step": MONDAY}, promises(), now).opportunity
    record = given.routed(2, "tanaka", mode="assign", relieves="sato", qualifying_at=now)
    moved = route(deal, record, promises(), now).opportunity
    off = promises().teams.model_copy(
        update={
            "reps": (
                Rep(
                    id="tanaka",
                    name="田中",
                    calendar="office",
                    absences=(Period(start="2026-05-25", end="2026-05-25"),),
                ),
            )
        }
    )
    by_theirs = moved.by_promises(Promises(promises().sla, off), tokyo(MONDAY))
    assert (of(by_theirs, "next_step").rep_id, of(by_theirs, "next_step").due_at) == ("tanaka", tokyo(TUESDAY))
    assert "next_step" not in [event.clock for event in fire(by_theirs, tokyo(MONDAY)).events]


def test_a_deal_that_nobody_has_is_late_all_the_same_and_nothing_is_once_it_is_closed(given, deal):
    now = tokyo(FRIDAY, 10)
    deal = watched(deal, {"next_step": FRIDAY, "stage_rot": MONDAY}, promises(), now).opportunity
    waiting = decline(deal, "sato", given.reason(), now, note_given=False).opportunity
    assert told(fire(waiting, tokyo(FRIDAY))) == [("clock-breached", "next_step", "tell_manager", tokyo(FRIDAY))]
    closed = decline(deal, "sato", given.reason("junk", "disqualify"), now, note_given=False).opportunity
    assert fire(closed, tokyo(date(2026, 6, 30))).events == ()
    assert [clock.state for clock in closed.clocks if clock.kind in ("next_step", "stage_rot")] == ["cancelled"] * 2


def test_without_the_policy_the_manager_is_not_told(deal):
    deal = watched(deal, {"next_step": FRIDAY}, promises(manager_after=None), tokyo(FRIDAY, 10)).opportunity
    assert len(fire(deal, tokyo(date(2026, 6, 30))).events) == 1


def test_what_policy_no_longer_keeps_is_not_late(deal):
    deal = watched(deal, {"next_step": FRIDAY}, promises(), tokyo(FRIDAY, 10)).opportunity
    without = promises().sla.model_copy(update={"deals": DealClocks(next_step=False)})
    moved = deal.by_promises(Promises(without, promises().teams), tokyo(FRIDAY))
    assert fire(moved, tokyo(FRIDAY)).events == ()
    assert of(moved, "next_step").state == "cancelled"


@pytest.mark.parametrize("day", [date.min, date(1969, 12, 30), date.max, date(9999, 12, 30)])
def test_a_day_that_no_calendar_tells_is_the_nearest_that_one_does(day):
    assert 0 < promises().closes("sato", day) < 200_000_000_000_000
    assert 0 < promises().closes("nobody", day) < 200_000_000_000_000


def test_a_pause_does_not_hold_days(given, deal):
    deal = watched(deal, {"next_step": FRIDAY}, promises(), tokyo(FRIDAY, 10)).opportunity
    waiting = PauseReason(code="waiting", most=3600)
    with pytest.raises(NothingRunsError):
        pause(deal, [], "sato", waiting, tokyo(FRIDAY, 11), by="sato")
