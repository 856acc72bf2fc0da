"""A company's score in the words of a salesperson, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring import wire
from services.scoring.domain.account import score_account
from services.scoring.domain.people import People, Person
from shared.schemas.policies.scoring import AccountScoring
from shared.schemas.scores import AccountScored, Version
from shared.words.accounts import part, summary

DAY = 86_400_000
NOW = 1_790_000_000_000


def person(days_ago: float | None, **more: Any) -> Person:
    active = () if days_ago is None else (NOW - round(days_ago * DAY),)
    return Person(Version(1, 1, 1, NOW), **({"active": active} | more))


def scored(*people: Person, **policy: Any) -> AccountScored:
    """As scoring publishes it."""
    found = score_account(
        People({f"lead-{n}": one for n, one in enumerate(people)}), AccountScoring.model_validate(policy), NOW
    )
    saying = wire.Saying(Version(1, 1, 1, NOW), wire.PolicyRef(1, "h"))
    return AccountScored.model_validate_json(wire.encode(wire.account_scored("acme", "a.example", saying, found)))


@pytest.mark.parametrize(
    ("people", "en", "ja"),
    [
        (
            [
                person(1, role="decision_maker", department="it"),
                person(2, role="user", department="dx", engagement=9_000),
                person(30),
            ],
            "Active account (band 2, 43.8 points): 3 people are known, 2 of them were active lately; buying roles: Decision maker, "
            "User; departments: Digital transformation, IT.",
            "活発な取引先(バンド2、43.8点)です。把握している3人のうち2人に最近動きがあります。"
            "購買での役割は決裁者・利用者、部署はDX推進・情報システムです。",
        ),
        (
            [person(1)],
            "Hardly active account (band 4, 10 points): one person is known, and was active lately; no buying role is known.",
            "動きの少ない取引先(バンド4、10点)です。把握している1人のうち1人に最近動きがあります。購買での役割は不明です。",
        ),
        (
            [person(None), person(100)],
            "Hardly active account (band 4, 0 points): 2 people are known, nobody was active lately; no buying role is known.",
            "動きの少ない取引先(バンド4、0点)です。把握している2人に、最近の動きはありません。購買での役割は不明です。",
        ),
        (
            [person(n / 10, role="user") for n in range(5)],
            "Active account (band 2, 48 points): 5 people are known, all of them were active lately; buying roles: User; "
            "far more is going on than usual.",
            "活発な取引先(バンド2、48点)です。把握している5人のうち5人に最近動きがあります。購買での役割は利用者です。"
            "活動が急増しています。",
        ),
        (
            [person(1, gone=True)],
            "Nobody belongs to this account any more.",
            "現在、この取引先に属する人はいません。",
        ),
    ],
)  # fmt: skip
def test_one_sentence_says_who_there_is_and_what_they_stand_for(people: list[Person], en: str, ja: str) -> None:
    assert summary(scored(*people)) == {"en": en, "ja": ja}


def test_one_of_several_is_told_in_good_english() -> None:
    assert "1 of them was active lately" in summary(scored(person(1), person(50)))["en"]


def test_a_part_says_how_many_and_which_cap_cut_what() -> None:
    account = scored(*(person(n / 10, role="user", engagement=90_000) for n in range(5)), cap=60)
    told = {one.rule_id: part(one) for one in account.score.parts}
    assert told["persons"]["en"] == "People active lately, 5: +18 (of 50: its cap cut 20, the cap of all cut 12)"
    assert (
        told["persons"]["ja"]
        == "最近動きのある人(5): +18点(50点のうちこの項目の上限により20点、合計の上限により12点を切り捨て)"
    )
    assert told["roles"] == {"en": "Buying roles among them, 1: +8", "ja": "購買関与者の役割(1): +8点"}
    assert told["depth"]["en"] == "Engagement of each, 5: +24 (of 40: its cap cut 16)"
    assert told["surge"] == {"en": "Far more going on than usual: +10", "ja": "活動の急増: +10点"}


def test_a_word_that_is_not_known_stands_for_itself() -> None:
    assert "buying roles: Budget keeper's aunt" in summary(scored(person(1, role="Budget keeper's aunt")))["en"]
