"""Which rules begin at nothing when a scoring policy comes into force, and why."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from baton.policies.replays import BACK, GONE, REBUILD, replays

BODY: dict[str, Any] = {
    "kind": "scoring",
    "hand_raises": ["contact_requested"],
    "engagement": {
        "groups": {"web": 30},
        "rules": [
            {
                "id": "pricing_page_viewed",
                "when": {"touch.path": {"prefix": "/pricing"}},
                "points": 8,
                "half_life_days": 10,
                "limit": 3,
                "group": "web",
            },
            {
                "id": "mail",
                "when": {"touch.type": {"eq": "email_opened"}},
                "points": 1,
                "half_life_days": 10,
                "per": "campaign",
                "group": "web",
            },
        ],
    },
    "fit": {"rules": []},
}


def changed(rule: int = 0, **fields: Any) -> dict[str, Any]:
    body = copy.deepcopy(BODY)
    body["engagement"]["rules"][rule] |= fields
    return body


def test_the_first_policy_of_a_tenant_needs_no_replay() -> None:
    assert replays(None, BODY) == []


@pytest.mark.parametrize(
    "fields", [{"points": 9}, {"half_life_days": 12}, {"label": {"en": "Pricing"}}, {"valid_from": "2026-01-01"}]
)
def test_what_is_read_from_the_same_marks_needs_none(fields: dict[str, Any]) -> None:
    assert replays(BODY, changed(**fields)) == []


def test_caps_grades_and_the_order_of_rules_need_none() -> None:
    body = copy.deepcopy(BODY)
    body["engagement"] |= {"cap": 50, "groups": {"web": 5}, "bands": [50, 20, 5]}
    body["engagement"]["rules"].reverse()
    assert replays(BODY, body) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"when": {"touch.path": {"prefix": "/plans"}}}, "its `when` changed"),
        ({"limit": 4}, "its `limit` changed"),
        ({"per": "7d"}, "its `per` changed"),
        ({"limit": 4, "per": "once"}, "its `limit` and its `per` changed"),
        ({"half_life_days": 20}, "its reach (70 to 140 days, by half-life and window) changed"),
        ({"window_days": 20}, "its reach (70 to 20 days, by half-life and window) changed"),
        (
            {"limit": 4, "half_life_days": 20},
            "its `limit` and its reach (70 to 140 days, by half-life and window) changed",
        ),
    ],
)
def test_a_rule_whose_marks_are_others_counts_from_now_on(fields: dict[str, Any], why: str) -> None:
    assert replays(BODY, changed(**fields)) == [f"rule pricing_page_viewed counts from now on only: {why}; {GONE}"]


def test_another_zone_changes_the_days_of_every_rule_that_has_days() -> None:
    body = copy.deepcopy(BODY) | {"zone_offset_minutes": 540}
    assert replays(BODY, body) == [
        f"rule pricing_page_viewed counts from now on only: the zone of its days changed; {GONE}"
    ]


def test_a_new_rule_and_a_new_hand_raise_are_named() -> None:
    body = copy.deepcopy(BODY) | {"hand_raises": ["contact_requested", "chat_started"]}
    body["engagement"]["rules"].append(
        {"id": "chat", "when": {"touch.type": {"eq": "chat_started"}}, "points": 5, "half_life_days": 5, "group": "web"}
    )
    assert replays(BODY, body) == [
        f"rule chat counts from now on only: it is new; {REBUILD}",
        f"hand-raise chat_started counts from now on only: it is new; {REBUILD}",
    ]


def test_a_rule_that_is_as_an_earlier_version_had_it_finds_its_marks_again() -> None:
    assert replays(changed(limit=4), BODY, [{"of_long_ago": True}, BODY]) == [
        f"rule pricing_page_viewed {BACK}; {REBUILD}"
    ]
    without = copy.deepcopy(BODY) | {"hand_raises": []}
    assert replays(without, BODY, [BODY]) == [f"hand-raise contact_requested {BACK}; {REBUILD}"]
    assert replays(changed(limit=4), changed(limit=5), [BODY]) == [
        f"rule pricing_page_viewed counts from now on only: its `limit` changed; {GONE}"
    ]


def test_another_name_for_the_same_marks_needs_none() -> None:
    assert replays(BODY, changed(id="plans_viewed")) == []


def test_a_rule_of_an_overlay_is_told_with_its_overlay_once() -> None:
    base = copy.deepcopy(BODY)
    overlay = {"id": "japan", "when": {"lead.country": {"eq": "JP"}}, "behaviour": []}
    base["overlays"] = [overlay | {"behaviour": [changed()["engagement"]["rules"][0]]}]
    assert replays(BODY, base) == [], "the same marks as the base's"
    ours = copy.deepcopy(base)
    ours["overlays"][0]["behaviour"][0]["limit"] = 9
    assert replays(base, ours) == [
        f"rule pricing_page_viewed of overlay japan counts from now on only: its `limit` changed; {GONE}"
    ]


def test_a_policy_that_no_program_reads_any_more_is_no_reason_not_to_apply_another() -> None:
    assert replays({"kind": "scoring", "of_long_ago": True}, BODY) == [
        f"the policy before this one cannot be read any more: what it kept is not known; if in doubt, {REBUILD}"
    ]
