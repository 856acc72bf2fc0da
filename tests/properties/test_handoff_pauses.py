"""Pauses move what is due on days, and what follows a breach, as counting day after day and ten minutes after ten minutes does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.handoff.domain.clocks import Clock
from services.handoff.domain.deal_clocks import watched
from services.handoff.domain.ending import fire
from services.handoff.domain.opportunity import Change, Offer, Opportunity
from services.handoff.domain.pausing import pause, resume, stands_until
from services.handoff.domain.terms import Promises
from shared.schemas.policies import SlaPolicy, TeamsPolicy
from shared.schemas.policies import calendars as policy
from shared.schemas.policies.sla import DealClocks, LeadClass, PauseReason, Step
from shared.schemas.policies.teams import Member, Pool, Rep
from tests.properties.test_handoff_clocks import DAY, FROM, HOUR, TICK, WEEKDAYS, ZONES, at_work

WAITING = PauseReason(code="waiting", most=90 * 86_400, times=100)
PROMISED = 2 * HOUR
STEPS = (150, 200, 450)


class Office:
    """Where 佐藤 works, as the policy has it and as whoever looks at the wall does."""

    def __init__(self, zone, night, rots, manager_after):
        self.zone, self.night, self.rots, self.manager_after = zone, night, rots, manager_after
        blocks = [("00:00", "08:00")] if night else [("09:00", "12:00"), ("13:00", "18:00")]
        calendar = policy.Calendar(
            id="office",
            zone=zone,
            blocks=tuple(policy.Block(open=a, close=b, days=WEEKDAYS) for a, b in blocks),
            holidays=policy.PublicHolidays(country=ZONES[zone]),
            presets=("golden_week", "nenmatsu_nenshi"),
        )
        slow = LeadClass(
            id="score",
            accept=PROMISED // 1000,
            first_touch=PROMISED // 1000,
            untouched="tell_manager",
            time="business",
            escalate=tuple(Step(at=at, do="tell_manager") for at in STEPS),
        )
        reps = (Rep(id="sato", name="佐藤", zone=zone, calendar="office"),)
        pools = (Pool(id="tokyo", members=(Member(rep="sato"),)),)
        self.promises = Promises(
            SlaPolicy(default=slow, deals=DealClocks(manager_after=manager_after)),
            TeamsPolicy(reps=reps, pools=pools, calendars=(calendar,)),
        )

    def works(self, at):
        return at_work(self.zone, self.night, at)

    def day(self, at):
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(self.zone)).date()

    def days(self, first):
        """Working days from `first` on, and when the last ten minutes of each are over."""
        while True:
            midnight = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(self.zone))
            start = round(midnight.timestamp() * 1000)
            open_ = [
                at for at in range(start, start + DAY + 2 * HOUR, TICK) if self.day(at) == first and self.works(at)
            ]
            if open_:
                yield first, open_[-1] + TICK
            first += timedelta(days=1)


def stood(pauses, at):
    return any(begins <= at < ends for begins, ends in pauses)


def nth_day(office, after, wanted, pauses):
    """When the last of so many working days after that one ends, of those at whose end nothing stood."""
    for _, ends in office.days(after + timedelta(days=1)):
        wanted -= not stood(pauses, ends)
        if not wanted:
            return ends
    raise AssertionError("days have no end")


@st.composite
def scenarios(draw):
    office = Office(
        draw(st.sampled_from(sorted(ZONES))), draw(st.booleans()), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    )
    begins = round(FROM[draw(st.sampled_from(sorted(FROM)))].timestamp() * 1000)
    start = at = begins + draw(st.integers(0, 7 * DAY // TICK)) * TICK
    acts = []
    for _ in range(draw(st.integers(0, 3))):
        at += draw(st.sampled_from([1, 30, 90, 300])) * TICK
        until = at + draw(st.sampled_from([1, 40, 150, 700])) * TICK
        acts.append((at, "pause", until))
        if draw(st.booleans()):  # something of the deal is written meanwhile
            acts.append((at + draw(st.integers(0, (until - at) // TICK - 1)) * TICK, "write", None))
        sooner = draw(st.one_of(st.none(), st.integers(1, (until - at) // TICK)))
        at = until if sooner is None else at + sooner * TICK
        if sooner is not None:
            acts.append((at, "resume", None))
    acts.sort(key=lambda act: act[0])
    return office, start, acts, draw(st.integers(0, 6))


def held(acts):
    """The pauses as they were in the end: from when until when."""
    pauses = []
    for at, act, until in acts:
        if act == "pause":
            pauses.append((at, until))
        elif act == "resume" and stood(pauses, at):
            pauses[-1] = (pauses[-1][0], at)
    return pauses


def played(opportunity, acts, office, write):
    """All that is told while the acts are done, and after them: looked at whenever something is to happen, and a tick before."""
    told, pauses = [], []

    def take(change: Change):
        told.extend((event.kind, event.clock, event.share, event.at) for event in change.events)
        return change.opportunity

    def pass_time(opportunity, until):
        while moments := [
            at for clock in opportunity.clocks for at in moments_of(clock) if until is None or at <= until
        ]:
            opportunity = opportunity.by_promises(office.promises, min(moments))
            assert fire(opportunity, min(moments) - 1).events == ()
            opportunity = take(fire(opportunity, min(moments)))
        return opportunity if until is None else opportunity.by_promises(office.promises, until)

    for at, act, until in acts:
        opportunity = pass_time(opportunity, at)
        if act == "pause":
            if not any(clock.is_running() or clock.reminders for clock in opportunity.clocks):
                break
            change, made = pause(
                opportunity, pauses, "sato", WAITING, at, by="sato", until=until, promises=office.promises
            )
            opportunity, pauses = take(change), [*pauses, made]
        elif act == "resume":
            change, ended = resume(opportunity, pauses, "sato", at, by="sato", promises=office.promises)
            opportunity, pauses = take(change), [*pauses[:-1], ended] if ended else pauses
        else:
            opportunity = take(write(opportunity, at, stands_until(pauses, at)))
    pass_time(opportunity, None)
    return [one for one in told if one[0] in ("clock-breached", "clock-escalated")]


def moments_of(clock):
    return [*([clock.due_at] if clock.is_running() else []), *(at for _, at in clock.reminders)]


def accepted(*clocks):
    offer = Offer(1, "sato", "佐藤", "offer", "fs", "tokyo", 0, state="accepted", accepted_at=0)
    return Opportunity("hinode", "o-1", "lead-1", 1, "accepted", 1, offers=(offer,), clocks=clocks)


@given(scenarios())
def test_rot_and_its_manager_are_told_when_counting_the_days_says_so(scenario):
    office, start, acts, _ = scenario

    def write(opportunity, at, stands):
        days = {"stage_rot": office.promises.working_day("sato", at, office.rots, stands)}
        return watched(opportunity, days, office.promises, at, stands)

    pauses, since, expected = held(acts), start, []
    for at in [*(at for at, act, _ in acts if act == "write"), None]:
        due = nth_day(office, office.day(since), office.rots, pauses)
        if at is not None and at < due:
            since = at
            continue
        told = nth_day(office, office.day(due - 1), office.manager_after, pauses)
        expected.append(("clock-breached", "stage_rot", None, due))
        if at is None or told <= at:
            expected.append(("clock-escalated", "stage_rot", 200, told))
        since = at
    begun = write(accepted(), start, 0).opportunity
    assert played(begun, acts, office, write) == expected


@given(scenarios())
def test_the_next_step_keeps_its_day_and_is_late_when_work_ends_and_the_clocks_count(scenario):
    office, start, acts, days = scenario
    day = office.day(start) + timedelta(days=days)

    def write(opportunity, at, stands):  # of something else: the day is as it was
        return watched(opportunity, {"next_step": day}, office.promises, at, stands)

    pauses = held(acts)
    due = next(ends for _, ends in office.days(day) if ends > start and not stood(pauses, ends))
    begun = write(accepted(), start, 0).opportunity
    if next(office.days(day))[1] > start:  # one that is over before it is said is late at once
        assert played(begun, acts, office, write)[0] == ("clock-breached", "next_step", None, due)


@given(scenarios())
def test_what_follows_a_breach_comes_when_counting_says_so_and_never_while_it_stands(scenario):
    office, start, acts, _ = scenario
    terms = office.promises.terms("sato", "score")
    due = Clock(1, "first_touch", start, start, rep_id="sato", lead_class="score", terms=terms, counted_to=start)
    pauses, counted, at, expected = held(acts), 0, start, []
    coming = [(share, PROMISED * (share - 100) // 100) for share in STEPS]
    while coming:
        counted += TICK if office.works(at) and not stood(pauses, at) else 0
        at += TICK
        while coming and counted >= coming[0][1]:
            expected.append(("clock-escalated", "first_touch", coming.pop(0)[0], at))
    late = fire(accepted(due), start).opportunity
    assert played(late, acts, office, lambda opportunity, *_: Change(opportunity)) == expected
