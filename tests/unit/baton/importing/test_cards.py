"""Rows become cards, and cards of one person one touch."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from baton.importing.joining import message, message_id
from baton.importing.plan import strangers

TARO = {"メール": "taro@aozora.example", "氏名": "青空 太郎", "会社": "青空㈱"}


def test_the_same_card_from_two_colleagues_on_two_days_is_one_touch(planned: Any) -> None:
    plan = planned(
        TARO | {"担当": "加藤 由美", "日時": "2026/10/22", "ランク": "要フォロー", "メモ": "資料を送る"},
        TARO
        | {"メール": " Taro@Aozora.example", "担当": "中村さん", "日時": "2026/10/21", "ランク": "要連絡"}
        | {"メモ": "訪問希望", "電話": "312345678"},
    )
    (card,) = plan.cards
    assert (card.rows, card.staff, card.rank) == ((2, 3), ("kato", "nakamura"), "contact")
    assert card.memo == "資料を送る\n訪問希望"
    assert card.fields["phone"] == "0312345678"
    assert card.at == datetime(2026, 10, 21, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() * 1000
    assert plan.joined == 1
    sent = message(card)
    assert sent["properties"]["exchanged_by"] == "kato"
    assert sent["properties"]["staff"] == ["kato", "nakamura"]


def test_two_campaigns_or_two_events_are_two_touches(good_mapping: str, planned: Any) -> None:
    fair = planned(TARO).cards[0]
    survey = planned(TARO, mapping=good_mapping.replace("card_scanned", "survey_answered")).cards[0]
    other = planned(TARO, mapping=good_mapping.replace("campaign: monozukuri-2026", "purpose: autumn-list")).cards[0]
    assert len({message_id(card) for card in (fair, survey, other)}) == 3


def test_a_card_is_known_again_whatever_the_file_looks_like(planned: Any) -> None:
    ours = planned(TARO, encoding="cp932").cards[0]
    theirs = planned({"氏名": "x"}, TARO | {"メモ": "別のファイル", "日時": "2026/10/23"}).cards[0]
    assert message_id(ours) == message_id(theirs)


def test_a_card_without_an_address_is_known_by_name_company_and_phone(planned: Any) -> None:
    plan = planned(
        {"氏名": "林　直美", "会社": "はやし工業（株）", "電話": "06-6123-4567"},
        {"氏名": "林 直美", "会社": "はやし工業株式会社", "電話": "661234567"},
        {"氏名": "林 直樹", "会社": "はやし工業㈱", "電話": "661234567"},
    )
    assert [card.rows for card in plan.cards] == [(2, 3), (4,)]
    external = [message(card)["externalId"] for card in plan.cards]
    assert len(set(external)) == 2
    assert all(each.startswith("card:") for each in external)


def test_a_row_that_names_nobody_is_refused(planned: Any) -> None:
    plan = planned({"会社": "だれか商事"}, {"氏名": "名前だけ"})
    assert [each.code for each in plan.refused] == ["no_identity", "no_identity"]
    assert plan.cards == []


def test_everything_that_is_wrong_with_a_row_is_told_at_once(planned: Any) -> None:
    (refused,) = planned(
        {"メール": "nobody", "電話": "9.01E+10", "ランク": "Z", "担当": "誰か", "日時": "いつか"}
    ).refused
    assert refused.code == "lost_in_excel"
    for word in ("phone:", "email:", "rank:", "staff:", "time:"):
        assert word in refused.reason


def test_one_bad_row_does_not_cost_its_neighbours(planned: Any) -> None:
    plan = planned(TARO, TARO | {"メール": "nobody"}, TARO | {"メール": "jiro@aozora.example"})
    assert [card.rows for card in plan.cards] == [(2,), (4,)]
    assert [each.row.number for each in plan.refused] == [3]


def test_staff_are_known_by_name_address_and_id_and_several_stand_in_one_cell(planned: Any) -> None:
    plan = planned(TARO | {"担当": "加藤　由美、yoshida@hinode.example / nakamura;中村さん"})
    assert plan.cards[0].staff == ("kato", "yoshida", "nakamura")


def test_a_rep_who_is_not_on_the_fairs_staff_is_noticed(planned: Any) -> None:
    assert strangers(planned(TARO | {"担当": "suzuki"})) == {("monozukuri-2026", "suzuki"): 1}


def test_staff_who_are_nobody_may_be_left_out(good_mapping: str, planned: Any) -> None:
    plan = planned(
        TARO | {"担当": "退職者"}, mapping=good_mapping.replace("{column: 担当", "{unknown: leave_out, column: 担当")
    )
    assert plan.cards[0].staff == ()
    assert plan.left_out == {"退職者": 1}


def test_without_a_time_the_fairs_first_day_counts(planned: Any) -> None:
    card = planned(TARO).cards[0]
    assert message(card)["timestamp"] == "2026-10-20T15:00:00.000Z"


def test_a_fairs_cards_come_from_the_trade_fair(planned: Any) -> None:
    assert message(planned(TARO).cards[0])["context"]["campaign"] == {"name": "monozukuri-2026", "medium": "trade_fair"}


def test_whoever_wants_to_be_contacted_raises_a_hand_if_the_mapping_says_so(good_mapping: str, planned: Any) -> None:
    wanted = good_mapping + "event_when: {rank: {contact: contact_requested}}\n"
    plan = planned(
        TARO | {"ランク": "要連絡"}, TARO | {"メール": "j@aozora.example", "ランク": "情報収集"}, mapping=wanted
    )
    assert [message(card)["event"] for card in plan.cards] == ["contact_requested", "trade_fair_card_scanned"]
    assert message(plan.cards[0])["properties"]["rank"] == "contact"
    plain = planned(TARO | {"ランク": "要連絡"}).cards[0]
    assert message_id(plan.cards[0]) == message_id(plain), "however it is sent, it is the same card"


def test_events_may_stand_in_a_column(good_mapping: str, planned: Any) -> None:
    by_column = good_mapping.replace(
        "event: trade_fair_card_scanned",
        "event: {column: ランク, values: {参加: webinar_attended, 欠席: webinar_missed}}",
    ).replace("rank: ランク", "")
    plan = planned(TARO | {"ランク": "参加"}, TARO | {"ランク": "欠席"}, TARO | {"ランク": "?"}, mapping=by_column)
    assert [card.event for card in plan.cards] == ["webinar_attended", "webinar_missed"]
    assert [each.code for each in plan.refused] == ["unknown_event"]


def test_every_repair_keeps_the_cell_as_it_stood(planned: Any) -> None:
    plan = planned(TARO | {"電話": "312345678", "郵便番号": "600001", "氏名": "ｱｵｿﾞﾗ"})
    assert {(each.row, each.column, each.before, each.after) for each in plan.repairs} == {
        (2, "電話", "312345678", "0312345678"),
        (2, "郵便番号", "600001", "060-0001"),
        (2, "氏名", "ｱｵｿﾞﾗ", "アオゾラ"),
    }
    assert message(plan.cards[0])["context"]["traits"]["address"] == {"postalCode": "060-0001"}


def test_no_card_is_shown_by_its_repr(planned: Any) -> None:
    plan = planned(TARO | {"電話": "312345678", "メモ": "内緒"})
    assert not any(word in repr(plan) for word in ("taro", "青空 太郎", "312345678", "内緒"))
