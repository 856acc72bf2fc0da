"""A score in the words of a salesperson, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.parts import Part, cap_all, cap_group
from shared.schemas.catalogue import FIT_FIELDS
from shared.schemas.scores import Better, LeadScored, PartialScore, ScorePart, Suggestion
from shared.words.fields import FIT
from shared.words.scores import CAUSES, TEMPERATURES, TRENDS, better, caps, cut, summary
from shared.words.view import glance, in_full

DAY = 86_400_000


def part(rule_id: str, kept: int, *, given: int | None = None, **more: Any) -> ScorePart:
    label = {"en": rule_id.replace("_", " ").capitalize(), "ja": f"{rule_id}の"}
    worth = kept if given is None else given
    return ScorePart.model_validate(
        {"rule_id": rule_id, "given": worth, "cut": worth - kept, "kept": kept, "label": label} | more
    )


def score(grade: str = "B1", *, fit: list[ScorePart] | None = None, did: list[ScorePart] | None = None, **more: Any):
    fits = [part("level", 52_000)] if fit is None else fit
    done = [part("demo", 40_000, last_at=5 * DAY), part("pricing", 24_300, times=3)] if did is None else did
    sides = {
        "fit": {"total": sum(one.kept for one in fits), "parts": fits},
        "engagement": {"total": sum(one.kept for one in done), "parts": done},
    }
    fields = {
        "tenant": "t",
        "lead_id": "l",
        "version": (1, 1, 1, 1),
        "as_of": 6 * DAY,
        "policy": {"sequence": 1, "hash": "h"},
        "grade": grade,
        "temperature": "hot",
    }
    return LeadScored.model_validate(fields | sides | more)


RAISED = {"type": "demo_requested", "event_id": "e", "at": 5 * DAY, "received_at": 5 * DAY}


def test_one_sentence_says_fit_interest_temperature_and_trend():
    told = summary(score(trend="rising")).sentence
    assert told == {
        "en": "Hot lead, B1: fits well (52 points) and is very interested (64.3 points), more so lately.",
        "ja": "適合度が高く(52点)、関心度も非常に高い(64.3点)ホットリード(B1)で、最近の反応は増えています。",
    }
    assert summary(score()).sentence["ja"] == "適合度が高く(52点)、関心度も非常に高い(64.3点)ホットリード(B1)です。"


@pytest.mark.parametrize(
    ("grade", "says"),
    [
        ("A4", "適合度が非常に高く(52点)、関心度は低い(64.3点)"),
        ("A3", "適合度が非常に高く(52点)、一定の関心も見られる(64.3点)"),
        ("C2", "適合度は中程度(52点)で、関心度は高い(64.3点)"),
        ("C3", "適合度は中程度(52点)で、一定の関心が見られる(64.3点)"),
        ("D1", "適合度は低く(52点)、関心度は非常に高い(64.3点)"),
        ("D4", "適合度は低く(52点)、関心度も低い(64.3点)"),
    ],
)
def test_japanese_says_also_only_where_both_point_the_same_way(grade, says):
    assert summary(score(grade)).sentence["ja"].startswith(says)


def test_every_grade_temperature_and_trend_has_its_sentence_and_it_is_one():
    for letter in "ABCD":
        for band in "1234":
            for temperature in TEMPERATURES:
                for trend in TRENDS:
                    told = summary(score(letter + band, temperature=temperature, trend=trend)).sentence
                    assert told["ja"].count("。") == 1
                    assert told["ja"].endswith("。")
                    assert told["en"].endswith(".")
                    assert ". " not in told["en"]


def test_the_reasons_are_the_hand_raise_and_then_what_weighs_most_of_both_sides():
    assert summary(score(hand_raise=RAISED)).reasons == (
        {"en": "Demo requested (hand-raise): +40 points", "ja": "デモ依頼(手挙げ): +40点"},
        {"en": "Level: +52 points", "ja": "levelの: +52点"},
        {"en": "Pricing, 3 times: +24.3 points", "ja": "pricingの(3回): +24.3点"},
    )


def test_at_most_three_reasons_and_one_of_each_side_however_heavy_the_other_is():
    fit = [part(f"fit_{n}", 20_000 + n) for n in range(4)]
    told = [reason["en"] for reason in summary(score(fit=fit, did=[part("page", 1_000)])).reasons]
    assert told == ["Fit 3: +20 points", "Fit 2: +20 points", "Page: +1 point"]


def test_what_takes_points_away_is_a_reason_and_what_was_cut_to_nothing_is_none():
    did = [part("rejected", -60_000), part("page", 0, given=5_000)]
    told = summary(score(did=did, temperature="cold")).reasons
    assert [reason["ja"] for reason in told] == ["rejectedの: −60点", "levelの: +52点"]


def test_a_hand_raise_that_faded_is_a_reason_only_while_it_makes_the_lead_hot():
    old = RAISED | {"at": DAY}
    assert summary(score(hand_raise=old)).reasons[0]["en"] == "Demo requested (hand-raise)"
    assert "hand-raise" not in str(summary(score(hand_raise=old, temperature="warm")).reasons)


def test_a_hand_raise_of_a_type_that_nobody_knows_is_called_by_its_id():
    assert summary(score(hand_raise=RAISED | {"type": "x"})).reasons[0]["ja"] == "x(手挙げ): +40点"


@pytest.mark.parametrize(
    ("more", "ja", "en"),
    [
        ({"merged_into": "m"}, "リード m に統合されました。", "Became part of lead m."),
        ({"internal": True}, "社内の関係者のため、スコアと振り分けの対象外です。", "One of our own: kept, scored 0, never routed."),
        ({"is_test": True}, "テスト送信のみのため、振り分けの対象外です。", "Only tests so far: never routed."),
        ({"fit": [part("competitor", -100_000)]}, "適合度がマイナス(−100点)で、営業対象外の可能性が高いリードです。",
         "Probably not one to sell to: fit is −100 points."),
        ({"fit": [], "did": []}, "スコアの対象となる情報はまだありません。", "Nothing is known yet that gives points."),
    ],
)  # fmt: skip
def test_who_is_no_ordinary_lead_is_told_so_instead(more, ja, en):
    assert summary(score(**more)).sentence == {"en": en, "ja": ja}


def test_a_cut_names_what_was_given_and_kept_and_each_cap():
    parts = [part("demo", 14_000, given=25_000, cut=11_000, cut_total=5_000, group="ask")]
    parts += [part("call", 10_000, group="ask"), part("page", 76_000, group="web")]
    side = PartialScore(total=100_000, parts=tuple(parts))
    assert cut(parts[0], caps(side)) == {
        "en": "of 25 given 14 kept: the cap of 29 for group ask cut 6, the cap of 100 for all cut 5",
        "ja": "25点のうち14点を加算、グループ「ask」の上限29点により6点、合計の上限100点により5点を切り捨て",
    }
    assert cut(parts[1], caps(side)) is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-30_000, 60_000).filter(bool)), min_size=1, max_size=12),
    st.integers(1_000, 50_000),
    st.integers(1_000, 90_000),
)
def test_the_caps_that_are_told_are_those_that_scoring_used(given_points, group_cap, total_cap):
    parts = [Part(f"r{n}", worth, worth, group=group) for n, (group, worth) in enumerate(given_points)]
    for group in "abc":
        cap_group([one for one in parts if one.group == group], group_cap)
    partial = cap_all(parts, total_cap)
    told = [
        ScorePart(rule_id=p.rule_id, group=p.group, given=p.given, cut=p.cut, cut_total=p.cut_total, kept=p.kept)
        for p in partial.parts
    ]
    found = caps(PartialScore(total=partial.total, parts=tuple(told)))
    assert found.total in (None, total_cap)
    assert set(found.groups.values()) <= {group_cap}
    assert (found.total is not None) == any(one.cut_total for one in told)
    assert set(found.groups) == {one.group for one in told if one.cut > one.cut_total}


def test_what_would_raise_it_names_touches_and_how_often():
    web = Suggestion(rule_id="pricing", points=8_000, label={"en": "Pricing page", "ja": "価格ページ閲覧"})
    demo = Suggestion(rule_id="demo", points=40_000, label={"en": "Demo", "ja": "デモ依頼"})
    assert better(Better(grade="B1", by=(web, demo, web))) == {
        "en": "B1 with “Pricing page”, 2 times (+16 points) and “Demo” (+40 points)",
        "ja": "「価格ページ閲覧」2回(+16点)と「デモ依頼」(+40点)があれば B1",
    }


def test_what_would_raise_it_names_what_would_have_to_be_known():
    label = {"en": "Department that buys", "ja": "対象部署"}
    one = Suggestion(rule_id="dept", points=20_000, attribute="lead.department", label=label)
    two = Suggestion(rule_id="size", points=1_000, attribute="lead.size_band", label={"ja": "1,000人以上"})
    assert better(Better(grade="A2", by=(one, two))) == {
        "en": "A2 if known: department (“Department that buys” is +20 points) and company size (“1,000人以上” is +1 point)",
        "ja": "部署(「対象部署」なら+20点)と企業規模(「1,000人以上」なら+1点)が確認できれば A2",
    }


def test_every_field_that_a_rule_of_fit_may_ask_about_has_a_name():
    assert FIT_FIELDS.keys() == FIT.keys()


def test_every_temperature_trend_and_cause_of_the_contract_has_its_word():
    fields = LeadScored.model_fields
    for name, words in (("temperature", TEMPERATURES), ("trend", TRENDS), ("cause", CAUSES)):
        assert set(fields[name].annotation.__args__) == words.keys()


def test_what_is_shown_carries_the_points_the_times_and_the_words():
    did = [part("demo", 40_000, first_at=DAY, last_at=5 * DAY, group="ask", times=2)]
    told = score(did=did, region="germany", cause="time", account="kumo.example")
    shown = in_full(told)
    assert (shown["engagement"], shown["region"], shown["cause"]) == (40, "germany", "time")
    [one] = shown["parts"]["engagement"]
    assert (one["points"], one["first_at"], one["last_at"]) == (
        40,
        "1970-01-02T00:00:00.000Z",
        "1970-01-06T00:00:00.000Z",
    )
    assert (one["why_cut"], one["cut_by_group"], one["cut_by_total"]) == (None, 0, 0)
    assert glance(told)["account"] == "kumo.example"
