"""Changes by time alone, at the size of life: what it costs to find them, and where they are found again and again."""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.curves import curve_of
from services.scoring.domain import fading
from services.scoring.domain.fading import MOST_LOOKS, Change, Fading, next_change
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import at_moment, stand, steady_until
from services.scoring.domain.state import LeadState
from services.scoring.subjects import Subject
from tests.unit.scoring.leads import LEAD, NOW, page, rules, state_of, touch

DAY = 86_400_000
CAREERS = {"touch.type": {"eq": "careers_page_viewed"}}
ASKED = {"touch.type": {"eq": "contact_requested"}}


def busy(under: Rules, days: int = 90, *more: Any) -> LeadState:
    """Hundreds of touches."""
    kinds = ["page_viewed", "page_viewed", "careers_page_viewed"]
    return state_of(under, *(touch(n, at=NOW - n * DAY // 6, type=kinds[n % 3]) for n in range(6 * days)), *more)


def at_an_edge() -> tuple[Rules, LeadState]:
    """What is given fades as fast as what is taken, on top of points that end at an edge and do not fade for years."""
    under = rules(
        [
            page(5, half_life_days=14, limit=50),
            page(-5, id="careers", when=CAREERS, half_life_days=13.999, limit=50),
            page(40, id="asked", when=ASKED, group="ask", half_life_days=400),
        ],
        engagement={"groups": {"web": 100, "ask": 30}},
    )
    kinds = ["page_viewed", "careers_page_viewed"]
    told = [touch(n, at=NOW - (n // 2) * 7 * 3_600_000, type=kinds[n % 2]) for n in range(60)]
    return under, state_of(under, *told, touch(99, type="contact_requested"))


def bands(under: Rules, state: LeadState, moment: int) -> tuple[str, str]:
    return at_moment(stand(state, LEAD, under), moment).bands()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Moments at which the engagement was added up."""
    seen: list[int] = []
    add_up = Fading._at

    def counted(self: Fading, moment: int) -> Any:
        if moment not in self._known:
            seen.append(moment)
        return add_up(self, moment)

    monkeypatch.setattr(fading.Fading, "_at", counted)
    return seen


def test_each_change_of_a_busy_lead_is_found_by_a_few_dozen_looks(looks: list[int]) -> None:
    under = rules(
        [page(3), page(-0.5, id="careers", when=CAREERS, half_life_days=30)], engagement={"groups": {"web": 100}}
    )
    state = busy(under)
    curve = curve_of(Subject("acme", LEAD, is_account=False), state, under)
    moments, due = curve.changes(NOW, NOW + 500 * DAY)
    assert len(moments) >= 2
    assert due is None
    assert len(looks) < 60 * (len(moments) + 1)
    for moment in moments:
        assert bands(under, state, moment) != bands(under, state, moment - 1)


def test_a_lead_that_stays_at_an_edge_is_not_pursued_without_end(looks: list[int]) -> None:
    under, state = at_an_edge()
    assert bands(under, state, NOW)[0] == "D2"
    found = next_change(stand(state, LEAD, under), NOW)
    assert found is not None
    assert len(looks) <= MOST_LOOKS + 2
    assert not found.certain
    assert found.at > NOW + DAY // 24


def test_who_is_put_off_is_looked_at_again_and_nothing_is_told_that_did_not_change() -> None:
    under, state = at_an_edge()
    curve = curve_of(Subject("acme", LEAD, is_account=False), state, under)
    until = NOW + 150 * DAY
    due: int | None = NOW
    looks, told = 0, list[int]()
    while due is not None and due <= until and looks < 100:
        moments, following = curve.changes(due, until)
        assert following is None or following > due
        told, due, looks = told + moments, following, looks + 1
    assert looks > 1, "it was put off"
    assert all(bands(under, state, moment) != bands(under, state, moment - 1) for moment in told)
    seen = [bands(under, state, moment) for moment in range(NOW, min(due or until, until), DAY // 4)]
    assert sum(one != other for one, other in pairwise(seen)) <= len(told)


def test_who_is_one_of_ourselves_does_not_change_by_time() -> None:
    under = rules([page(40)], internal={"lead.kind": {"eq": "ourselves"}})
    state = state_of(under, touch(1, attributes={"kind": "ourselves"}))
    assert next_change(stand(state, LEAD, under), NOW) is None


def test_a_hand_raise_ends_to_the_ms_and_a_rule_begins_to_the_ms() -> None:
    under = rules([page(48, valid_from="2026-10-05")], engagement={"groups": {"web": 100}})
    state = state_of(under, touch(1), touch(2, type="contact_requested"))
    begins = under.base.boundaries[0]
    standing = stand(state, LEAD, under)
    assert next_change(standing, NOW) == Change(NOW + 7 * DAY)
    assert next_change(standing, NOW + 7 * DAY) == Change(begins)


@pytest.mark.parametrize(("points", "edges"), [(0.01, (0.028, 0.002, 0.001)), (-0.01, (-0.028, -0.04, -0.05))])
def test_touches_of_next_to_nothing_may_all_be_rounded_down_at_once(points: float, edges: tuple[float, ...]) -> None:
    """Three of 0.0095 points are 0.030 together, and a ms later 0.027: more than fades in an hour."""
    under = rules([page(points, half_life_days=1)], engagement={"groups": {"web": 1}, "bands": edges})
    standing = stand(state_of(under, *(touch(n) for n in range(3))), LEAD, under)
    last = NOW + int(log2(10 / 9.5) * DAY)
    now = at_moment(standing, last)
    assert (abs(now.engaged.total), abs(at_moment(standing, last + 1).engaged.total)) == (30, 27)
    assert steady_until(standing, now, last) <= last + 1
    assert next_change(standing, last) == Change(last + 1)


@given(
    st.lists(
        st.tuples(st.integers(1000, 30_000), st.integers(1, 4000), st.integers(0, 90 * DAY)), min_size=1, max_size=4
    ),
    st.integers(1, 99),
)
def test_what_only_fades_is_in_the_same_band_until_the_last_ms_of_what_is_called_steady(
    told: list[tuple[int, int, int]], share: int
) -> None:
    """By any mix of half-lives, down to an edge, and up to it."""
    touches = [touch(n, path=f"/{n}", at=NOW - age) for n, (*_, age) in enumerate(told)]
    for sign in (1, -1):
        behaviour = [
            page(sign * points / 1000, id=f"p{n}", half_life_days=tenths / 10, when={"touch.path": {"eq": f"/{n}"}})
            for n, (points, tenths, _) in enumerate(told)
        ]
        group = {"groups": {"web": 1000}, "cap": 1000}
        plain = rules(behaviour, engagement=group)
        total = at_moment(stand(state_of(plain, *touches), LEAD, plain), NOW).engaged.total
        edges = (total * share // 100 / 1000, -500, -1000)
        under = rules(behaviour, engagement={**group, "bands": edges})
        standing, moment = stand(state_of(under, *touches), LEAD, under), NOW
        for _ in range(3):
            now = at_moment(standing, moment)
            until = steady_until(standing, now, moment)
            assert at_moment(standing, max(moment, until - 1)).bands() == now.bands()
            moment = max(until, moment + 1)


def test_nothing_that_takes_means_nothing_that_rises_however_near_the_edge() -> None:
    under = rules([page(0.01, half_life_days=1)], engagement={"groups": {"web": 1}, "bands": (0.031, 0.002, 0.001)})
    standing = stand(state_of(under, *(touch(n) for n in range(3))), LEAD, under)
    assert steady_until(standing, at_moment(standing, NOW), NOW) > NOW + DAY
