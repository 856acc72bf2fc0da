"""A lead that waits for somebody's day or week is taken at the very moment that was told, and by nobody before."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain.assignment import Assigned, assign_from
from services.router.domain.caps import Taken, periods
from services.router.domain.fairness import PoolState
from shared.schemas.policies.teams import Member, Pool, Rep

START, HOUR, DAY = 1_767_225_600_000, 3_600_000, 86_400_000  # the beginning of 2026
REPS = ("sato", "tanaka", "mori")
ZONES = ("Asia/Tokyo", "America/New_York", "Europe/London", "America/Santiago", "Asia/Kathmandu")
minutes = st.integers(0, 60 * 24 * 300).map(lambda minute: START + minute * 60_000)
caps = st.none() | st.integers(0, 3)


@st.composite
def reps(draw: st.DrawFn) -> dict[str, Rep]:
    return {
        name: Rep(id=name, name=name, zone=draw(st.sampled_from(ZONES)), per_day=draw(caps), per_week=draw(caps))
        for name in REPS
    }


def counted(rep: Rep, given_at: list[int], at: int) -> Taken:
    """What the store counts, by calendars: leads of the same date, and of the same week."""

    def local(moment: int) -> datetime:
        return datetime.fromtimestamp(moment / 1000, ZoneInfo(rep.zone))

    now = local(at)
    past = [local(moment) for moment in given_at if moment <= at]
    span = periods(rep.zone, at)
    return Taken(
        sum(one.date() == now.date() for one in past),
        sum(one.isocalendar()[:2] == now.isocalendar()[:2] for one in past),
        span.day_ends,
        span.week_ends,
        rep.zone,
    )


def tried(known: dict[str, Rep], history: dict[str, list[int]], at: int) -> Assigned:
    pool = Pool(id="p", members=tuple(Member(rep=name) for name in REPS))
    taken = {name: counted(rep, history[name], at) for name, rep in known.items()}
    state = PoolState("p").follow(dict.fromkeys(REPS, 1), 1)
    return assign_from(pool, state, known, {}, None, (), taken=taken)


@settings(max_examples=150)
@given(reps(), minutes, st.data())
def test_it_is_taken_when_a_day_or_week_begins_that_was_told_and_not_before(known, at, data):
    days = st.integers(0, 9 * 24 * 60).map(lambda back: at - back * 60_000)
    history = {name: data.draw(st.lists(days, max_size=8), label=name) for name in REPS}
    first = tried(known, history, at)
    if first.rep is not None:
        return
    assert first.parked == "cap_reached"
    if first.waiting_until is None:
        assert all(0 in (rep.per_day, rep.per_week) for rep in known.values()), "only a cap of nothing never ends"
        return
    assert tried(known, history, first.waiting_until - 1).rep is None
    later = tried(known, history, first.waiting_until)
    assert later.rep is not None
    assert later.rep.id in first.waiting_for


@settings(max_examples=200)
@given(st.sampled_from(ZONES), minutes)
def test_a_day_and_a_week_hold_their_moment_and_nothing_of_the_next(zone, at):
    def local(moment: int) -> datetime:
        return datetime.fromtimestamp(moment / 1000, ZoneInfo(zone))

    span = periods(zone, at)
    assert span.week <= span.day <= at < span.day_ends <= span.week_ends
    assert local(span.day).date() == local(at).date() == local(span.day_ends - 1).date()
    assert local(span.day - 1).date() < local(at).date() < local(span.day_ends).date()
    assert local(span.week).weekday() == 0
    assert local(span.week).isocalendar()[:2] == local(span.week_ends - 1).isocalendar()[:2]
