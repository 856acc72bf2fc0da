"""What was learnt, as the fit rules of a policy."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from baton.quality.writing import AVERAGE, DOUBLE, factor, fit_section, points, with_fit
from shared.schemas.policies.scoring import Fit

LABELS = {"origin": ("An origin", "経路"), "landing_page": ("A page", "ページ")}


def _fit(section: str) -> Fit:
    return Fit.model_validate(YAML(typ="safe").load(section)["fit"])


def test_twenty_points_stand_for_being_won_twice_as_often() -> None:
    assert [points(factor) for factor in (2, 1, 0.5, 1.03, 1.4)] == [DOUBLE, 0, -DOUBLE, 0, 10]
    assert (factor(AVERAGE), factor(AVERAGE + DOUBLE)) == (1, 2)


def test_values_worth_the_same_are_one_rule_and_what_is_average_needs_none() -> None:
    found = _fit(fit_section({"origin": {"b": 2, "a": 2, "c": 1, "d": 0.5}}, LABELS))
    assert {rule.id: (rule.points, rule.group, rule.when) for rule in found.rules} == {
        "average": (50, None, {"lead.origin": {"exists": True}}),
        "origin-plus-20": (20, "origin", {"lead.origin": {"in": ["a", "b"]}}),
        "origin-minus-20": (-20, "origin", {"lead.origin": {"in": ["d"]}}),
    }
    assert found.rules[1].label.en == "An origin won 2 times as often as the average"
    assert found.rules[1].label.ja == "成約率が平均の2倍の経路"


def test_many_values_are_wrapped_and_one_that_looks_like_a_number_stays_text() -> None:
    pages = {f"{number:032d}": 2.0 for number in range(20)} | {"12e4": 2.0}
    section = fit_section({"landing_page": pages}, LABELS)
    assert max(map(len, section.splitlines())) <= 120
    assert _fit(section).rules[1].when == {"lead.landing_page": {"in": sorted(pages)}}


def test_the_part_fit_is_replaced_and_the_rest_of_the_policy_stays() -> None:
    assert (
        with_fit("# why\nkind: scoring\n\nfit:\n  cap: 1\n", "fit:\n  cap: 2\n")
        == "# why\nkind: scoring\n\nfit:\n  cap: 2\n"
    )
    with pytest.raises(ValueError, match="no line `fit:`"):
        with_fit("kind: scoring\n", "fit:\n")
