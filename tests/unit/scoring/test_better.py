"""What would raise a band: as few touches as can be, and no larger ones than have to be."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.better import by_touches
from services.scoring.domain.engagement import engagement
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

NOW = 1_790_000_000_000


def rule(touch_type: str, points: float, group: str = "web", **more: Any) -> dict[str, Any]:
    when = {"touch.type": {"eq": touch_type}}
    return {"id": touch_type, "when": when, "points": points, "half_life_days": 30, "group": group} | more


RULES = [
    rule("page_viewed", 2, limit=3),
    rule("pricing_page_viewed", 8),
    rule("catalog_downloaded", 25, "content"),
    rule("demo_requested", 40, "inquiry"),
    rule("meeting_booked", 45, "inquiry"),
    rule("tender_notified", 60, "inquiry"),
    rule("careers_page_viewed", -10),
]


def raised(
    *did: str, rules: list[dict[str, Any]] = RULES, at: int = NOW, groups: dict[str, float] | None = None
) -> list[tuple[str, int]]:
    caps = groups or {"web": 10, "content": 30, "inquiry": 60}
    policy = ScoringPolicy.model_validate(
        {
            "kind": "scoring",
            "hand_raises": [],
            "engagement": {"groups": caps, "rules": rules},
            "fit": {"rules": []},
        }
    )
    compiled = Rules(policy, PolicyRef(sequence=1, hash="h"))
    touches = [wire.Touch("t", "l", "mail", "email", f"e{n}", "site", one, at, at) for n, one in enumerate(did)]
    memories = list(
        join(Told("t", "l", [(one, None) for one in touches]), LeadState(), compiled).finish().memories.values()
    )
    engaged = engagement(memories, compiled.base, NOW)
    return [(found.rule_id, found.points) for found in by_touches(engaged, memories, compiled.base, NOW)]


def test_of_the_touches_that_are_enough_the_smallest_is_named() -> None:
    assert raised("page_viewed") == [("pricing_page_viewed", 8_000)]
    assert raised() == [("catalog_downloaded", 25_000)]
    assert raised("catalog_downloaded") == [("pricing_page_viewed", 8_000)]


def test_where_none_is_enough_the_largest_comes_first_and_the_smallest_that_completes_it_last() -> None:
    assert raised("pricing_page_viewed", "page_viewed") == [("catalog_downloaded", 25_000)]
    assert raised("demo_requested") == [("catalog_downloaded", 25_000)]
    two = raised("catalog_downloaded", "pricing_page_viewed")  # 33 of 60
    assert two == [("demo_requested", 40_000)]
    low = [one for one in RULES if one["id"] not in ("tender_notified", "meeting_booked")]
    assert raised("page_viewed", "pricing_page_viewed", "catalog_downloaded", rules=low) == [("demo_requested", 40_000)]
    assert raised("demo_requested", rules=low[:2] + low[3:]) == [], "two small ones are not enough, and web is full"


def test_a_touch_that_would_not_count_again_today_is_not_named() -> None:
    assert raised("pricing_page_viewed") == [("page_viewed", 2_000)]
    assert ("catalog_downloaded", 25_000) not in raised("catalog_downloaded", "demo_requested")


def test_a_gain_ends_at_the_cap_of_its_group() -> None:
    found = raised(
        "demo_requested", rules=[rule("demo_requested", 40, "inquiry"), rule("meeting_booked", 45, "inquiry")]
    )
    assert found == [("meeting_booked", 20_000)]


def test_what_the_lead_cannot_do_itself_and_what_takes_points_away_is_never_named() -> None:
    only = [rule("tender_notified", 60, "inquiry"), rule("careers_page_viewed", -10)]
    assert raised(rules=only) == []


def test_nothing_is_named_where_no_band_is_better_or_it_is_out_of_reach() -> None:
    assert raised("demo_requested", "catalog_downloaded", "pricing_page_viewed") == []
    assert raised(rules=[rule("page_viewed", 2, limit=3)]) == []


@pytest.mark.parametrize("most", [1, 2])
def test_as_many_of_one_kind_are_named_as_still_count(most: int) -> None:
    rules = [rule("pricing_page_viewed", 8, limit=most)]
    found = raised(rules=rules, groups={"web": 40})
    assert found == ([] if most == 1 else [("pricing_page_viewed", 8_000)] * 2)


def test_each_of_a_campaign_that_nobody_has_heard_of_counts() -> None:
    rules = [rule("email_clicked", 5, per="campaign", limit=1)]
    assert raised("email_clicked", rules=rules, groups={"web": 40}) == [("email_clicked", 5_000)]
    assert raised(rules=rules, groups={"web": 40}) == [("email_clicked", 5_000)] * 2


def test_the_largest_is_left_out_where_two_that_bring_something_to_two_groups_do_without() -> None:
    rules = [
        rule("email_clicked", 6),
        rule("pricing_page_viewed", 3, limit=2),
        rule("pricing_page_viewed", 2.5, "ask", id="asked", limit=2),
    ]
    assert raised(rules=rules, groups={"web": 6, "ask": 5}) == [("pricing_page_viewed", 5_500)] * 2


def test_a_touch_is_worth_what_the_rules_of_today_give_for_it() -> None:
    past = rule("pricing_page_viewed", 20, "content", valid_until="2020-01-01")
    assert raised(rules=[past]) == []
    assert raised(rules=[past, rule("pricing_page_viewed", 12, "content", id="now")]) == [("now", 12_000)]
