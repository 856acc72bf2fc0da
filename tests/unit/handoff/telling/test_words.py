"""What people read, whole, in both languages."""

from __future__ import annotations

import pytest

from services.handoff.telling.media import as_text
from services.handoff.telling.words import Facts, message, once, when, without_names

HOUR = 3_600_000
DUE = 1_763_434_800_000  # 2025-11-18T12:00+09:00
OFFER = Facts(
    "offer",
    concerns="佐藤 花子",
    company="株式会社青葉",
    person="山田 太郎 様",
    grade="A1",
    reasons=tuple({"ja": f"理由{n}", "en": f"reason {n}"} for n in range(5)),
    clock="accept",
    due_at=DUE,
    link="https://baton.example.jp/o/x",
)
REMINDER = Facts("reminder", concerns="佐藤 花子", clock="first_touch", due_at=DUE, share=80)


def told(*found, language="ja", zone="Asia/Tokyo"):
    made = message("佐藤 花子", found, language, zone)
    return made.title, as_text(made)


def test_an_offer_in_japanese_has_the_honorific_once_and_three_reasons():
    assert told(OFFER) == (
        "【Baton】リードのご案内: 株式会社青葉",
        "佐藤 花子さん、新しいリードのご案内です。\n会社名: 株式会社青葉\nお名前: 山田 太郎 様\n評価: A1\n"
        "理由:\n・理由0\n・理由1\n・理由2\n受領期限: 11月18日(火) 12:00 (JST)\n受け取る・差し戻す: https://baton.example.jp/o/x",
    )


def test_an_offer_in_english():
    assert told(OFFER, language="en", zone="Europe/Berlin") == (
        "[Baton] A lead for you: 株式会社青葉",
        "佐藤 花子: There is a lead for you.\nCompany: 株式会社青葉\nName: 山田 太郎\n"
        "Grade: A1\nWhy:\n• reason 0\n• reason 1\n• reason 2\nAccept by: Tue 18 Nov 04:00 CET\nTake it, or give it back: https://baton.example.jp/o/x",
    )


def test_two_things_go_in_one_message_whole():
    assert told(OFFER, REMINDER)[1].splitlines() == [
        "佐藤 花子さん、お知らせが2件あります。",
        "",
        "(1) リードのご案内",
        "新しいリードのご案内です。",
        "会社名: 株式会社青葉",
        "お名前: 山田 太郎 様",
        "評価: A1",
        "理由:",
        "・理由0",
        "・理由1",
        "・理由2",
        "受領期限: 11月18日(火) 12:00 (JST)",
        "受け取る・差し戻す: https://baton.example.jp/o/x",
        "",
        "(2) 期限のリマインド",
        "初回接触期限までの時間の80%が経過しました。",
        "初回接触期限: 11月18日(火) 12:00 (JST)",
    ]


def test_many_things_go_in_one_message_in_short():
    title, text = told(*[OFFER] * 4, language="en")
    assert title == "[Baton] 4 things for you"
    assert text.splitlines()[:8] == [
        "佐藤 花子: 4 things for you.",
        "",
        "(1) A lead for you",
        "There is a lead for you.",
        "Company: 株式会社青葉",
        "Name: 山田 太郎",
        "Accept by: Tue 18 Nov 12:00 JST",
        "Take it, or give it back: https://baton.example.jp/o/x",
    ]


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(
    "clock", ["accept", "first_touch", "qualify", "next_step", "stage_rot", "one_of_tomorrow", None]
)
@pytest.mark.parametrize(
    "kind", ["offer", "assigned", "reminder", "taken_back", "withdrawn", "sent_back", "late", "overdue"]
)
def test_every_kind_of_thing_has_words_of_one_line_for_every_clock(kind, clock, language):
    title, text = told(Facts(kind, concerns="Sato", clock=clock, due_at=DUE, share=50), language=language)
    assert "\n" not in title
    assert "{" not in title + text


@pytest.mark.parametrize(
    ("elsewhere", "ja", "en"),
    [
        (False, "担当から外れました。", "the lead is no longer yours."),
        (True, "ほかの担当者に移りました。", "the lead went on to somebody else."),
    ],
)
def test_who_lost_a_lead_hears_of_somebody_else_only_where_there_is_one(elsewhere, ja, en):
    facts = Facts("taken_back", concerns="Sato", clock="accept", elsewhere=elsewhere)
    assert told(facts)[1].splitlines()[0].endswith(ja)
    assert told(facts, language="en")[1].splitlines()[0].endswith(en)


def test_a_time_is_told_by_the_reps_clock_across_the_change_of_summer_time():
    before, after = 1_774_746_000_000, 1_774_749_600_000  # 2026-03-29, 01:00 and 02:00 UTC
    assert when(before - 3_600_000, "en", "Europe/Berlin") == "Sun 29 Mar 01:00 CET"
    assert when(before, "en", "Europe/Berlin") == "Sun 29 Mar 03:00 CEST"
    assert when(after, "ja", "Europe/Berlin") == "3月29日(日) 04:00 (CEST)"


def test_reasons_that_name_the_company_or_the_account_are_left_out():
    reasons = [
        {"code": "sentence", "text": {"en": "Sato gets this lead: account “Aoba Holdings”.", "ja": "佐藤 が担当"}},
        {
            "code": "account",
            "text": {"en": "account “Aoba Holdings”, by domain", "ja": "取引先「青葉HD」(ドメインで一致)"},
        },
        {"code": "a", "text": {"en": "a deal with 青葉hd", "ja": "青葉HDと商談中"}},
        {"code": "b", "text": {"en": "wrote from aoba kk", "ja": "問い合わせ"}},
        {"code": "rule", "text": {"en": "rule “Tokyo”", "ja": "ルール「東京」"}},
    ]
    assert without_names(reasons, "Aoba KK") == reasons[-1:]


@pytest.mark.parametrize(
    ("at", "zone", "ja", "en"),
    [
        (DUE + 12 * HOUR, "Asia/Tokyo", "11月18日(火)中 (JST)", "Tue 18 Nov (end of day, JST)"),
        (DUE + 12 * HOUR + 1, "Asia/Tokyo", "11月19日(水) 00:00 (JST)", "Wed 19 Nov 00:00 JST"),
        (DUE + 12 * HOUR, "UTC", "11月18日(火) 15:00 (UTC)", "Tue 18 Nov 15:00 UTC"),
        (
            1_725_768_000_000,
            "America/Santiago",
            "9月7日(土)中 (-04)",
            "Sat 7 Sep (end of day, -04)",
        ),  # no midnight then
    ],
)
def test_the_moment_at_which_a_day_ends_is_told_as_that_day(at, zone, ja, en):
    assert (when(at, "ja", zone), when(at, "en", zone)) == (ja, en)


def test_what_the_sentence_says_is_not_told_again_and_all_else_is():
    def reason(code, ja):
        return {"code": code, "text": {"ja": ja, "en": f"the {code}"}}

    sentence = {
        "code": "sentence",
        "text": {
            "ja": "加藤 由美 が担当: グレード A3 はインサイドセールス確認、プール「IS」での順番。",
            "en": "Kato gets this lead: the grade; it was their turn in pool “IS”.",
        },
    }
    grade, rule = reason("grade", "グレード A3 はインサイドセールス確認"), reason("rule", "ルール「IS」")
    turn, fit = reason("fair_turn", "順番(受け取るべき分との差 0.5)"), reason("best_fit", "順番")
    assert once([sentence, grade, rule, turn]) == [sentence["text"], rule["text"]]
    assert once([grade, rule, turn]) == [grade["text"], rule["text"], turn["text"]]
    assert once([sentence, turn, rule]) == [sentence["text"], turn["text"], rule["text"]]
    assert once([sentence, fit]) == [sentence["text"], fit["text"]]  # in one language alone it is by chance
    assert once([]) == []
