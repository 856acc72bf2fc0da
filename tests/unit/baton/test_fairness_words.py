"""A pool's report as the terminal shows it."""

from __future__ import annotations

from typing import Any

from baton.fairness_words import WORDS, told


def member(name: str, **more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("sticky", "chosen", "named", "given_back", "accepted", "declined", "expired"), 0)
    return {"name": name, "weight": 1, "share": 4.5, "received": 4, "due": 0.5, "balance": 0.5} | counts | more


def report(**more: Any) -> dict[str, Any]:
    why_not = {"code": "closed", "text": {"en": "closed until nine", "ja": "営業時間外"}}
    return {
        "pool_id": "field-japan",
        "strategy": "fair",
        "promised": True,
        "since": "2026-03-31T15:00:00.000Z",
        "until": "2026-04-30T15:00:00.000Z",
        "leads": 9,
        "furthest": 0.5,
        "explored": {"given": 0, "accepted": 0, "passed_on": 0, "declined": 0},
        "members": [member("佐藤 美咲", declined=12), member("Ken", weight=None, due=-0.5, balance=None)],
        "next": {
            "rep_id": "sato",
            "why": {"en": "Sato is next", "ja": "佐藤の番"},
            "members": [{"name": "佐藤 美咲", "why_not": None}, {"name": "Ken", "why_not": why_not}],
        },
    } | more


def test_columns_stand_under_each_other_whatever_the_width_of_the_characters() -> None:
    lines = told(report(), lang="ja", zone="Asia/Tokyo").splitlines()
    assert lines[0] == (
        "field-japan(fair)、2026-04-01 00:00 – 2026-05-01 00:00(Asia/Tokyo): 配分 9 件、持ち分との最大差 0.50 件"
    )
    assert lines[1:4] == [
        "  担当者     重み  持ち分  受領   不足  継続担当  手動  指名  無効  承諾  辞退  期限切れ  現在の不足",
        "  佐藤 美咲     1    4.50     4  +0.50         0     0     0     0     0    12         0       +0.50",
        "  Ken        離脱    4.50     4  -0.50         0     0     0     0     0     0         0",
    ]
    assert lines[4:] == ["次の担当(条件のないリードの場合): 佐藤の番", "  Ken ではない理由: 営業時間外"]


def test_a_pool_that_promises_shares_says_when_one_is_a_lead_off() -> None:
    assert "A lead or more off" in told(report(furthest=1.0), lang="en", zone="UTC")
    assert "A lead or more off" not in told(report(furthest=0.99), lang="en", zone="UTC")
    assert "A lead or more off" not in told(report(furthest=4, promised=False), lang="en", zone="UTC")


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["ja"].keys()
    assert len(WORDS["en"]["columns"]) == len(WORDS["ja"]["columns"])
