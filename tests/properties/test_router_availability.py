"""A lead that waits for somebody's hours is taken at the very moment that it was told, and no trigger is missed before (P3)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.assignment import Assigned, assign_from
from services.router.domain.fairness import PoolState
from shared.availability.people import Away, not_at_work, people
from shared.schemas.policies import TeamsPolicy

START, HOUR, DAY = 1_767_225_600_000, 3_600_000, 86_400_000  # the beginning of 2026
REPS = ("sato", "tanaka", "mori", "lim")
ZONES = ("Asia/Tokyo", "America/New_York", "Europe/London")
times = st.integers(0, 60 * 24 * 12).map(lambda minutes: START + minutes * 5 * 60_000)
hours = st.sampled_from(
    (None, "days", "nights", "never"),
)
CALENDARS = [
    {"id": "days", "blocks": [{"open": "09:00", "close": "12:00"}, {"open": "13:00", "close": "18:00"}]},
    {"id": "nights", "blocks": [{"days": ["mon", "wed", "sat"], "open": "22:00", "close": "24:00"}]},
    {"id": "never"},
]


@st.composite
def teams(draw: st.DrawFn) -> TeamsPolicy:
    reps = [
        {"id": rep, "name": rep, "capacity": 2, "zone": draw(st.sampled_from(ZONES)), "calendar": draw(hours)}
        | ({"absences": [{"start": "2026-01-05", "end": "2026-01-09"}]} if draw(st.booleans()) else {})
        for rep in REPS
    ]
    pool = {"id": "p", "members": [{"rep": rep} for rep in REPS]}
    return TeamsPolicy.model_validate({"calendars": CALENDARS, "reps": reps, "pools": [pool]})


aways = st.dictionaries(
    st.sampled_from(REPS), st.builds(Away, times, st.none() | times.map(lambda at: at + 60 * DAY)), max_size=3
)
loads = st.dictionaries(st.sampled_from(REPS), st.integers(0, 3))
holders = st.sets(st.sampled_from(REPS), max_size=3)


def tried(policy: TeamsPolicy, at: int, away: dict[str, Away], load: dict[str, int], had: set[str]) -> Assigned:
    reps = {rep.id: rep for rep in policy.reps}
    out = not_at_work(people(policy), away, {rep.id: rep.zone for rep in policy.reps}, at)
    state = PoolState("p").follow(dict.fromkeys(REPS, 1), 1)
    return assign_from(policy.pools[0], state, reps, load, None, had, out)


@given(teams(), times, aways, holders)
def test_it_is_taken_at_the_moment_that_was_told_and_by_nobody_before(policy, at, away, had):
    first = tried(policy, at, away, {}, had)
    if first.rep is not None:
        assert first.waiting_until is None
        return
    if first.waiting_until is None:
        assert all(tried(policy, at + n * 7 * HOUR, away, {}, had).rep is None for n in range(200))
        return
    assert first.waiting_until > at
    assert tried(policy, first.waiting_until - 1, away, {}, had).rep is None
    taken = tried(policy, first.waiting_until, away, {}, had).rep
    assert taken is not None
    assert taken.id in first.waiting_for


@given(teams(), times, times, aways, aways, loads, loads, holders)
def test_whoever_could_take_it_later_is_one_whom_it_waits_for(policy, at, later, away, then, load, changed, had):
    """Hours pass, people come back or go, leads are given up: the sweep looks only for those whom a lead waits for."""
    parked = tried(policy, at, away, load, had)
    taken = tried(policy, max(at, later), then, changed, had)
    if parked.rep is None and taken.rep is not None:
        eligible = {one.rep_id for one in taken.candidates if not one.excluded}
        assert eligible <= set(parked.waiting_for)
