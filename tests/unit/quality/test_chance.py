"""Policies drawn by lot are like the one they stand beside, and know nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from baton.quality.chance import by_lot
from shared.schemas.policies import ScoringPolicy

VALUES = {"lead.origin": list("abcdefghij")}


@pytest.fixture
def policy() -> ScoringPolicy:
    rules = [
        {"id": "average", "points": 50, "when": {"lead.origin": {"exists": True}}},
        {"id": "best", "points": 20, "group": "origin", "when": {"lead.origin": {"in": ["a", "b", "c"]}}},
        {"id": "worst", "points": -20, "group": "origin", "when": {"lead.origin": {"in": ["d"]}}},
    ]
    return ScoringPolicy.model_validate(
        {"hand_raises": [], "engagement": {"groups": {}, "rules": []}, "fit": {"rules": rules}}
    )


def _named(policy: ScoringPolicy) -> Iterator[Any]:
    for rule in policy.fit.rules:
        yield from rule.when["lead.origin"].get("in", [])


def test_rules_keep_their_points_and_how_many_values_they_name(policy: ScoringPolicy) -> None:
    drawn = by_lot(policy, VALUES, 1)
    assert [(rule.id, rule.points, rule.group) for rule in drawn.fit.rules] == [
        (rule.id, rule.points, rule.group) for rule in policy.fit.rules
    ]
    assert drawn.fit.rules[0] == policy.fit.rules[0]
    assert [len(rule.when["lead.origin"].get("in", [])) for rule in drawn.fit.rules] == [0, 3, 1]
    assert len(set(_named(drawn))) == 4


def test_every_value_comes_up_and_a_seed_says_the_same_twice(policy: ScoringPolicy) -> None:
    draws = [by_lot(policy, VALUES, seed) for seed in range(40)]
    assert {value for drawn in draws for value in _named(drawn)} == set(VALUES["lead.origin"])
    assert by_lot(policy, VALUES, 3) == draws[3]
