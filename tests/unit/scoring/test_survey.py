"""What a rebuild would miss: by when the log begins, what the policies count, and what the states in force remember."""

from __future__ import annotations

from typing import Any

from services.scoring.domain.rules import Rules
from services.scoring.inputlog import Bounds
from services.scoring.recorded import ALWAYS, HAND_RAISE, kept_by
from services.scoring.survey import log_began, losses
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

DAY = 86_400_000
NOW = 1_790_000_000_000


def rules(*half_lives: float) -> Rules:
    body: dict[str, Any] = {
        "kind": "scoring",
        "hand_raises": [],
        "engagement": {
            "groups": {"web": 30},
            "rules": [
                {
                    "id": f"rule-{days:g}",
                    "when": {"touch.type": {"eq": "page_viewed"}},
                    "points": 2,
                    "half_life_days": days,
                    "group": "web",
                }
                for days in half_lives
            ],
        },
        "fit": {"rules": []},
    }
    return Rules(ScoringPolicy.model_validate(body), PolicyRef(sequence=1, hash="h"))


RULES = {"acme": rules(2, 10, 30)}  # look back 14, 70 and 210 days
NAMES = {kept.rule_id: kept.name for kept in kept_by(RULES["acme"])}


def lost(began: int | None, since: dict[str, dict[str, int]] | None) -> dict[str, int]:
    return {loss.kept.rule_id: loss.known_since for loss in losses(RULES, began, NOW, since=since)}


def test_a_log_that_nothing_has_left_misses_nothing_however_young_it_is() -> None:
    bounds = {0: {"touchpoints": Bounds(0, 10, NOW - DAY)}, 1: {"touchpoints": Bounds(0, 0, None)}}
    assert log_began(bounds, NOW) is None
    assert lost(None, None) == {}


def test_a_log_begins_where_the_partition_does_that_lost_most() -> None:
    bounds = {
        0: {"touchpoints": Bounds(7, 10, NOW - 90 * DAY), "handoff-events": Bounds(0, 3, NOW - DAY)},
        1: {"touchpoints": Bounds(5, 10, NOW - 80 * DAY), "handoff-events": Bounds(9, 9, None)},
    }
    assert log_began(bounds, NOW) == NOW - 80 * DAY


def test_a_log_of_which_nothing_is_left_begins_now() -> None:
    assert log_began({0: {"touchpoints": Bounds(9, 9, None)}}, NOW) == NOW


def test_without_the_states_in_force_every_rule_that_looks_back_further_than_the_log_misses_something() -> None:
    began = NOW - 60 * DAY
    assert lost(began, None) == {"rule-10": began, "rule-30": began}


def test_with_them_only_rules_that_they_know_in_part_do() -> None:
    began = NOW - 60 * DAY
    always = dict.fromkeys(NAMES.values(), ALWAYS)
    assert lost(began, {"acme": always}) == {}
    assert lost(began, {"acme": always | {NAMES["rule-30"]: NOW - DAY}}) == {"rule-30": began}
    assert lost(began, {"acme": always | {NAMES["rule-30"]: NOW - 99 * DAY}}) == {"rule-30": NOW - 99 * DAY}
    assert lost(began, {"acme": always | {NAMES["rule-10"]: NOW - 99 * DAY}}) == {}, "they know it long enough"


def test_of_a_tenant_of_whom_nothing_was_noted_everything_was_always_kept() -> None:
    assert lost(NOW - 60 * DAY, {}) == {}
    assert lost(NOW - 60 * DAY, {"acme": {"another": ALWAYS}}).keys() == {"rule-10", "rule-30"}


def test_hand_raises_are_kept_as_long_as_the_topics() -> None:
    body = ScoringPolicy.model_validate(
        {
            "kind": "scoring",
            "hand_raises": ["contact_requested"],
            "engagement": {"groups": {}, "rules": []},
            "fit": {"rules": []},
        }
    )
    found = {"acme": Rules(body, PolicyRef(sequence=1, hash="h"))}
    (loss,) = losses(found, NOW - 399 * DAY, NOW, since=None)
    assert loss.kept.name == f"{HAND_RAISE}contact_requested"
    assert losses(found, NOW - 401 * DAY, NOW, since=None) == []
