"""One lead in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from baton.explaining.telling import WORDS, words
from services.handoff.domain.terms import ClockKind

NOW = datetime(2026, 4, 1, 5, 20, tzinfo=UTC)


def _part(rule_id: str, points: float, **more: Any) -> dict[str, Any]:
    day = {"first_at": "2026-03-28T00:00:00.000Z", "last_at": "2026-03-28T09:00:00.000Z"}
    return {"rule_id": rule_id, "points": points, "why_cut": None, "times": 1, "label": {}} | day | more


LEAD: dict[str, Any] = {
    "lead_id": "11111111-1111-5111-8111-111111111111",
    "person": {"name": "田辺 芽衣", "title": "部長"},
    "attributes": {"company": "あおぞら機械株式会社"},
    "accepted": False,
    "owner": {"rep_id": "sato", "name": "Misaki Sato", "pool": "field-japan"},
    "waiting": None,
    "merged_into": None,
    "temperature": "hot",
    "trend": "rising",
    "account": "aozora.example",
    "summary": {
        "sentence": {"en": "Hot lead, A2.", "ja": "ホットリード(A2)です。"},
        "reasons": [{"en": "Demo: +40 points", "ja": "デモ依頼: +40点"}],
    },
    "better": [
        {
            "grade": "A1",
            "verdict": "mql",
            "text": {"en": "A1 with “Quote” (+45 points)", "ja": "「見積依頼」(+45点)があれば A1"},
        },
        {"grade": "A0", "verdict": None, "text": {"en": "A0 with luck"}},
    ],
    "score": {
        "grade": "A2",
        "as_of": "2026-04-01T05:15:00.000Z",
        "fit": 75.0,
        "engagement": 43.125,
        "cause": "time",
        "region": "kansai",
        "parts": {
            "fit": [_part("level", 25.0, label={"en": "Head"}, first_at=None, last_at=None)],
            "engagement": [
                _part(
                    "pricing",
                    3.125,
                    times=2,
                    label={"ja": "価格"},
                    last_at="2026-03-31T23:00:00.000Z",
                    why_cut={"en": "of 8 given 3.125 kept", "ja": "8点のうち3.125点を加算"},
                ),
                _part("demo", 40.0, label={"en": "Demo"}),
                _part("careers", -10.0, times=3),
            ],
        },
    },
    "decision": {
        "at": "2026-03-31T05:15:01.000Z",
        "reasons": [{"code": "gate", "text": {"en": "grade A2 goes to sales", "ja": "A2 は営業へ"}}],
        "candidates": [
            {"name": "Misaki Sato", "chosen": True, "why_not": None},
            {"name": "Ken Tanaka", "chosen": False, "why_not": {"text": {"en": "it was Sato's turn"}}},
        ],
        "account": {
            "account_id": "hinode",
            "candidates": [
                {"account_id": "hinode", "name": "日の出工業", "why_not": None},
                {"account_id": "h2", "name": "日の出興業", "why_not": {"text": {"en": "another domain"}}},
            ],
        },
        "qualification": {
            "framework": "bant",
            "criteria": {"need": {"state": "missing"}, "budget": {"state": "missing"}},
        },
        "cheapest_missing_question": {"text": {"en": "What would you like to solve?"}},
    },
    "qualification": {
        "framework": "bant",
        "criteria": {
            "need": {"state": "met", "label": {"en": "need", "ja": "必要性"}},
            "budget": {"state": "missing", "label": {"en": "budget", "ja": "予算"}},
        },
    },
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
    assert "Score A2 · hot · rising, as of 14:15 JST: fit 75, engagement 43.1" in told
    assert told.index("+40  Demo") < told.index("−10  careers") < told.index("+3.1  価格 (2 times")


def test_a_part_says_how_often_when_first_and_last_and_what_was_cut() -> None:
    lines = [line.strip() for line in _told().splitlines()]
    assert "+25  Head" in lines
    assert "+40  Demo (2026-03-28)" in lines
    assert "−10  careers (3 times, 2026-03-28)" in lines
    assert "+3.1  価格 (2 times, 2026-03-28 to 2026-04-01, of 8 given 3.125 kept)" in lines
    assert "+3.1  価格 (2回、2026-03-28〜2026-04-01、8点のうち3.125点を加算)" in _told(lang="ja")


def test_the_score_is_told_in_a_sentence_with_its_reasons_and_where_it_comes_from() -> None:
    lines = _told().splitlines()
    at = lines.index("  Hot lead, A2.")
    assert lines[at + 1 : at + 3] == [
        "    · Demo: +40 points",
        "  changed by time alone, company aozora.example, rules of region kansai",
    ]
    assert "更新のきっかけ: 時間の経過のみ、取引先: aozora.example、地域ルール: kansai" in _told(lang="ja")


def test_what_would_raise_it_says_what_the_gate_would_make_of_that() -> None:
    assert "A1 with “Quote” (+45 points) → MQL" in _told()
    assert "「見積依頼」(+45点)があれば A1 → MQL" in _told(lang="ja")
    assert "A0 with luck\n" in _told()


def test_the_decision_says_why_and_why_not_the_others_and_what_to_ask_by_what_is_known_now() -> None:
    told = _told()
    assert "Decision of 2026-03-31 14:15 JST" in told
    assert "Ken Tanaka: it was Sato's turn" in told
    assert "Why not another account\n    日の出興業 (h2): another domain\n" in told
    assert "日の出工業 (hinode)" not in told
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


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("kind", get_args(ClockKind))
def test_a_clock_of_every_kind_is_told_running_and_ended(kind: str, lang: str) -> None:
    running = {**OPPORTUNITY["clocks"][2], "kind": kind}
    ended = {**running, "state": "breached", "ended_at": running["due_at"]}
    assert "14:32 JST" in _told(opportunity={**OPPORTUNITY, "clocks": [running]}, lang=lang)
    assert "14:32 JST" in _told(opportunity={**OPPORTUNITY, "clocks": [ended]}, lang=lang)


def test_an_overdue_clock_is_not_also_what_is_left_in_japanese() -> None:
    late = {**OPPORTUNITY, "clocks": [{**OPPORTUNITY["clocks"][2], "due_at": "2026-04-01T05:19:30Z"}]}
    assert "受領期限 14:19 JST(30秒超過)" in _told(opportunity=late, lang="ja")


def test_a_lead_without_a_name_is_called_by_its_address() -> None:
    told = _told({**LEAD, "person": {"email": "kato@kumo.example", "title": "部長"}})
    assert told.startswith("kato@kumo.example / 部長 / あおぞら機械株式会社  [11111111")


def test_the_same_in_japanese() -> None:
    told = _told(lang="ja")
    assert "受領期限 14:32 JST(残り 12分)" in told
    assert "適合度 75、関心度 43.1" in told
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


def test_who_agreed_to_what_is_called_ripe_is_told_and_when_one_side_has_not():
    marketing = {"by": "Ito", "role": "marketing", "on": "2026-04-01"}
    sales = {"by": "Mori", "role": "sales", "on": "2026-04-02"}
    both = LEAD | {"definition": {"signed_off": [marketing, sales], "by_both": True}}
    half = LEAD | {"definition": {"signed_off": [sales], "by_both": False}}
    none = LEAD | {"definition": {"signed_off": [], "by_both": False}}
    assert "What is called ripe was agreed by marketing Ito 2026-04-01, sales Mori 2026-04-02" in _told(lead=both)
    assert "agreed by one side only: sales Mori 2026-04-02" in _told(lead=half)
    assert "片方の部門のみ: 営業 Mori 2026-04-02" in _told(lead=half, lang="ja")
    assert "agreed" not in _told(lead=none)
