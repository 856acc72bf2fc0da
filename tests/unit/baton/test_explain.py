"""One lead in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from baton.explain import WORDS, words

NOW = datetime(2026, 4, 1, 5, 20, tzinfo=UTC)
LEAD: dict[str, Any] = {
    "lead_id": "11111111-1111-5111-8111-111111111111",
    "person": {"name": "田辺 芽衣", "title": "部長"},
    "attributes": {"company": "あおぞら機械株式会社"},
    "accepted": False,
    "owner": {"rep_id": "sato", "name": "Misaki Sato", "pool": "field-japan"},
    "waiting": None,
    "merged_into": None,
    "score": {
        "grade": "A2",
        "as_of": "2026-04-01T05:15:00.000Z",
        "fit": 75.0,
        "engagement": 43.125,
        "parts": {
            "fit": [
                {"rule_id": "level", "points": 25.0, "given": 25.0, "cut": 0.0, "times": 1, "label": {"en": "Head"}}
            ],
            "engagement": [
                {
                    "rule_id": "pricing",
                    "points": 3.125,
                    "given": 8.0,
                    "cut": 4.875,
                    "times": 2,
                    "label": {"ja": "価格"},
                },
                {"rule_id": "demo", "points": 40.0, "given": 40.0, "cut": 0.0, "times": 1, "label": {"en": "Demo"}},
                {"rule_id": "careers", "points": -10.0, "given": -10.0, "cut": 0.0, "times": 1, "label": {}},
            ],
        },
    },
    "what_would_raise_it": [{"text": {"en": "16.9 more points make it A1"}}],
    "decision": {
        "at": "2026-03-31T05:15:01.000Z",
        "reasons": [{"code": "gate", "text": {"en": "grade A2 goes to sales", "ja": "A2 は営業へ"}}],
        "candidates": [
            {"name": "Misaki Sato", "chosen": True, "why_not": None},
            {"name": "Ken Tanaka", "chosen": False, "why_not": {"text": {"en": "it was Sato's turn"}}},
        ],
        "bant": {"criteria": {"need": {"state": "missing"}, "budget": {"state": "missing"}}},
        "cheapest_missing_question": {"text": {"en": "What would you like to solve?"}},
    },
    "bant": {"criteria": {"need": {"state": "met"}, "budget": {"state": "missing"}}},
    "cheapest_missing_question": {"text": {"en": "This term or the next?", "ja": "今期でしょうか"}},
}
LATE = "2026-04-01T05:10:00Z"
OPPORTUNITY: dict[str, Any] = {
    "owner": {"rep_id": "sato", "name": "Misaki Sato", "state": "offered"},
    "clocks": [
        {"assignment": 1, "kind": "accept", "state": "breached", "due_at": LATE, "ended_at": LATE},
        {"assignment": 2, "kind": "first_touch", "state": "running", "due_at": "2026-04-01T06:20:00Z", "ended_at": None},
        {"assignment": 2, "kind": "accept", "state": "running", "due_at": "2026-04-01T05:32:00Z", "ended_at": None},
    ],
}  # fmt: skip


def _told(lead: dict[str, Any] = LEAD, opportunity: dict[str, Any] | None = OPPORTUNITY, lang: str = "en") -> str:
    return words(lead, opportunity, lang=lang, zone="Asia/Tokyo", now=NOW)


def test_the_score_names_its_parts_the_largest_first() -> None:
    told = _told()
    assert "Score A2 as of 14:15 JST: fit 75, engagement 43.125" in told
    assert told.index("+40  Demo") < told.index("−10  careers") < told.index("+3.125  価格 (2 times, of 8")


def test_the_decision_says_why_and_why_not_the_others_and_what_to_ask_by_what_is_known_now() -> None:
    told = _told()
    assert "Decision of 2026-03-31 14:15 JST" in told
    assert "Ken Tanaka: it was Sato's turn" in told
    assert "need: met, budget: not known" in told
    assert "Cheapest missing question: This term or the next?" in told


def test_the_clock_tells_when_and_how_long_the_nearest_first() -> None:
    told = _told()
    assert "accept by 14:32 JST, 12 minutes left" in told
    assert told.index("accept by 14:32 JST") < told.index("first touch by 15:20 JST, 1 hour left")


def test_clocks_of_an_earlier_offer_are_not_told() -> None:
    assert "breached" not in _told()


def test_an_overdue_clock_says_so() -> None:
    late = {**OPPORTUNITY, "clocks": [{**OPPORTUNITY["clocks"][2], "due_at": "2026-04-01T05:19:30Z"}]}
    assert "accept by 14:19 JST, 30 seconds overdue" in _told(opportunity=late)


def test_an_overdue_clock_is_not_also_what_is_left_in_japanese() -> None:
    late = {**OPPORTUNITY, "clocks": [{**OPPORTUNITY["clocks"][2], "due_at": "2026-04-01T05:19:30Z"}]}
    assert "受領期限 14:19 JST(30秒超過)" in _told(opportunity=late, lang="ja")


def test_a_lead_without_a_name_is_called_by_its_address() -> None:
    told = _told({**LEAD, "person": {"email": "kato@kumo.example", "title": "部長"}})
    assert told.startswith("kato@kumo.example / 部長 / あおぞら機械株式会社  [11111111")


def test_the_same_in_japanese() -> None:
    told = _told(lang="ja")
    assert "受領期限 14:32 JST(残り 12分)" in told
    assert "適合度 75、関心度 43.125" in told
    assert "必要性: 確認済み、予算: 不明" in told
    assert "A2 は営業へ" in told


def test_a_lead_that_nobody_has_says_what_it_waits_for() -> None:
    waiting = {"why": {"en": "all reps are full"}, "trigger": {"en": "a rep closes a lead"}}
    told = _told({**LEAD, "owner": None, "waiting": waiting}, None)
    assert "With nobody: all reps are full" in told
    assert "Goes on when: a rep closes a lead" in told


def test_both_languages_can_say_the_same_things() -> None:
    assert WORDS["en"].keys() == WORDS["ja"].keys()


def test_a_lead_that_became_part_of_another_tells_nothing_of_its_own() -> None:
    told = _told({**LEAD, "merged_into": "22222222-2222-5222-8222-222222222222"}, None)
    assert told.splitlines()[2:] == ["This lead became part of 22222222-2222-5222-8222-222222222222"]
