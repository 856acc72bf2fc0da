"""Clocks of a deal: due at the end of a working day of whoever has it, told to them, and later to the manager."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.handoff.domain.deal_clocks import watched
from services.handoff.domain.ending import fire
from services.handoff.domain.pausing import NothingRunsError, pause, resume
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


@pytest.mark.parametrize("hour", [10, 17, 18, 20])
def test_no_next_step_is_late_before_it_was_set(deal, hour):
    now = tokyo(FRIDAY, hour)
    for day in (date(2020, 1, 1), date(2026, 5, 21), FRIDAY):
        set_ = watched(deal, {"next_step": day}, promises(), now).opportunity
        assert of(set_, "next_step").due_at == tokyo(FRIDAY if hour <= 18 else MONDAY), day
        assert of(set_.by_promises(promises(), now), "next_step").due_at >= now


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


WAITING = PauseReason(code="waiting", most=7 * 86_400, times=2)


def test_while_the_customer_thinks_nothing_is_late_and_the_days_of_rot_do_not_count(deal):
    days = {"next_step": FRIDAY, "stage_rot": TUESDAY}
    deal = watched(deal, days, promises(), tokyo(FRIDAY, 10)).opportunity
    until, wednesday = tokyo(TUESDAY, 12), date(2026, 5, 27)
    stands = pause(deal, [], "sato", WAITING, tokyo(FRIDAY, 11), by="sato", until=until, promises=promises())[0]
    assert fire(stands.opportunity, tokyo(TUESDAY) - 1).events == ()
    late = [one[1:] for one in told(fire(stands.opportunity, tokyo(wednesday)))]
    assert late == [
        ("next_step", "tell_holder", tokyo(TUESDAY)),  # its day stays: it is late once work ends and the clocks count
        ("stage_rot", "tell_holder", tokyo(wednesday)),  # Monday did not count: a working day later
    ]


def test_who_resumes_on_the_same_day_has_paused_nothing(deal):
    days = {"next_step": MONDAY, "stage_rot": TUESDAY}
    deal = watched(deal, days, promises(), tokyo(FRIDAY, 10)).opportunity
    stands, made = pause(deal, [], "sato", WAITING, tokyo(FRIDAY, 11), by="sato", promises=promises())
    counts = resume(stands.opportunity, [made], "sato", tokyo(FRIDAY, 12), by="sato", promises=promises())[0]
    assert [of(counts.opportunity, kind).due_at for kind in days] == [of(deal, kind).due_at for kind in days]


def test_days_of_rot_are_counted_from_the_last_change_in_a_pause_too(deal):
    """It would be stale on Friday after both changes, if nobody resumed before."""
    now, thursday, friday = tokyo(FRIDAY, 10), date(2026, 5, 28), date(2026, 5, 29)
    deal = watched(deal, {"stage_rot": TUESDAY}, promises(), now).opportunity
    until = tokyo(date(2026, 5, 27), 20)
    stands, made = pause(deal, [], "sato", WAITING, now, by="sato", until=until, promises=promises())
    deal = stands.opportunity
    for changed_at in (tokyo(MONDAY, 12), tokyo(TUESDAY, 12)):
        day = promises().working_day("sato", changed_at, 2, until)
        assert day == friday
        deal = watched(deal, {"stage_rot": day}, promises(), changed_at, until).opportunity
    counts = resume(deal, [made], "sato", tokyo(TUESDAY, 13), by="sato", promises=promises())[0]
    assert of(counts.opportunity, "stage_rot").due_at == tokyo(thursday)


def test_who_was_told_of_a_late_step_may_wait_for_the_customer_before_the_manager_hears(deal):
    deal = watched(deal, {"next_step": FRIDAY}, promises(), tokyo(FRIDAY, 10)).opportunity
    late = fire(deal, tokyo(FRIDAY)).opportunity
    until = tokyo(TUESDAY, 12)
    stands = pause(late, [], "sato", WAITING, tokyo(MONDAY, 9), by="sato", until=until, promises=promises())[0]
    escalated = ("clock-escalated", "next_step", "tell_manager", tokyo(date(2026, 5, 27)))  # Monday did not count
    assert told(fire(stands.opportunity, tokyo(date(2026, 5, 29)))) == [escalated]


def test_with_nothing_that_runs_there_is_nothing_to_pause(deal):
    with pytest.raises(NothingRunsError):
        pause(deal, [], "sato", WAITING, tokyo(FRIDAY, 11), by="sato")
