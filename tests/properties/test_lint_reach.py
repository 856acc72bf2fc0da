"""No lead has more points than lint says that rules can give, and some lead nearly has as many."""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from baton.lint.boxes import boxes_of
from baton.lint.reach import most_engagement, most_fit
from baton.lint.space import Space
from baton.lint.values import domain
from shared.schemas.catalogue import FIT_FIELDS
from shared.schemas.conditions import parse
from shared.schemas.policies import BehaviourRule, FitRule, ScoringPolicy
from shared.schemas.policies.scoring import Engagement, Fit
from tests import scoring_reference as reference
from tests.scoring_reference import DAY

NOW = 20_000 * DAY + 1  # a moment after midnight: every bucket of days has just begun

rules = st.builds(
    lambda per, points, half_life, limit, group: {
        "when": {"touch.type": {"eq": "page_viewed"}},
        "points": points,
        "half_life_days": half_life,
        "limit": limit,
        "per": per,
        "group": group,
    },
    st.sampled_from(["1d", "1d", "4d", "once"]),
    st.sampled_from([1, 2.5, 8, -3]),
    st.sampled_from([0.5, 3, 14]),
    st.integers(1, 3),
    st.sampled_from(["web", "mail"]),
)


def touch(at: int, number: int) -> dict[str, Any]:
    return {
        "type": "page_viewed",
        "at": at,
        "received_at": at,
        "event_id": f"{at}-{number}",
        "automated": False,
        "source_id": "web",
        "trusted": False,
    }


def policy(engagement: dict[str, Any], fit: dict[str, Any]) -> ScoringPolicy:
    return ScoringPolicy(hand_raises=(), engagement=Engagement(**engagement), fit=Fit(**fit))


def at_best(days: int) -> list[dict[str, Any]]:
    """As many touches as count: now, and at the end of every bucket of so many days before."""
    moments = [NOW, *(NOW - 2 - n * days * DAY for n in range(120 // days))]
    return [touch(at, number) for at in moments for number in range(3)]


@given(st.lists(rules, min_size=1, max_size=3), st.sampled_from([5, 40, 1000]), st.sampled_from([30, 1000]))
def test_nobody_has_more_than_rules_can_give_at_most(given_rules: list[Any], web: float, cap: float) -> None:
    written = [BehaviourRule(id=f"r{n}", **rule) for n, rule in enumerate(given_rules)]
    tried = policy({"cap": cap, "groups": {"web": web, "mail": 60}, "rules": tuple(written)}, {"rules": ()})
    bound = most_engagement(tried.engagement, written)
    for did in (at_best(1), at_best(4), [touch(NOW, number) for number in range(9)]):
        points, _ = reference.engagement(did, written, tried, NOW)
        assert points <= bound * 1000 + len(did), "each touch is rounded once"


@given(rules.filter(lambda rule: rule["points"] > 0), st.sampled_from([5, 40, 1000]))
def test_who_does_all_that_counts_has_nearly_as_much(rule: dict[str, Any], web: float) -> None:
    written = BehaviourRule(id="only", **rule)
    tried = policy({"cap": 1000, "groups": {"web": web, "mail": 60}, "rules": (written,)}, {"rules": ()})
    did = [touch(NOW, number) for number in range(3)] if written.per == "once" else at_best(int(written.per[:-1]))
    points, _ = reference.engagement(did, [written], tried, NOW)
    bound = most_engagement(tried.engagement, [written])
    assert points >= 0.97 * bound * 1000 - len(did), "but for what is left after seven half-lives"


LEVELS, SIZES = ["top", "head", "staff", None], [1, 50, 500, None]
facts_of_fit = [
    {name: value for name, value in (("lead.level", level), ("lead.employees", size)) if value is not None}
    for level in LEVELS
    for size in SIZES
]
comparisons = st.one_of(
    st.builds(lambda v: {"lead.level": {"in": v}}, st.lists(st.sampled_from(LEVELS[:3]), min_size=1, max_size=2)),
    st.builds(lambda v: {"not": {"lead.level": {"eq": v}}}, st.sampled_from(LEVELS[:3])),
    st.builds(lambda op, v: {"lead.employees": {op: v}}, st.sampled_from(["gte", "lt"]), st.sampled_from([1, 50, 500])),
)
fit_rules = st.builds(
    lambda when, points, group: {"when": when, "points": points, "group": group},
    st.one_of(comparisons, st.lists(comparisons, min_size=2, max_size=2).map(lambda parts: {"all": parts})),
    st.sampled_from([-20, 5, 10, 30]),
    st.sampled_from([None, "size", "level"]),
)


@given(st.lists(fit_rules, max_size=6))
def test_the_most_that_rules_of_fit_give_is_what_the_best_of_all_leads_has(given_rules: list[Any]) -> None:
    space = Space(
        FIT_FIELDS,
        tables={"lead.level": [*({"lead.level": level} for level in LEVELS[:3]), {}]},
        open={"lead.employees": domain(int, low=1)},
    )
    written = [FitRule(id=f"r{n}", **rule) for n, rule in enumerate(given_rules)]
    where = {rule.id: boxes_of(parse(rule.when, FIT_FIELDS), space) for rule in written}
    best = 0.0
    for facts in facts_of_fit:
        slots: dict[Any, float] = {}
        for rule in written:
            if parse(rule.when, FIT_FIELDS).holds(facts):
                slot = rule.group or rule.id
                slots[slot] = max(slots.get(slot, 0), rule.points)
        best = max(best, sum(slots.values()))
    assert most_fit(written, where, space, inf) == best
    enough = most_fit(written, where, space, 20)
    assert enough is not None
    assert (enough >= 20) is (best >= 20)
