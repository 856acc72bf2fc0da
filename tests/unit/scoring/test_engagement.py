"""What touches are worth: half-life and window, dates, caps, the explanation, the trend."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.engagement import Engagement, engagement
from services.scoring.domain.ledger import DAY
from services.scoring.domain.parts import Part, cap_all, cap_group
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from tests.unit.scoring.leads import LEAD, NOW, page, rules, scored, state_of, touch

JST = 540
DOWNLOADED = {"touch.type": {"eq": "whitepaper_downloaded"}}


def engaged(under: Rules, *ats: int, as_of: int = NOW) -> Engagement:
    touches = [touch(number, at=at, received_at=max(at, NOW)) for number, at in enumerate(ats)]
    return engagement(list(state_of(under, *touches).memories.values()), under.base, as_of)


def worth(under: Rules, *ats: int, as_of: int = NOW) -> int:
    return engaged(under, *ats, as_of=as_of).total


# --- half-life and window -------------------------------------------------------------------------------------------------


def test_half_of_the_points_are_left_after_a_half_life_and_none_past_seven() -> None:
    under = rules([page()])
    assert worth(under, NOW, as_of=NOW + 7 * DAY) == 4_000
    assert worth(under, NOW, as_of=NOW + 49 * DAY) == 62
    assert worth(under, NOW, as_of=NOW + 49 * DAY + 1) == 0


def test_a_window_ends_what_a_half_life_would_keep() -> None:
    under = rules([page(window_days=7)])
    assert worth(under, NOW, as_of=NOW + 7 * DAY) == 4_000
    assert worth(under, NOW, as_of=NOW + 7 * DAY + 1) == 0


def test_a_window_longer_than_seven_half_lives_keeps_nothing() -> None:
    assert worth(rules([page(half_life_days=1, window_days=400)]), NOW, as_of=NOW + 7 * DAY + 1) == 0


def test_a_touch_from_after_the_moment_asked_for_is_worth_its_full_points() -> None:
    assert worth(rules([page()]), NOW + DAY, as_of=NOW) == 8_000


def test_each_touch_is_rounded_once() -> None:
    under = rules([page(0.001, half_life_days=1, limit=5)])
    assert worth(under, NOW, NOW - DAY + 1, NOW - DAY) == 2, (
        "1, just above one half, and one half, which rounds to even"
    )


def test_a_life_too_short_for_a_ms_is_one() -> None:
    under = rules([page(half_life_days=1e-12, window_days=1e-12)])
    assert worth(under, NOW, as_of=NOW) == 8_000
    assert worth(under, NOW, as_of=NOW + 2) == 0


def test_a_touch_older_than_its_rules_horizon_leaves_no_mark() -> None:
    under = rules([page()])
    state = state_of(under, touch(1, at=NOW - 91 * DAY), touch(2, at=NOW - 90 * DAY), touch(3, at=-1, received_at=0))
    assert [len(buckets) for buckets in state.memories["ann"].marks.values()] == [1]


def test_a_change_of_points_or_caps_is_read_from_the_same_marks() -> None:
    state = state_of(rules([page(8)]), touch(1))
    assert score(state, LEAD, rules([page(3)])).engagement.total == 3_000
    assert (
        score(state, LEAD, rules([page(8, window_days=80)], engagement={"groups": {"web": 5}})).engagement.total
        == 5_000
    )


# --- once, campaign, cycle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per", "limit", "campaigns", "counted"),
    [
        ("once", 1, ["a", "b", None], 1),
        ("once", 2, ["a", "b", None], 2),
        ("campaign", 1, ["a", "b", "a", None, None], 3),
        ("cycle", 2, ["a", "a", "a", "b"], 3),
    ],
)
def test_a_bucket_may_be_all_or_each_campaign(per: str, limit: int, campaigns: list[str | None], counted: int) -> None:
    touches = [touch(n, at=NOW - n * DAY, campaign=name, event="Seen") for n, name in enumerate(campaigns)]
    parts = scored(rules([page(1, per=per, limit=limit)]), *touches).engagement.parts
    assert [part.times for part in parts] == [counted]


def test_an_old_touch_holds_the_place_of_a_later_one_for_ever() -> None:
    under = rules([page(per="once", limit=1)])
    old, new = touch(1, at=NOW - 60 * DAY), touch(2)
    assert scored(under, old, new).engagement.total == 0
    assert scored(under, new).engagement.total == 8_000
    assert score(state_of(under, new, base=state_of(under, old)), LEAD, under).engagement.total == 0


def test_the_limit_is_that_of_all_identities_together() -> None:
    under = rules([page(1, limit=2)])
    told = [touch(n, identity, lead_id=LEAD) for n, identity in enumerate(["ann", "phone", "tablet"])]
    state = state_of(under, *told)
    found = engagement(list(state.memories.values()), under.base, NOW)
    assert (found.total, found.marks) == (2_000, 2)
    again = engagement(list(state_of(under, told[0], touch(0, "phone")).memories.values()), under.base, NOW)
    assert (again.total, again.marks) == (1_000, 1), "one event that two identities tell of is one"


# --- dates ----------------------------------------------------------------------------------------------------------------


def jst(text: str) -> int:
    """ms of a moment in Japan."""
    return int(datetime.fromisoformat(f"{text}+09:00").timestamp() * 1000)


def dated(**dates: Any) -> Rules:
    return rules([page(**dates)], zone_offset_minutes=JST)


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        ("2026-09-30T23:59:59.999", False),
        ("2026-10-01T00:00:00.000", True),
        ("2026-10-03T23:59:59.999", True),
        ("2026-10-04T00:00:00.000", False),
    ],
)
def test_a_rule_gives_points_from_its_first_day_to_the_last_ms_of_its_last(moment: str, counts: bool) -> None:
    under = dated(valid_from="2026-10-01", valid_until="2026-10-03")
    assert (worth(under, NOW, as_of=jst(moment)) > 0) is counts


def test_dates_say_when_points_are_given_not_when_touches_happened() -> None:
    under = dated(valid_from="2026-10-01")
    before = jst("2026-09-28T12:00:00")
    assert worth(under, before, as_of=jst("2026-10-02T00:00:00")) > 0


def test_a_rule_may_be_for_one_day_or_until_the_end_of_the_calendar_or_from_before_all_clocks() -> None:
    one_day = dated(valid_from="2026-10-01", valid_until="2026-10-01")
    assert one_day.base.boundaries == [jst("2026-10-01T00:00:00"), jst("2026-10-02T00:00:00")]
    always = dated(valid_from="0001-01-01", valid_until="9999-12-31")
    assert worth(always, NOW) == 8_000


# --- caps and the explanation ---------------------------------------------------------------------------------------------


def test_the_excess_is_cut_from_the_largest_part_so_that_small_signals_stay_visible() -> None:
    parts = [Part("big", 30, 30), Part("small", 5, 5), Part("bad", -3, -3)]
    assert cap_group(parts, 20) == 20
    assert [(part.rule_id, part.kept, part.cut) for part in parts] == [("big", 18, 12), ("small", 5, 0), ("bad", -3, 0)]


def test_a_cap_below_nothing_takes_no_more_than_was_given() -> None:
    only = [Part("only", 5, 5)]
    assert cap_group(only, -10) == 0
    assert only[0].kept == 0


def test_what_the_cap_of_all_cuts_is_told_apart_from_what_the_groups_did() -> None:
    under = rules(
        [page(15), page(12, id="again", group="mail")], engagement={"cap": 20, "groups": {"web": 13, "mail": 15}}
    )
    found = scored(under, touch(1)).engagement
    assert found.total == 20_000
    assert [(part.rule_id, part.given, part.kept, part.cut, part.cut_total) for part in found.parts] == [
        ("page", 15_000, 8_000, 7_000, 5_000),
        ("again", 12_000, 12_000, 0, 0),
    ]


def test_a_part_says_how_often_and_between_when() -> None:
    under = rules([page(1, limit=2)])
    told = [touch(n, at=NOW - n * 20 * DAY) for n in range(4)]
    [part] = scored(under, *told, touch(9)).engagement.parts
    assert (part.times, part.first_at, part.last_at) == (4, NOW - 40 * DAY, NOW), "the one of 60 days ago gives nothing"


parts_of_all_kinds = st.lists(st.integers(-50, 50), max_size=6).map(
    lambda given: [Part(f"rule-{number}", points, points) for number, points in enumerate(given)]
)


@given(st.lists(st.tuples(parts_of_all_kinds, st.integers(-10, 60)), max_size=3), st.integers(-10, 80))
def test_whatever_is_cut_parts_sum_and_no_cap_is_passed(groups: list[tuple[list[Part], int]], cap: int) -> None:
    for parts, cap_of_group in groups:
        given = sum(part.given for part in parts)
        assert cap_group(parts, cap_of_group) == sum(part.kept for part in parts) == min(given, max(cap_of_group, 0))
    found = cap_all([part for parts, _ in groups for part in parts], cap)
    assert found.total == sum(part.kept for part in found.parts)
    assert found.total == min(max(cap, 0), sum(part.given - part.cut + part.cut_total for part in found.parts))
    assert all(0 <= part.cut_total <= part.cut <= max(part.given, 0) for part in found.parts)
    assert all(part.kept == part.given - part.cut for part in found.parts)


@given(
    st.lists(st.integers(0, 80 * DAY), min_size=1, max_size=8),
    st.lists(st.integers(0, 60 * DAY), min_size=2, max_size=5),
)
def test_marks_above_nothing_only_ever_fade(ages: list[int], moments: list[int]) -> None:
    under = rules([page(8.125, limit=3, window_days=20), page(0.01, id="small", half_life_days=13)])
    totals = [worth(under, *(NOW - age for age in ages), as_of=NOW + moment) for moment in sorted(moments)]
    assert totals == sorted(totals, reverse=True)


# --- trend ----------------------------------------------------------------------------------------------------------------


def trend(*days_ago: float, **more: Any) -> str:
    under = rules([page(8, **({"half_life_days": 14, "limit": 50} | more))], engagement={"groups": {"web": 1000}})
    return engaged(under, *(NOW - round(days * DAY) for days in days_ago)).trend()


def test_a_steady_stream_is_steady_and_what_outweighs_it_rises_or_falls() -> None:
    assert trend(*(range(0, 98, 2))) == "steady"
    assert trend(*range(0, 98, 2), *[1] * 9) == "rising"
    assert trend(*range(14, 98, 2)) == "falling"
    assert trend(0) == "rising"
    assert trend(20) == "falling"


def test_a_steady_stream_is_steady_under_a_window_too() -> None:
    assert trend(*(day / 4 for day in range(40)), half_life_days=60, window_days=10) == "steady"
    assert trend(*(day / 4 for day in range(32, 40)), half_life_days=3, window_days=10) == "falling"


def test_who_did_nothing_and_who_did_only_what_takes_points_is_steady() -> None:
    assert trend() == trend(400) == "steady"
    assert engaged(rules([page(-8)]), NOW).trend() == "steady"


@given(st.lists(st.integers(0, 90 * DAY), max_size=12), st.randoms(use_true_random=False))
def test_the_trend_does_not_ask_in_which_order_touches_came(ages: list[int], rng: Any) -> None:
    under = rules([page(8.125, limit=3), page(0.01, id="small", half_life_days=13, window_days=20)])
    told = [touch(number, at=NOW - age) for number, age in enumerate(ages)]
    one = engagement(list(state_of(under, touch(99, at=1), *told).memories.values()), under.base, NOW)
    rng.shuffle(told)
    other = engagement(list(state_of(under, touch(99, at=1), *told).memories.values()), under.base, NOW)
    assert one == other
