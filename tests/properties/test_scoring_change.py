"""What time alone changes: found to the ms, held against a look at every single one. Days are a few ms long here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain import fading
from services.scoring.domain.fading import Change, next_change
from services.scoring.domain.parts import NEVER
from services.scoring.domain.rules import Rules, RuleSet
from services.scoring.domain.score import Standing, at_moment, stand, steady_until
from shared.schemas.scores import PolicyRef
from tests.unit.scoring.leads import LEAD, NOW, page, policy, state_of, touch

DAY = 86_400_000
LIFE = 1_500  # ms: longer than anything lasts here

TYPES = st.sampled_from(["page_viewed", "email_opened", "contact_requested"])
FACTS = st.sampled_from(["level", "kind"])
LENGTHS = st.integers(1, 200).map(lambda length: length / DAY)
POINTS = st.one_of(st.integers(-9, 12), st.integers(-9_000, 12_000).map(lambda points: points / 1000))
CAPS = st.sampled_from([5, 100])
DATES = st.one_of(st.none(), st.none(), st.integers(-100, 500))


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """A lead under a policy whose lives, windows and schedules are so short that every ms can be looked at."""
    behaviour = [
        page(
            id=f"rule-{number}",
            when={"touch.type": {"eq": draw(TYPES)}},
            points=draw(POINTS),
            half_life_days=draw(LENGTHS),
            window_days=draw(st.none() | LENGTHS),
            group=draw(st.sampled_from(["web", "mail"])),
            limit=5,
        )
        for number in range(draw(st.integers(1, 5)))
    ]
    fits = [
        {
            "id": f"fit-{number}",
            "when": {f"lead.{draw(FACTS)}": {"exists": draw(st.booleans())}},
            "points": draw(st.integers(-20, 40)),
            "expires_days": draw(st.none() | LENGTHS),
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    written = policy(
        behaviour,
        fits,
        {"groups": {"web": draw(CAPS), "mail": 8}, "bands": [12, 6, 2], "cap": draw(CAPS) + 7},
        {"grades": [30, 20, 10]},
        temperature={"hot": 1, "warm": 2, "hand_raise_days": draw(LENGTHS)},
    )
    under = Rules(written, PolicyRef(sequence=1, hash="h"))
    base = under.base
    under.base = RuleSet(
        written, [dated(draw, one) for one in base.behaviour], [dated(draw, one) for one in base.fit], ()
    )
    touches = [
        touch(
            number,
            type=draw(TYPES),
            at=NOW - draw(st.integers(-50, 300)),
            attributes=dict.fromkeys(draw(st.sets(FACTS)), "any"),
        )
        for number in range(draw(st.integers(1, 10)))
    ]
    return stand(state_of(under, *touches), LEAD, under)


def dated(draw: st.DrawFn, rule: Any) -> Any:
    """Schedules are days of the calendar: here they begin and end at any ms."""
    begins, ends = draw(DATES), draw(DATES)
    return replace(rule, begins=NOW + begins if begins else 0, ends=NOW + ends if ends else NEVER)


def bands(standing: Standing, moment: int) -> tuple[str, str]:
    return at_moment(standing, moment).bands()


@given(standings(), st.integers(-300, 600))
def test_the_first_change_is_found_to_the_ms(standing: Standing, since: int) -> None:
    now = bands(standing, NOW + since)
    wanted = next((at for at in range(NOW + since + 1, NOW + LIFE) if bands(standing, at) != now), None)
    assert next_change(standing, NOW + since) == (None if wanted is None else Change(wanted))


@given(standings(), st.integers(-300, 600))
def test_nothing_changes_before_the_moment_until_which_a_score_is_steady(standing: Standing, since: int) -> None:
    moment = NOW + since
    until = steady_until(standing, at_moment(standing, moment), moment)
    now = bands(standing, moment)
    assert all(bands(standing, at) == now for at in range(moment, min(until, NOW + LIFE)))


@given(standings(), st.integers(40, 60))
def test_a_search_that_is_put_off_and_taken_up_again_finds_the_same(standing: Standing, most: int) -> None:
    wanted = next_change(standing, NOW)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fading, "MOST_LOOKS", most)
        found, since = next_change(standing, NOW), NOW
        while found and not found.certain:
            assert found.at > since
            since = found.at - 1
            found = next_change(standing, since)
    assert found == wanted
