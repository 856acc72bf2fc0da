"""Rules of regions, rules for a time, and what rules may ask for."""

from __future__ import annotations

from datetime import date

import pytest

from services.router.domain.assignment import match
from services.router.domain.decision import Inputs, decide, replay
from services.router.domain.facts import Scored
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause
from shared.schemas.scores import LeadScored, PartialScore, PolicyRef, RecentTouch, Version

RULES = [
    {"id": "fair", "when": {"lead.campaign": {"eq": "expo"}}, "pool": "languages"},
    {"id": "rest", "when": {}, "pool": "field"},
]
KANSAI = {"id": "kansai", "when": {"lead.region": {"in": ["大阪府", "京都府"]}}}


@pytest.fixture
def routing(playbook_with, bodies):
    return lambda rules=RULES, **more: playbook_with(routing=bodies["routing"] | {"rules": rules} | more)


def tried(playbook, facts, day=None):
    return [(one.rule_id, one.result, one.region) for one in match(playbook, "fs", facts, day)]


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ({"off": ["fair"]}, [("rest", "matched", None)]),
        (
            {"rules": [{"id": "rest", "when": {}, "pool": "inside"}]},
            [("fair", "no_match", None), ("rest", "matched", "kansai")],
        ),
        ({"rules": [{"id": "kobe", "when": {}, "pool": "inside"}]}, [("kobe", "matched", "kansai")]),
    ],
    ids=["switched off", "in its place", "first"],
)
def test_a_regions_rules_count_for_its_leads_alone(routing, overlay, expected):
    playbook = routing(overlays=[KANSAI | overlay])
    assert tried(playbook, {"lead.region": "大阪府"}) == expected
    assert tried(playbook, {"lead.region": "東京都"}) == [("fair", "no_match", None), ("rest", "matched", None)]


@pytest.mark.parametrize(
    ("day", "result"),
    [
        ("2026-10-31", "out_of_season"),
        ("2026-11-01", "matched"),
        ("2026-12-15", "matched"),
        ("2026-12-16", "out_of_season"),
    ],
)
def test_a_scheduled_rule_counts_from_its_first_day_to_its_last(routing, day, result):
    season = {"valid_from": "2026-11-01", "valid_until": "2026-12-15"}
    playbook = routing([RULES[0] | season, RULES[1]])
    found = tried(playbook, {"lead.campaign": "expo"}, date.fromisoformat(day))
    assert found[0] == ("fair", result, None)


@pytest.mark.parametrize(
    ("at", "pool"),
    [
        (1_700_000_000_000, "field"),  # 2023-11-15 07:13 in Tokyo, a Wednesday
        (1_700_265_600_000, "inside"),  # 2023-11-18 09:00 in Tokyo, a Saturday; in Greenwich at midnight
    ],
)
def test_the_day_is_that_of_the_policys_zone_and_the_decision_repeats_itself(routing, scored, at, pool):
    rules = [
        {"id": "weekend", "when": {"time.weekday": {"in": ["sat"]}, "time.hour": {"gte": 9}}, "pool": "inside"},
        RULES[1],
    ]
    playbook = routing(rules)
    pools = {name: PoolState(name).follow(playbook.weights(name), 1) for name in playbook.pools}
    score = scored("A1", answers=[("N1", "stated", 1)])
    decision = decide(Inputs("t", "l", 1, 1, Cause("scored", "v", at), at, score, pools=pools), playbook)
    assert decision.outcome.pool_id == pool
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)


def test_rules_may_ask_where_a_lead_came_from():
    zero, touches = (
        PartialScore(total=0),
        [
            RecentTouch(event_id="a", type="ad_clicked", at=1, received_at=1, campaign="expo"),
            RecentTouch(event_id="b", type="page_viewed", at=2, received_at=2),
        ],
    )
    score = LeadScored(
        tenant="t", lead_id="l", version=Version(1, 1, 1, 1), as_of=2, policy=PolicyRef(sequence=1, hash="h"), fit=zero,
        engagement=zero, grade="A1", touches=touches, first_source="trade_fair", last_source="direct",
    )  # fmt: skip
    facts = Scored.of(score).facts()
    named = {name: facts[name] for name in ("lead.first_source", "lead.last_source", "lead.campaign")}
    assert named == {"lead.first_source": "trade_fair", "lead.last_source": "direct", "lead.campaign": "expo"}
